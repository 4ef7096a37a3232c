"""Identity policies: what a document may say, and what a set of them decides."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koogallery.identity.rules import policies
from koogallery.identity.rules.policies import Ground, PolicyFault, decide, parse, read_text

ORDER = "marketplace:order:create"
ALLOW = {"Effect": "Allow", "Action": ["*:*:*"], "Resource": ["*"]}


def document(*statements, version="5.0", name="p"):
    return parse({"Version": version, "Statement": list(statements)}, name=name)


def statement(effect, *actions, **more):
    return {"Effect": effect, "Action": list(actions), "Resource": ["*"], **more}


@pytest.mark.parametrize(
    ("found", "path"),
    [
        ([], "$"),
        ({"Version": "5.0"}, "$.Statement"),
        ({"Version": "6.0", "Statement": [ALLOW]}, "$.Version"),
        ({"Version": "5.0", "Statement": []}, "$.Statement"),
        ({"Version": "5.0", "Statement": [ALLOW], "Depends": []}, "$.Depends"),
        ({"Version": "5.0", "Statement": ["x"]}, "$.Statement[0]"),
        ({"Version": "5.0", "Statement": [ALLOW, {**ALLOW, "Effect": "allow"}]}, "$.Statement[1].Effect"),
        ({"Version": "5.0", "Statement": [{**ALLOW, "NotAction": ["a:b:c"]}]}, "$.Statement[0]"),
        ({"Version": "5.0", "Statement": [{"Effect": "Allow", "Resource": ["*"]}]}, "$.Statement[0]"),
        ({"Version": "5.0", "Statement": [{"Effect": "Allow", "Action": ["a:b:c"]}]}, "$.Statement[0].Resource"),
        ({"Version": "5.0", "Statement": [{**ALLOW, "Action": ["a:b:c", "a:b"]}]}, "$.Statement[0].Action[1]"),
        ({"Version": "5.0", "Statement": [{**ALLOW, "Action": ["Marketplace:b:c"]}]}, "$.Statement[0].Action[0]"),
        ({"Version": "5.0", "Statement": [{**ALLOW, "Resource": ["urn:x"]}]}, "$.Statement[0].Resource[0]"),
        ({"Version": "5.0", "Statement": [{**ALLOW, "Principal": "x"}]}, "$.Statement[0].Principal"),
        ({"Version": "5.0", "Statement": [{**ALLOW, "Sid": "a b"}]}, "$.Statement[0].Sid"),
        ({"Version": "5.0", "Statement": [{**ALLOW, "Sid": "a"}, {**ALLOW, "Sid": "a"}]}, "$.Statement[1].Sid"),
        ({"Version": "5.0", "Statement": [{**ALLOW, "Condition": {}}]}, "$.Statement[0].Condition"),
        (
            {"Version": "5.0", "Statement": [{**ALLOW, "Condition": {"Bool": {"marketplace:ProductId": ["x"]}}}]},
            "$.Statement[0].Condition.Bool",
        ),
        (
            {"Version": "5.0", "Statement": [{**ALLOW, "Condition": {"StringEquals": {"g:UserName": ["x"]}}}]},
            "$.Statement[0].Condition.StringEquals.g:UserName",
        ),
        (
            {"Version": "5.0", "Statement": [{**ALLOW, "Condition": {"StringEquals": {"marketplace:ProductId": [1]}}}]},
            "$.Statement[0].Condition.StringEquals.marketplace:ProductId[0]",
        ),
    ],
)
def test_a_faulty_document_is_refused_with_the_path_of_the_fault(found, path):
    with pytest.raises(PolicyFault) as fault:
        parse(found)
    assert fault.value.path == path


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"Version": "5.0", "Version": "1.1", "Statement": []}'])
def test_what_is_not_json_of_unique_keys_is_refused(text):
    with pytest.raises(PolicyFault):
        read_text(text)


def test_a_document_has_at_most_6144_characters():
    found = {"Version": "5.0", "Statement": [ALLOW]}
    text = json.dumps(found)
    assert read_text(text + " " * (6144 - len(text)))[0] == found
    with pytest.raises(PolicyFault):
        read_text(text + " " * (6145 - len(text)))


@pytest.mark.parametrize("version", ["5.0", "1.1"])
def test_both_versions_are_understood(version):
    assert decide([document(ALLOW, version=version)], ORDER).allowed


def test_a_deny_wins_over_any_allow_and_is_named():
    found = decide([document(ALLOW), document(statement("Deny", ORDER, Sid="NoOrders"), name="strict")], ORDER)
    assert (found.allowed, found.ground, found.policy, found.statement) == (False, Ground.DENIED, "strict", "NoOrders")


def test_without_a_match_the_default_of_the_action_decides():
    assert decide([], ORDER, default=True).ground is Ground.DEFAULT
    assert decide([], "iam:users:create").ground is Ground.NOT_ALLOWED


def test_not_action_means_every_action_but_these():
    found = document({"Effect": "Deny", "NotAction": ["marketplace:order:*"], "Resource": "*"})
    assert decide([found], ORDER, default=True).allowed
    assert not decide([found], "marketplace:favorites:add", default=True).allowed


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("*", True),
        ("*:*:*", True),
        ("marketplace:*:*", True),
        ("marketplace:order:*", True),
        ("marketplace:ORDER:Create", True),
        ("marketplace:ord*:cre*te", True),
        ("marketplace:order:view", False),
        ("iam:*:*", False),
        ("marketplace:order:creat", False),
    ],
)
def test_a_star_stands_for_any_part_in_any_case(pattern, matches):
    assert decide([document(statement("Allow", pattern))], ORDER).allowed is matches


@pytest.mark.parametrize(
    ("operator", "value", "product", "holds"),
    [
        ("StringEquals", "A1", "A1", True),
        ("StringEquals", "A1", "a1", False),
        ("StringEqualsIgnoreCase", "A1", "a1", True),
        ("StringNotEquals", "A1", "B2", True),
        ("StringNotEquals", "A1", "A1", False),
        ("StringMatch", "A*", "A1", True),
        ("StringMatch", "A?", "A12", False),
        ("StringNotMatch", "A*", "B1", True),
        ("StringStartWith", "A", "A1", True),
        ("StringEndWith", "1", "A1", True),
        ("StringEquals", "A1", None, False),
        ("StringNotEquals", "A1", None, False),
        ("StringEqualsIfExists", "A1", None, True),
        ("StringEqualsIfExists", "A1", "B2", False),
    ],
)
def test_string_operators_compare_the_product(operator, value, product, holds):
    found = document(statement("Deny", ORDER, Condition={operator: {"marketplace:ProductId": [value]}}))
    context = {} if product is None else {policies.PRODUCT_KEY: product}
    assert decide([found], ORDER, context=context, default=True).allowed is not holds


def test_one_of_several_values_is_enough_to_equal_and_each_must_differ():
    either = document(statement("Deny", ORDER, Condition={"StringEquals": {"marketplace:ProductId": ["A", "B"]}}))
    neither = document(statement("Deny", ORDER, Condition={"StringNotEquals": {"marketplace:ProductId": ["A", "B"]}}))
    for product, denied in (("A", True), ("B", True), ("C", False)):
        context = {policies.PRODUCT_KEY: product}
        assert decide([either], ORDER, context=context, default=True).allowed is not denied
        assert decide([neither], ORDER, context=context, default=True).allowed is denied


PARTS = st.sampled_from(["marketplace", "iam", "order", "users", "create", "view", "*", "o*"])
ACTIONS = st.builds(lambda a, b, c: f"{a}:{b}:{c}", st.sampled_from(["marketplace", "iam", "*"]), PARTS, PARTS)
CONDITIONS = st.none() | st.builds(
    lambda operator, values: {operator: {"marketplace:ProductId": values}},
    st.sampled_from(sorted(policies.OPERATOR_NAMES)),
    st.lists(st.sampled_from(["A", "B", "a*"]), min_size=1, max_size=2),
)


@st.composite
def statements(draw, effect=None):
    made = {"Effect": effect or draw(st.sampled_from(["Allow", "Deny"])), "Resource": ["*"]}
    made[draw(st.sampled_from(["Action", "NotAction"]))] = draw(st.lists(ACTIONS, min_size=1, max_size=3))
    if condition := draw(CONDITIONS):
        made["Condition"] = condition
    return made


CONTEXTS = st.sampled_from([{}, {policies.PRODUCT_KEY: "A"}, {policies.PRODUCT_KEY: "C"}])
ASKED = st.sampled_from([ORDER, "marketplace:order:view", "iam:users:create", "iam:users:view"])


@given(st.lists(statements(), max_size=4), statements(effect="Deny"), st.integers(0, 4), ASKED, CONTEXTS, st.booleans())
def test_adding_a_deny_never_grants(present, extra, position, action, context, default):
    before = [document(item) for item in present]
    after = [*before[:position], document(extra), *before[position:]]
    if not decide(before, action, context=context, default=default).allowed:
        assert not decide(after, action, context=context, default=default).allowed


@given(st.lists(statements(), max_size=4), statements(effect="Allow"), ASKED, CONTEXTS, st.booleans())
def test_adding_an_allow_never_takes_away(present, extra, action, context, default):
    before = [document(item) for item in present]
    if decide(before, action, context=context, default=default).allowed:
        assert decide([*before, document(extra)], action, context=context, default=default).allowed


@given(st.permutations([ALLOW, statement("Deny", ORDER), statement("Allow", ORDER)]))
def test_the_order_of_statements_does_not_matter(order):
    assert not decide([document(*order)], ORDER).allowed
