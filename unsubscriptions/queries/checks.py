"""What must hold between requests, payouts and the books: part of the ledger check."""

from __future__ import annotations

from django.utils.translation import gettext_noop

from billing.operations.checking import Check

CHECKS = (
    Check(
        "payout_amounts",
        gettext_noop("Every payout is what its refunds give back, and with what bills were lowered its order's amount"),
        "WITH given AS (SELECT p.id, coalesce(sum(r.amount), 0) AS refunded, sum(l.amount) AS lines "
        "FROM unsubscriptions_payout p JOIN orders_orderline l ON l.order_id = p.order_id "
        "LEFT JOIN billing_refund r ON r.key = 'unsubscription:' || l.number GROUP BY p.id) "
        "SELECT q.number, g.refunded::text, p.amount::text FROM given g JOIN unsubscriptions_payout p ON p.id = g.id "
        "JOIN unsubscriptions_request q ON q.id = p.request_id WHERE g.refunded <> p.amount UNION ALL "
        "SELECT o.number, g.lines::text, o.amount::text FROM given g JOIN unsubscriptions_payout p ON p.id = g.id "
        "JOIN orders_order o ON o.id = p.order_id "
        "WHERE g.lines <> o.amount OR p.amount + p.lowered <> -o.amount UNION ALL "
        "SELECT q.number, (p.amount + p.lowered)::text, q.amount::text FROM unsubscriptions_payout p "
        "JOIN unsubscriptions_request q ON q.id = p.request_id "
        "WHERE (p.amount + p.lowered, p.currency, 'agreed') IS DISTINCT FROM (q.amount, q.currency, q.state)",
    ),
    Check(
        "payout_states",
        gettext_noop("A payout is done, and its order Completed, exactly when every part of its refunds is"),
        "SELECT q.number, p.state || ' ' || o.state, w.waiting || ' on the way' FROM unsubscriptions_payout p "
        "JOIN unsubscriptions_request q ON q.id = p.request_id JOIN orders_order o ON o.id = p.order_id "
        "JOIN LATERAL (SELECT count(*) FILTER (WHERE t.state = 'pending') AS waiting FROM orders_orderline l "
        "JOIN billing_refund r ON r.key = 'unsubscription:' || l.number JOIN billing_refundpart t "
        "ON t.refund_id = r.id WHERE l.order_id = p.order_id) w ON TRUE "
        "WHERE (p.state = 'done') <> (w.waiting = 0) OR (p.state = 'done') <> (o.state = 'completed')",
    ),
    Check(
        "agreed_has_payout",
        gettext_noop("Every agreed request has its payout, and every refund of an unsubscription its negative line"),
        "SELECT q.number, q.state, 'a payout' FROM unsubscriptions_request q WHERE q.state = 'agreed' "
        "AND NOT EXISTS (SELECT 1 FROM unsubscriptions_payout p WHERE p.request_id = q.id) UNION ALL "
        "SELECT r.number, r.key, 'a negative line' FROM billing_refund r "
        "WHERE starts_with(r.key, 'unsubscription:') AND NOT EXISTS (SELECT 1 FROM orders_orderline l "
        "WHERE r.key = 'unsubscription:' || l.number AND l.reverses_id IS NOT NULL)",
    ),
    Check(
        "requests_within_payment",
        gettext_noop("No open request asks for more than was paid or billed for its line and not yet given back"),
        "SELECT q.number, (q.amount - q.renewals_amount)::text, (coalesce(y.there, 0) + coalesce(b.unpaid, 0))::text "
        "FROM unsubscriptions_request q JOIN orders_orderline l ON l.id = q.line_id "
        "LEFT JOIN LATERAL (SELECT sum(p.amount - p.refunded) AS there FROM billing_payment p "
        "WHERE p.line_number = l.number AND p.state = 'succeeded') y ON TRUE "
        "LEFT JOIN LATERAL (SELECT sum(i.amount) AS unpaid FROM billing_milestone m JOIN billing_milestonebill i "
        "ON i.milestone_id = m.id WHERE m.line_number = l.number AND i.ended_at IS NULL) b ON TRUE "
        "WHERE q.state = 'requested' AND q.amount - q.renewals_amount > coalesce(y.there, 0) + coalesce(b.unpaid, 0)",
    ),
)
