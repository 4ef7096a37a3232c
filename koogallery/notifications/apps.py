"""The notifications app: who delivers mail and SMS, and the count of unread messages for the frames."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NotificationsConfig(AppConfig):
    name = "koogallery.notifications"
    label = "notifications"
    verbose_name = _("Notifications")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from koogallery.kernel import navigation
        from koogallery.notifications import (  # noqa: F401  handlers and operations
            delivering,
            hearing,
            operations,
            queries,
        )

        hearing.listen()
        navigation.provide_count("unread_messages", queries.unread_given)
