"""Opening accounts, verifying their addresses, freezing them."""

from __future__ import annotations

import re

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.urls import reverse
from django.utils.translation import get_language

from koogallery.identity import attempts, events
from koogallery.identity.models import Account, User
from koogallery.identity.operations.passwords import check_strength
from koogallery.identity.operations.uniqueness import refused_if_taken
from koogallery.identity.states import AccountKind, AttemptKind, FrozenBy
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.events import publish
from koogallery.kernel.money import EXPONENTS
from koogallery.kernel.operations import describe, operation, untraced
from koogallery.kernel.reasons import Missing, Refused

ACCOUNT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{2,63}")
MOBILE = re.compile(r"\+?[0-9][0-9 -]{4,30}")
VERIFICATION = "identity.verify-email"
VERIFICATION_SECONDS = 3 * 24 * 3600


@operation("signUp", resource_type="Account", action="iam:self:signUp", roles={Role.ANONYMOUS, Role.BUYER}, once=True)
def sign_up(call: Call, *, name: str, email: str, mobile: str, password: str) -> User:
    """Open a prepaid account and its root user, and ask for the e-mail address to be verified.

    Raises `Refused` with the field at fault.
    """
    attempts.take(AttemptKind.SIGN_UP, address=call.address)
    language = _known_language(get_language())
    account = _open(call, name=name, email=email, mobile=mobile, language=language)
    root = _make_root(call, account, email=email, mobile=mobile, password=password, language=language)
    ask_to_verify(call, root)
    describe(resource=account, account_id=account.pk)
    return root


@operation("createAccount", resource_type="Account", roles={Role.OPERATOR, Role.SYSTEM}, once=True)
def create(
    call: Call,
    *,
    name: str,
    kind: AccountKind = AccountKind.PREPAID,
    email: str = "",
    mobile: str = "",
    password: str = "",
    currency: str = "USD",
    reseller: Account | None = None,
    is_reseller: bool = False,
    language: str = "en",
    zone: str = "",
) -> Account:
    """Open an account of any kind with its root user, whose address counts as verified.

    Without a password the root user sets one by the reset link. Raises `Refused` with the field at fault.
    """
    if (kind == AccountKind.RESELLER_CUSTOMER) is not (reseller is not None):
        raise Refused("reseller_needed", field="reseller")
    if reseller is not None and not reseller.is_reseller:
        raise Refused("not_a_reseller", field="reseller", name=reseller.name)
    account = _open(
        call,
        name=name,
        email=email,
        mobile=mobile,
        kind=kind,
        currency=currency,
        reseller=reseller,
        is_reseller=is_reseller,
        language=_known_language(language),
        zone=zone,
    )
    root = _make_root(call, account, email=email, mobile=mobile, password=password, language=account.language)
    User.objects.filter(pk=root.pk).update(email_verified_at=call.at)
    describe(resource=account)
    return account


@operation(
    "askToVerifyEmail",
    resource_type="User",
    action="iam:self:askToVerifyEmail",
    roles={Role.BUYER, Role.OPERATOR, Role.SELLER},
)
def ask_again(call: Call) -> User:
    """Send the user's address another link. Raises `Refused("too_many_attempts")` or `("already_verified")`."""
    if call.user.email_verified_at is not None:
        raise Refused("already_verified")
    attempts.take(AttemptKind.RESET, name=f"verify:{call.user.pk}")
    ask_to_verify(call, call.user)
    return call.user


def ask_to_verify(call: Call, user: User) -> None:
    """Publish that the user's address is to be verified by a link that holds for three days of real time."""
    token = signing.dumps({"user": user.number, "email": user.email}, salt=VERIFICATION)
    publish(
        events.VerificationAsked(
            to=user.email,
            name=user.username,
            link=settings.SITE_ADDRESS + reverse("identity:verify_email", args=[token]),
            language=user.language or settings.LANGUAGE_CODE,
            hours=VERIFICATION_SECONDS // 3600,
            key=f"verify-email:{user.number}:{token[-16:]}",
            at=call.at,
        )
    )


@operation("verifyEmail", resource_type="User", action="iam:self:verifyEmail", roles={Role.ANONYMOUS, Role.BUYER})
def verify_email(call: Call, *, token: str) -> User:
    """Mark the address that the link was sent to as verified. Raises `Refused("link_not_valid")`."""
    user = user_of_token(token)
    if user is None:
        raise Refused("link_not_valid")
    if user.email_verified_at is None:
        user.email_verified_at = call.at
        user.save(update_fields=["email_verified_at"])
    describe(resource=user, account_id=user.account_id)
    return user


def user_of_token(token: str) -> User | None:
    """The user whose present address a verification link was sent to, or None."""
    try:
        found = signing.loads(token, salt=VERIFICATION, max_age=VERIFICATION_SECONDS)
    except signing.BadSignature:
        return None
    return User.objects.filter(number=found["user"], email=found["email"], is_active=True).first()


