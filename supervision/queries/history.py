"""What happened in a flow, as both of its sides see it: records, messages and appeals with their files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import QuerySet
from django.urls import reverse

from orders.queries.delivered import LicenseFile
from supervision.models import Appeal, Flow, FlowFile, FlowMessage, FlowRecord
from supervision.states import FilePurpose, MoveName, RecordKind

if TYPE_CHECKING:
    from orders.models import Resource


@dataclass(frozen=True, slots=True)
class ToldRecord:
    """An operation record with its files; license files stand apart."""

    row: FlowRecord
    files: Sequence[FlowFile] = ()


@dataclass(frozen=True, slots=True)
class ToldMessage:
    """A message with its files."""

    row: FlowMessage
    files: Sequence[FlowFile] = ()


@dataclass(frozen=True, slots=True)
class History:
    """Everything that was told in a flow, oldest first."""

    records: Sequence[ToldRecord] = ()
    messages: Sequence[ToldMessage] = ()
    appeals: Sequence[Appeal] = ()
    licenses: Sequence[FlowFile] = ()

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

    def files_of(self, appeal: Appeal) -> Sequence[FlowFile]:
        """The proof with which an appeal was initiated."""
        return [
            file
            for told in self.records
            if told.row.kind == RecordKind.APPEAL and told.row.appeal_id == appeal.pk
            for file in told.files
        ]


def history_of(flow: Flow) -> History:
    """Records, messages, appeals and files of a flow, in one query each; of license files those sent last."""
    records = list(flow.records.order_by("at", "pk"))
    messages = list(flow.messages.order_by("at", "pk"))
    of_record: dict[int, list[FlowFile]] = defaultdict(list)
    of_message: dict[int, list[FlowFile]] = defaultdict(list)
    licenses: list[FlowFile] = []
    for each in flow.files.select_related("file").order_by("pk"):
        if each.purpose == FilePurpose.LICENSE:
            licenses.append(each)
        elif each.record_id is not None:
            of_record[each.record_id].append(each)
        elif each.message_id is not None:
            of_message[each.message_id].append(each)
    return History(
        records=[ToldRecord(record, of_record[record.pk]) for record in records],
        messages=[ToldMessage(message, of_message[message.pk]) for message in messages],
        appeals=list(flow.appeals.order_by("filed_at", "pk")),
        licenses=_of_last_delivery(licenses),
    )


def latest_request(flow: Flow) -> FlowRecord | None:
    """The request that was submitted last."""
    return flow.records.filter(kind=RecordKind.SUBMIT_REQUEST).order_by("at", "pk").last()


def license_files_of(resource: Resource) -> list[LicenseFile]:
    """The license files of the last delivery of a resource, for its page; fills a port of orders."""
    flow = Flow.objects.filter(line_id=resource.line_id).first()
    if flow is None:
        return []
    return [
        LicenseFile(
            name=each.file.name,
            url=reverse("supervision:file", args=[flow.number, each.file.number]),
            size=each.file.size,
        )
        for each in _of_last_delivery(list(_licenses(flow)))
    ]


def _licenses(flow: Flow) -> QuerySet[FlowFile]:
    return flow.files.filter(purpose=FilePurpose.LICENSE).select_related("file").order_by("pk")


def _of_last_delivery(licenses: Sequence[FlowFile]) -> list[FlowFile]:
    last = licenses[-1].record_id if licenses else None
    return [each for each in licenses if each.record_id == last]
