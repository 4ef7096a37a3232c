"""Puts the operations console in place of Django's plain admin site."""

from django.contrib.admin.apps import AdminConfig


class OperationsAdminConfig(AdminConfig):
    default_site = "koogallery.admin_site.site.OperationsSite"

    def ready(self) -> None:
        super().ready()
        from koogallery.admin_site import registered  # noqa: F401  rows of the kernel and of Django itself
