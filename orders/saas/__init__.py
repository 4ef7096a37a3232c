"""The SaaS interface between marketplace and seller, versions 2.0 and 1.0: signatures, requests, answers, transport.

No database. The moment and the key come in as arguments; what a call means for an order is decided elsewhere.
"""
