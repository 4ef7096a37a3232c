"""Reads of identity that pages and other apps use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from koogallery import clock
from koogallery.identity import authorising
from koogallery.identity.models import (
    Account,
    AgreementSignature,
    AgreementText,
    ContactConsent,
    EnterpriseProject,
    Policy,
    PredefinedTag,
    User,
)
from koogallery.identity.models.project import DEFAULT_CODE
from koogallery.identity.rules.policies import DEFAULT_ACTIONS, Decision
from koogallery.identity.states import AgreementKind, ContactKind, OperatorRole
from koogallery.kernel import policies
from koogallery.kernel.arrays import array
from koogallery.kernel.calls import Role
from koogallery.kernel.operations import Operation, registry
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.prepared import Given, GivenEach, Prepared
from koogallery.kernel.reasons import Missing

TERMS = "terms"

_READERS = Prepared(
    lambda: (
        User.objects.filter(
            Q(is_root=True) | Q(pk__in=GivenEach("named")), account_id__in=GivenEach("accounts"), is_active=True
        )
        .order_by()
        .values_list("pk", "account_id", "is_root", "email", "mobile", "message_choices__choices")
    )
)
_STANDINGS = Prepared(
    lambda: Account.objects.filter(pk__in=GivenEach("accounts")).values_list(
        "pk", "name", "kind", "currency", "reseller_id", "frozen_at", "frozen_by"
    )
)
_ORDERING: Prepared[Any] = Prepared(
    lambda: (
        Account.objects.select_for_update(no_key=True, of=("self",))
        .filter(pk=Given("account"))
        .annotate(policies_json=policies.stored_in_force(Given("at")))
    )
)
_TEXTS = Prepared(
    lambda: (
        AgreementText.objects.filter(subject__in=GivenEach("subjects", "text"), published_at__lte=Given("at"))
        .order_by("subject", "-version")
        .distinct("subject")
    )
)


# Accounts and users


def account_by_number(number: str) -> Account | None:
    """The account with this account ID."""
    return Account.objects.filter(number=number).first()


def account_by_name(name: str) -> Account | None:
    """The account of this name, in any case."""
    return Account.objects.filter(name__iexact=name.strip()).first()


def account(account_id: int, *, locked: bool = False) -> Account:
    """The account of this row number, locked against other changes if asked. Raises `Missing`."""
    rows = Account.objects.select_for_update(no_key=True, of=("self",)) if locked else Account.objects.all()
    found = rows.filter(pk=account_id).first()
    if found is None:
        raise Missing(f"No account {account_id}.")
    return found


class Standing(NamedTuple):
    """What of an account tells who pays for it and whether it may order."""

    pk: int
    name: str
    kind: str
    currency: str
    reseller_id: int | None
    frozen_at: datetime | None
    frozen_by: str

    @property
    def is_frozen(self) -> bool:
        """Whether the account may read, top up and repay only."""
        return self.frozen_at is not None


def standings(account_ids: Iterable[int]) -> dict[int, Standing]:
    """How the accounts of these row numbers stand, by row number, in one query."""
    return {row[0]: Standing._make(row) for row in _STANDINGS.all(accounts=array(set(account_ids)))}


def ordering_account(account_id: int, *, at: datetime) -> tuple[Account, PolicySet]:
    """The account as it is now, locked against other changes, and the policies in force: one query for an order.

    Raises `Missing`.
    """
    found = _ORDERING.first(account=account_id, at=at)
    if found is None:
        raise Missing(f"No account {account_id}.")
    return found, PolicySet.from_json(found.policies_json or {})


def locked_account_by_number(number: str) -> Account:
    """The account with this account ID, locked against other changes. Raises `Missing`."""
    found = Account.objects.select_for_update(no_key=True, of=("self",)).filter(number=number).first()
    if found is None:
        raise Missing(f"No account {number}.")
    return found


class Reader(NamedTuple):
    """A user who reads what an account is told, with the ways there are and what was chosen of them."""

    pk: int
    account_id: int
    is_root: bool
    email: str
    mobile: str
    choices: dict[str, dict[str, bool]] | None


def readers(account_ids: Iterable[int], *, named: Iterable[int]) -> list[Reader]:
    """Who reads what is told to these accounts: their root users, and the named ones; with their message choices."""
    return [Reader._make(row) for row in _READERS.all(accounts=array(account_ids), named=array(named))]


def root_user(account: Account) -> User:
    """The account's root user."""
    return User.objects.get(account=account, is_root=True)


def active_users(account_id: int) -> QuerySet[User]:
    """The users of an account that may sign in, the root user first."""
    return User.objects.filter(account=account_id, is_active=True).order_by("-is_root", "pk")


def customers_of(account: Account) -> QuerySet[Account]:
    """The customers of a reseller."""
    return Account.objects.filter(reseller=account)


def operator_roles(user: User) -> frozenset[OperatorRole]:
    """The operations roles of a user; empty for users of accounts."""
    return authorising.operator_roles(user)


def operators_in(role: OperatorRole) -> list[User]:
    """The active operations managers with a role, by name."""
    return list(User.objects.filter(is_staff=True, is_active=True, groups__name=role.value).order_by("username"))


def operators() -> QuerySet[User]:
    """The active operations managers, by name."""
    return User.objects.filter(account=None, is_staff=True, is_active=True).order_by("username")


# Projects and tags


