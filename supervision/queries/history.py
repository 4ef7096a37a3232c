"""What happened in a flow, as both of its sides see it: records, messages and appeals with their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.db.models.functions import JSONObject
from django.urls import reverse

from orders.queries.delivered import LicenseFile
from supervision.models import Appeal, Flow, FlowFile, FlowMessage, FlowRecord
from supervision.states import FilePurpose, MoveName, RecordKind

if TYPE_CHECKING:
    from orders.models import Resource


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a record or a message; `size` is in bytes."""

    number: str
    name: str
    size: int
    sealed: bool
    purpose: str


@dataclass(frozen=True, slots=True)
class ToldRecord:
    """An operation record with its files; license files stand apart."""

    row: FlowRecord
    files: Sequence[SentFile] = ()


@dataclass(frozen=True, slots=True)
class ToldMessage:
    """A message with its files."""

    row: FlowMessage
    files: Sequence[SentFile] = ()


@dataclass(frozen=True, slots=True)
class History:
    """Everything that was told in a flow, oldest first."""

    records: Sequence[ToldRecord] = ()
    messages: Sequence[ToldMessage] = ()
    appeals: Sequence[Appeal] = ()
    licenses: Sequence[SentFile] = ()

    @property
    def undecided(self) -> Appeal | None:
        """The appeal that the flow waits for."""
        return next((appeal for appeal in self.appeals if appeal.is_undecided), None)

    @property
    def moves(self) -> list[ToldRecord]:
        """The records of moves from step to step."""
        return [told for told in self.records if told.row.kind in MoveName.values]

    def latest(self, kind: RecordKind) -> ToldRecord | None:
        """The latest record of a kind."""
        return next((told for told in reversed(self.records) if told.row.kind == kind), None)

    def files_of(self, appeal: Appeal) -> Sequence[SentFile]:
        """The proof with which an appeal was initiated."""
        return [
            file
            for told in self.records
            if told.row.kind == RecordKind.APPEAL and told.row.appeal_id == appeal.pk
            for file in told.files
        ]


def history_of(flow: Flow, *, messages: int | None = None) -> History:
    """Records with appeals, and messages, each with its files, in one query each; of license files those sent last.

    `messages` is how many of the newest are wanted; all without it.
    """
    rows = list(flow.records.select_related("appeal").annotate(sent=_sent("record")).order_by("at", "pk"))
    newest = list(flow.messages.annotate(sent=_sent("message")).order_by("-at", "-pk")[:messages])
    records: list[ToldRecord] = []
    licenses: list[SentFile] = []
    for row in rows:
        files = _files(row)
        records.append(ToldRecord(row, [each for each in files if each.purpose != FilePurpose.LICENSE]))
        licenses = [each for each in files if each.purpose == FilePurpose.LICENSE] or licenses
    return History(
        records=records,
        messages=[ToldMessage(message, _files(message)) for message in reversed(newest)],
        appeals=list({row.appeal_id: row.appeal for row in rows if row.appeal is not None}.values()),
        licenses=licenses,
    )


def _sent(name: str) -> ArraySubquery:
    files = FlowFile.objects.filter(**{name: OuterRef("pk")}).order_by("pk")
    told = {"number": "file__number", "name": "file__name", "size": "file__size", "sealed": "file__sealed"}
    return ArraySubquery(files.values(sent=JSONObject(purpose="purpose", **told)))


def _files(row: Any) -> list[SentFile]:
    return [SentFile(**each) for each in row.sent]


def latest_request(flow: Flow) -> FlowRecord | None:
    """The request that was submitted last."""
    return flow.records.filter(kind=RecordKind.SUBMIT_REQUEST).order_by("at", "pk").last()


def license_files_of(resource: Resource) -> list[LicenseFile]:
    """The license files of the last delivery of a resource, for its page; fills a port of orders."""
    flow = Flow.objects.filter(line_id=resource.line_id).first()
    if flow is None:
        return []
    sent = list(flow.files.filter(purpose=FilePurpose.LICENSE).select_related("file").order_by("pk"))
    return [
        LicenseFile(
            name=each.file.name,
            url=reverse("supervision:license_file", args=[flow.number, each.file.number]),
            size=each.file.size,
        )
        for each in sent
        if each.record_id == sent[-1].record_id
    ]
