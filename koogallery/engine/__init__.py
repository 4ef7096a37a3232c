"""The engine: PostgreSQL and Valkey from wheels under a supervisor of ours, and the processes of `make run`.

Nothing here but `apps`, `checks` of Django and the management commands imports Django: the engine starts before it.
"""
