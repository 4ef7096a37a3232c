"""Everything that a flow's evidence bundle holds, the same for both sides; operations get the traces besides.

No license file or key, no password, no name of a user; contact data as far as the buyer's consent goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.template.loader import render_to_string
from django.utils import timezone, translation

from audit import queries as audit
from audit.exporting import json_lines
from billing.queries import order_money, refunds_of
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.kernel import display
from koogallery.kernel.calls import Call, Role
from orders.queries.orders import detailed_order, timeline_of
from supervision.models import Appeal, Flow, FlowFile, FlowMessage, FlowRecord
from supervision.rules import evidence as rules
from supervision.rules.deciding import order_after
from supervision.states import Actor, AppealState, FilePurpose

if TYPE_CHECKING:
    from koogallery.kernel.models import StoredFile

LANGUAGES = ("en", "zh-hans")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a bundle: text that was read with the rest, or a file that is streamed from the storage."""

    name: str
    content: bytes = b""
    file: StoredFile | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A case in the order of its archive; the manifest follows at the end."""

    order_number: str
    flow_number: str
    stamped_at: datetime
    entries: Sequence[Entry] = field(default=())


def bundle_of(call: Call, flow: Flow) -> Bundle:
    """The evidence of a flow. In English and the platform zone, whoever asks and when."""
    with translation.override("en"), timezone.override(clock.platform_zone()):
        return Bundle(
            order_number=flow.order_number,
            flow_number=flow.number,
            stamped_at=flow.created_at,
            entries=list(_entries(call, flow)),
        )


def _entries(call: Call, flow: Flow) -> Iterator[Entry]:
    sent = list(flow.files.exclude(purpose=FilePurpose.LICENSE).select_related("file").order_by("pk"))
    names = {each.pk: rules.file_name(number, each.file.name) for number, each in enumerate(sent, start=1)}
    facts = {
        "order": _order(call, flow),
        "status_history": _status_history(call, flow),
        "records": [_record(each, _of(sent, names, record=each)) for each in flow.records.order_by("at", "pk")],
        "messages": [_message(each, _of(sent, names, message=each)) for each in flow.messages.order_by("at", "pk")],
        "appeals": [_appeal(each) for each in flow.appeals.order_by("filed_at", "pk")],
    }
    agreements, texts = _agreements(flow)
    facts["agreements"] = agreements
    shown = {
        **facts,
        "files": [{"name": names[each.pk], "file": each.file, "purpose": each} for each in sent],
        "zone": display.zone_text(display.shown(flow.created_at)),
    }
    yield Entry("index.html", render_to_string("supervision/evidence.html", shown).encode())
    for name in ("order", "agreements", "status_history", "records", "messages", "appeals"):
        yield Entry(f"{name}.json", rules.json_bytes(facts[name]))
    yield from texts
    for each in sent:
        yield Entry(names[each.pk], file=each.file)
    if call.role is Role.OPERATOR:
        yield from _traces(flow)


def _order(call: Call, flow: Flow) -> dict[str, Any]:
    order, line, money = flow.order, flow.line, order_money(flow.order_number, currency=flow.order.currency)
    return {
        "number": order.number,
        "line": line.number,
        "product": order.product_name,
        "product_code": order.product_code,
        "specification": order.spec_text,
        "delivery_method": flow.delivery_method,
        "billing_mode": line.billing_mode,
        "items": line.items,
        "term": f"{line.term_count} {line.term_unit}" if line.term_count else "",
        "milestones": flow.milestones,
        "customer": flow.account.name,
        "seller": flow.seller.name,
        "contact": _contact(flow),
        "status": order_after(flow.shown_step(call.at)).label,
        "service_status": flow.shown_step(call.at).label,
        "frozen": flow.stopped_at(call.at),
        "placed": order.placed_at,
        "paid": order.paid_at,
        "completed": _completed_at(flow, call.at),
        "canceled": order.canceled_at,
        "amount": order.total,
        "money": {"paid": money.paid, "held": money.held, "earned": money.earned, "refunded": money.refunded},
        "refunds": [{"number": each.number, "at": each.at, "money": each.money} for each in refunds_of(order.number)],
        "delivered": flow.delivered_at,
        "enabling_time": flow.enabling_at,
        "accepted": flow.accepted_at,
        "rejections_by_customer": flow.customer_rejects,
        "rejections_by_seller": flow.seller_rejects,
        "policies": order.policy,
    }


def _completed_at(flow: Flow, at: datetime) -> datetime | None:
    """When the order was completed, though the sweep may not have run (R19)."""
    return flow.completion_due_at if flow.is_due_to_complete(at) else flow.order.completed_at


def _contact(flow: Flow) -> dict[str, Any] | None:
    """The contact data that the buyer consented to pass on; masked once the consent was withdrawn."""
    kind = flow.order.contact_kind
    consent = identity.consent_of_order(flow.order_number, kind) if kind else None
    if consent is None:
        return None
    return {"kind": kind, "value": identity.contact_for_seller(consent), "withdrawn": consent.withdrawn_at}


def _status_history(call: Call, flow: Flow) -> list[dict[str, Any]]:
    order = detailed_order(Call(role=Role.BUYER, at=call.at, account=flow.account), flow.order_number)
    order.completed_at = _completed_at(flow, call.at)
    return [{"at": entry.at, "status": entry.title} for entry in timeline_of(order)]


def _record(row: FlowRecord, files: list[str]) -> dict[str, Any]:
    return {
        "at": row.at,
        "operation": row.kind_enum.label,
        "step": row.get_step_display(),
        "milestone": row.milestone,
        "by": Actor(row.actor).label,
        "comment": row.comment,
        "details": row.data,
        "files": files,
    }


def _message(row: FlowMessage, files: list[str]) -> dict[str, Any]:
    return {"at": row.at, "by": Actor(row.actor).label, "text": row.text, "files": files}


def _appeal(row: Appeal) -> dict[str, Any]:
    """An appeal; a decision that waits for its second signature is nobody's yet."""
    told: dict[str, Any] = {
        "number": row.number,
        "filed_by": Actor(row.filed_by).label,
        "reason": row.shown_reason,
        "filed": row.filed_at,
        "decision_due": row.decision_due_at,
        "status": row.state_enum.label,
        "ended": row.ended_at,
    }
    if row.state == AppealState.DECIDED and row.decision_enum is not None:
        told |= {
            "decision": row.decision_enum.label,
            "restart_from": row.get_restart_step_display(),
            "effects": row.effects,
            "explanation": row.note,
            "signatures": 2 if row.countersigned_by_id else 1,
        }
    return told


