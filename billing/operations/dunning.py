"""Milestone bills that are not repaid: reminders before and after they are due, Overdue once they were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy

from audit.recording import system_traces
from billing import queries
from billing.models import MilestoneBill
from billing.operations.milestones import told_of
from billing.rules.bills import is_overdue, next_reminder, reminder_to_send
from koogallery.kernel.arrays import array
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.money import Money
from koogallery.kernel.operations import operation
from koogallery.notifications.operations import Notice, notify_many

_NUMBER = "NUMBER"
_BLOCKS = gettext_lazy("While it is overdue, the next milestone of the order may not be accepted.")
_MOVE_ON = (
    "UPDATE billing_milestonebill b SET remind_at = n.at "
    "FROM unnest(%s::bigint[], %s::timestamptz[]) AS n(id, at) WHERE b.id = n.id"
)


@operation("markMilestoneBillOverdue", resource_type="MilestoneBill", roles={Role.SYSTEM})
def mark_overdue(call: Call, *, bill: MilestoneBill) -> None:
    """Mark a bill Overdue that was not repaid in time; the sweep does so set-wise, under this name."""
    mark_due([bill.pk], call.at)


_MARK = """
WITH due AS (
    SELECT id, overdue_due_at AS at FROM billing_milestonebill WHERE id = ANY (%(bills)s::bigint[])
)
UPDATE billing_milestonebill b SET state = 'overdue', overdue_due_at = NULL FROM due d
WHERE b.id = ANY (%(bills)s::bigint[]) AND b.id = d.id AND d.at IS NOT NULL AND b.state = 'open'
RETURNING b.account_id, b.number, b.order_number, b.amount, b.currency, b.due_at, d.at,
    (SELECT m.position FROM billing_milestone m WHERE m.id = b.milestone_id)
"""


def mark_due(bill_ids: list[int], upto: datetime) -> None:
    """Mark claimed bills Overdue, each dated at the 00:00:00 after its last day (R8)."""
    with connection.cursor() as cursor:
        cursor.execute(_MARK, {"bills": array(bill_ids)})
        late = sorted(cursor.fetchall())
    system_traces(
        "markMilestoneBillOverdue",
        rows=[
            (
                account_id,
                number,
                order_number,
                at,
                {"order": order_number, "milestone": str(position)},
                {"amount": str(Money(amount, currency)), "due": due_at.isoformat()},
            )
            for account_id, number, order_number, amount, currency, due_at, at, position in late
        ],
    )


@operation("remindOfMilestoneBill", resource_type="MilestoneBill", roles={Role.SYSTEM})
def remind(call: Call, *, bill: MilestoneBill) -> None:
    """Remind of an unpaid bill at 09:00, 7 and 1 days before and after its last day; the sweep does so set-wise."""
    remind_due([bill.pk], call.at)


def remind_due(bill_ids: list[int], upto: datetime) -> None:
    """Send the reminder that is due of each claimed bill, dated at its due time, and set the next.

    After a sleep over several reminders of a bill only the latest is sent, and only if it is still true.
    """
    bills = [each for each in _claimed(bill_ids) if each.remind_at is not None]
    following = [next_reminder(last_day=each.last_day, after=upto) for each in bills]
    with connection.cursor() as cursor:
        cursor.execute(_MOVE_ON, [array(each.pk for each in bills), array(following)])
    found = [(each, reminder_to_send(due_at=each.due_at, upto=upto)) for each in bills]
    sent = [(each, moment) for each, moment in found if moment is not None]
    page = reverse("billing:milestone_bill", args=[_NUMBER])
    notify_many(
        [
            Notice(
                account_id=bill.account_id,
                kind="milestone_bill_overdue" if is_overdue(due_at=bill.due_at, at=moment) else "milestone_bill_due",
                params={**told_of(bill.milestone, bill), "effect": _BLOCKS if bill.blocks else ""},
                link=page.replace(_NUMBER, bill.number),
                key=f"milestone-bill-reminder:{bill.number}:{moment:%Y%m%d}",
                at=moment,
            )
            for bill, moment in sent
        ]
    )
    _trace("remindOfMilestoneBill", sent)


def _claimed(bill_ids: list[int]) -> list[Any]:
    """Bills with whether they block the acceptance of a milestone while they are overdue."""
    waiting = Exists(queries.to_be_accepted(OuterRef("milestone__line_number")))
    found = MilestoneBill.objects.select_related("milestone").filter(pk__in=bill_ids)
    found = found.annotate(blocks=Q(milestone__blocks_when_overdue=True) & waiting)
    return list(found.defer("milestone__explanation", "milestone__tags").order_by("pk"))


def _trace(name: str, moments: Sequence[tuple[MilestoneBill, datetime]]) -> None:
    system_traces(
        name,
        rows=[
            (
                bill.account_id,
                bill.number,
                bill.order_number,
                at,
                {"order": bill.order_number, "milestone": bill.milestone.position},
                {"amount": str(bill.money), "due": bill.due_at.isoformat()},
            )
            for bill, at in moments
        ],
    )
