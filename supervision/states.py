"""Steps of service flows and, per template, who may make which move: data (supervision.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.calls import Role


class Actor(models.TextChoices):
    """Who acts in a flow."""

    BUYER = "buyer", _("Customer")
    SELLER = "seller", _("Seller")
    OPERATOR = "operator", _("Operations manager")
    SYSTEM = "system", _("Platform")

    @property
    def other(self) -> Actor:
        """The other party of buyer and seller."""
        return Actor.SELLER if self is Actor.BUYER else Actor.BUYER


ACTOR_OF_ROLE: Mapping[Role, Actor] = {
    Role.BUYER: Actor.BUYER,
    Role.SELLER: Actor.SELLER,
    Role.OPERATOR: Actor.OPERATOR,
    Role.SYSTEM: Actor.SYSTEM,
}


class Step(models.TextChoices):
    """Where a flow stands. `ACCEPTED` is the time between the final acceptance and the completion (R7)."""

    SUBMIT = "submit", _("Customer submits request")
    REVIEW = "review", _("Seller accepts request")
    PROVIDE = "provide", _("Seller provides service")
    ACCEPT = "accept", _("Customer accepts service")
    HAND_OVER = "hand_over", _("Waiting for the seller to provide the service")
    SHIP = "ship", _("Waiting for the seller to ship")
    CONFIRM = "confirm", _("Waiting for the user to confirm acceptance")
    ACCEPTED = "accepted", _("Accepted, about to be completed")
    COMPLETED = "completed", _("Service completed")
    CANCELED = "canceled", _("Canceled")
    UNSUBSCRIBED = "unsubbed", _("Unsubscribed")

    @property
    def tone(self) -> str:
        """The status colour of a badge."""
        return _TONES[self]

    @property
    def is_delivery(self) -> bool:
        """Whether the seller is to deliver here."""
        return self in DELIVERY_STEPS

    @property
    def is_acceptance(self) -> bool:
        """Whether the buyer is to accept here."""
        return self in ACCEPTANCE_STEPS

    @property
    def is_over(self) -> bool:
        """Whether nothing follows."""
        return self in OVER_STEPS


DELIVERY_STEPS = (Step.PROVIDE, Step.HAND_OVER, Step.SHIP)
ACCEPTANCE_STEPS = (Step.ACCEPT, Step.CONFIRM)
OVER_STEPS = (Step.COMPLETED, Step.CANCELED, Step.UNSUBSCRIBED)

_TONES = {
    Step.SUBMIT: "warning",
    Step.REVIEW: "info",
    Step.PROVIDE: "info",
    Step.ACCEPT: "warning",
    Step.HAND_OVER: "info",
    Step.SHIP: "info",
    Step.CONFIRM: "warning",
    Step.ACCEPTED: "success",
    Step.COMPLETED: "success",
    Step.CANCELED: "neutral",
    Step.UNSUBSCRIBED: "neutral",
}


class MoveName(models.TextChoices):
    """The moves of parties and platform; the operations of `operations/` make them."""

    SUBMIT_REQUEST = "submit_request", _("Request submitted")
    ACCEPT_REQUEST = "accept_request", _("Request accepted")
    REJECT_REQUEST = "reject_request", _("Request rejected")
    DELIVER = "deliver", _("Service delivered")
    ACCEPT_PART = "accept_part", _("Milestone accepted")
    ACCEPT = "accept", _("Service accepted")
    REJECT = "reject", _("Service rejected")
    COMPLETE = "complete", _("Service completed")


class Template(models.TextChoices):
    """Which table of steps and moves a flow follows; fixed when it opens."""

    LICENSE = "license", _("License")
    SERVICE = "service", _("SaaS and professional service")
    HARDWARE = "hardware", _("Hardware")


class Tally(StrEnum):
    """The column of a flow that counts a move."""

    CUSTOMER_REJECTS = "customer_rejects"
    SELLER_REJECTS = "seller_rejects"


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed move: by whom, from where to where, and which column of the flow counts it."""

    actor: Actor
    source: Step
    target: Step
    counts: Tally | None = None


