"""What the evidence bundle says of a flow that the sweep has not reached, of its zone, and how it names files."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from koogallery import clock
from koogallery.kernel.sweeps import sweeps
from supervision.rules import evidence as rules
from supervision.states import Step
from tests.factories.supervision import supervised
from tests.supervision.test_evidence import bundle, opened

pytestmark = pytest.mark.django_db


def test_before_the_sweep_it_tells_what_it_tells_after() -> None:
    deal = supervised("license", at=clock.now() - timedelta(hours=5)).to(Step.ACCEPTED)
    deal.wait(hours=3)

    def told() -> tuple[dict[str, Any], Any]:
        archive = opened(bundle(deal, deal.buyer))
        order = json.loads(archive.read("order.json"))
        history = json.loads(archive.read("status_history.json"))
        return {name: order[name] for name in ("status", "service_status", "completed")}, history[-1]

    before = told()
    assert before[0]["status"] == "Completed"
    assert before[1]["status"] == "Order completed"
    assert sweeps["completing-flows"].run(deal.at) == 1
    assert told() == before


def test_it_names_the_zone_of_the_platform(settings: Any) -> None:
    settings.PLATFORM_ZONE = "Asia/Kolkata"
    deal = supervised("license", at=clock.now())
    html = opened(bundle(deal, deal.buyer)).read("index.html").decode()
    assert "Moments are in the zone GMT+05:30 unless" in html


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("proof.pdf", "proof.pdf"),
        ("x" * 200 + ".docx", "x" * 145 + ".docx"),
        ("x" * 200, "x" * 150),
        ("a." + "b" * 200, "a." + "b" * 148),
    ],
)
def test_a_long_name_of_a_file_keeps_its_extension(name: str, kept: str) -> None:
    assert rules.file_name(7, name) == f"files/007-{kept}"
