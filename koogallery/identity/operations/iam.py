"""IAM users, groups, identity policies and access keys of an account.

Every target is looked up within the call's account; the root user is nobody's target but its own, for its keys.
Keys act with the rights of their user, so only administrators handle those of others. Limits are those of identity.md;
they are counted under a lock on the account.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q

from koogallery.identity import sellers
from koogallery.identity.authorising import is_administrator
from koogallery.identity.models import AccessKey, Account, Attachment, Group, Membership, Policy, User
from koogallery.identity.operations.passwords import check_strength
from koogallery.identity.operations.uniqueness import refused_if_taken
from koogallery.identity.rules import policies
from koogallery.identity.rules.policies import PolicyFault
from koogallery.identity.states import SellerRole
from koogallery.kernel import ids
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, may, operation, registry
from koogallery.kernel.reasons import Missing, Refused

USERS, GROUPS, GROUPS_OF_USER, KEYS_OF_USER, POLICIES = 50, 20, 10, 2, 200
USER_NAME = re.compile(r"[\w.@-]{1,64}")
NAME = re.compile(r"[\w.@()-][\w .@()-]{0,127}")
WHO = {Role.BUYER, Role.SYSTEM}


def _user(call: Call, number: str) -> User:
    try:
        return User.objects.select_for_update().get(account=call.account_id, is_root=False, number=number)
    except User.DoesNotExist:
        raise Missing(f"user {number}") from None


def _group(call: Call, number: str) -> Group:
    try:
        return Group.objects.select_for_update().get(account=call.account_id, number=number)
    except Group.DoesNotExist:
        raise Missing(f"group {number}") from None


def _policy(call: Call, number: str) -> Policy:
    try:
        return Policy.objects.select_for_update().get(account=call.account_id, number=number)
    except Policy.DoesNotExist:
        raise Missing(f"policy {number}") from None


def _access_key(call: Call, key_id: str) -> AccessKey:
    keys = AccessKey.objects.select_for_update(of=("self",)).select_related("user")
    try:
        return keys.get(Q(user__is_root=False) | Q(user=call.user_id), user__account=call.account_id, key_id=key_id)
    except AccessKey.DoesNotExist:
        raise Missing(f"access key {key_id}") from None


def _key_holder(call: Call, number: str) -> User:
    users = User.objects.select_for_update()
    try:
        return users.get(Q(is_root=False) | Q(pk=call.user_id), account=call.account_id, number=number)
    except User.DoesNotExist:
        raise Missing(f"user {number}") from None


# Users


@operation("createUser", resource_type="User", action="iam:users:create", roles=WHO, once=True)
def create_user(
    call: Call, *, username: str, password: str, email: str = "", mobile: str = "", description: str = ""
) -> User:
    """Make an IAM user. Raises `Refused`: `user_name_form`, `user_name_taken`, `user_limit`, `password_weak`, …"""
    username = username.strip()
    if not USER_NAME.fullmatch(username):
        raise Refused("user_name_form", field="username")
    check_strength(password, User(username=username, email=email))
    _lock(call)
    if User.objects.filter(account=call.account_id, is_root=False).count() >= USERS:
        raise Refused("user_limit", limit=USERS)
    with refused_if_taken():
        user: User = User.objects.create_user(
            username,
            account=call.account,
            password=password,
            email=_email(email),
            mobile=mobile.strip()[:32],
            description=description.strip()[:255],
            created_at=call.at,
        )
    return user


@operation("updateUser", resource_type="User", action="iam:users:update", roles=WHO, targets={"user": _user})
def update_user(
    call: Call,
    *,
    user: User,
    email: str = "",
    mobile: str = "",
    description: str = "",
    is_active: bool = True,
    seller_role: str = "",
) -> User:
    """Change an IAM user's contact, description, whether it may sign in, and its role in the Seller Console.

    The role can be given only in a seller's account. Raises `Refused`.
    """
    if seller_role and (seller_role not in SellerRole.values or sellers.seller_of(call.account_id) is None):
        raise Refused("invalid_input", field="seller_role")
    if not is_active and user.pk == call.user_id:
        raise Refused("not_yourself", field="is_active")
    email = _email(email)
    if email.lower() != user.email.lower():
        user.email, user.email_verified_at = email, None
    user.mobile, user.description = mobile.strip()[:32], description.strip()[:255]
    user.is_active, user.seller_role = is_active, seller_role
    user.save(update_fields=["email", "email_verified_at", "mobile", "description", "is_active", "seller_role"])
    return user


@operation("resetUserPassword", resource_type="User", action="iam:users:update", roles=WHO, targets={"user": _user})
def reset_user_password(call: Call, *, user: User, password: str) -> User:
    """Give an IAM user a new password; its sessions end. Raises `Refused("password_weak")`."""
    check_strength(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    return user


@operation("setUserGroups", resource_type="User", action="iam:groups:update", roles=WHO, targets={"user": _user})
def set_user_groups(call: Call, *, user: User, groups: Collection[str]) -> User:
    """Let a user be in exactly these groups (their numbers). Raises `Refused("group_limit_of_user")`."""
    if len(set(groups)) > GROUPS_OF_USER:
        raise Refused("group_limit_of_user", field="groups", limit=GROUPS_OF_USER)
    wanted = _all(Group.objects.filter(account=call.account_id, number__in=groups), groups)
    Membership.objects.filter(user=user).exclude(group__in=wanted).delete()
    Membership.objects.bulk_create([Membership(user=user, group=group) for group in wanted], ignore_conflicts=True)
    return user


@operation("setUserPolicies", resource_type="User", action="iam:policies:attach", roles=WHO, targets={"user": _user})
def set_user_policies(call: Call, *, user: User, policies: Collection[str]) -> User:
    """Attach exactly these policies (their numbers) to a user."""
    wanted = _all(_attachable(call, policies), policies)
    Attachment.objects.filter(user=user).exclude(policy__in=wanted).delete()
    Attachment.objects.bulk_create([Attachment(user=user, policy=policy) for policy in wanted], ignore_conflicts=True)
    describe(policies=[policy.name for policy in wanted])
    return user


# Groups


@operation("createGroup", resource_type="Group", action="iam:groups:create", roles=WHO, once=True)
def create_group(call: Call, *, name: str, description: str = "") -> Group:
    """Make a group. Raises `Refused`: `name_form`, `group_name_taken`, `group_limit`."""
    name = _name(name)
    _lock(call)
    if Group.objects.filter(account=call.account_id).count() >= GROUPS:
        raise Refused("group_limit", limit=GROUPS)
    group = Group(account=call.account, name=name, description=description.strip()[:255], created_at=call.at)
    with refused_if_taken():
        group.save()
    return group


@operation("updateGroup", resource_type="Group", action="iam:groups:update", roles=WHO, targets={"group": _group})
def update_group(
    call: Call, *, group: Group, name: str, description: str = "", members: Collection[str] | None = None
) -> Group:
    """Rename a group, describe it, and, if given, let it have exactly these members (numbers of users).

    Raises `Refused("group_limit_of_user")` when a member would be in more than ten groups.
    """
    group.name, group.description = _name(name), description.strip()[:255]
    with refused_if_taken():
        group.save(update_fields=["name", "description"])
    if members is not None:
        _lock(call)
        wanted = _all(User.objects.filter(account=call.account_id, is_root=False, number__in=members), members)
        present = set(group.memberships.values_list("user_id", flat=True))
        for user in wanted:
            if user.pk not in present and user.memberships.count() >= GROUPS_OF_USER:
                raise Refused("user_in_too_many_groups", field="members", user=user.username, limit=GROUPS_OF_USER)
        Membership.objects.filter(group=group).exclude(user__in=wanted).delete()
        Membership.objects.bulk_create([Membership(group=group, user=user) for user in wanted], ignore_conflicts=True)
        describe(members=[user.username for user in wanted])
    return group


@operation(
    "setGroupPolicies", resource_type="Group", action="iam:policies:attach", roles=WHO, targets={"group": _group}
)
def set_group_policies(call: Call, *, group: Group, policies: Collection[str]) -> Group:
    """Attach exactly these policies (their numbers) to a group."""
    wanted = _all(_attachable(call, policies), policies)
    Attachment.objects.filter(group=group).exclude(policy__in=wanted).delete()
    Attachment.objects.bulk_create([Attachment(group=group, policy=policy) for policy in wanted], ignore_conflicts=True)
    describe(policies=[policy.name for policy in wanted])
    return group


@operation("deleteGroup", resource_type="Group", action="iam:groups:delete", roles=WHO, targets={"group": _group})
def delete_group(call: Call, *, group: Group) -> None:
    """Delete a group; its members lose what it gave them."""
    describe(resource_id=group.number, resource_name=group.name)
    Attachment.objects.filter(group=group).delete()
    Membership.objects.filter(group=group).delete()
    group.delete()


# Policies


@operation("createPolicy", resource_type="Policy", action="iam:policies:create", roles=WHO, once=True)
def create_policy(call: Call, *, name: str, document: str, description: str = "") -> Policy:
    """Make an identity policy from its JSON text.

    Raises `Refused`: `policy_document` with the path of the fault, `policy_name_taken`, `policy_limit`.
    """
    name, read = _name(name), _document(document)
    _lock(call)
    if Policy.objects.filter(account=call.account_id).count() >= POLICIES:
        raise Refused("policy_limit", limit=POLICIES)
    policy = Policy(
        account=call.account,
        name=name,
        description=description.strip()[:512],
        document=read,
        created_at=call.at,
        updated_at=call.at,
    )
    with refused_if_taken():
        policy.save()
    return policy


@operation("updatePolicy", resource_type="Policy", action="iam:policies:update", roles=WHO, targets={"policy": _policy})
def update_policy(call: Call, *, policy: Policy, name: str, document: str, description: str = "") -> Policy:
    """Change an identity policy; it holds from the next call on. Raises as `create_policy`."""
    policy.name, policy.description = _name(name), description.strip()[:512]
    policy.document, policy.updated_at = _document(document), call.at
    with refused_if_taken():
        policy.save(update_fields=["name", "description", "document", "updated_at"])
    return policy


@operation("deletePolicy", resource_type="Policy", action="iam:policies:delete", roles=WHO, targets={"policy": _policy})
def delete_policy(call: Call, *, policy: Policy) -> None:
    """Delete a policy that nobody has. Raises `Refused("policy_attached")`."""
    if policy.attachments.exists():
        raise Refused("policy_attached", name=policy.name)
    describe(resource_id=policy.number, resource_name=policy.name)
    policy.delete()


# Access keys


@operation(
    "createAccessKey",
    resource_type="AccessKey",
    action="iam:accessKeys:create",
    roles=WHO,
    targets={"user": _key_holder},
    once=True,
)
def create_access_key(call: Call, *, user: User, description: str = "") -> AccessKey:
    """Make an access key for oneself or, as an administrator, for an IAM user; its secret is shown once.

    Raises `Refused`: `key_limit`, `iam_not_allowed`.
    """
    _require_own_or_administrator(call, user, name="createAccessKey")
    _require_room_for_key(user)
    key = AccessKey.objects.create(
        user=user,
        key_id=ids.random_code(20),
        secret=secrets.token_urlsafe(30),
        description=description.strip()[:255],
        created_at=call.at,
    )
    describe(resource=key)
    return key


@operation(
    "setAccessKey",
    resource_type="AccessKey",
    action="iam:accessKeys:update",
    roles=WHO,
    targets={"access_key": _access_key},
)
def set_access_key(call: Call, *, access_key: AccessKey, enabled: bool) -> AccessKey:
    """Enable or disable an access key of one's own or, as an administrator, of an IAM user.

    Raises `Refused("iam_not_allowed")`.
    """
    _require_own_or_administrator(call, access_key.user, name="setAccessKey")
    access_key.enabled = enabled
    access_key.save(update_fields=["enabled"])
    return access_key


@operation(
    "deleteAccessKey",
    resource_type="AccessKey",
    action="iam:accessKeys:delete",
    roles=WHO,
    targets={"access_key": _access_key},
)
def delete_access_key(call: Call, *, access_key: AccessKey) -> None:
    """Delete an access key; calls signed with it are refused from now on. Raises as `set_access_key`."""
    _require_own_or_administrator(call, access_key.user, name="deleteAccessKey")
    describe(resource_id=access_key.key_id, resource_name=access_key.key_id, account_id=access_key.account_id)
    access_key.delete()


# Reads


@operation("queryUserList", resource_type="User", action="iam:users:list", roles={Role.BUYER}, read=True)
def query_users(call: Call) -> None:
    """Look at the account's users, groups and policies."""


