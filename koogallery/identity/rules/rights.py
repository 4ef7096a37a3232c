"""Which actions the roles of sellers' users and of operations managers include: data, one place."""

from __future__ import annotations

from collections.abc import Iterable

from koogallery.identity.rules.policies import action_matches
from koogallery.identity.states import OperatorRole, SellerRole

SELLER_RIGHTS: dict[SellerRole, tuple[str, ...]] = {
    SellerRole.OWNER: ("*",),
    SellerRole.PRODUCT_MANAGER: (
        "marketplace:product*:*",
        "marketplace:specification*:*",
        "marketplace:pricePlan*:*",
        "marketplace:privateOffer*:*",
        "marketplace:application*:*",
        "marketplace:standingDiscount*:*",
    ),
    SellerRole.DELIVERY: (
        "marketplace:supervision*:*",
        "marketplace:interface*:*",
        "marketplace:order*:*",
        "marketplace:resource*:*",
        "marketplace:subscription*:*",
    ),
    SellerRole.FINANCE: (
        "marketplace:settlement*:*",
        "marketplace:invoice*:*",
        "marketplace:bill*:*",
        "marketplace:export*:*",
    ),
    SellerRole.READ_ONLY: (),
}
"""Beside the reads, which every role has."""

OPERATOR_RIGHTS: dict[OperatorRole, tuple[str, ...]] = {
    OperatorRole.ADMINISTRATOR: ("*",),
    OperatorRole.CATALOGUE_REVIEWER: (
        "marketplace:product*:*",
        "marketplace:seller*:*",
        "marketplace:category*:*",
        "marketplace:application*:*",
        "marketplace:agreementText*:*",
        "marketplace:ticket*:*",
    ),
    OperatorRole.APPEAL_OFFICER: (
        "marketplace:appeal*:*",
        "marketplace:supervision*:*",
        "marketplace:subscription*:*",
        "marketplace:holiday*:*",
        "marketplace:ticket*:*",
    ),
    OperatorRole.FINANCE: (
        "marketplace:account:addFunds",
        "marketplace:account:grantCredit",
        "marketplace:balance*:*",
        "marketplace:credit*:*",
        "marketplace:ledger*:*",
        "marketplace:payment*:*",
        "marketplace:refund*:*",
        "marketplace:bill*:*",
        "marketplace:invoice*:*",
        "marketplace:settlement*:*",
        "marketplace:reseller*:*",
        "marketplace:ticket*:*",
    ),
    OperatorRole.SUPPORT: (),
    OperatorRole.AUDITOR: (),
}
"""Beside the reads; an auditor reads traces only."""

TRACES = ("*:trace*:*",)

OPERATOR_READS: dict[OperatorRole, tuple[str, ...]] = {
    role: (TRACES if role is OperatorRole.AUDITOR else ("*",)) for role in OperatorRole
}

OPERATOR_APPS: dict[OperatorRole, frozenset[str] | None] = {
    OperatorRole.ADMINISTRATOR: None,
    OperatorRole.CATALOGUE_REVIEWER: frozenset({"catalog", "identity", "tickets"}),
    OperatorRole.APPEAL_OFFICER: frozenset(
        {"supervision", "orders", "catalog", "identity", "unsubscriptions", "notifications", "tickets"}
    ),
    OperatorRole.FINANCE: frozenset({"billing", "orders", "identity", "unsubscriptions", "tickets"}),
    OperatorRole.SUPPORT: frozenset(
        {"identity", "catalog", "orders", "billing", "notifications", "supervision", "tickets", "unsubscriptions"}
    ),
    OperatorRole.AUDITOR: frozenset({"audit"}),
}
"""Which apps' rows a role may look at in the admin; None for all."""


def seller_may(role: SellerRole | None, action: str, *, read: bool) -> bool:
    """Whether a role in a seller's account includes an action."""
    if role is None:
        return False
    return read or any(action_matches(pattern, action) for pattern in SELLER_RIGHTS[role])


def operator_may(roles: Iterable[OperatorRole], action: str, *, read: bool) -> bool:
    """Whether one of an operations manager's roles includes an action."""
    for role in roles:
        patterns = OPERATOR_RIGHTS[role] + (OPERATOR_READS[role] if read else ())
        if any(action_matches(pattern, action) for pattern in patterns):
            return True
    return False


def operator_sees(roles: Iterable[OperatorRole], app: str) -> bool:
    """Whether one of the roles may look at an app's rows in the admin."""
    return any((apps := OPERATOR_APPS[role]) is None or app in apps for role in roles)
