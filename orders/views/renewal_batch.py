"""Renewing several resources on one page: a row each, one order per resource, a result per resource."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from billing import queries as billing
from billing.rules.explanation import Explanation
from billing.states import PayMethod
from catalog.queries import changing
from koogallery import clock
from koogallery.kernel import operations, pages, policies
from koogallery.kernel.money import Money
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Missing, Refused
from orders.forms_renewals import BatchForm
from orders.models import Order, Resource
from orders.operations import paying, renewing
from orders.queries import renewals
from orders.queries import renewing as queries
from orders.rules.quote import Quote, sign
from orders.states import OrderState
from orders.views.life_bar import length_text
from orders.views.renewals import trail

LENGTH, SEEN = "length-", "seen-"
MAX_VALUE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One resource of a batch: its lengths, what is quoted for the chosen one, or why it cannot be renewed."""

    resource: Resource
    lengths: Sequence[tuple[str, str]]
    chosen: str
    quote: Quote | None
    refused: Refused | None

    @property
    def new_expires_at(self) -> Any:
        """The expiry that the quoted renewal leads to."""
        return clock.day_end(queries.new_expiry(self.quote)) if self.quote is not None else None

    @property
    def explanation(self) -> Explanation | None:
        """How its amount is calculated."""
        return Explanation.from_json(self.quote.explanation) if self.quote is not None else None

    @property
    def seen(self) -> str:
        """What the buyer sees and is held to: amount and new expiry."""
        return f"{self.quote.amount}|{self.quote.form['until']}" if self.quote is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one resource of a batch."""

    resource: Resource | None
    order: Order | None = None
    refused: Refused | None = None

    @property
    def waits(self) -> bool:
        """Whether its order waits for payment."""
        return self.order is not None and self.order.state == OrderState.PENDING_PAYMENT

    @property
    def new_expires_at(self) -> Any:
        """The expiry that its order leads to."""
        until = self.order.form.get("until", "") if self.order is not None else ""
        return clock.day_end(queries.date_of(until)) if until else None


@page(audience="buyer", operations=["renewOrder", "payOrder", "queryResourceDetail"])
def batch(request: HttpRequest) -> HttpResponse:
    """Renew the selected resources: choose, order, pay; each in a transaction of its own."""
    call = request.call  # type: ignore[attr-defined]
    if request.method != "POST":
        return redirect(reverse("orders:renewals"))
    do, posted = request.POST.get("do", ""), request.POST
    if (refused := operations.may(call, "queryResourceDetail")) is not None:
        raise refused
    if do == "pay":
        return _pay(request, _limited(posted.getlist("orders")))
    numbers = _limited(posted.getlist("selected"))
    if not numbers:
        messages.warning(request, _("Select the resources to renew first."))
        return redirect(reverse("orders:renewals"))
    key = call.idempotency_key if do == "order" else ""
    rows = _rows(call, numbers, posted, key=key)
    if not rows:
        raise Missing("resources to renew")
    if do == "order":
        return _order(request, rows, posted)
    return _show(request, rows, posted)


def _limited(numbers: Sequence[str]) -> list[str]:
    """The numbers, each once. Raises `Refused("renewal_batch_size")` for more than a batch may hold."""
    found = list(dict.fromkeys(each[:MAX_VALUE] for each in numbers))
    if len(found) > renewals.BATCH_MOST:
        raise Refused("renewal_batch_size", most=renewals.BATCH_MOST, count=len(found))
    return found


def _rows(call: Any, numbers: Sequence[str], posted: QueryDict, *, key: str) -> list[Row]:
    """The account's resources of these numbers with their quotes; with a key, quotes that the same form repeats."""
    in_force = policies.in_force(call.at)
    found = renewals.of_numbers(call, numbers)
    with renewals.plans_read_once(found):
        return [_row(call, resource, posted, in_force=in_force, key=key) for resource in found]


def _row(call: Any, resource: Resource, posted: QueryDict, *, in_force: Any, key: str) -> Row:
    refused = queries.why_not_renewable(resource, at=call.at, in_force=in_force)
    if refused is not None:
        return Row(resource=resource, lengths=[], chosen="", quote=None, refused=refused)
    terms, configuration = list(resource.terms.all()), resource.configured
    cycles = changing.cycles_of(resource.product, configuration.sku_code, currency=configuration.currency)
    lengths = renewals.lengths_for(resource, terms, cycles)
    offered = [(renewals.length_value(each), length_text(each)) for each in lengths]
    usual = renewals.usual_length(lengths, terms)
    values = dict(offered)
    wanted = str(posted.get(f"{LENGTH}{resource.number}", ""))[:MAX_VALUE]
    if posted.get("do") == "all" and posted.get("all_length", "") in values:
        wanted = str(posted["all_length"])
    chosen = wanted if wanted in values else renewals.length_value(usual) if usual else ""
    asked = {"length": chosen, "unified": posted.get("unified", "")[:2]}
    try:
        quote = queries.renewal_quote(
            resource,
            form=asked,
            at=call.at,
            in_force=in_force,
            terms=terms,
            quote_id=_derived(key, resource.number)[:32] if key else "",
        )
    except Refused as why:
        return Row(resource=resource, lengths=offered, chosen=chosen, quote=None, refused=why)
    return Row(resource=resource, lengths=offered, chosen=chosen, quote=quote, refused=None)