@operation("simulatePolicies", resource_type="Policy", action="iam:policies:simulate", roles={Role.BUYER}, read=True)
def query_simulator(call: Call) -> None:
    """Ask what the policies of a user decide."""


def why_no_keys(call: Call, *, user: User) -> dict[str, Refused | None]:
    """Why the caller may not create, set or delete access keys of a user, by operation (for disabled controls)."""
    return {name: _why_no_key(call, user, name) for name in ("createAccessKey", "setAccessKey", "deleteAccessKey")}


def _why_no_key(call: Call, holder: User, name: str) -> Refused | None:
    if (refused := may(call, name)) is not None:
        return refused
    try:
        _require_own_or_administrator(call, holder, name=name)
        if name == "createAccessKey":
            _require_room_for_key(holder)
    except Refused as why:
        return why
    return None


def _require_own_or_administrator(call: Call, holder: User, *, name: str) -> None:
    if call.user is not None and call.user_id != holder.pk and not is_administrator(call.user):
        raise Refused("iam_not_allowed", action=registry[name].action)


def _require_room_for_key(holder: User) -> None:
    if holder.access_keys.count() >= KEYS_OF_USER:
        raise Refused("key_limit", limit=KEYS_OF_USER)


def _lock(call: Call) -> None:
    Account.objects.select_for_update().get(number=call.account.number)


def _attachable(call: Call, numbers: Iterable[str]) -> list[Policy]:
    return list(Policy.objects.filter(Q(account=call.account_id) | Q(account=None), number__in=list(numbers)))


def _all(rows: Iterable, numbers: Collection[str]) -> list:
    found = list(rows)
    if len(found) != len(set(numbers)):
        raise Missing("a user, group or policy")
    return found


def _name(name: str) -> str:
    name = name.strip()
    if not NAME.fullmatch(name):
        raise Refused("name_form", field="name")
    return name


def _email(email: str) -> str:
    email = email.strip()
    if email:
        try:
            validate_email(email)
        except ValidationError:
            raise Refused("email_form", field="email") from None
    return email


def _document(text: str) -> dict:
    try:
        return policies.read_text(text)[0]
    except PolicyFault as fault:
        raise Refused("policy_document", field="document", path=fault.path, fault=fault.fault) from None
