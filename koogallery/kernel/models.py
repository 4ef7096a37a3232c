"""Rows of the kernel: the rehearsal clock, idempotency keys, outbox, schedules, parked work, policies in force."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.guard import GuardedModel


class RehearsalClock(models.Model):
    """The moment at which a rehearsal stands; one row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    stands_at = models.DateTimeField()

    class Meta:
        verbose_name = _("rehearsal clock")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="rehearsal_clock_single")]


class IdempotencyKey(models.Model):
    """A form's key, bound to the committed answer of the operation it was sent to (R18)."""

    scope = models.CharField(max_length=100)
    operation = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    body_hash = models.CharField(max_length=64)
    answer = models.JSONField(default=dict)
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "operation", "key"], name="idempotency_once")]

    def fetch_answer(self) -> Any:
        """The row that the first call answered, or None."""
        if not self.answer:
            return None
        model = apps.get_model(self.answer["model"])
        return model._base_manager.get(pk=self.answer["pk"])


class OutboxMessage(models.Model):
    """Something to be told to the outside, written with what caused it and delivered by a worker.

    `next_try_at` is the due column; None once delivered or parked.
    """

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=200, unique=True)
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    next_try_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True)
    parked_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        verbose_name = _("outgoing message")
        verbose_name_plural = _("outgoing messages")
        indexes = [
            models.Index(fields=["next_try_at"], name="outbox_due", condition=models.Q(next_try_at__isnull=False)),
            models.Index(fields=["-parked_at"], name="outbox_parked", condition=models.Q(parked_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Schedule(models.Model):
    """When a periodic job runs next."""

    name = models.CharField(max_length=80, primary_key=True)
    next_due_at = models.DateTimeField()
    last_run_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class SweepFailure(models.Model):
    """A row that a sweep could not act on: backed off, then parked for an operations manager."""

    sweep = models.CharField(max_length=80)
    row_id = models.BigIntegerField()
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    parked_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        verbose_name = _("parked sweep row")
        verbose_name_plural = _("parked sweep rows")
        constraints = [models.UniqueConstraint(fields=["sweep", "row_id"], name="sweep_failure_once")]

    def __str__(self) -> str:
        return f"{self.sweep} {self.row_id}"


class PolicyChoice(GuardedModel):
    """Which policy pack, with which overridden values, is in force from `since` on."""

    since = models.DateTimeField(db_index=True)
    pack = models.CharField(max_length=20)
    overrides = models.JSONField(default=dict, blank=True)
    chosen_by = models.CharField(max_length=150, blank=True)

    class Meta:
        verbose_name = _("policy choice")
        verbose_name_plural = _("policy choices")
        ordering = ["-since", "-pk"]

    def __str__(self) -> str:
        return f"{self.pack} since {self.since:%Y-%m-%d %H:%M}"


class StoredFile(GuardedModel):
    """A checked upload in the storage `attachments`, referred to by rows of other rooms; it never changes.

    `key` is its place in the storage; `sealed` files are encrypted there. `owner_id` is the account that sent it.
    """

    number = models.CharField(max_length=32, unique=True)
    key = models.CharField(max_length=200)
    name = models.CharField(_("name"), max_length=200)
    size = models.BigIntegerField(_("size in bytes"))
    sha256 = models.CharField(max_length=64)
    content_type = models.CharField(max_length=100)
    sealed = models.BooleanField(default=False)
    owner_id = models.BigIntegerField(null=True)
    uploaded_by = models.CharField(_("uploaded by"), max_length=150, blank=True)
    uploaded_at = models.DateTimeField(_("uploaded"))

    class Meta(GuardedModel.Meta):
        verbose_name = _("stored file")
        verbose_name_plural = _("stored files")
        indexes = [models.Index(fields=["key"], name="stored_file_key")]

    def __str__(self) -> str:
        return self.name


class Holiday(GuardedModel):
    """A day of the operator's calendar on which operations do not work (R9)."""

    day = models.DateField(_("day"), unique=True)
    name = models.CharField(_("name"), max_length=100)

    class Meta(GuardedModel.Meta):
        verbose_name = _("holiday")
        verbose_name_plural = _("holidays")
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"{self.day} {self.name}"

    def trace_ref(self) -> tuple[str, str]:
        """How traces name the day."""
        return self.day.isoformat(), self.name