@operation(
    "updateContact",
    resource_type="User",
    action="iam:self:updateContact",
    roles={Role.BUYER, Role.OPERATOR, Role.SELLER},
)
def update_contact(call: Call, *, email: str, mobile: str) -> User:
    """Change the user's own address and number; a new address is to be verified.

    A root user's are the account's as well. Raises `Refused` with the field at fault.
    """
    user = User.objects.select_for_update().get(pk=call.user.pk)
    email, mobile = _known_email(email), _known_mobile(mobile)
    changed = email.lower() != user.email.lower()
    user.email, user.mobile = email, mobile
    if changed:
        user.email_verified_at = None
    with refused_if_taken():
        user.save(update_fields=["email", "mobile", "email_verified_at"])
    if user.is_root:
        Account.objects.filter(pk=user.account_id).update(email=email, mobile=mobile)
    if changed and email:
        ask_to_verify(call, user)
    describe(resource=user)
    return user


def _freezable(call: Call, number: str) -> Account:
    """The account, if the caller is an operations manager, the platform, or its reseller; locked."""
    accounts = Account.objects.select_for_update(of=("self",))
    if call.role is Role.BUYER:
        accounts = accounts.filter(reseller=call.account_id, reseller__is_reseller=True)
    try:
        return accounts.get(number=number)
    except Account.DoesNotExist:
        raise Missing(f"account {number}") from None


@operation(
    "freezeAccount",
    resource_type="Account",
    roles={Role.OPERATOR, Role.SYSTEM, Role.BUYER},
    targets={"account": _freezable},
)
def freeze(call: Call, *, account: Account, reason: str) -> Account:
    """Let an account read, top up and repay only. A reseller freezes its customers. Raises `Refused`."""
    if account.is_frozen:
        raise Refused("already_frozen", name=account.name)
    if not reason.strip():
        raise Refused("reason_needed", field="reason")
    account.frozen_at = call.at
    account.frozen_reason = reason.strip()[:500]
    account.frozen_by = FrozenBy.RESELLER if call.role is Role.BUYER else FrozenBy.OPERATIONS
    account.save(update_fields=["frozen_at", "frozen_reason", "frozen_by"])
    publish(events.AccountFrozen(account_id=account.pk, account=account.name, reason=account.frozen_reason, at=call.at))
    describe(account_id=account.pk)
    return account


@operation(
    "unfreezeAccount",
    resource_type="Account",
    roles={Role.OPERATOR, Role.SYSTEM, Role.BUYER},
    targets={"account": _freezable},
)
def unfreeze(call: Call, *, account: Account) -> Account:
    """Let an account order again; what operations froze, a reseller cannot unfreeze. Raises `Refused`."""
    if not account.is_frozen:
        raise Refused("not_frozen", name=account.name)
    if call.role is Role.BUYER and account.frozen_by != FrozenBy.RESELLER:
        raise Refused("frozen_by_operations", name=account.name)
    account.frozen_at, account.frozen_reason, account.frozen_by = None, "", ""
    account.save(update_fields=["frozen_at", "frozen_reason", "frozen_by"])
    publish(events.AccountUnfrozen(account_id=account.pk, account=account.name, at=call.at))
    describe(account_id=account.pk)
    return account


def _account_locked(call: Call, number: str) -> Account:
    found = Account.objects.select_for_update(no_key=True, of=("self",)).filter(number=number).first()
    if found is None:
        raise Missing(f"account {number}")
    return found


@operation(
    "makePostpaid",
    resource_type="Account",
    roles={Role.OPERATOR, Role.SYSTEM},
    targets={"account": _account_locked},
)
def make_postpaid(call: Call, *, account: Account) -> Account:
    """Let a direct prepaid account pay by credit and settle monthly; a postpaid one stays as it is.

    Raises `Refused("reseller_pays")` for the customer of a reseller.
    """
    if account.kind == AccountKind.RESELLER_CUSTOMER:
        raise Refused("reseller_pays")
    if account.kind == AccountKind.POSTPAID:
        untraced()
        return account
    describe(before=account.kind)
    account.kind = AccountKind.POSTPAID
    account.save(update_fields=["kind"])
    return account


def _open(call: Call, *, name: str, email: str, mobile: str, **fields: object) -> Account:
    name = name.strip()
    if not ACCOUNT_NAME.fullmatch(name):
        raise Refused("account_name_form", field="name")
    if (currency := fields.get("currency")) is not None and currency not in EXPONENTS:
        raise Refused("currency_unknown", field="currency", currency=currency)
    account = Account(
        name=name,
        email=_known_email(email, needed=call.role is not Role.SYSTEM),
        mobile=_known_mobile(mobile),
        created_at=call.at,
        **fields,
    )
    with refused_if_taken():
        account.save()
    return account


def _make_root(call: Call, account: Account, *, email: str, mobile: str, password: str, language: str) -> User:
    if password:
        check_strength(password, User(username=account.name, email=email))
    with refused_if_taken():
        root: User = User.objects.create_user(
            account.name,
            account=account,
            password=password,
            is_root=True,
            email=_known_email(email, needed=False),
            mobile=_known_mobile(mobile),
            language=language,
            created_at=call.at,
        )
    return root


def _known_email(email: str, *, needed: bool = True) -> str:
    email = email.strip()
    if not email and not needed:
        return ""
    try:
        validate_email(email)
    except ValidationError:
        raise Refused("email_form", field="email") from None
    return email


def _known_mobile(mobile: str) -> str:
    mobile = mobile.strip()
    if mobile and not MOBILE.fullmatch(mobile):
        raise Refused("mobile_form", field="mobile")
    return mobile


def _known_language(language: str | None) -> str:
    return language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