def _derived(key: str, number: str) -> str:
    """A key of its own for each resource or order of one form, the same whenever that form is sent."""
    return hashlib.sha256(f"{key}:{number}".encode()).hexdigest()[:64]


def _show(request: HttpRequest, rows: Sequence[Row], posted: QueryDict) -> HttpResponse:
    call = request.call  # type: ignore[attr-defined]
    quoted = [row.quote for row in rows if row.quote is not None]
    lengths = dict(pair for row in rows for pair in row.lengths)
    context = {
        "page": {"title": _("Renew resources"), "console": "buyer", "breadcrumbs": trail()},
        "form": BatchForm({"unified": posted.get("unified", "")}, lengths=list(lengths.items())),
        "rows": rows,
        "count": len(quoted),
        "left_out": len(rows) - len(quoted),
        "total": _sum([quote.amount for quote in quoted]),
        "may_renew": operations.may(call, "renewOrder"),
        "is_reseller_customer": call.account.reseller_id is not None,
        "is_asking": posted.get("do") == "ask",
    }
    return pages.render(request, "orders/renewal_batch.html", context, fragment="batch")


def _sum(amounts: Sequence[Money]) -> Money | None:
    return reduce(add, amounts) if amounts else None


def _order(request: HttpRequest, rows: Sequence[Row], posted: QueryDict) -> HttpResponse:
    """One order per resource, each in a transaction of its own; what changed since it was shown is refused."""
    call = request.call  # type: ignore[attr-defined]
    if not call.idempotency_key:
        raise Refused("form_key_missing")
    outcomes = []
    for row in rows:
        number = row.resource.number
        seen = posted.get(f"{SEEN}{number}", "")
        if not seen and row.quote is None:
            outcomes.append(Outcome(resource=row.resource, refused=row.refused))
            continue
        mine = replace(call, idempotency_key=_derived(call.idempotency_key, number))
        if operations.is_replay(mine, "renewOrder"):
            outcomes.append(Outcome(resource=row.resource, order=_placed(mine, row)))
        elif row.quote is None:
            outcomes.append(Outcome(resource=row.resource, refused=row.refused))
        elif seen != row.seen:
            changed = Refused("quote_changed", old=seen.partition("|")[0], new=str(row.quote.amount))
            outcomes.append(Outcome(resource=row.resource, refused=changed))
        else:
            outcomes.append(_ordered(mine, row))
    return _done(request, outcomes)


def _placed(call: Any, row: Row) -> Order | None:
    """The order that the same form placed before."""
    quote_id = row.quote.quote_id if row.quote is not None else ""
    return Order.objects.filter(account_id=call.account_id, quote_id=quote_id or call.idempotency_key[:32]).first()


def _ordered(call: Any, row: Row) -> Outcome:
    assert row.quote is not None
    try:
        order = renewing.renew(call, resource=row.resource.number, quote=sign(row.quote))
    except Refused as refused:
        return Outcome(resource=row.resource, refused=refused)
    return Outcome(resource=row.resource, order=order)


def _pay(request: HttpRequest, numbers: Sequence[str]) -> HttpResponse:
    """Pay the batch's orders at once from balance or credit, each in a transaction of its own."""
    call = request.call  # type: ignore[attr-defined]
    method = request.POST.get("method", "")[:MAX_VALUE]
    refused: dict[str, Refused] = {}
    for order in renewals.orders_of_numbers(call, numbers):
        if order.state != OrderState.PENDING_PAYMENT:
            continue
        mine = replace(call, idempotency_key=_derived(call.idempotency_key, order.number))
        try:
            paying.pay_order(mine, order=order.number, method=method)
        except Refused as why:
            if why.code == "form_key_missing":
                raise
            refused[order.number] = why
    found = renewals.orders_of_numbers(call, numbers)
    if not found:
        raise Missing("orders to pay")
    return _done(
        request,
        [Outcome(resource=order.line.resource, order=order, refused=refused.get(order.number)) for order in found],
    )


def _done(request: HttpRequest, outcomes: Sequence[Outcome]) -> HttpResponse:
    call = request.call  # type: ignore[attr-defined]
    unpaid = [each.order for each in outcomes if each.waits and each.order is not None]
    total = _sum([order.total for order in unpaid])
    methods = [
        method
        for method in (billing.payment_methods(call.account, total) if total is not None else [])
        if method.kind in (PayMethod.BALANCE, PayMethod.CREDIT)
    ]
    context = {
        "page": {"title": _("Renewals ordered"), "console": "buyer", "breadcrumbs": trail()},
        "outcomes": outcomes,
        "done": sum(1 for each in outcomes if each.refused is None),
        "failed": sum(1 for each in outcomes if each.refused is not None),
        "unpaid": unpaid,
        "total": total,
        "methods": methods,
        "first": next((method.value for method in methods if method.available), ""),
        "may_pay": operations.may(call, "payOrder"),
    }
    return pages.render(request, "orders/renewal_batch_done.html", context)
