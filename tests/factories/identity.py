"""Accounts, users, policies, projects, agreements for tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import factory
from django.contrib.auth.models import Group as RoleGroup

from koogallery import clock
from koogallery.identity.models import (
    AccessKey,
    Account,
    AgreementText,
    Attachment,
    EnterpriseProject,
    Group,
    Membership,
    Policy,
    PredefinedTag,
    User,
)
from koogallery.identity.models.agreement import digest
from koogallery.identity.models.project import DEFAULT_CODE
from koogallery.identity.states import AccountKind, OperatorRole, ProjectKind
from koogallery.kernel import guard, ids
from tests.factories.guarded import GuardedFactory

PASSWORD = "correct horse battery"


class AccountFactory(GuardedFactory):
    """A prepaid account without users."""

    class Meta:
        model = Account

    name = factory.Sequence(lambda count: f"account{count}")
    kind = AccountKind.PREPAID
    email = factory.LazyAttribute(lambda account: f"root@{account.name}.example")
    mobile = "+8613800000000"
    created_at = factory.LazyFunction(clock.now)


class UserFactory(GuardedFactory):
    """A root user of a new account; `is_root=False` for an IAM user. Its password is `PASSWORD`."""

    class Meta:
        model = User

    account = factory.SubFactory(AccountFactory)
    is_root = True
    username = factory.LazyAttributeSequence(
        lambda user, count: user.account.name if user.account and user.is_root else f"user{count}"
    )
    email = factory.LazyAttribute(
        lambda user: f"{user.username}@{user.account.name if user.account else 'operations'}.example"
    )
    email_verified_at = factory.LazyFunction(clock.now)
    mobile = "+8613800000000"
    is_staff = factory.LazyAttribute(lambda user: user.account is None)
    created_at = factory.LazyFunction(clock.now)

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        password = kwargs.pop("password", PASSWORD)
        user = model_class(**kwargs)
        user.set_password(password)
        with guard.opened("factory"):
            user.save()
        return user


def operator(*roles: OperatorRole, **fields: Any) -> User:
    """An operations manager with these roles."""
    fields.setdefault("username", f"operator-{ids.random_code(8)}")
    user = UserFactory(account=None, is_root=False, is_staff=True, **fields)
    user.groups.set(RoleGroup.objects.filter(name__in=[role.value for role in roles]))
    return user


def statement(effect: str, *actions: str, products: Iterable[str] = ()) -> dict[str, Any]:
    """One statement; with `products`, only for these product codes."""
    made: dict[str, Any] = {"Effect": effect, "Action": list(actions), "Resource": ["*"]}
    if listed := list(products):
        made["Condition"] = {"StringEquals": {"marketplace:ProductId": listed}}
    return made


class PolicyFactory(GuardedFactory):
    """A policy that allows nothing worth naming; give `document`."""

    class Meta:
        model = Policy

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda count: f"policy{count}")
    document = factory.LazyFunction(
        lambda: {"Version": "5.0", "Statement": [statement("Allow", "marketplace:none:none")]}
    )
    created_at = factory.LazyFunction(clock.now)
    updated_at = factory.LazyFunction(clock.now)


def give(user: User, *statements: dict[str, Any], name: str = "") -> Policy:
    """Attach a policy of these statements to a user."""
    policy = PolicyFactory(
        account=user.account,
        document={"Version": "5.0", "Statement": list(statements)},
        **({"name": name} if name else {}),
    )
    with guard.opened("factory"):
        Attachment.objects.create(policy=policy, user=user)
    user.__dict__.pop("_iam_documents", None)
    return policy


def deny(user: User, *actions: str, products: Iterable[str] = (), name: str = "") -> Policy:
    """Deny a user these actions."""
    return give(user, statement("Deny", *actions, products=products), name=name)


def allow(user: User, *actions: str, name: str = "") -> Policy:
    """Allow a user these actions."""
    return give(user, statement("Allow", *actions), name=name)


class GroupFactory(GuardedFactory):
    """An IAM group; `members` puts users in it."""

    class Meta:
        model = Group

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda count: f"group{count}")
    created_at = factory.LazyFunction(clock.now)

    @factory.post_generation
    def members(self, create: bool, users: Iterable[User] | None, **kwargs: Any) -> None:
        with guard.opened("factory"):
            Membership.objects.bulk_create([Membership(group=self, user=user) for user in users or ()])


class AccessKeyFactory(GuardedFactory):
    """An access key with its secret."""

    class Meta:
        model = AccessKey

    user = factory.SubFactory(UserFactory)
    key_id = factory.LazyFunction(lambda: ids.random_code(20))
    secret = factory.LazyFunction(ids.token)
    created_at = factory.LazyFunction(clock.now)


class ProjectFactory(GuardedFactory):
    """An enterprise project; the account's function is switched on with it."""

    class Meta:
        model = EnterpriseProject

    account = factory.SubFactory(AccountFactory)
    code = factory.LazyFunction(ids.public_id)
    name = factory.Sequence(lambda count: f"project{count}")
    kind = ProjectKind.COMMERCIAL
    created_at = factory.LazyFunction(clock.now)
    updated_at = factory.LazyFunction(clock.now)

    @classmethod
    def _create(cls, model_class: type, *args: Any, **kwargs: Any) -> EnterpriseProject:
        account = kwargs["account"]
        if not account.projects_enabled:
            account.projects_enabled = True
            with guard.opened("factory"):
                account.save(update_fields=["projects_enabled"])
                EnterpriseProject.objects.create(
                    account=account,
                    code=DEFAULT_CODE,
                    name="default",
                    created_at=kwargs["created_at"],
                    updated_at=kwargs["created_at"],
                )
        return super()._create(model_class, *args, **kwargs)


class TagFactory(GuardedFactory):
    """A predefined tag."""

    class Meta:
        model = PredefinedTag

    account = factory.SubFactory(AccountFactory)
    key = "team"
    value = factory.Sequence(lambda count: f"team{count}")
    created_at = factory.LazyFunction(clock.now)


class AgreementTextFactory(GuardedFactory):
    """A version of a text in English."""

    class Meta:
        model = AgreementText

    kind = "eula"
    subject = factory.Sequence(lambda count: f"eula:product{count}")
    version = 1
    titles = factory.LazyFunction(lambda: {"en": "Licence"})
    texts = factory.LazyFunction(lambda: {"en": "You may use it."})
    sha256 = factory.LazyAttribute(lambda text: digest(text.titles, text.texts))
    published_at = factory.LazyFunction(clock.now)
