"""What the details of a service flow show to its buyer and to its seller: one page, two points of view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import queries as billing
from catalog.states import DeliveryMethod
from koogallery.identity import queries as identity
from koogallery.identity.states import ContactKind
from koogallery.kernel import display, operations
from koogallery.kernel.calls import Call
from koogallery.kernel.money import Money
from koogallery.kernel.page_parts import Banner, ShownFile
from koogallery.kernel.reasons import Refused
from orders.queries import returns
from orders.states import ResourceStatus
from supervision.forms import MessageForm, ReasonForm
from supervision.models import Appeal, Flow, FlowRecord
from supervision.operations import appealing, moving, reminding
from supervision.queries.history import History, SentFile, ToldMessage, ToldRecord, history_of
from supervision.rules import appealing as appeal_rules
from supervision.rules.clocks import SlaClock, running_clock
from supervision.rules.terms import runs_from_enabling
from supervision.states import Actor, ClockKind, Decision, MoveName, RecordKind, Step


def is_frozen(flow: Flow, at: datetime) -> bool:
    """Whether a flow stands still at a moment, though the sweep of closing dates may not have run (R19)."""
    return flow.stopped_at(at) is not None


def clock_of(flow: Flow, at: datetime) -> SlaClock | None:
    """The clock of a flow at a moment; None once it is over."""
    if flow.is_due_to_complete(at):
        return None
    return running_clock(
        step=flow.step_enum,
        turn_since=flow.turn_since,
        delivery_due_at=flow.delivery_due_at,
        completion_due_at=flow.completion_due_at,
        frozen_at=flow.stopped_at(at) or (flow.held_at if flow.step == Step.ACCEPTED else None),
        at=at,
    )


def waiting_text(running: SlaClock) -> str:
    """For how long somebody has been waited for."""
    return _("for %(duration)s") % {"duration": display.duration_text(running.elapsed)}


def milestone_text(flow: Flow, number: int | None = None) -> str:
    """`Milestone 2 of 3`; nothing without milestones."""
    if not flow.milestones:
        return ""
    return _("Milestone %(number)s of %(count)s") % {"number": number or flow.milestone, "count": flow.milestones}


@dataclass(frozen=True, slots=True)
class Entry:
    """An operation record or a message as a page shows it."""

    title: str
    tone: str
    at: datetime
    actor: str
    step: str
    note: str
    comment: str
    files: Sequence[ShownFile]
    mine: bool = False


@dataclass(frozen=True, slots=True)
class ShownAppeal:
    """An appeal with its proof, and what it gave back."""

    row: Appeal
    files: Sequence[ShownFile]
    may_withdraw: bool
    refund: Money | None
    restart: str


def address(flow: Flow, party: Actor, name: str = "detail", *more: str) -> str:
    """The address of a flow's page, or of what is done there, on the side of a party."""
    prefix = "seller_" if party is Actor.SELLER and name in _BOTH_SIDES else ""
    return reverse(f"supervision:{prefix}{name}", args=[flow.number, *more])


_BOTH_SIDES = ("detail", "appeal", "withdraw", "message", "file", "evidence")


def page_of(flow: Flow, party: Actor, title: str = "") -> dict[str, Any]:
    """The frame of a page about a flow; `title` names what is done with it."""
    is_seller = party is Actor.SELLER
    trail = [(_("Service Supervision"), reverse("supervision:seller_list" if is_seller else "supervision:list"))]
    if title:
        trail.append((flow.order.product.label, address(flow, party)))
    return {
        "title": title or flow.order.product.label,
        "console": "seller" if is_seller else "buyer",
        "breadcrumbs": trail,
    }


def why_not(call: Call, flow: Flow, operation: str, move: MoveName) -> Refused | None:
    """Why the caller cannot make a move now: because of the flow, or for want of permission."""
    try:
        moving.check_move(call, flow, move)
    except Refused as refused:
        return refused
    return operations.may(call, operation, flow)


