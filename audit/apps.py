"""The audit app: fills the kernel's `record` port, keeps partitions ahead, makes the hourly digests."""

from datetime import time, timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    name = "audit"
    label = "audit"
    verbose_name = _("Traces")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audit import partitions, recording
        from audit.operations import digesting
        from koogallery.kernel import operations, sweeps

        operations.ports.record = recording.write
        sweeps.register(sweeps.Periodic(name="trace-partitions", work=partitions.keep, daily_at=time(0, 30)))
        sweeps.register(sweeps.Periodic(name="trace-digests", work=digesting.digest_due, every=timedelta(hours=1)))
