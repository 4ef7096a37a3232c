"""Enterprise projects, predefined tags, agreements and consents: the rules of identity.md."""

from __future__ import annotations

import pytest

from koogallery.identity import queries
from koogallery.identity.models import AgreementSignature, EnterpriseProject
from koogallery.identity.operations import agreements, projects, tags
from koogallery.identity.rules.tags import check_tag, check_tags
from koogallery.identity.states import ProjectKind
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Missing, Refused
from tests.factories import identity

pytestmark = pytest.mark.django_db


def refused(code: str):
    return pytest.raises(Refused, match=f"^{code}:")


def make(buyer, name: str, **fields) -> EnterpriseProject:
    return projects.create_project(buyer.call(), name=name, **fields)


@pytest.fixture
def enabled(buyer):
    """The buyer, with enterprise projects."""
    projects.enable_projects(buyer.call())
    return buyer


def test_projects_are_off_until_the_account_enables_them(buyer):
    assert queries.projects_for(buyer.account) == []
    with refused("projects_off"):
        make(buyer, "Lab")
    for _ in range(2):
        projects.enable_projects(buyer.call())
    buyer.account.refresh_from_db()
    assert [project.name for project in queries.projects_for(buyer.account)] == ["default"]


@pytest.mark.parametrize("name", ["", "a b", "研发", "my-Default-one", "x" * 256])
def test_a_name_is_letters_digits_and_dashes_without_default(enabled, name):
    with refused("project_name_form"):
        make(enabled, name)


def test_a_name_has_up_to_255_letters_and_is_unique(enabled):
    make(enabled, "x" * 255)
    with refused("project_name_taken"):
        make(enabled, "X" * 255)


def test_an_account_has_at_most_100_projects_disabled_ones_included(enabled, monkeypatch):
    assert projects.PROJECTS == 100
    monkeypatch.setattr(projects, "PROJECTS", 2)
    lab = make(enabled, "Lab")
    projects.disable_project(enabled.call(), project=lab.code)
    with refused("project_limit"):
        make(enabled, "Other")


def test_default_is_never_changed_or_disabled(enabled):
    for do in (projects.disable_project, projects.update_project):
        with refused("project_default"):
            do(enabled.call(), project="0", **({"name": "x"} if do is projects.update_project else {}))


def test_a_test_project_is_not_disabled_and_may_become_commercial_but_never_back(enabled):
    lab = make(enabled, "Lab", kind=ProjectKind.TEST)
    with refused("project_test_stays"):
        projects.disable_project(enabled.call(), project=lab.code)
    projects.update_project(enabled.call(), project=lab.code, name="Lab", kind=ProjectKind.COMMERCIAL)
    with refused("project_commercial_stays"):
        projects.update_project(enabled.call(), project=lab.code, name="Lab", kind=ProjectKind.TEST)


def test_a_disabled_project_is_not_offered_or_changed_until_enabled(enabled):
    lab = make(enabled, "Lab")
    projects.disable_project(enabled.call(), project=lab.code)
    enabled.account.refresh_from_db()
    assert queries.project_for(enabled.account, lab.code) is None
    with refused("project_disabled"):
        projects.update_project(enabled.call(), project=lab.code, name="Lab2")
    projects.enable_project(enabled.call(), project=lab.code)
    assert queries.project_for(enabled.account, lab.code) == lab


def test_a_project_of_another_account_is_unknown(enabled, stranger):
    lab = make(enabled, "Lab")
    with pytest.raises(Missing):
        projects.disable_project(stranger.call(), project=lab.code)


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("k" * 37, "v", "tag_key_form"),
        ("", "v", "tag_key_form"),
        ("a b", "v", "tag_key_form"),
        ("k", "v" * 44, "tag_value_form"),
        ("k", "", "tag_value_form"),
        ("k", "a/b", "tag_value_form"),
    ],
)
def test_tags_outside_their_letters_and_lengths_are_refused(key, value, code):
    with refused(code):
        check_tag(key, value)


def test_tags_may_hold_chinese_and_some_signs():
    assert check_tag(" 部门@a.b_c-1 ", "研" * 43) == ("部门@a.b_c-1", "研" * 43)


