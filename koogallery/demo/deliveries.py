"""The supervised part of the story: requests, deliveries, rejections, acceptances, a few appeals and decisions."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.identity.states import OperatorRole
from koogallery.kernel import files, ids
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.money import Money
from koogallery.kernel.pages import new_key
from koogallery.kernel.reasons import Refused
from orders.saas.answers import ApplicationInfo
from supervision.operations import accepting, appealing, deciding, delivering, reminding, requesting
from supervision.operations.delivering import Delivery
from supervision.queries import flows
from supervision.queries.flows import undecided_appeal
from supervision.states import Actor, Decision, Step

REQUESTS = (
    "We run two sites, Shenzhen and Singapore. Please set up both, with a sign-in by our own directory.",
    "Forty people start on the first of next month. We need the data of our old system moved before.",
    "Please plan one day on site and a hand-over in writing. Our contact knows the network.",
    "The test system first, please; we say when the live one may follow.",
)
TOO_VAGUE = "We cannot tell from this which systems are meant. Please name them and the number of users."
NOT_YET = "Two of the five reports are missing. Everything else works."
SILENCE = "We asked three times and nobody answers. The delivery is a week late."
EXPLAINED = "Both sides were heard. The missing part was never ordered, so that the delivery stands as it is."
LEAVE_ALONE = 0.25
REJECTS = 0.12
VAGUE = 0.1
APPEALS = 0.08
LAST_DAYS = timedelta(days=6)

SHOWN: dict[str, tuple[tuple[str, timedelta], ...]] = {
    "coldkeep": (("deliver", timedelta(days=2)),),
    "restore-drill": (
        ("submit", timedelta(days=4)),
        ("take_on", timedelta(days=3, hours=20)),
        ("deliver", timedelta(days=3)),
        ("reject", timedelta(days=2)),
        ("deliver", timedelta(days=1)),
    ),
    "payrun": (),
    "cloud-migration": (
        ("submit", timedelta(days=4)),
        ("take_on", timedelta(days=3)),
        ("appeal", timedelta(days=1)),
    ),
    "edge-box": (("deliver", timedelta(days=1)),),
    "schemaguard": (("deliver", timedelta(days=2)), ("accept", timedelta(hours=1))),
}
"""One delivery at each stage, for whoever looks around: product, and what happens how long before the end."""

SHOWN_TO = "northwind-trading"
SHOWN_FROM = timedelta(days=5)


@dataclass
class Deliveries:
    """What buyers, sellers and operations do with the flows that stand open, once a day."""

    end: datetime
    chance: random.Random = field(default_factory=lambda: random.Random(326))
    moved: int = 0
    shown: dict[str, str] = field(default_factory=dict)

    def show(self, code: str, act: str, at: datetime) -> int:
        """Bring the shown delivery of a product on by one act; nothing is ordered here."""
        flow = next((each for each in flows.unfinished() if each.order_number == self.shown.get(code)), None)
        if flow is not None:
            getattr(self, f"_{act}")(flow, at)
            self.moved += 1
        return 0

    def work(self, at: datetime) -> int:
        """Let each open flow be looked at; most go on a step. Nothing is ordered here."""
        for number, flow in enumerate(flows.unfinished().order_by("pk")):
            moment = at + timedelta(seconds=30 * number)
            if flow.order_number in self.shown.values() or self.chance.random() < LEAVE_ALONE:
                continue
            with clock.at(moment):
                try:
                    self._go_on(flow, moment)
                    self.moved += 1
                except Refused:
                    continue
        return 0

    def _go_on(self, flow: Any, at: datetime) -> None:
        if flow.is_frozen:
            self._decide(flow, at)
            return
        if flow.step in (Step.PROVIDE, Step.ACCEPT) and self.chance.random() < APPEALS:
            self._appeal(flow, at)
            return
        acts: dict[Step, Callable[[Any, datetime], None]] = {
            Step.SUBMIT: self._submit,
            Step.REVIEW: self._answer,
            Step.PROVIDE: self._deliver_some_day,
            Step.HAND_OVER: self._deliver_some_day,
            Step.SHIP: self._deliver_some_day,
            Step.ACCEPT: self._judge,
            Step.CONFIRM: self._judge,
        }
        act = acts.get(flow.step_enum)
        if act is not None:
            act(flow, at)

    def _submit(self, flow: Any, at: datetime) -> None:
        call = self._buyer(flow, at)
        paper = self._paper(flow, at, name="requirements.pdf") if self.chance.random() < 0.5 else ()
        requesting.submit_request(call, flow=flow.number, description=self.chance.choice(REQUESTS), uploads=paper)

    def _answer(self, flow: Any, at: datetime) -> None:
        if self.chance.random() < VAGUE:
            requesting.reject_request(self._seller(flow, at), flow=flow.number, reason=TOO_VAGUE)
        else:
            self._take_on(flow, at)

    def _take_on(self, flow: Any, at: datetime) -> None:
        requesting.accept_request(self._seller(flow, at), flow=flow.number)

    def _deliver_some_day(self, flow: Any, at: datetime) -> None:
        if flow.turn_since > at - timedelta(days=1) and self.chance.random() < 0.5:
            return
        if self.chance.random() < 0.2:
            reminding.remind(self._buyer(flow, at), flow=flow.number)
        self._deliver(flow, at)

    def _deliver(self, flow: Any, at: datetime) -> None:
        delivery = Delivery(
            proof=self._paper(flow, at, name="acceptance-protocol.pdf", by=Actor.SELLER),
            application=_application(flow) if flow.delivery_method == "saas" else None,
            license_key=f"{ids.random_code(5)}-{ids.random_code(5)}-{ids.random_code(5)}",
            carrier="Harbour Express" if flow.step == Step.SHIP else "",
            tracking_number=f"HX{ids.random_code(9)}" if flow.step == Step.SHIP else "",
            comment="Delivered as agreed; the protocol is attached.",
        )
        delivering.deliver(self._seller(flow, at), flow=flow.number, delivery=delivery)

    def _judge(self, flow: Any, at: datetime) -> None:
        if at > self.end - LAST_DAYS and self.chance.random() < 0.5:
            return
        if self.chance.random() < REJECTS:
            self._reject(flow, at)
        else:
            self._accept(flow, at)

    def _accept(self, flow: Any, at: datetime) -> None:
        accepting.accept(self._buyer(flow, at), flow=flow.number)

    def _reject(self, flow: Any, at: datetime) -> None:
        accepting.reject(self._buyer(flow, at), flow=flow.number, reason=NOT_YET)

    def _appeal(self, flow: Any, at: datetime) -> None:
        paper = self._paper(flow, at)
        appealing.initiate(self._buyer(flow, at), flow=flow.number, reason=SILENCE, uploads=paper)

    def _decide(self, flow: Any, at: datetime) -> None:
        appeal = undecided_appeal(flow)
        if appeal is None or at < appeal.filed_at + timedelta(days=1) or at > self.end - timedelta(days=2):
            return
        if appeal.state == "proposed":
            deciding.countersign(self._officer(OperatorRole.ADMINISTRATOR, at), appeal=appeal.number)
            return
        decision = self.chance.choice(list(Decision))
        arguments: dict[str, Any] = {}
        if decision is Decision.RESTART:
            arguments["restart"] = deciding.steps_to_restart(flow)[-1].value
        if decision.refunds_part:
            tenth = flow.order.total * Decimal("0.1")
            arguments["refund"] = Money(tenth.amount, tenth.currency).rounded()
        deciding.decide(
            self._officer(OperatorRole.APPEAL_OFFICER, at),
            appeal=appeal.number,
            decision=decision.value,
            note=EXPLAINED,
            **arguments,
        )

    def _paper(self, flow: Any, at: datetime, *, name: str = "letters.pdf", by: Actor = Actor.BUYER) -> Sequence[Any]:
        """A small PDF, stored as a party's upload is."""
        owner = flow.account_id if by is Actor.BUYER else flow.seller.account_id
        content = _pdf(f"{flow.product_name}, order {flow.order_number}, {at:%Y-%m-%d}")
        sent = SimpleUploadedFile(name, content, content_type="application/pdf")
        return files.receive([sent], owner=owner, key=new_key())

    def _buyer(self, flow: Any, at: datetime) -> Call:
        return _call(identity.root_user(flow.order.account), Role.BUYER, at)

    def _seller(self, flow: Any, at: datetime) -> Call:
        return _call(identity.root_user(flow.seller.account), Role.SELLER, at)

    def _officer(self, role: OperatorRole, at: datetime) -> Call:
        return _call(identity.operators_in(role)[0], Role.OPERATOR, at)


def _call(user: Any, role: Role, at: datetime) -> Call:
    return Call(
        role=role,
        at=at,
        account=None if role is Role.OPERATOR else user.account,
        user=user,
        address=f"203.0.113.{20 + user.pk % 200}",
        idempotency_key=new_key(),
    )


def _application(flow: Any) -> ApplicationInfo:
    host = f"https://{flow.line.product_code}.apps.example"
    return ApplicationInfo(
        front_end_url=host,
        admin_url=f"{host}/admin/",
        user_name=f"admin-{flow.order_number[-5:].lower()}",
        password=ids.random_code(14),
        memo="Change the password after the first sign-in.",
    )


def _pdf(line: str) -> bytes:
    """The smallest readable PDF with one line of text."""
    text = line.encode("latin-1", "replace").replace(b"\\", b"").replace(b"(", b"").replace(b")", b"")
    stream = b"BT /F1 12 Tf 72 720 Td (" + text + b") Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R "
        b"/Resources << /Font << /F1 4 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return (
        body
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
        + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(body))
    )
