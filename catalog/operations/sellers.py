"""Sellers: applying, being reviewed within three working days, keeping a profile."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.text import slugify

from billing.rules.calendar import working_day_deadline
from catalog.models import Product, Seller
from catalog.operations import indexing
from catalog.states import SELLER_MOVES, SellerState
from koogallery import clock
from koogallery.kernel import holidays, pagecache
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing, Refused

REVIEW_WORKING_DAYS = 3
PROFILE = (
    "name", "name_zh", "introduction", "introduction_zh", "email", "phone", "hours", "hours_zh", "zone", "website",
    "company", "contact_name", "tax_number", "bank_account", "licence_file", "logo",
)  # fmt: skip


def _locked(call: Call, code: str) -> Seller:
    """The seller for an operations manager or the platform; for others their own."""
    rows = Seller.objects.select_for_update().filter(code=code)
    if call.role not in (Role.OPERATOR, Role.SYSTEM):
        rows = rows.filter(account_id=call.account_id or 0)
    seller = rows.first()
    if seller is None:
        raise Missing(f"No seller {code}.")
    return seller


@operation("applyAsSeller", resource_type="Seller", roles={Role.BUYER, Role.SYSTEM}, once=True)
def apply(call: Call, *, account: Any = None, code: str = "", **profile: Any) -> Seller:
    """Apply with a profile; decided in the admin within three working days. A rejected seller applies again.

    Raises `Refused("already_a_seller")` or, for a taken address, `Refused("seller_code_taken")`.
    """
    own = account or call.account
    code = code or slugify(profile["name"])[:60] or f"seller-{own.pk}"
    seller = Seller.objects.select_for_update().filter(account=own).first()
    if Seller.objects.filter(code=code).exclude(account=own).exists():
        raise Refused("seller_code_taken", field="code")
    if seller is None:
        seller = Seller(account=own, code=code, slug=code, state=SellerState.PENDING)
    elif seller.state == SellerState.REJECTED:
        SELLER_MOVES.check(SellerState(seller.state), SellerState.PENDING)
        seller.state, seller.rejection_reason = SellerState.PENDING, ""
    else:
        raise Refused("already_a_seller")
    _fill(seller, profile)
    seller.applied_at = call.at
    seller.review_due_at = _review_due(call.at)
    seller.save()
    describe(resource=seller, review_due_at=seller.review_due_at)
    return seller


def _review_due(at: datetime) -> datetime:
    known = holidays.days_from(clock.platform_date(at))
    return working_day_deadline(filed_at=at, working_days=REVIEW_WORKING_DAYS, holidays=known)


@operation("approveSeller", resource_type="Seller", roles={Role.OPERATOR, Role.SYSTEM}, targets={"seller": _locked})
def approve(call: Call, *, seller: Seller) -> Seller:
    """Let an account sell. Raises `Refused("state_move")` unless it waits for approval."""
    return _decide(call, seller, SellerState.APPROVED, "")


@operation("rejectSeller", resource_type="Seller", roles={Role.OPERATOR, Role.SYSTEM}, targets={"seller": _locked})
def reject(call: Call, *, seller: Seller, reason: str) -> Seller:
    """Refuse an application with a reason that the seller reads. Raises `Refused("reason_missing")`."""
    if not reason.strip():
        raise Refused("reason_missing", field="reason")
    return _decide(call, seller, SellerState.REJECTED, reason.strip())


def _decide(call: Call, seller: Seller, state: SellerState, reason: str) -> Seller:
    SELLER_MOVES.check(SellerState(seller.state), state)
    seller.state, seller.rejection_reason, seller.decided_at = state, reason, call.at
    seller.save(update_fields=["state", "rejection_reason", "decided_at"])
    describe(resource=seller, state=state, reason=reason)
    pagecache.bump()
    return seller


@operation(
    "updateSellerProfile", resource_type="Seller", roles={Role.SELLER, Role.OPERATOR, Role.SYSTEM},
    targets={"seller": _locked},
)  # fmt: skip
def update(call: Call, *, seller: Seller, **profile: Any) -> Seller:
    """Change a seller's profile; search shows a new name at once."""
    renamed = (seller.name, seller.name_zh) != (
        profile.get("name", seller.name),
        profile.get("name_zh", seller.name_zh),
    )
    _fill(seller, profile)
    seller.save()
    if renamed:
        indexing.refresh(list(Product.objects.filter(seller=seller).values_list("pk", flat=True)))
    describe(resource=seller)
    pagecache.bump()
    return seller


def _fill(seller: Seller, profile: dict[str, Any]) -> None:
    for name, value in profile.items():
        if name not in PROFILE:
            raise TypeError(f"A seller has no profile field {name!r}.")
        setattr(seller, name, value)
