"""Operations managers' view of money: read-only rows, and buttons that call operations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from billing import queries
from billing.forms import (
    AccountAmountForm,
    AccountCreditForm,
    AddFundsForm,
    BankTransferForm,
    CreditForm,
    CreditPaymentForm,
    MilestoneTransferForm,
)
from billing.models import (
    Card,
    Charge,
    CreditChange,
    CreditLine,
    CreditStatement,
    Entry,
    LedgerAccount,
    LedgerCheck,
    MilestoneBill,
    Payment,
    Posting,
    Refund,
    RefundPart,
)
from billing.operations import checking, closing, crediting, repaying, topping_up
from billing.rules.bills import overdue_until
from billing.states import CreditKind, PaymentState
from koogallery import clock
from koogallery.identity.queries import account_by_name, account_by_number
from koogallery.kernel import display
from koogallery.kernel.admin import GuardedInline, GuardedModelAdmin, OperationButton, shown_moment, shown_money
from koogallery.kernel.calls import Call
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from koogallery.tickets import actions
from koogallery.tickets.states import TicketKind

if TYPE_CHECKING:
    from koogallery.identity.models import Account

AMOUNT = shown_money("amount", _("Amount"))


def _named(data: Mapping[str, Any]) -> Account:
    account = account_by_name(data["account"].strip()) or account_by_number(data["account"].strip())
    if account is None:
        raise Refused("account_unknown", field="account")
    return account


def _add_funds(call: Call, row: Account, data: Mapping[str, Any]) -> Any:
    return topping_up.add_funds(call, account=row.number, amount=Money(data["amount"], row.currency), note=data["note"])


def _book_transfer(call: Call, row: Account, data: Mapping[str, Any]) -> Any:
    return topping_up.book_bank_transfer(
        call, account=row.number, amount=Money(data["amount"], row.currency), note=data["note"]
    )


def _grant(call: Call, row: Account, data: Mapping[str, Any]) -> Any:
    return crediting.grant_credit(
        call,
        account=row.number,
        kind=CreditKind(data["kind"]),
        limit=Money(data["limit"], row.currency),
        reason=data["reason"],
    )


class CreditLineInline(GuardedInline):
    """The credits of an account."""

    model = CreditLine
    fields = ("kind", "limit", "currency", "granted_at")
    verbose_name_plural = _("credit lines")


ACCOUNT_BUTTONS = (
    OperationButton(
        "addFunds",
        _("Add funds"),
        run=_add_funds,
        form=AddFundsForm,
        says=_("The amount is put on the balance at once, against the ledger account Funding."),
        icon="add_card",
    ),
    OperationButton(
        "bookBankTransfer",
        _("Book bank transfer"),
        run=_book_transfer,
        form=BankTransferForm,
        says=_("A transfer that has arrived at the bank is put on the balance. The account is told."),
        icon="account_balance",
    ),
    OperationButton(
        "grantCredit",
        _("Grant credit"),
        run=_grant,
        form=CreditForm,
        says=_("The new limit replaces the old one and is kept in the history. Only postpaid accounts have credit."),
        icon="credit_score",
    ),
)

if (accounts := admin.site._registry.get(apps.get_model("identity", "Account"))) is not None:
    accounts.operation_buttons = (*accounts.operation_buttons, *ACCOUNT_BUTTONS)  # type: ignore[attr-defined]
    accounts.inlines = (*accounts.inlines, CreditLineInline)  # type: ignore[misc]


def _grant_credit_payment(call: Call, row: Any, data: Mapping[str, Any]) -> Any:
    return crediting.grant_credit_payment(
        call, ticket=row.number, limit=Money(data["limit"], row.account.currency), text=data["text"]
    )


actions.offer(
    TicketKind.CREDIT_PAYMENT,
    OperationButton(
        "grantCreditPayment",
        _("Grant credit payment"),
        run=_grant_credit_payment,
        form=CreditPaymentForm,
        says=_("The account becomes postpaid with this limit of platform credit, and the ticket is resolved."),
        icon="credit_score",
        done=_("Credit payment is granted, and the customer is told."),
    ),
)


class EntryOfPostingInline(GuardedInline):
    """The entries of a posting."""

    model = Entry
    fields = ("account", "amount", "currency")
    tab = False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("account")


@admin.register(LedgerAccount)
class LedgerAccountAdmin(GuardedModelAdmin):
    """Every balance of the ledger."""

    list_display = ("kind", "owner", shown_money("balance", _("Balance")), "may_be_negative")
    list_filter = ("kind", "currency")
    search_fields = ("=owner",)
    search_help_text = _("Account, order line or seller, exactly")
    ordering = ("kind", "-pk")


@admin.register(Posting)
class PostingAdmin(GuardedModelAdmin):
    """Every movement with its entries."""

    list_display = ("key", "kind", "about", shown_moment("at", _("Time")))
    list_filter = ("kind",)
    search_fields = ("=key", "=about")
    search_help_text = _("Key, order line or payment number, exactly")
    ordering = ("-pk",)
    inlines = (EntryOfPostingInline,)


@admin.register(Payment)
class PaymentAdmin(GuardedModelAdmin):
    """Payments of orders, top-ups, repayments."""

    list_display = (
        "number",
        "account",
        "purpose",
        "method",
        "state",
        AMOUNT,
        shown_money("refunded", _("Refunded")),
        "order_number",
        shown_moment("created_at", _("Created")),
        shown_moment("parked_at", _("Parked")),
    )
    list_filter = ("state", "purpose", "method", ("parked_at", admin.EmptyFieldListFilter))
    search_fields = ("=number", "=order_number", "=account__name", "=gateway_reference")
    search_help_text = _("Payment No., Order No., account name or the gateway's reference, exactly")
    list_select_related = ("account",)
    ordering = ("-pk",)
    list_buttons = (
        OperationButton(
            "addFunds",
            _("Add funds"),
            run=lambda call, row, data: _add_funds(call, _named(data), data),
            form=AccountAmountForm,
            says=_("The amount is put on the balance at once, against the ledger account Funding."),
        ),
        OperationButton(
            "bookBankTransfer",
            _("Book bank transfer"),
            run=lambda call, row, data: _book_transfer(call, _named(data), data),
            form=AccountAmountForm,
            says=_("A transfer that has arrived at the bank is put on the balance. The account is told."),
        ),
    )
    operation_buttons = (
        OperationButton(
            "retryPayment",
            _("Ask the gateway again"),
            run=lambda call, row, data: closing.retry_payment(call, payment=row.number),
            says=_("The gateway is asked about this payment at once. It is charged no second time."),
            shown=lambda row: row.state == PaymentState.PENDING,
            icon="refresh",
        ),
        OperationButton(
            "closePayment",
            _("Book as failed"),
            run=lambda call, row, data: closing.close_payment(call, payment=row.number),
            says=_("Only after the gateway's own pages say that nothing was charged. The order can be paid otherwise."),
            shown=lambda row: row.state == PaymentState.PENDING,
            danger=True,
        ),
    )


class RefundPartInline(GuardedInline):
    """Where the parts of a refund went."""

    model = RefundPart
    fields = ("payment", "destination", "state", "amount", "currency", "outcome", "attempts", "parked_at")
    tab = False


@admin.register(Refund)
class RefundAdmin(GuardedModelAdmin):
    """Refunds with where their parts went."""

    list_display = ("number", "account", "order_number", AMOUNT, "reason", shown_moment("at", _("Time")))
    search_fields = ("=number", "=order_number", "=account__name")
    search_help_text = _("Refund No., Order No. or account name, exactly")
    list_select_related = ("account",)
    list_filter = (("parts__parked_at", admin.EmptyFieldListFilter),)
    ordering = ("-pk",)
    inlines = (RefundPartInline,)
    operation_buttons = (
        OperationButton(
            "retryRefund",
            _("Try again"),
            run=lambda call, row, data: closing.retry_refund(call, refund=row.number),
            says=_("Parts that the gateway left unclear are tried again. Nothing is refunded twice."),
            shown=lambda row: row.parts.filter(parked_at__isnull=False).exists(),
            icon="refresh",
        ),
    )


@admin.register(Charge)
class ChargeAdmin(GuardedModelAdmin):
    """The lines of Bills of all accounts."""

    list_display = ("number", "kind", "account", "order_number", "method", AMOUNT, shown_moment("at", _("Time")))
    list_filter = ("kind", "method")
    search_fields = ("=number", "=order_number", "=account__name")
    search_help_text = _("Bill No., Order No. or account name, exactly")
    list_select_related = ("account",)
    ordering = ("-pk",)


@admin.register(Card)
class CardAdmin(GuardedModelAdmin):
    """Which cards accounts have; no card data is here."""

    list_display = ("__str__", "account", "gateway", "is_default", shown_moment("added_at", _("Added")), "removed_at")
    list_filter = ("gateway", ("removed_at", admin.EmptyFieldListFilter))
    search_fields = ("=account__name", "=last_digits")
    list_select_related = ("account",)
    fields = (
        "account",
        "gateway",
        "brand",
        "last_digits",
        "expires_month",
        "expires_year",
        "is_default",
        "added_at",
        "removed_at",
    )


class BillDueFilter(admin.SimpleListFilter):
    """Bills by what is due: overdue whether or not the sweep has run, due within seven days, unpaid."""

    title = _("due")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("overdue", _("Overdue")), ("soon", _("Due within 7 days")), ("unpaid", _("Unpaid"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        now = clock.now()
        late = overdue_until(now)
        unpaid = queryset.filter(ended_at__isnull=True)
        return {
            "overdue": unpaid.filter(due_at__lte=late),
            "soon": unpaid.filter(due_at__gt=late, due_at__lt=now + timedelta(days=7)),
            "unpaid": unpaid,
        }.get(self.value() or "", queryset)


@admin.register(MilestoneBill)
class MilestoneBillAdmin(GuardedModelAdmin):
    """The bills of milestones of all accounts; a bank transfer that arrived is booked here."""

    list_display = (
        "number",
        "account",
        "order_number",
        "part",
        "shown",
        AMOUNT,
        shown_moment("due_at", _("Due")),
        shown_moment("generated_at", _("Generated")),
    )
    list_filter = ("state", BillDueFilter, "currency")
    search_fields = ("=number", "=order_number", "=account__name", "=account__number")
    search_help_text = _("Bill No., Order No., account name or account ID, exactly")
    list_select_related = ("account", "milestone")
    ordering = ("-pk",)
    fields = (
        "number",
        "milestone",
        "account",
        "order_number",
        "amount",
        "shown",
        "generated_at",
        "written_at",
        "due_at",
        "next_reminder",
        "ended_at",
        "payment_number",
    )
    operation_buttons = (
        OperationButton(
            "bookMilestoneTransfer",
            _("Book bank transfer"),
            run=lambda call, row, data: repaying.book_transfer(
                call,
                bill=row.number,
                amount=Money(data["amount"], row.currency),
                reference=data["reference"],
            ),
            form=MilestoneTransferForm,
            initial=lambda row: {"amount": row.money.rounded().amount},
            says=_(
                "A transfer that has arrived at the bank repays this bill in full. Customer and seller are told, and "
                "the milestone credit is free again."
            ),
            shown=lambda row: row.is_unpaid,
            icon="account_balance",
        ),
    )

    @admin.display(description=_("Next reminder"))
    def next_reminder(self, row: MilestoneBill) -> Any:
        """When its account is reminded of it next."""
        return row.remind_at and display.moment_text(row.remind_at)

    @admin.display(description=_("Milestone"), ordering="milestone__position")
    def part(self, row: MilestoneBill) -> str:
        """Which of how many."""
        return str(_("%(position)s of %(count)s") % {"position": row.milestone.position, "count": row.milestone.count})

    @admin.display(description=_("status"))
    def shown(self, row: MilestoneBill) -> Any:
        """The state at this moment."""
        return row.shown_state(clock.now()).label


class CreditChangeInline(GuardedInline):
    """The history of a credit line."""

    model = CreditChange
    readonly_fields = ("limit_before", "limit_after")
    fields = ("at", *readonly_fields, "reason", "changed_by")
    tab = False

    @admin.display(description=_("Before"))
    def limit_before(self, row: CreditChange) -> str:
        """The limit before the change."""
        return str(Money(row.before, row.currency))

    @admin.display(description=_("After"))
    def limit_after(self, row: CreditChange) -> str:
        """The limit after the change."""
        return str(Money(row.after, row.currency))


@admin.register(CreditLine)
class CreditLineAdmin(GuardedModelAdmin):
    """Credit limits with their history."""

    list_display = (
        "account",
        "kind",
        shown_money("limit", _("Limit")),
        "used",
        "free",
        "reserved",
        shown_moment("granted_at", _("Granted")),
    )
    readonly_fields = ("used", "free", "reserved")
    list_filter = ("kind",)
    search_fields = ("=account__name", "=account__number")
    list_select_related = ("account",)
    inlines = (CreditChangeInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return queries.with_use(super().get_queryset(request))

    @admin.display(description=_("Used"))
    def used(self, row: Any) -> Money:
        """Spent or billed, and not repaid."""
        return Money(row.limit - row.left, row.currency)

    @admin.display(description=_("Free"))
    def free(self, row: Any) -> Money:
        """What can still be ordered with it."""
        return Money(max(row.left - row.to_bill, Decimal(0)), row.currency)

    @admin.display(description=_("Reserved"))
    def reserved(self, row: Any) -> Money:
        """What open milestone orders will still be billed."""
        return Money(row.to_bill, row.currency)

    list_buttons = (
        OperationButton(
            "grantCredit",
            _("Grant credit"),
            run=lambda call, row, data: _grant(call, _named(data), data),
            form=AccountCreditForm,
            says=_("The new limit replaces the old one and is kept in the history."),
        ),
    )
    operation_buttons = (
        OperationButton(
            "grantCredit",
            _("Change limit"),
            run=lambda call, row, data: _grant(call, row.account, data),
            form=CreditForm,
            initial=lambda row: {"kind": row.kind, "limit": row.limit},
            says=_("The new limit replaces the old one and is kept in the history."),
        ),
    )


@admin.register(CreditStatement)
class CreditStatementAdmin(GuardedModelAdmin):
    """Monthly statements of platform credit."""

    list_display = (
        "number",
        "account",
        "month",
        AMOUNT,
        shown_money("repaid", _("Repaid")),
        shown_moment("due_at", _("Due")),
        shown_moment("repaid_at", _("Repaid on")),
    )
    list_filter = (("repaid_at", admin.EmptyFieldListFilter),)
    search_fields = ("=number", "=account__name")
    list_select_related = ("account",)
    ordering = ("-month", "-pk")


@admin.register(LedgerCheck)
class LedgerCheckAdmin(GuardedModelAdmin):
    """Results of the ledger check, run every night and by the button."""

    list_display = (
        shown_moment("at", _("Time")),
        "postings",
        "entries",
        "ledger_accounts",
        "orders",
        "faults",
        "seconds",
    )
    ordering = ("-at", "-pk")
    list_buttons = (
        OperationButton(
            "checkLedger",
            _("Check now"),
            run=lambda call, row, data: checking.check_ledger(call),
            says=_("Every posting, balance, order and refund is proven; on a large ledger it takes a minute."),
            icon="fact_check",
        ),
    )

    @admin.display(description=_("Findings"))
    def faults(self, row: LedgerCheck) -> int:
        """How many sentences did not hold."""
        return len(row.findings)
