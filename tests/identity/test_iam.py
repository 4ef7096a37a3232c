"""IAM: limits, tenancy, and what policies do to operations and pages."""

from __future__ import annotations

import pytest

from koogallery.identity import authorising, queries
from koogallery.identity.models import AccessKey, Attachment, Group, Membership, Policy, User
from koogallery.identity.operations import accounts, iam
from koogallery.identity.rules.policies import Ground
from koogallery.identity.rules.rights import operator_may, seller_may
from koogallery.identity.states import OperatorRole, SellerRole
from koogallery.kernel import guard
from koogallery.kernel.calls import system_call
from koogallery.kernel.operations import registry
from koogallery.kernel.reasons import Missing, Refused
from tests.factories import identity

pytestmark = pytest.mark.django_db

DENY_ALL = '{"Version": "5.0", "Statement": [{"Effect": "Deny", "Action": ["*"], "Resource": ["*"]}]}'


def refused(code: str):
    return pytest.raises(Refused, match=f"^{code}:")


def test_root_and_administrators_manage_users_others_do_not(buyer, colleague):
    iam.create_user(buyer.call(), username="a", password=identity.PASSWORD)
    with refused("iam_not_allowed"):
        iam.create_user(colleague.call(), username="b", password=identity.PASSWORD)
    administrator = Policy.objects.get(account=None, name="Administrator")
    iam.set_user_policies(buyer.call(), user=colleague.user.number, policies=[administrator.number])
    iam.create_user(colleague.call(), username="b", password=identity.PASSWORD)


def test_an_administrator_cannot_touch_the_root_user(buyer, colleague):
    identity.allow(colleague.user, "*:*:*")
    with pytest.raises(Missing):
        iam.reset_user_password(colleague.call(), user=buyer.user.number, password="eleven loud geese")


def test_full_access_to_the_marketplace_does_not_manage_users(colleague):
    identity.allow(colleague.user, "marketplace:*:*")
    with refused("iam_not_allowed"):
        iam.create_user(colleague.call(), username="b", password=identity.PASSWORD)


def test_an_account_has_at_most_50_users(buyer, monkeypatch):
    monkeypatch.setattr(iam, "USERS", 2)
    for name in ("a", "b"):
        iam.create_user(buyer.call(), username=name, password=identity.PASSWORD)
    with refused("user_limit"):
        iam.create_user(buyer.call(), username="c", password=identity.PASSWORD)


def test_the_limits_are_those_of_the_guide():
    assert (iam.USERS, iam.GROUPS, iam.GROUPS_OF_USER, iam.KEYS_OF_USER, iam.POLICIES) == (50, 20, 10, 2, 200)


def test_names_are_unique_in_an_account_in_any_case(buyer, stranger):
    iam.create_user(buyer.call(), username="wang", password=identity.PASSWORD)
    with refused("user_name_taken"):
        iam.create_user(buyer.call(), username="Wang", password=identity.PASSWORD)
    iam.create_user(stranger.call(), username="wang", password=identity.PASSWORD)
    iam.create_policy(buyer.call(), name="p", document=DENY_ALL)
    with refused("policy_name_taken"):
        iam.create_policy(buyer.call(), name="P", document=DENY_ALL)


def test_a_form_sent_twice_makes_one_user(buyer):
    first = iam.create_user(buyer.call(key="key-of-the-form"), username="a", password=identity.PASSWORD)
    second = iam.create_user(buyer.call(key="key-of-the-form"), username="a", password=identity.PASSWORD)
    assert first.pk == second.pk
    assert User.objects.filter(account=buyer.account, is_root=False).count() == 1


def test_a_user_has_at_most_two_access_keys(buyer):
    for _ in range(2):
        iam.create_access_key(buyer.call(), user=buyer.user.number)
    with refused("key_limit"):
        iam.create_access_key(buyer.call(), user=buyer.user.number)


def test_a_key_of_the_root_user_is_handled_by_nobody_else(buyer, colleague):
    identity.allow(colleague.user, "*:*:*")
    key = iam.create_access_key(buyer.call(), user=buyer.user.number)
    with pytest.raises(Missing):
        iam.create_access_key(colleague.call(), user=buyer.user.number)
    with pytest.raises(Missing):
        iam.set_access_key(colleague.call(), access_key=key.key_id, enabled=False)
    with pytest.raises(Missing):
        iam.delete_access_key(colleague.call(), access_key=key.key_id)
    iam.set_access_key(buyer.call(), access_key=key.key_id, enabled=False)
    iam.delete_access_key(buyer.call(), access_key=key.key_id)
    assert not AccessKey.objects.exists()