def for_buyer(request: HttpRequest, flow: Flow) -> dict[str, Any]:
    """The page of the buyer, with what the buyer can do now."""
    call = request.call  # type: ignore[attr-defined]
    context = _shared(call, flow, Actor.BUYER, whole="all" in request.GET)
    step, stands = flow.shown_step(call.at), context["is_frozen"]
    waits = not stands and not step.is_over
    context |= {
        "seller": flow.seller,
        "can_submit": waits and step is Step.SUBMIT,
        "may_submit": operations.may(call, "submitRequirement", flow),
        "can_accept": waits and step.is_acceptance,
        "may_accept": _may_accept(call, flow, context["milestones"]),
        "may_reject": _may_reject(call, flow),
        "can_remind": flow.turn is Actor.SELLER and not step.is_over,
        "may_remind": reminding.why_not(flow, at=call.at) or operations.may(call, "remindSeller", flow),
        "unsubscribe": None if step.is_over else _unsubscribe(call, flow, open_request=context["open_request"]),
        "accept_text": accept_text(flow),
        "may_reveal": operations.may(call, "querySaasResourceInstance", context["resource"]),
        "may_reveal_key": operations.may(call, "revealLicenseKey", context["resource"]),
        "reject_form": ReasonForm(auto_id="reject_%s"),
    }
    return context


def _unsubscribe(call: Call, flow: Flow, *, open_request: str) -> returns.Entry | None:
    """**Unsubscribe**, or where the open request stands."""
    flow.order.line = flow.line
    entry = returns.entry_of(call, flow.order, open_request=open_request)
    is_stopped = entry is not None and not open_request and is_frozen(flow, call.at)
    return replace(entry, refused=Refused("flow_frozen")) if entry is not None and is_stopped else entry


def _may_accept(call: Call, flow: Flow, milestones: Sequence[billing.MilestoneMoney]) -> Refused | None:
    if flow.policies["milestone.block_on_overdue"] and any(
        each.bill is not None and each.bill.is_overdue(call.at) for each in milestones
    ):
        return Refused("milestone_bill_overdue")
    return operations.may(call, "confirmAcceptance", flow)


def _may_reject(call: Call, flow: Flow) -> Refused | None:
    if not flow.policies["delivery.reject"]:
        return Refused("rejection_switched_off")
    return operations.may(call, "rejectDelivery", flow)


def accept_text(flow: Flow) -> str:
    """What an acceptance does, naming product and order."""
    product = flow.order.product.label
    if not flow.is_last_part:
        return _(
            "You accept milestone %(number)s of %(count)s of %(product)s, order %(order)s. The bill for the next "
            "milestone is generated, and the seller goes on with it."
        ) % {"number": flow.milestone, "count": flow.milestones, "product": product, "order": flow.order_number}
    return _(
        "You accept %(product)s, order %(order)s, as delivered. %(hours)s hours later the order is completed and the "
        "money goes to the seller; until then you can still initiate an appeal."
    ) % {
        "product": product,
        "order": flow.order_number,
        "hours": flow.policies["order.completion_delay_hours"],
    }


def for_seller(request: HttpRequest, flow: Flow) -> dict[str, Any]:
    """The page of the seller, with what the seller can do now; contact data of the customer only by consent."""
    call = request.call  # type: ignore[attr-defined]
    context = _shared(call, flow, Actor.SELLER, whole="all" in request.GET)
    step, stands = flow.shown_step(call.at), context["is_frozen"]
    waits = not stands and not step.is_over
    order = flow.order
    consent = identity.consent_of_order(order.number, order.contact_kind) if order.contact_kind else None
    context |= {
        "customer": flow.account.name,
        "contact_label": ContactKind(order.contact_kind).label if consent else "",
        "contact": identity.contact_for_seller(consent) if consent else "",
        "is_masked": consent is not None and consent.withdrawn_at is not None,
        "can_answer": waits and step is Step.REVIEW,
        "may_accept_request": operations.may(call, "acceptRequirement", flow),
        "may_reject_request": operations.may(call, "rejectRequirement", flow),
        "can_deliver": waits and step.is_delivery,
        "may_deliver": operations.may(call, "deliverService", flow),
        "reject_form": ReasonForm(auto_id="reject_%s"),
    }
    return context


NEWEST_RECORDS, NEWEST_MESSAGES = 100, 50
"""How many a page shows unless all are asked for."""


