"""The kernel's place in Django: guard on connections and migrations, rehearsal clock, outbox sweep, checks."""

from datetime import time

from django.apps import AppConfig
from django.conf import settings
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _


class KernelConfig(AppConfig):
    name = "koogallery.kernel"
    label = "kernel"
    verbose_name = _("Platform")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from koogallery import clock
        from koogallery.kernel import checks, guard, outbox, parked, policies, rehearsal, sweeps  # noqa: F401
        from koogallery.kernel.files import sweeping

        connection_created.connect(guard.install, dispatch_uid="guard-install")
        guard.listen_to_migrations()
        clock.use_rehearsal(rehearsal.stands_at if settings.REHEARSAL else None)
        sweeps.register(sweeps.Periodic(name="unreferred-files", work=sweeping.remove_unreferred, daily_at=time(4, 50)))
        sweeps.register(sweeps.JobSweep(name="outbox", due=outbox.next_due, work=outbox.deliver_due))