@dataclass(frozen=True, slots=True)
class FlowTable:
    """The steps of a template as the stepper shows them, and every move it allows; nothing else happens."""

    steps: tuple[Step, ...]
    moves: Mapping[MoveName, Move]

    def turn_of(self, step: Step) -> Actor | None:
        """The party that must act at a step; None where the platform acts or nothing follows."""
        return next(
            (move.actor for move in self.moves.values() if move.source == step and move.actor is not Actor.SYSTEM), None
        )

    def position(self, step: Step) -> int:
        """The index of a step on the stepper; between acceptance and completion that of the acceptance."""
        if step in (Step.ACCEPTED, Step.CANCELED, Step.UNSUBSCRIBED):
            return len(self.steps) - (2 if step is Step.ACCEPTED else 1)
        return self.steps.index(step)


def _delivery(provide: Step, accept: Step) -> dict[MoveName, Move]:
    return {
        MoveName.DELIVER: Move(Actor.SELLER, provide, accept),
        MoveName.ACCEPT_PART: Move(Actor.BUYER, accept, provide),
        MoveName.ACCEPT: Move(Actor.BUYER, accept, Step.ACCEPTED),
        MoveName.REJECT: Move(Actor.BUYER, accept, provide, Tally.CUSTOMER_REJECTS),
        MoveName.COMPLETE: Move(Actor.SYSTEM, Step.ACCEPTED, Step.COMPLETED),
    }


TABLES: Mapping[Template, FlowTable] = {
    Template.LICENSE: FlowTable(
        steps=(Step.HAND_OVER, Step.CONFIRM, Step.COMPLETED),
        moves=_delivery(Step.HAND_OVER, Step.CONFIRM),
    ),
    Template.SERVICE: FlowTable(
        steps=(Step.SUBMIT, Step.REVIEW, Step.PROVIDE, Step.ACCEPT, Step.COMPLETED),
        moves={
            MoveName.SUBMIT_REQUEST: Move(Actor.BUYER, Step.SUBMIT, Step.REVIEW),
            MoveName.ACCEPT_REQUEST: Move(Actor.SELLER, Step.REVIEW, Step.PROVIDE),
            MoveName.REJECT_REQUEST: Move(Actor.SELLER, Step.REVIEW, Step.SUBMIT, Tally.SELLER_REJECTS),
            **_delivery(Step.PROVIDE, Step.ACCEPT),
        },
    ),
    Template.HARDWARE: FlowTable(
        steps=(Step.SHIP, Step.CONFIRM, Step.COMPLETED),
        moves=_delivery(Step.SHIP, Step.CONFIRM),
    ),
}


class RecordKind(models.TextChoices):
    """What an operation record tells, beside the moves."""

    OPENED = "opened", _("Service flow opened")
    SUBMIT_REQUEST = MoveName.SUBMIT_REQUEST.value, MoveName.SUBMIT_REQUEST.label
    ACCEPT_REQUEST = MoveName.ACCEPT_REQUEST.value, MoveName.ACCEPT_REQUEST.label
    REJECT_REQUEST = MoveName.REJECT_REQUEST.value, MoveName.REJECT_REQUEST.label
    DELIVER = MoveName.DELIVER.value, MoveName.DELIVER.label
    ACCEPT_PART = MoveName.ACCEPT_PART.value, MoveName.ACCEPT_PART.label
    ACCEPT = MoveName.ACCEPT.value, MoveName.ACCEPT.label
    REJECT = MoveName.REJECT.value, MoveName.REJECT.label
    COMPLETE = MoveName.COMPLETE.value, MoveName.COMPLETE.label
    REMIND = "remind", _("Seller reminded")
    APPEAL = "appeal", _("Appeal initiated")
    WITHDRAW = "withdraw", _("Appeal withdrawn")
    PROPOSE = "propose", _("Decision waits for a second signature")
    DECLINE = "decline", _("Second signature declined")
    DECIDE = "decide", _("Appeal decided")
    CLOSE = "close", _("Closing date reached, flow frozen")
    CANCEL = "cancel", _("Order canceled")
    UNSUB_ASKED = "unsub_asked", _("Unsubscription requested")
    UNSUB_OVER = "unsub_over", _("Unsubscription request over, the service goes on")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")

    @property
    def tone(self) -> str:
        """The colour of its dot on the timeline."""
        return _RECORD_TONES.get(self, "neutral")


