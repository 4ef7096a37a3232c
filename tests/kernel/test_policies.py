"""Policies have closed lists of values; what is in force changes from a moment on and never backwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from koogallery import clock
from koogallery.kernel import policies
from koogallery.kernel.calls import system_call
from koogallery.kernel.policies import PACKS, POLICIES, PolicySet
from koogallery.kernel.reasons import Refused

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def test_pack_2025_is_in_force_at_every_date_until_another_is_chosen() -> None:
    for moment in (datetime(2020, 1, 1, tzinfo=UTC), AT):
        assert policies.in_force(moment) == PolicySet("2025", {})
    policies.choose(system_call(at=AT), pack="2024")
    assert policies.in_force(AT - timedelta(microseconds=1)).pack == "2025"
    assert policies.in_force(AT).pack == "2024"


def test_single_values_add_up_until_the_pack_changes_or_they_are_dropped() -> None:
    policies.choose(system_call(at=AT), overrides={"grace_days": "7"})
    policies.choose(system_call(at=AT + timedelta(hours=1)), overrides={"ppu.rounding": "elapsed"})
    now = policies.in_force(AT + timedelta(hours=2))
    assert (now["grace_days"], now["ppu.rounding"], now["retention_days"]) == (7, "elapsed", 15)
    assert (now.source("grace_days"), now.source("retention_days")) == ("override", "pack 2025")
    policies.choose(system_call(at=AT + timedelta(hours=3)), overrides={"grace_days": "0"}, keep=False)
    assert policies.in_force(AT + timedelta(hours=4)).overrides == {"grace_days": 0}
    policies.choose(system_call(at=AT + timedelta(hours=5)), pack="2024")
    assert policies.in_force(AT + timedelta(hours=6)).overrides == {}


@pytest.mark.parametrize(
    ("pack", "overrides", "code"),
    [
        ("2023", {}, "policy_value"),
        (None, {"grace_days": "8"}, "policy_value"),
        (None, {"grace": "7"}, "policy_unknown"),
        (None, {"login.third_party": "yes"}, "policy_value"),
    ],
)
def test_what_is_not_in_the_list_is_refused(pack: str | None, overrides: dict[str, str], code: str) -> None:
    with pytest.raises(Refused) as refused:
        policies.choose(system_call(at=AT), pack=pack, overrides=overrides)
    assert refused.value.code == code
    assert policies.in_force(AT) == PolicySet()


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_value_of_every_policy_can_be_chosen_by_its_text_and_survives_the_stamp(name: str) -> None:
    policy = POLICIES[name]
    texts = [policies.text_of(choice) for choice in policy.choices]
    assert len(set(texts)) == len(texts)
    for pack in PACKS:
        assert policy.values[pack] in policy.choices
    for choice, text in zip(policy.choices, texts, strict=True):
        policies.choose(system_call(at=AT), overrides={name: text})
        chosen = policies.in_force(AT)[name]
        stamped = PolicySet.from_json(policies.in_force(AT).to_json())[name]
        assert chosen == stamped
        assert policies.text_of(chosen) == text
        assert Decimal(chosen) == choice if isinstance(choice, Decimal) else chosen == choice


def test_the_command_shows_and_chooses(capsys: pytest.CaptureFixture[str]) -> None:
    with clock.at(AT):
        call_command("set_policy", "grace_days=7", pack="2024")
        assert policies.in_force(AT)["grace_days"] == 7
        with pytest.raises(CommandError, match="not a value"):
            call_command("set_policy", "grace_days=8")
        with pytest.raises(CommandError, match="name=value"):
            call_command("set_policy", "grace_days")
    said = capsys.readouterr().out
    assert "grace_days" in said
    assert "override" in said