def projects_for(account: Account) -> list[EnterpriseProject]:
    """The enabled projects, `default` first; none while the function is off."""
    if not account.projects_enabled:
        return []
    enabled = EnterpriseProject.objects.filter(account=account, enabled=True)
    return sorted(enabled, key=lambda project: (not project.is_default, project.name.lower()))


def project_for(account: Account, code: str) -> EnterpriseProject | None:
    """The enabled project with this code; an empty code means `default`. None when there is no such choice."""
    if not account.projects_enabled:
        return None
    return EnterpriseProject.objects.filter(account=account, enabled=True, code=code or DEFAULT_CODE).first()


def project_names(account: Account) -> dict[str, str]:
    """Code → name of all the account's projects, for lists and filters."""
    return dict(EnterpriseProject.objects.filter(account=account).values_list("code", "name"))


def predefined_tags(account: Account) -> QuerySet[PredefinedTag]:
    """The tags that the account offers for choice."""
    return PredefinedTag.objects.filter(account=account)


# Agreements


def current_agreements(subjects: Sequence[str] = (), *, at: datetime | None = None) -> list[AgreementText]:
    """The newest version of the terms and of each of these subjects that has a text, in this order."""
    wanted = [TERMS, *(subject for subject in subjects if subject != TERMS)]
    newest = {text.subject: text for text in _TEXTS.all(subjects=wanted, at=at or clock.now())}
    return [newest[subject] for subject in dict.fromkeys(wanted) if subject in newest]


def needs_signature(account: Account, texts: Iterable[AgreementText]) -> list[AgreementText]:
    """The texts to be ticked: the terms on every order, others unless the account has signed this very version."""
    listed = list(texts)
    others = [text.pk for text in listed if text.kind != AgreementKind.TERMS]
    signed = set(
        AgreementSignature.objects.filter(account=account, text__in=others).values_list("text_id", flat=True)
        if others
        else ()
    )
    return [text for text in listed if text.pk not in signed]


def signatures_of_order(order_number: str) -> QuerySet[AgreementSignature]:
    """What was signed for an order."""
    return AgreementSignature.objects.filter(order_number=order_number).select_related("text", "user")


def signatures_behind_order(
    account: Account, *, order_number: str, subjects: Sequence[str], at: datetime
) -> list[AgreementSignature]:
    """What was signed for an order placed at `at`, and the account's last signature of each of the other subjects."""
    listed = AgreementSignature.objects.filter(account=account, at__lte=at).select_related("text")
    signed = listed.filter(Q(order_number=order_number) | Q(text__subject__in=subjects)).order_by("at", "pk")
    last: dict[str, AgreementSignature] = {}
    for each in signed:
        kept = last.get(each.text.subject)
        if kept is None or kept.order_number != order_number or each.order_number == order_number:
            last[each.text.subject] = each
    return sorted(last.values(), key=lambda each: (each.at, each.pk))


# Contact data


def unmasked_contact(user: User, kind: ContactKind | str) -> str:
    """The exact value that consent would pass on: e-mail address, mobile number or IAM user name."""
    match ContactKind(kind):
        case ContactKind.EMAIL:
            return str(user.email)
        case ContactKind.MOBILE:
            return str(user.mobile)
        case _:
            return str(user.username)


def masked_contact(value: str) -> str:
    """A contact value with all but its first letters and its domain hidden."""
    name, at, domain = value.partition("@")
    kept = name[: 3 if len(name) > 6 else 1]
    return f"{kept}****{at}{domain}" if value else ""


def consent_of_order(order_number: str, kind: ContactKind | str) -> ContactConsent | None:
    """The consent given for an order, withdrawn or not."""
    return ContactConsent.objects.filter(order_number=order_number, kind=kind).select_related("user").first()


def consents_of_order(order_number: str) -> list[ContactConsent]:
    """All consents given for an order, withdrawn or not, the first one first."""
    consents = ContactConsent.objects.filter(order_number=order_number).select_related("user")
    return list(consents.order_by("pk"))


def contact_for_seller(consent: ContactConsent) -> str:
    """What the seller may see now: the value, or a masked one after withdrawal."""
    value = unmasked_contact(consent.user, consent.kind)
    return masked_contact(value) if consent.withdrawn_at else value


# Permissions


def simulate(user: User, action: str, product_id: str = "") -> Decision:
    """What the user's policies decide for an action; the function that enforces it answers."""
    return authorising.decide_action(
        user, action, product_codes=[product_id] if product_id else (), default=default_of(action)
    )


def default_of(action: str) -> bool:
    """Whether IAM users have an action without an Allow."""
    if action in DEFAULT_ACTIONS:
        return True
    return any(authorising.allowed_by_default(spec) for spec in registry.values() if spec.action == action)


def actions_of_buyers() -> dict[str, list[Operation]]:
    """Every action an identity policy can name, with its operations; what users do for themselves left out."""
    found: dict[str, list[Operation]] = {}
    for spec in registry.values():
        if Role.BUYER in spec.roles and not spec.action.startswith("iam:self:"):
            found.setdefault(spec.action, []).append(spec)
    for action in DEFAULT_ACTIONS:
        found.setdefault(action, [])
    return dict(sorted(found.items()))


def policies_of_account(account: Account) -> QuerySet[Policy]:
    """The account's own policies and the platform's."""
    return Policy.objects.filter(account=account) | Policy.objects.filter(account=None)
