"""A process that does one thing and stands still at a named moment, to be killed there.

    python -m tests.orders.killed pay ORDER BUYER paying
    python -m tests.orders.killed deliver claimed 0
    python -m tests.orders.killed renew written

It says `here` on its standard output when the moment has come.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import django

RENEWING_AT = datetime.fromisoformat("2026-02-03T03:00:00+08:00")
AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")


def stand_still() -> None:
    """Say so and wait for the kill."""
    sys.stdout.write("here\n")
    sys.stdout.flush()
    time.sleep(120)


def before(owner: Any, name: str) -> None:
    """Stand still when `owner.name` is about to be called."""
    setattr(owner, name, lambda *args, **kwargs: stand_still())


def after(owner: Any, name: str) -> None:
    """Stand still when `owner.name` has answered."""
    real: Callable[..., Any] = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        answer = real(*args, **kwargs)
        stand_still()
        return answer

    setattr(owner, name, call)


def arm(moment: str) -> None:
    """Prepare to stand still at a moment of a delivery or a payment."""
    from billing.operations import ledger
    from orders.operations import completing, interface_calls, paying

    match moment:
        case "claimed":
            before(interface_calls, "_ask")
        case "answered":
            after(interface_calls, "_ask")
        case "recording":
            before(completing, "complete")
        case "recorded":
            after(interface_calls, "record_answer")
        case "giving up":
            after(interface_calls.cancelling, "cancel_undeliverable")
        case "posting":
            after(ledger, "post")
        case "paid":
            after(paying, "pay_order")
        case "asking":
            pass
        case _:
            raise ValueError(moment)


def arm_renewal(moment: str) -> None:
    """Prepare to stand still at a moment of a chunk of automatic renewals; `nothing` lets them pass."""
    from billing.operations import ledger
    from orders.operations import auto_renewing, card_paying, renewing_many

    match moment:
        case "decided" | "card decided":
            after(auto_renewing, "decide")
        case "written":
            after(renewing_many, "_write")
        case "told":
            after(renewing_many, "notify_many")
        case "paid":
            after(ledger, "move_many")
        case "card paid":
            after(card_paying, "start_automatic")
        case "nothing" | "committed" | "card committed":
            pass
        case _:
            raise ValueError(moment)


def renew(moment: str) -> None:
    """Run the sweep of auto-renewals once."""
    from koogallery import clock
    from koogallery.kernel import sweeps

    arm_renewal(moment)
    with clock.at(RENEWING_AT):
        sweeps.sweeps["auto-renewals"].run(RENEWING_AT)
    if moment.endswith("committed"):
        stand_still()


def main(what: str, *arguments: str) -> None:
    django.setup()
    from koogallery import clock
    from koogallery.identity.models import User
    from koogallery.kernel.calls import Call, Role
    from orders.operations import interface_calls, paying

    if what == "renew":
        renew(*arguments)
    elif what == "deliver":
        moment, minutes = arguments
        arm(moment)
        at = AT + timedelta(minutes=int(minutes))
        with clock.at(at):
            interface_calls.run_due(at)
    else:
        order, buyer, moment = arguments
        arm(moment)
        user = User.objects.select_related("account").get(pk=int(buyer))
        call = Call(role=Role.BUYER, at=AT, account=user.account, user=user, idempotency_key="killed-payment")
        with clock.at(AT):
            paying.pay_order(call, order=order, method="balance")


if __name__ == "__main__":
    main(*sys.argv[1:])
