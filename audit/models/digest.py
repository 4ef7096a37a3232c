"""What proves that traces are as they were written: seals until the next digest, then signed digests in a chain."""

from __future__ import annotations

import json
import zlib
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.rules import canonical
from koogallery.kernel.guard import GuardedModel


class TraceSeal(GuardedModel):
    """A trace that no digest holds yet: its hash under the installation's key, written with it in one statement.

    Together with the digests, the numbers of a writer are without a gap; the database lets a seal leave only into one.
    """

    trace_id = models.UUIDField(primary_key=True)
    account_id = models.BigIntegerField(null=True)
    time = models.DateTimeField()
    seal = models.CharField(max_length=64)
    writer = models.BigIntegerField()
    number = models.BigIntegerField()

    class Meta:
        base_manager_name = "objects"
        indexes = [models.Index(fields=["account_id", "time"], name="audit_seal_account")]
        constraints = [models.UniqueConstraint(fields=["writer", "number"], name="audit_seal_number")]

    def __str__(self) -> str:
        return str(self.trace_id)


class TraceWriter(GuardedModel):
    """How many traces a process of the database has written, under its process ID; a number taken over goes on.

    No two transactions at a time have the same process, so that counting lets nobody wait.
    """

    writer = models.BigIntegerField(primary_key=True)
    count = models.BigIntegerField()

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"{self.writer}: {self.count}"


class TraceDigest(GuardedModel):
    """The traces of an account that were sealed until `end`, chained to the account's digest before it and signed.

    `account_id` 0 stands for traces of no account. `leaves` is the compressed list of what it holds.
    """

    account_id = models.BigIntegerField(_("Account"))
    number = models.PositiveIntegerField(_("Number"))
    start = models.DateTimeField(_("From"))
    end = models.DateTimeField(_("To"))
    count = models.PositiveIntegerField(_("Traces"))
    leaves = models.BinaryField()
    leaves_hash = models.CharField(max_length=64)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)

    class Meta:
        verbose_name = _("trace digest")
        verbose_name_plural = _("trace digests")
        base_manager_name = "objects"
        ordering = ["account_id", "number"]
        constraints = [models.UniqueConstraint(fields=["account_id", "number"], name="audit_digest_chain")]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.number}"

    def signed_text(self) -> str:
        """What the signature covers."""
        return canonical.text(
            {
                "account": self.account_id,
                "count": self.count,
                "end": canonical.milliseconds(self.end),
                "leaves": self.leaves_hash,
                "number": self.number,
                "previous": self.previous_hash,
                "start": canonical.milliseconds(self.start),
            }
        )

    def leaf_list(self) -> list[list[Any]]:
        """What it holds: `[trace id, time in ms, hash, writer, number]` each. Raises `ValueError` when damaged."""
        try:
            return json.loads(zlib.decompress(bytes(self.leaves)))
        except zlib.error as error:
            raise ValueError("The list of traces in this digest cannot be read.") from error
