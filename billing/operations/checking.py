"""The ledger check: whether the books agree with themselves and with payments, refunds and bills."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.utils.translation import gettext_noop

from billing.models import LedgerCheck
from koogallery import clock
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import describe, operation

logger = logging.getLogger(__name__)

MOST_FINDINGS = 50


@dataclass(frozen=True, slots=True)
class Check:
    """One sentence that must hold, and the query that finds what breaks it (each row: what, found, expected)."""

    name: str
    sentence: str
    query: str


CHECKS = (
    Check(
        "posting_balances",
        gettext_noop("Every posting has two entries or more and balances in every currency"),
        "SELECT p.key, e.currency || ' ' || coalesce(sum(e.amount), 0), '0' FROM billing_posting p "
        "LEFT JOIN billing_entry e ON e.posting_id = p.id GROUP BY p.id, p.key, e.currency "
        "HAVING coalesce(sum(e.amount), 1) <> 0 OR count(e.id) < 2",
    ),
    Check(
        "entry_has_posting",
        gettext_noop("Every entry belongs to a posting and to a ledger account of its currency"),
        "SELECT e.id::text, e.currency, coalesce(a.currency, '-') FROM billing_entry e "
        "LEFT JOIN billing_posting p ON p.id = e.posting_id LEFT JOIN billing_ledgeraccount a ON a.id = e.account_id "
        "WHERE p.id IS NULL OR a.id IS NULL OR a.currency <> e.currency",
    ),
    Check(
        "balance_is_sum",
        gettext_noop("Every balance is the sum of its entries"),
        "SELECT a.kind || ':' || a.owner || ':' || a.currency, a.balance::text, coalesce(s.total, 0)::text "
        "FROM billing_ledgeraccount a LEFT JOIN (SELECT account_id, sum(amount) AS total FROM billing_entry "
        "GROUP BY account_id) s ON s.account_id = a.id WHERE a.balance <> coalesce(s.total, 0)",
    ),
    Check(
        "order_money",
        gettext_noop("For every order line, held + earned + settled + refunded = paid"),
        "WITH paid AS (SELECT line_number AS line, currency, sum(amount) AS paid FROM billing_payment "
        "WHERE state = 'succeeded' AND purpose IN ('order', 'bill') GROUP BY 1, 2), "
        "refunded AS (SELECT line_number AS line, currency, sum(amount) AS refunded FROM billing_refund "
        "GROUP BY 1, 2), "
        "booked AS (SELECT p.about AS line, e.currency, sum(e.amount) AS there FROM billing_entry e "
        "JOIN billing_posting p ON p.id = e.posting_id JOIN billing_ledgeraccount a ON a.id = e.account_id "
        "WHERE a.kind IN ('held', 'earned', 'settled') GROUP BY 1, 2) "
        "SELECT coalesce(p.line, r.line, b.line), (coalesce(b.there, 0) + coalesce(r.refunded, 0))::text, "
        "coalesce(p.paid, 0)::text FROM paid p FULL JOIN refunded r USING (line, currency) "
        "FULL JOIN booked b USING (line, currency) "
        "WHERE coalesce(b.there, 0) + coalesce(r.refunded, 0) <> coalesce(p.paid, 0)",
    ),
    Check(
        "refund_parts",
        gettext_noop("Every refund is the sum of its parts and no payment is refunded beyond its amount"),
        "SELECT r.number, coalesce(sum(t.amount), 0)::text, r.amount::text FROM billing_refund r "
        "LEFT JOIN billing_refundpart t ON t.refund_id = r.id GROUP BY r.id, r.number, r.amount "
        "HAVING coalesce(sum(t.amount), 0) <> r.amount UNION ALL "
        "SELECT p.number, coalesce(sum(t.amount), 0)::text, p.refunded::text FROM billing_payment p "
        "LEFT JOIN billing_refundpart t ON t.payment_id = p.id GROUP BY p.id, p.number, p.refunded, p.amount "
        "HAVING coalesce(sum(t.amount), 0) <> p.refunded OR p.refunded > p.amount",
    ),
    Check(
        "refund_booked",
        gettext_noop("Every refund is booked once with its amount, and no other posting gives money back"),
        "SELECT r.number, coalesce(b.given, 0)::text, r.amount::text FROM billing_refund r "
        "LEFT JOIN LATERAL (SELECT sum(e.amount) AS given FROM billing_posting o JOIN billing_entry e "
        "ON e.posting_id = o.id WHERE o.key = 'refund:' || r.number AND e.amount > 0) b ON TRUE "
        "WHERE coalesce(b.given, 0) <> r.amount UNION ALL "
        "SELECT p.key, p.about, '-' FROM billing_posting p WHERE p.kind = 'refund' AND starts_with(p.key, 'refund:') "
        "AND NOT EXISTS (SELECT 1 FROM billing_refund r WHERE p.key = 'refund:' || r.number)",
    ),
    Check(
        "payment_booked",
        gettext_noop("Every payment that succeeded, and no other, is booked once with its amount"),
        "SELECT p.number, coalesce(b.taken, 0)::text, p.amount::text FROM billing_payment p "
        "LEFT JOIN LATERAL (SELECT -sum(e.amount) AS taken FROM billing_posting o JOIN billing_entry e "
        "ON e.posting_id = o.id WHERE o.key = 'pay:' || p.number AND e.amount < 0) b ON TRUE "
        "WHERE coalesce(b.taken, 0) <> CASE WHEN p.state = 'succeeded' THEN p.amount ELSE 0 END",
    ),
    Check(
        "bill_lines",
        gettext_noop("Every payment of an order and every refund has its line of Bills"),
        "SELECT p.number, coalesce(c.amount, 0)::text, p.amount::text FROM billing_payment p "
        "LEFT JOIN billing_charge c ON c.number = p.number WHERE p.state = 'succeeded' "
        "AND p.purpose IN ('order', 'bill') "
        "AND c.amount IS DISTINCT FROM p.amount UNION ALL "
        "SELECT r.number, coalesce(c.amount, 0)::text, (-r.amount)::text FROM billing_refund r "
        "LEFT JOIN billing_charge c ON c.number = r.number WHERE c.amount IS DISTINCT FROM -r.amount",
    ),
    Check(
        "refunds_under_way",
        gettext_noop("What is under way to cards is what the ledger keeps for it"),
        "SELECT currency, sum(balance)::text, sum(waiting)::text FROM (SELECT currency, balance, 0 AS waiting "
        "FROM billing_ledgeraccount WHERE kind = 'refunds' UNION ALL SELECT currency, 0, amount "
        "FROM billing_refundpart WHERE state = 'pending') n GROUP BY currency HAVING sum(balance) <> sum(waiting)",
    ),
    Check(
        "credit_limits",
        gettext_noop("The credit granted is the sum of the limits"),
        "SELECT a.number, coalesce(-g.balance, 0)::text, coalesce(l.total, 0)::text FROM identity_account a "
        'JOIN (SELECT account_id, sum("limit") AS total FROM billing_creditline GROUP BY account_id) l '
        "ON l.account_id = a.id LEFT JOIN billing_ledgeraccount g ON g.kind = 'credit_granted' "
        "AND g.owner = a.id::text WHERE coalesce(-g.balance, 0) <> l.total",
    ),
    Check(
        "receivable",
        gettext_noop("What an account owes for milestones is the sum of its unpaid bills"),
        "SELECT owner || ':' || currency, sum(balance)::text, sum(billed)::text FROM ("
        "SELECT owner, currency, balance, 0 AS billed FROM billing_ledgeraccount WHERE kind = 'receivable' UNION ALL "
        "SELECT account_id::text, currency, 0, amount FROM billing_milestonebill WHERE ended_at IS NULL) n "
        "GROUP BY owner, currency HAVING sum(balance) <> sum(billed)",
    ),
    Check(
        "milestone_credit",
        gettext_noop("Free milestone credit and unpaid bills are the limit"),
        "SELECT owner || ':' || currency, sum(there)::text, sum(granted)::text FROM ("
        "SELECT owner, currency, balance AS there, 0 AS granted FROM billing_ledgeraccount "
        "WHERE kind IN ('milestone_credit', 'receivable') UNION ALL "
        "SELECT account_id::text, currency, 0, \"limit\" FROM billing_creditline WHERE kind = 'milestone') n "
        "GROUP BY owner, currency HAVING sum(there) <> sum(granted)",
    ),
    Check(
        "bill_amounts",
        gettext_noop("Every milestone bill is over its milestone, and an order's milestones sum to its line"),
        "SELECT b.number, b.amount::text, coalesce(m.amount::text, '-') FROM billing_milestonebill b "
        "LEFT JOIN billing_milestone m ON m.id = b.milestone_id "
        "WHERE (b.amount + b.lowered, b.currency, b.account_id) "
        "IS DISTINCT FROM (m.amount, m.currency, m.account_id) UNION ALL "
        "SELECT line_number, sum(share_percent)::text, '100' FROM billing_milestone GROUP BY line_number "
        "HAVING sum(share_percent) <> 100 OR count(*) <> max(count)",
    ),
    Check(
        "bills_booked",
        gettext_noop("Every milestone bill is booked with its amount, and once more when it ends"),
        "SELECT number, coalesce(there, 0)::text, due::text FROM ("
        "SELECT b.number, b.amount + b.lowered AS due, e.amount AS there FROM billing_milestonebill b "
        "JOIN billing_milestone m ON m.id = b.milestone_id "
        "LEFT JOIN billing_posting p ON p.key = 'bill:' || m.line_number || '/' || m.position AND p.kind = 'bill' "
        "LEFT JOIN billing_entry e ON e.posting_id = p.id AND e.amount > 0 UNION ALL "
        "SELECT b.number, CASE WHEN b.ended_at IS NULL THEN 0 ELSE b.amount END, e.amount FROM billing_milestonebill b "
        "LEFT JOIN billing_posting p ON p.key = 'bill-ended:' || b.number AND p.kind = 'bill_ended' "
        "LEFT JOIN billing_entry e ON e.posting_id = p.id AND e.amount > 0 UNION ALL "
        "SELECT b.number, b.lowered, l.there FROM billing_milestonebill b JOIN LATERAL (SELECT sum(e.amount) AS there "
        "FROM billing_posting p JOIN billing_entry e ON e.posting_id = p.id AND e.amount > 0 "
        "WHERE p.kind = 'bill_lowered' AND starts_with(p.key, 'bill-lowered:' || b.number || ':')) l ON TRUE "
        "WHERE b.lowered > 0) n WHERE coalesce(there, 0) <> due",
    ),
    Check(
        "bills_repaid",
        gettext_noop("Every repaid milestone bill, and no other, has its payment"),
        "SELECT b.number, coalesce(p.number, '-') || ' ' || coalesce(p.amount, 0), b.state || ' ' || b.amount "
        "FROM billing_milestonebill b JOIN billing_milestone m ON m.id = b.milestone_id "
        "LEFT JOIN billing_payment p ON p.number = b.payment_number AND p.state = 'succeeded' AND p.purpose = 'bill' "
        "AND p.line_number = m.line_number AND p.part = 'm' || m.position AND p.amount = b.amount "
        "WHERE (p.id IS NOT NULL) <> (b.state = 'repaid') OR (b.payment_number <> '') <> (b.state = 'repaid')",
    ),
    Check(
        "no_posting_without_bill",
        gettext_noop("No posting of a milestone bill and no payment for one is without its bill"),
        "SELECT p.key, p.about, '-' FROM billing_posting p WHERE p.kind = 'bill' AND NOT EXISTS ("
        "SELECT 1 FROM billing_milestone m JOIN billing_milestonebill b ON b.milestone_id = m.id "
        "WHERE m.line_number = p.about AND p.key = 'bill:' || m.line_number || '/' || m.position) UNION ALL "
        "SELECT p.key, p.about, '-' FROM billing_posting p WHERE p.kind = 'bill_ended' AND NOT EXISTS ("
        "SELECT 1 FROM billing_milestonebill b WHERE p.key = 'bill-ended:' || b.number) UNION ALL "
        "SELECT y.number, y.line_number || '/' || y.part, '-' FROM billing_payment y WHERE y.purpose = 'bill' "
        "AND NOT EXISTS (SELECT 1 FROM billing_milestone m JOIN billing_milestonebill b ON b.milestone_id = m.id "
        "WHERE m.line_number = y.line_number AND y.part = 'm' || m.position)",
    ),
    Check(
        "milestones_earned",
        gettext_noop("No milestone is earned before it is accepted, or the order completed, and repaid"),
        "SELECT m.line_number || '/m' || m.position, p.at::text, "
        "coalesce(greatest(m.earn_from, b.ended_at)::text, '-') FROM billing_milestone m "
        "JOIN billing_ledgeraccount h ON h.kind = 'held' AND h.owner = m.line_number || '/m' || m.position "
        "JOIN billing_entry e ON e.account_id = h.id JOIN billing_posting p ON p.id = e.posting_id "
        "AND p.kind = 'earning' LEFT JOIN billing_milestonebill b ON b.milestone_id = m.id AND b.state = 'repaid' "
        "WHERE m.earn_from IS NULL OR b.id IS NULL OR p.at < m.earn_from OR p.at < b.ended_at",
    ),
)
"""Each is one statement, so it sees one moment."""

_more: list[Check] = []


def add(*checks: Check) -> None:
    """Rooms above add what must hold between their rows and these books; once a name."""
    names = {check.name for check in checks}
    _more[:] = [known for known in _more if known.name not in names] + list(checks)


def all_checks() -> tuple[Check, ...]:
    """Every check, those of the rooms above last."""
    return (*CHECKS, *_more)


@operation("checkLedger", resource_type="Ledger", roles={Role.OPERATOR, Role.SYSTEM})
def check_ledger(call: Call) -> LedgerCheck:
    """Run every check and keep the result; findings are at most 50 a check."""
    began = clock.monotonic()
    findings = []
    with connection.cursor() as cursor:
        for check in all_checks():
            cursor.execute(f"{check.query} LIMIT {MOST_FINDINGS}")
            findings += [
                {"check": check.name, "what": what, "found": found, "expected": expected}
                for what, found, expected in cursor.fetchall()
            ]
        cursor.execute(
            "SELECT (SELECT count(*) FROM billing_posting), (SELECT count(*) FROM billing_entry), "
            "(SELECT count(*) FROM billing_ledgeraccount), "
            "(SELECT count(DISTINCT order_number) FROM billing_payment WHERE purpose IN ('order', 'bill'))"
        )
        postings, entries, accounts, orders = cursor.fetchone()
    result = LedgerCheck.objects.create(
        at=call.at,
        postings=postings,
        entries=entries,
        ledger_accounts=accounts,
        orders=orders,
        findings=findings,
        seconds=Decimal(f"{clock.monotonic() - began:.3f}"),
    )
    describe(resource_id=str(result.pk), resource_name="ledger", findings=len(findings), postings=postings)
    if findings:
        logger.error("ledger_check_failed", extra={"findings": findings[:5], "count": len(findings)})
    return result


def nightly(upto: datetime) -> LedgerCheck:
    """The check that runs every night."""
    return check_ledger(system_call(at=upto))
