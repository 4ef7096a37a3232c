"""The personas that every other test stands on."""

from __future__ import annotations

import pytest

from koogallery.identity import authorising
from koogallery.identity.models import User
from koogallery.kernel import guard
from koogallery.kernel.calls import Role
from koogallery.kernel.guard import Unguarded
from koogallery.kernel.operations import Operation
from koogallery.kernel.reasons import Refused

pytestmark = pytest.mark.django_db


def spec(action: str, *, read: bool = False, default_allowed: bool = False, name: str = "probe") -> Operation:
    return Operation(
        name=name,
        resource_type="Probe",
        action=action,
        roles=frozenset(Role),
        read=read,
        once=False,
        default_allowed=default_allowed,
        function=lambda call: None,
    )


def test_the_clerk_is_denied_to_order_by_the_named_policy(clerk):
    with pytest.raises(Refused) as refused:
        authorising.authorise(clerk.call(), spec("marketplace:order:create"), None)
    assert refused.value.code == "iam_denied"
    assert refused.value.params["policy"] == "no-orders"


def test_a_colleague_without_policy_may_order_but_not_manage_users(colleague):
    authorising.authorise(colleague.call(), spec("marketplace:order:create"), None)
    with pytest.raises(Refused) as refused:
        authorising.authorise(colleague.call(), spec("iam:users:create"), None)
    assert refused.value.code == "iam_not_allowed"


def test_a_support_reader_reads_and_changes_nothing(support):
    authorising.authorise(support.call(), spec("marketplace:order:view", read=True), None)
    with pytest.raises(Refused) as refused:
        authorising.authorise(support.call(), spec("marketplace:order:cancel"), None)
    assert refused.value.code == "operator_role_not_allowed"


def test_users_are_changed_only_by_an_operation(buyer):
    buyer.user.language = "zh-hans"
    with pytest.raises(Unguarded):
        buyer.user.save()
    with pytest.raises(Unguarded):
        User.objects.update(is_root=True)
    with guard.opened("test"):
        buyer.user.save()


def test_a_reseller_has_its_customer(reseller, customer):
    assert list(reseller.account.customers.all()) == [customer.account]