def _shared(call: Call, flow: Flow, party: Actor, *, whole: bool) -> dict[str, Any]:
    step = flow.shown_step(call.at)
    history = history_of(flow, messages=None if whole else NEWEST_MESSAGES + 1)
    records = history.records if whole else history.records[-NEWEST_RECORDS:]
    told = history.messages if whole else history.messages[-NEWEST_MESSAGES:]
    resource = flow.line.resources.first()
    if resource is not None:
        resource.product = flow.order.product
    delivered = history.latest(RecordKind.DELIVER)
    wanted = history.latest(RecordKind.SUBMIT_REQUEST)
    running = clock_of(flow, call.at)
    stands = is_frozen(flow, call.at)
    is_closed = resource is not None and resource.status == ResourceStatus.CLOSED
    has_license = party is Actor.BUYER and not is_closed and operations.may(call, "downloadLicenseFile", flow) is None
    may_appeal = appealing.why_not(flow, party=party, at=call.at) or operations.may(call, "initiateAppeal", flow)
    return {
        "page": page_of(flow, party),
        "party": party.value,
        "flow": flow,
        "order": flow.order,
        "product": flow.order.product,
        "step": step,
        "is_frozen": stands,
        "open_request": _open_request(flow, history),
        "milestone": milestone_text(flow),
        "milestones": billing.milestones_of(flow.order_number) if flow.milestones else [],
        "delivery_method": DeliveryMethod(flow.delivery_method).label,
        "steps": _steps(flow, history, party=party, at=call.at),
        "banner": _banner(flow, running, party=party, at=call.at, appeal=history.undecided),
        "clock": running,
        "has_delivery": delivered is not None and flow.delivered_at is not None and not step.is_delivery,
        "runs_from_enabling": runs_from_enabling(flow.policies),
        "delivery": _entry(delivered, flow, party) if delivered else None,
        "request_entry": _entry(wanted, flow, party) if wanted else None,
        "request_rejection": _rejection(history, flow, party) if step is Step.SUBMIT else None,
        "delivery_rejection": _rejection(history, flow, party) if step.is_delivery else None,
        "records": [_entry(each, flow, party) for each in reversed(records)],
        "has_more_records": len(history.records) > len(records),
        "messages_told": [_entry(each, flow, party) for each in told],
        "has_more_messages": len(history.messages) > len(told),
        "appeals": [_appeal(each, history, flow, call, party) for each in reversed(history.appeals)],
        "licenses": [shown_license(each, flow, has_address=has_license) for each in history.licenses],
        "is_closed": is_closed,
        "resource": resource,
        "money": billing.order_money(flow.order_number, currency=flow.order.currency),
        "can_appeal": not step.is_over and history.undecided is None,
        "may_appeal": may_appeal,
        "appeal_recommended": may_appeal is None
        and appeal_rules.is_recommended(appealing.standing_of(flow), party=party, policies=flow.policies, at=call.at),
        "silence_days": flow.policies["appeal.silence_hours"] // 24,
        "may_message": operations.may(call, "sendSupervisionMessage", flow),
        "message_form": MessageForm(call=call, auto_id="message_%s"),
        "urls": {name: address(flow, party, name) for name in _BOTH_SIDES if name != "file"},
    }


def _open_request(flow: Flow, history: History) -> str:
    """The number of the request to unsubscribe that waits for its answer, as the records tell."""
    asked = history.latest(RecordKind.UNSUB_ASKED) if flow.is_held else None
    return str(asked.row.data.get("request", "")) if asked is not None else ""


def shown_file(sent: SentFile, flow: Flow, party: Actor) -> ShownFile:
    """A file with the address from which a party downloads it."""
    return ShownFile(
        name=sent.name,
        url=address(flow, party, "file", sent.number),
        size=sent.size,
        sealed=sent.sealed,
    )


def shown_license(sent: SentFile, flow: Flow, *, has_address: bool) -> ShownFile:
    """A license file; only the buyer has its address, and only while the license may be shown."""
    url = address(flow, Actor.BUYER, "license_file", sent.number) if has_address else ""
    return ShownFile(name=sent.name, url=url, size=sent.size, sealed=sent.sealed)


def _entry(told: ToldRecord | ToldMessage, flow: Flow, party: Actor) -> Entry:
    row = told.row
    by = Actor(row.actor)
    files = [shown_file(each, flow, party) for each in told.files]
    name = row.name or str(by.label)
    if isinstance(row, FlowRecord):
        return Entry(
            title=str(row.kind_enum.label),
            tone=row.kind_enum.tone,
            at=row.at,
            actor=name,
            step=str(Step(row.step).label),
            note=_note(row, flow),
            comment=row.comment,
            files=files,
        )
    return Entry(
        title=name,
        tone="",
        at=row.at,
        actor=str(by.label) if row.name else "",
        step="",
        note="",
        comment=row.text,
        files=files,
        mine=by is party,
    )