def test_the_right_to_keys_reaches_ones_own_only_unless_one_is_an_administrator(buyer, colleague, clerk):
    identity.allow(colleague.user, "iam:accessKeys:*", name="keys")
    theirs = iam.create_access_key(buyer.call(), user=clerk.user.number)
    with refused("iam_not_allowed"):
        iam.create_access_key(colleague.call(), user=clerk.user.number)
    with refused("iam_not_allowed"):
        iam.set_access_key(colleague.call(), access_key=theirs.key_id, enabled=False)
    with refused("iam_not_allowed"):
        iam.delete_access_key(colleague.call(), access_key=theirs.key_id)
    own = iam.create_access_key(colleague.call(), user=colleague.user.number)
    iam.delete_access_key(colleague.call(), access_key=own.key_id)
    administrator = Policy.objects.get(account=None, name="Administrator")
    iam.set_user_policies(buyer.call(), user=colleague.user.number, policies=[administrator.number])
    iam.delete_access_key(colleague.call(), access_key=theirs.key_id)
    iam.create_access_key(colleague.call(), user=clerk.user.number)


def test_the_secret_of_a_key_is_encrypted_at_rest(buyer, django_assert_num_queries):
    from django.db import connection

    key = iam.create_access_key(buyer.call(), user=buyer.user.number)
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM identity_accesskey WHERE id = %s", [key.pk])
        stored = cursor.fetchone()[0]
    assert key.secret not in stored
    key.refresh_from_db()
    assert len(key.secret) == 40


def test_a_user_is_in_at_most_ten_groups(buyer, colleague):
    groups = [identity.GroupFactory(account=buyer.account) for _ in range(11)]
    with refused("group_limit_of_user"):
        iam.set_user_groups(buyer.call(), user=colleague.user.number, groups=[group.number for group in groups])
    iam.set_user_groups(buyer.call(), user=colleague.user.number, groups=[group.number for group in groups[:10]])
    with refused("user_in_too_many_groups"):
        iam.update_group(buyer.call(), group=groups[10].number, name="eleventh", members=[colleague.user.number])
    assert Membership.objects.filter(user=colleague.user).count() == 10


def test_nothing_of_another_account_can_be_named(buyer, stranger, colleague):
    group = identity.GroupFactory(account=stranger.account)
    policy = identity.PolicyFactory(account=stranger.account)
    with pytest.raises(Missing):
        iam.set_user_groups(buyer.call(), user=colleague.user.number, groups=[group.number])
    with pytest.raises(Missing):
        iam.set_user_policies(buyer.call(), user=colleague.user.number, policies=[policy.number])
    with pytest.raises(Missing):
        iam.update_user(stranger.call(), user=colleague.user.number)
    assert not Attachment.objects.exists()


def test_a_policy_of_a_group_holds_for_its_members_and_ends_with_it(buyer, colleague):
    group = identity.GroupFactory(account=buyer.account, members=[colleague.user])
    policy = iam.create_policy(buyer.call(), name="nothing", document=DENY_ALL)
    iam.set_group_policies(buyer.call(), group=group.number, policies=[policy.number])
    user = colleague.call().user
    assert queries.simulate(user, "marketplace:order:create").policy == "nothing"
    iam.delete_group(buyer.call(), group=group.number)
    assert queries.simulate(colleague.call().user, "marketplace:order:create").allowed
    assert not Group.objects.exists()


def test_a_policy_in_use_is_not_deleted(buyer, clerk):
    policy = Policy.objects.get(name="no-orders")
    with refused("policy_attached"):
        iam.delete_policy(buyer.call(), policy=policy.number)
    iam.set_user_policies(buyer.call(), user=clerk.user.number, policies=[])
    iam.delete_policy(buyer.call(), policy=policy.number)


def test_system_policies_cannot_be_changed(buyer):
    policy = Policy.objects.get(account=None, name="Administrator")
    with pytest.raises(Missing):
        iam.update_policy(buyer.call(), policy=policy.number, name="mine", document=DENY_ALL)


def test_a_condition_denies_its_product_alone(colleague):
    identity.deny(colleague.user, "marketplace:order:create", products=["P1"])
    user = colleague.call().user
    assert not queries.simulate(user, "marketplace:order:create", "P1").allowed
    assert queries.simulate(user, "marketplace:order:create", "P2").allowed


