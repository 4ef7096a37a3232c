from django.apps import AppConfig


class EngineConfig(AppConfig):
    name = "koogallery.engine"
    label = "engine"
    verbose_name = "Engine"

    def ready(self) -> None:
        from koogallery.engine import locale_check  # noqa: F401  registers the check