def test_a_resource_has_at_most_twenty_tags():
    check_tags({f"k{number}": "v" for number in range(20)})
    with refused("tag_limit"):
        check_tags({f"k{number}": "v" for number in range(21)})


def test_a_predefined_tag_stands_once_and_at_most_500(buyer, monkeypatch):
    first = tags.create_tag(buyer.call(), key="team", value="a")
    assert tags.create_tag(buyer.call(), key="team", value="a") == first
    monkeypatch.setattr(tags, "PREDEFINED", 1)
    with refused("predefined_tag_limit"):
        tags.create_tag(buyer.call(), key="team", value="b")


def test_a_tag_of_another_account_is_unknown(buyer, stranger):
    tag = identity.TagFactory(account=buyer.account)
    with pytest.raises(Missing):
        tags.delete_tag(stranger.call(), tag=str(tag.pk))


# Agreements


def publish(text: str, *, subject: str = "eula:P1"):
    return agreements.publish_text(
        system_call(), kind="eula", subject=subject, titles={"en": "Licence"}, texts={"en": text}
    )


def test_terms_exist_from_the_start_in_both_languages(db):
    [terms] = queries.current_agreements()
    assert set(terms.texts) == {"en", "zh-hans"}
    assert terms.sha256 == identity.digest(terms.titles, terms.texts)


def test_an_unchanged_text_stays_its_version_and_a_changed_one_is_the_next(db):
    first, same, second = publish("A"), publish("A"), publish("B")
    assert (first.pk, first.version, second.version) == (same.pk, 1, 2)
    assert queries.current_agreements(["eula:P1"])[1] == second
    assert queries.current_agreements(["eula:P1"], at=first.published_at)[0].subject == "terms"


def test_terms_are_ticked_on_every_order_a_eula_again_only_when_it_changed(buyer):
    publish("A")
    texts = queries.current_agreements(["eula:P1"])
    assert queries.needs_signature(buyer.account, texts) == texts
    agreements.sign(buyer.call(), texts=texts, order_number="CS1")
    assert [text.subject for text in queries.needs_signature(buyer.account, texts)] == ["terms"]
    publish("B")
    texts = queries.current_agreements(["eula:P1"])
    assert [text.subject for text in queries.needs_signature(buyer.account, texts)] == ["terms", "eula:P1"]


def test_one_account_s_signature_does_not_serve_another(buyer, stranger):
    text = publish("A")
    agreements.sign(buyer.call(), texts=[text], order_number="CS1")
    assert queries.needs_signature(stranger.account, [text]) == [text]


def test_a_signature_says_who_when_where_and_which_version(buyer):
    text = publish("A")
    call = buyer.call(address="203.0.113.9")
    agreements.sign(call, texts=[text], order_number="CS1")
    signature = AgreementSignature.objects.get()
    assert (signature.account, signature.user, signature.text) == (buyer.account, buyer.user, text)
    assert (signature.at, signature.address, signature.order_number) == (call.at, "203.0.113.9", "CS1")


def test_an_account_sees_its_own_signatures_only(buyer, stranger):
    [signature] = agreements.sign(buyer.call(), texts=[publish("A")], order_number="CS1")
    assert list(agreements.query_signatures(stranger.call())) == []
    with pytest.raises(Missing):
        agreements.query_signature(stranger.call(), signature=signature.number)


def test_a_withdrawn_consent_masks_the_contact(buyer, stranger):
    consent = agreements.grant_consent(
        buyer.call(), kind="email", product_code="P1", seller_name="S", order_number="CS1"
    )
    assert queries.contact_for_seller(consent) == "buyer@buyer.example"
    with pytest.raises(Missing):
        agreements.withdraw_consent(stranger.call(), consent=str(consent.pk))
    consent = agreements.withdraw_consent(buyer.call(), consent=str(consent.pk))
    assert queries.contact_for_seller(consent) == "b****@buyer.example"
    with refused("consent_withdrawn"):
        agreements.withdraw_consent(buyer.call(), consent=str(consent.pk))