def test_the_root_user_is_never_denied(buyer):
    identity.deny(buyer.user, "*")
    assert queries.simulate(buyer.call().user, "marketplace:order:create").ground is Ground.ROOT


@pytest.mark.parametrize(
    "action",
    ["marketplace:order:create", "marketplace:order:view", "marketplace:saasResourceInstance:view"],
)
def test_iam_users_have_the_three_actions_by_default(colleague, action):
    assert queries.simulate(colleague.call().user, action).ground is Ground.DEFAULT


def test_the_simulator_agrees_with_enforcement_for_every_operation(colleague, clerk):
    for persona in (colleague, clerk):
        call = persona.call()
        for spec in registry.values():
            if call.role not in spec.roles or spec.action.startswith("iam:self:"):
                continue
            allowed = authorising.decision_for(call.user, spec).allowed
            try:
                authorising.authorise(call, spec, None)
                enforced = True
            except Refused:
                enforced = False
            assert enforced is allowed, spec.name


def test_a_frozen_account_reads_but_does_not_order(buyer, operator):
    accounts.freeze(operator.call(), account=buyer.account.number, reason="Overdue")
    spec = next((spec for spec in registry.values() if spec.name == "createOrder"), None)
    call = buyer.call()
    assert call.account.is_frozen
    if spec is not None:
        with refused("account_frozen"):
            authorising.authorise(call, spec, None)
    accounts.unfreeze(operator.call(), account=buyer.account.number)
    assert not buyer.call().account.is_frozen


def test_a_reseller_freezes_its_customers_only(reseller, customer, stranger, operator):
    accounts.freeze(reseller.call(), account=customer.account.number, reason="Overdue")
    with pytest.raises(Missing):
        accounts.freeze(reseller.call(), account=stranger.account.number, reason="Rival")
    with pytest.raises(Missing):
        accounts.unfreeze(customer.call(), account=customer.account.number)
    accounts.unfreeze(reseller.call(), account=customer.account.number)
    accounts.freeze(operator.call(), account=customer.account.number, reason="Abuse")
    with refused("frozen_by_operations"):
        accounts.unfreeze(reseller.call(), account=customer.account.number)


def test_accounts_of_every_kind_are_made_and_misfits_refused(db):
    call = system_call()
    reseller = accounts.create(call, name="resell", kind="postpaid", is_reseller=True)
    customer = accounts.create(call, name="client", kind="reseller_customer", reseller=reseller, currency="JPY")
    assert queries.root_user(customer).username == "client"
    with refused("reseller_needed"):
        accounts.create(call, name="lonely", kind="reseller_customer")
    with refused("not_a_reseller"):
        accounts.create(call, name="misled", kind="reseller_customer", reseller=customer)
    with refused("currency_unknown"):
        accounts.create(call, name="odd", currency="XXX")


def test_roles_of_sellers_users_include_what_their_names_say():
    assert seller_may(SellerRole.OWNER, "marketplace:product:change", read=False)
    assert seller_may(SellerRole.DELIVERY, "marketplace:interfaceCall:replay", read=False)
    assert not seller_may(SellerRole.FINANCE, "marketplace:interfaceCall:replay", read=False)
    assert seller_may(SellerRole.READ_ONLY, "marketplace:order:view", read=True)
    assert not seller_may(SellerRole.READ_ONLY, "marketplace:order:change", read=False)
    assert not seller_may(None, "marketplace:order:view", read=True)


def test_an_auditor_reads_traces_and_nothing_else():
    assert operator_may({OperatorRole.AUDITOR}, "marketplace:trace:list", read=True)
    assert not operator_may({OperatorRole.AUDITOR}, "marketplace:order:view", read=True)
    assert not operator_may({OperatorRole.SUPPORT}, "marketplace:account:freeze", read=False)
    assert operator_may({OperatorRole.ADMINISTRATOR}, "marketplace:account:freeze", read=False)


def test_the_sign_in_name_follows_the_account(buyer):
    user = iam.create_user(buyer.call(), username="wang", password=identity.PASSWORD)
    assert user.sign_in_name == "buyer/wang"
    with guard.opened("test"):
        user.username = "li"
        user.save()
    assert User.objects.get(pk=user.pk).sign_in_name == "buyer/li"
