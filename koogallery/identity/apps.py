"""identity's place in Django: fills the kernel's ports for permission and for entry to pages."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IdentityConfig(AppConfig):
    name = "koogallery.identity"
    label = "identity"
    verbose_name = _("Accounts and access")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from koogallery.identity import authorising, gate
        from koogallery.identity.operations import preferences
        from koogallery.kernel import lists, operations, pages

        operations.ports.authorise = authorising.authorise
        pages.use_gate(gate.admit)
        lists.use_keeper(preferences.keep_list)