def _note(row: FlowRecord, flow: Flow) -> str:
    """What a record tells besides its comment."""
    data = row.data
    parts = [milestone_text(flow, row.milestone)] if row.kind in _OF_MILESTONE else []
    if carrier := data.get("carrier"):
        parts.append(_("%(carrier)s, tracking number %(number)s") % {
            "carrier": carrier, "number": data.get("tracking_number", "")
        })  # fmt: skip
    if enabling := data.get("enabling_at"):
        parts.append(_("Enabling time %(at)s") % {"at": display.moment_text(datetime.fromisoformat(enabling))})
    if until := data.get("until"):
        parts.append(_("Decision due %(at)s") % {"at": display.moment_text(datetime.fromisoformat(until))})
    if decision := data.get("decision"):
        parts.append(str(Decision(decision).label))
    if restart := data.get("restart"):
        parts.append(str(Step(restart).label))
    if data.get("refunded") and Money(Decimal(data["refunded"]), data["currency"]):
        parts.append(_("%(amount)s refunded") % {"amount": Money(Decimal(data["refunded"]), data["currency"])})
    return " · ".join(part for part in parts if part)


_REJECTIONS = (RecordKind.REJECT, RecordKind.REJECT_REQUEST)
_OF_MILESTONE = (RecordKind.DELIVER, RecordKind.ACCEPT_PART, RecordKind.ACCEPT, RecordKind.REJECT)


def _rejection(history: History, flow: Flow, party: Actor) -> Entry | None:
    """The rejection that brought the flow back to where it stands, if that is how it came there."""
    last = next((each for each in reversed(history.moves)), None)
    if last is None or last.row.kind not in _REJECTIONS:
        return None
    return _entry(last, flow, party)


def _appeal(row: Appeal, history: History, flow: Flow, call: Call, party: Actor) -> ShownAppeal:
    refunded = row.effects.get("refunded") if row.decision and not row.is_undecided else None
    return ShownAppeal(
        row=row,
        files=[shown_file(each, flow, party) for each in history.files_of(row)],
        may_withdraw=row.is_undecided
        and row.filed_by == party
        and operations.may(call, "withdrawAppeal", flow) is None,
        refund=Money(Decimal(refunded), row.currency) if refunded else None,
        restart=str(Step(row.restart_step).label) if row.restart_step and not row.is_undecided else "",
    )


# The stepper and the sentence on top


def _steps(flow: Flow, history: History, *, party: Actor, at: datetime) -> list[dict[str, Any]]:
    table, shown = flow.table, flow.shown_step(at)
    reached = _left_at(history) if shown in (Step.CANCELED, Step.UNSUBSCRIBED) else shown
    current = len(table.steps) - 1 if reached is Step.ACCEPTED else table.position(reached)
    done = {told.row.step: told for told in history.moves}
    steps: list[dict[str, Any]] = []
    for index, step in enumerate(table.steps):
        label, note = str(step.label), ""
        state = "done" if index < current or shown is Step.COMPLETED else "upcoming"
        if index == current and not shown.is_over:
            state, note = "current", _("frozen") if is_frozen(flow, at) else _whose_turn(flow, shown, party)
        if state == "done" and (told := done.get(step.value)) is not None:
            note = " · ".join(part for part in (display.date_text(told.row.at), told.row.name) if part)
        if step is Step.COMPLETED:
            label, note, state = _last_step(flow, shown, state, note, at=at)
        if flow.milestones and (step.is_delivery or step.is_acceptance) and not shown.is_over:
            note = f"{milestone_text(flow)} · {note}" if note and index <= current else milestone_text(flow)
        steps.append({"label": label, "note": note, "state": state})
    return steps


def _left_at(history: History) -> Step:
    """The step at which a flow stood when it ended before its completion."""
    steps = (Step(told.row.step) for told in reversed(history.records))
    return next((step for step in steps if not step.is_over), Step.CANCELED)


def _last_step(flow: Flow, shown: Step, state: str, note: str, *, at: datetime) -> tuple[str, str, str]:
    label = str(Step.COMPLETED.label)
    if shown in (Step.CANCELED, Step.UNSUBSCRIBED):
        ended = "failed" if shown is Step.CANCELED else "ended"
        return str(shown.label), display.date_text(flow.ended_at or at), ended
    if shown is Step.COMPLETED:
        return label, display.date_text(flow.ended_at or flow.completion_due_at or at), "done"
    if shown is Step.ACCEPTED:
        return label, _("about to be completed"), state
    return (
        label,
        _("%(hours)s hours after acceptance") % {"hours": flow.policies["order.completion_delay_hours"]},
        state,
    )