_RECORD_TONES = {
    RecordKind.REJECT_REQUEST: "danger",
    RecordKind.REJECT: "danger",
    RecordKind.CANCEL: "danger",
    RecordKind.APPEAL: "warning",
    RecordKind.PROPOSE: "warning",
    RecordKind.CLOSE: "warning",
    RecordKind.REMIND: "warning",
    RecordKind.UNSUB_ASKED: "warning",
    RecordKind.UNSUB_OVER: "info",
    RecordKind.ACCEPT_REQUEST: "info",
    RecordKind.SUBMIT_REQUEST: "info",
    RecordKind.DELIVER: "info",
    RecordKind.DECIDE: "info",
    RecordKind.ACCEPT_PART: "success",
    RecordKind.ACCEPT: "success",
    RecordKind.COMPLETE: "success",
}


class FilePurpose(models.TextChoices):
    """What a file of a flow is; license files are stored and shown like passwords."""

    ATTACHMENT = "attachment", _("Attachment")
    PROOF = "proof", _("Delivery proof")
    LICENSE = "license", _("License file")


class AppealState(models.TextChoices):
    """Where an appeal stands."""

    OPEN = "open", _("Waiting for a decision")
    PROPOSED = "proposed", _("Waiting for a second signature")
    DECIDED = "decided", _("Decided")
    WITHDRAWN = "withdrawn", _("Withdrawn")

    @property
    def tone(self) -> str:
        """The status colour of a badge."""
        return {AppealState.DECIDED: "success", AppealState.WITHDRAWN: "neutral"}.get(self, "warning")


UNDECIDED = (AppealState.OPEN, AppealState.PROPOSED)


class Decision(models.TextChoices):
    """What an operations manager decides."""

    CONTINUE = "continue", _("Continue: exactly the state before")
    RESTART = "restart", _("Restart from a step")
    COMPLETE = "complete", _("Complete and settle")
    REFUND_PART = "refund_part", _("Refund part and continue")
    REFUND_PART_COMPLETE = "refund_part_complete", _("Refund part and complete")
    REFUND_ALL = "refund_all", _("Refund all and cancel the order")

    @property
    def told(self) -> Any:
        """The sentence in which both sides are told of it."""
        return _DECISIONS_TOLD[self]

    @property
    def refunds_part(self) -> bool:
        """Whether it takes an amount."""
        return self in (Decision.REFUND_PART, Decision.REFUND_PART_COMPLETE)

    @property
    def completes(self) -> bool:
        """Whether the order is Completed at once."""
        return self in (Decision.COMPLETE, Decision.REFUND_PART_COMPLETE)

    @property
    def continues(self) -> bool:
        """Whether the flow goes on exactly where it stood."""
        return self in (Decision.CONTINUE, Decision.REFUND_PART)


_DECISIONS_TOLD = {
    Decision.CONTINUE: _("The service flow goes on exactly where it stood."),
    Decision.RESTART: _("The service flow starts again from an earlier step."),
    Decision.COMPLETE: _("The service is completed, and what is held for it goes to the seller."),
    Decision.REFUND_PART: _("A part is refunded, and the service flow goes on where it stood."),
    Decision.REFUND_PART_COMPLETE: _("A part is refunded, the service is completed, and the rest goes to the seller."),
    Decision.REFUND_ALL: _("All that was paid is refunded, and the order is canceled."),
}


class ClockKind(models.TextChoices):
    """What is waited for."""

    REQUEST = "request", _("Request unanswered")
    DELIVERY = "delivery", _("Delivery due")
    ACCEPTANCE = "acceptance", _("Acceptance waiting")
    COMPLETION = "completion", _("Completion due")


def table_of(template: Any) -> FlowTable:
    """The table of a template, given as enum or as stored."""
    return TABLES[Template(template)]


def steps_of(actor: Actor) -> tuple[Step, ...]:
    """The steps, of any template, at which a party must act."""
    return tuple(
        dict.fromkeys(step for table in TABLES.values() for step in table.steps if table.turn_of(step) is actor)
    )
