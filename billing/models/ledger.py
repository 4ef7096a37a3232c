"""The double-entry ledger: accounts, postings, entries. The database keeps the balances and refuses the rest."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.states import NEGATIVE_KINDS, LedgerKind, PostingKind
from koogallery.kernel.fields import AmountField, CurrencyField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.money import Money


class LedgerAccount(GuardedModel):
    """One balance: of a kind, an owner (account, order line, seller, or the platform) and a currency.

    Made on demand by `post()`; its balance is written by the trigger on entries only.
    """

    kind = models.CharField(max_length=20, choices=LedgerKind.choices)
    owner = models.CharField(max_length=40, blank=True)
    currency = CurrencyField()
    balance = AmountField(default=0)
    may_be_negative = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("ledger account")
        verbose_name_plural = _("ledger accounts")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["kind", "owner", "currency"], name="ledger_account_once"),
            models.CheckConstraint(
                condition=models.Q(may_be_negative=True) | models.Q(balance__gte=0), name="ledger_balance_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(may_be_negative=False) | models.Q(kind__in=[kind.value for kind in NEGATIVE_KINDS]),
                name="ledger_negative_kinds",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.owner}:{self.currency}" if self.owner else f"{self.kind}:{self.currency}"

    @property
    def money(self) -> Money:
        """The balance."""
        return Money(self.balance, self.currency)


class Posting(GuardedModel):
    """One movement; written with its entries in one statement by `operations.ledger.post` and never changed.

    `about` is the order line, order or account number that the movement belongs to.
    """

    key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=20, choices=PostingKind.choices)
    about = models.CharField(max_length=40, blank=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("posting")
        verbose_name_plural = _("postings")
        base_manager_name = "objects"
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["about"], name="posting_about", condition=~models.Q(about="")),
        ]

    def __str__(self) -> str:
        return self.key


class Entry(GuardedModel):
    """One side of a posting. The trigger proves what foreign keys would, at a fraction of their cost."""

    posting = models.ForeignKey(Posting, models.PROTECT, related_name="entries", db_constraint=False)
    account = models.ForeignKey(
        LedgerAccount, models.PROTECT, related_name="entries", db_constraint=False, db_index=False
    )
    amount = AmountField()
    currency = CurrencyField()

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        base_manager_name = "objects"
        indexes = [models.Index(fields=["account", "-id"], name="entry_of_account")]
        constraints = [models.CheckConstraint(condition=~models.Q(amount=0), name="entry_not_zero")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.amount} {self.currency}"

    @property
    def money(self) -> Money:
        """The amount."""
        return Money(self.amount, self.currency)