def _whose_turn(flow: Flow, shown: Step, party: Actor) -> str:
    turn = flow.table.turn_of(shown)
    if turn is None:
        return ""
    return _("your turn") if turn is party else _("waiting for the %(actor)s") % {"actor": str(turn.label).lower()}


def _banner(
    flow: Flow, running: SlaClock | None, *, party: Actor, at: datetime, appeal: Appeal | None
) -> Banner | None:
    shown = flow.shown_step(at)
    if shown is Step.COMPLETED:
        return Banner("success", "circle-check", _("Service completed"), _completed_text(flow))
    if shown is Step.CANCELED:
        return Banner("neutral", "circle-x", _("The order was canceled"), _("What was held was given back."))
    if shown is Step.UNSUBSCRIBED:
        text = _("Both sides agreed to unsubscribe. What is not refunded is the seller's.")
        return Banner("neutral", "undo-2", _("Unsubscribed"), text)
    if is_frozen(flow, at):
        return Banner("warning", "lock", _("The service flow is frozen"), _frozen_text(appeal))
    turn = flow.table.turn_of(shown)
    mine = turn is party
    if shown is Step.ACCEPTED and flow.is_held:
        return Banner("warning", "timer", _("Accepted"), _("It is not completed while an unsubscription is asked for."))
    if running is not None and running.kind is ClockKind.COMPLETION and running.due_at is not None:
        text = _("Completes at %(at)s.") % {"at": display.moment_text(running.due_at)}
        return Banner("success", "timer", _("Accepted"), text)
    title = str((_YOUR_TURN if mine else _THEIR_TURN)[shown])
    tone = "warning" if mine else "info"
    if running is not None and running.is_over:
        tone = "danger" if mine else "warning"
    return Banner(tone, "clock", title, _clock_text(running, flow, at=at))


_YOUR_TURN = {
    Step.SUBMIT: gettext_lazy("It is your turn: tell the seller what you need"),
    Step.REVIEW: gettext_lazy("It is your turn: accept or reject the request"),
    Step.PROVIDE: gettext_lazy("It is your turn: deliver the service"),
    Step.HAND_OVER: gettext_lazy("It is your turn: deliver the service"),
    Step.SHIP: gettext_lazy("It is your turn: ship the product"),
    Step.ACCEPT: gettext_lazy("It is your turn: check what was delivered, then accept or reject it"),
    Step.CONFIRM: gettext_lazy("It is your turn: check what was delivered, then accept or reject it"),
}
_THEIR_TURN = {
    Step.SUBMIT: gettext_lazy("The customer submits a request first"),
    Step.REVIEW: gettext_lazy("The seller is looking at your request"),
    Step.PROVIDE: gettext_lazy("The seller is providing the service"),
    Step.HAND_OVER: gettext_lazy("The seller is providing the service"),
    Step.SHIP: gettext_lazy("The seller is preparing the shipment"),
    Step.ACCEPT: gettext_lazy("The customer is checking what you delivered"),
    Step.CONFIRM: gettext_lazy("The customer is checking what you delivered"),
}


def _clock_text(running: SlaClock | None, flow: Flow, *, at: datetime) -> str:
    if running is None:
        duration = display.duration_text(at - flow.turn_since)
        return _("Waiting for %(duration)s.") % {"duration": duration}
    duration = display.duration_text(running.elapsed)
    if running.kind is ClockKind.REQUEST:
        return _("The request has been unanswered for %(duration)s.") % {"duration": duration}
    if running.kind is ClockKind.ACCEPTANCE:
        return _("The delivery has waited for the acceptance for %(duration)s.") % {"duration": duration}
    if running.due_at is None:
        return _("The seller has had %(duration)s so far.") % {"duration": duration}
    moment = display.moment_text(running.due_at)
    if running.is_over:
        return _("The delivery was due %(at)s.") % {"at": moment}
    distance = display.distance_text(running.due_at, now=at)
    return _("The delivery is due %(at)s, %(distance)s.") % {"at": moment, "distance": distance}


def _frozen_text(appeal: Appeal | None) -> str:
    if appeal is None or appeal.filed_by == Actor.SYSTEM:
        return _("Its closing date has passed. An operations manager decides; clocks stand, messages stay open.")
    return _(
        "An operations manager decides on the appeal by %(at)s. Until then nothing can be submitted, delivered or "
        "accepted, and clocks stand; messages stay open."
    ) % {"at": display.moment_text(appeal.decision_due_at)}


def _completed_text(flow: Flow) -> str:
    at = flow.ended_at or flow.completion_due_at
    return display.moment_text(at) if at else ""
