"""May they? The kernel's port `authorise`, filled: IAM policies, seller roles, operations roles, frozen accounts.

The condition key `marketplace:ProductId` is the target's `product_code` (or each of its `product_codes`), else the
call's `form["product_code"]`. An operation whose target is not its product says so itself, by `require`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q

from koogallery.identity.models import Policy, User
from koogallery.identity.rules import policies, rights
from koogallery.identity.rules.policies import PRODUCT_KEY, Decision, Document, Effect, Ground
from koogallery.identity.states import OperatorRole
from koogallery.kernel.calls import Call, Role, TraceType
from koogallery.kernel.operations import Operation, registry
from koogallery.kernel.reasons import Refused

OWN = "iam:self:"
"""Signing in and out, one's password, two-step verification, preferences: of every user, in every role."""

ORDERING = ("marketplace:order:*",)
"""What a frozen account may not do, beside reading and giving back what it has not paid."""

FROZEN_MAY = frozenset({"cancelOrder"})

EVERYTHING = frozenset({"*", "*:*:*"})


def authorise(call: Call, spec: Operation, target: Any) -> None:
    """Raise `Refused` with the reason when the caller may not do this; what is a user's own nobody can take away."""
    if spec.action.startswith(OWN):
        return
    if call.role is Role.OPERATOR:
        _authorise_operator(call, spec)
    elif call.role is Role.SELLER:
        _authorise_seller(call, spec, target)
    elif call.role is Role.BUYER:
        _authorise_buyer(call, spec, target)


def require(call: Call, operation: str, *, product_code: str) -> None:
    """Raise `Refused` unless the caller may do `operation` with this product; for use inside an operation."""
    spec = registry[operation]
    if call.role in (Role.BUYER, Role.SELLER) and call.user is not None:
        default = call.role is Role.SELLER or allowed_by_default(spec)
        _refuse_unless(decide_action(call.user, spec.action, product_codes=[product_code], default=default), spec)


def decision_for(user: User, spec: Operation, *, product_codes: Iterable[str] = ()) -> Decision:
    """What the user's policies say of an operation; with several products, the first denial counts.

    Root users are never denied.
    """
    return decide_action(user, spec.action, product_codes=product_codes, default=allowed_by_default(spec))


def decide_action(user: User, action: str, *, product_codes: Iterable[str] = (), default: bool) -> Decision:
    """What the user's policies say of an action; the one function that enforces and simulates."""
    if user.is_root:
        return Decision(True, Ground.ROOT)
    documents = documents_of(user)
    contexts = [{PRODUCT_KEY: code} for code in product_codes if code] or [{}]
    decision = Decision(True, Ground.DEFAULT)
    for context in contexts:
        decision = policies.decide(documents, action, context=context, default=default)
        if not decision.allowed:
            return decision
    return decision


def allowed_by_default(spec: Operation) -> bool:
    """Whether IAM users have the operation without an Allow: the three, the reads, and what declares it.

    Reads of IAM itself are administration and need an Allow.
    """
    if spec.action in policies.DEFAULT_ACTIONS or spec.default_allowed:
        return True
    return spec.read and not spec.action.startswith("iam:")


def documents_of(user: User) -> list[Document]:
    """The policies of a user and its groups, by name; read once for a user object, so once a request."""
    found: list[Document] | None = getattr(user, "_iam_documents", None)
    if found is None:
        attached = Policy.objects.filter(
            Q(attachments__user=user) | Q(attachments__group__memberships__user=user)
        ).distinct()
        found = [policies.parse(policy.document, name=policy.name) for policy in attached]
        user.__dict__["_iam_documents"] = found
    return found


def is_administrator(user: User) -> bool:
    """Whether the user is root or one of its policies allows every action without a condition."""
    return user.is_root or any(
        statement.effect is Effect.ALLOW and not statement.conditions and not EVERYTHING.isdisjoint(statement.actions)
        for document in documents_of(user)
        for statement in document.statements
    )


def forget_documents(user: User) -> None:
    """Let the next question read the user's policies again."""
    user.__dict__.pop("_iam_documents", None)


def operator_roles(user: Any) -> frozenset[OperatorRole]:
    """The operations roles of a user; read once for a user object."""
    if user is None or not user.is_authenticated or not user.is_staff or not user.is_active:
        return frozenset()
    if user.is_superuser:
        return frozenset({OperatorRole.ADMINISTRATOR})
    found: frozenset[OperatorRole] | None = getattr(user, "_operator_roles", None)
    if found is None:
        names = set(user.groups.values_list("name", flat=True))
        found = frozenset(role for role in OperatorRole if role.value in names)
        user.__dict__["_operator_roles"] = found
    return found


def _authorise_operator(call: Call, spec: Operation) -> None:
    if not rights.operator_may(operator_roles(call.user), spec.action, read=spec.read):
        raise Refused("operator_role_not_allowed", action=spec.action)


def _authorise_seller(call: Call, spec: Operation, target: Any) -> None:
    if call.user is None and call.trace_type is TraceType.API:
        return
    if call.user is None or not rights.seller_may(call.user.role_in_seller, spec.action, read=spec.read):
        raise Refused("role_not_allowed")
    decision = decide_action(call.user, spec.action, product_codes=_products(call, target), default=True)
    _refuse_unless(decision, spec)


def _authorise_buyer(call: Call, spec: Operation, target: Any) -> None:
    if call.user is None:
        raise Refused("sign_in_required")
    if call.user.account_id is not None:
        _refuse_unless(decision_for(call.user, spec, product_codes=_products(call, target)), spec)
    if call.account is not None and call.account.is_frozen and _is_ordering(spec):
        raise Refused("account_frozen")


def _is_ordering(spec: Operation) -> bool:
    named = any(policies.action_matches(pattern, spec.action) for pattern in ORDERING)
    return named and not spec.read and spec.name not in FROZEN_MAY


def _refuse_unless(decision: Decision, spec: Operation) -> None:
    if decision.allowed:
        return
    if decision.ground is Ground.DENIED:
        raise Refused("iam_denied", policy=decision.policy, statement=decision.statement, action=spec.action)
    raise Refused("iam_not_allowed", action=spec.action)


def _products(call: Call, target: Any) -> list[str]:
    if target is not None:
        if codes := getattr(target, "product_codes", None):
            return list(codes)
        if code := getattr(target, "product_code", ""):
            return [code]
    code = call.form.get("product_code", "")
    return [code] if code else []