def _of(
    sent: Sequence[FlowFile],
    names: dict[int, str],
    *,
    record: FlowRecord | None = None,
    message: FlowMessage | None = None,
) -> list[str]:
    """Where the files of a record or of a message lie in the bundle."""
    return [
        names[each.pk]
        for each in sent
        if (record is not None and each.record_id == record.pk)
        or (message is not None and each.message_id == message.pk)
    ]


def _agreements(flow: Flow) -> tuple[list[dict[str, Any]], list[Entry]]:
    code = flow.order.product_code
    signed = identity.signatures_behind_order(
        flow.account,
        order_number=flow.order_number,
        subjects=("terms", f"eula:{code}", f"special:{code}", f"special:{flow.order_number}"),
        at=flow.order.paid_at or flow.created_at,
    )
    listed, texts = [], []
    for number, each in enumerate(signed, start=1):
        version = each.text
        names = []
        for language in sorted(version.texts):
            name = rules.agreement_name(number, subject=version.subject, version=version.version, language=language)
            names.append(name)
            content = f"{version.titles.get(language, '')}\n\n{version.texts[language]}\n"
            texts.append(Entry(name, content.encode("utf-8", "surrogatepass")))
        listed.append(
            {
                "subject": version.subject,
                "title": version.titles.get("en", ""),
                "version": version.version,
                "published": version.published_at,
                "sha256": version.sha256,
                "signed": each.at,
                "signed_for_order": each.order_number,
                "files": names,
            }
        )
    return listed, texts


def _traces(flow: Flow) -> Iterator[Entry]:
    """The traces of both parties about this case, as their trace lists export them."""
    about = [
        flow.order_number,
        flow.number,
        *flow.appeals.values_list("number", flat=True),
        *flow.line.resources.values_list("number", flat=True),
    ]
    for side, account_id in (("customer", flow.account_id), ("seller", flow.seller.account_id)):
        found = audit.of_case(account_id, about, since=flow.order.placed_at)
        yield Entry(f"traces/{side}.jsonl", "".join(json_lines(found)).encode("utf-8", "surrogatepass"))
