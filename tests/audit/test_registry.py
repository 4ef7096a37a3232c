"""The registry of operations is the list of trace names: pinned, so that a renamed trace is a decision.

To accept a change: `KOOGALLERY_UPDATE_REGISTRY=1 pytest tests/audit/test_registry.py`.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
from pathlib import Path

from django.apps import apps

from koogallery.kernel.operations import Operation, registry

LIST = Path(__file__).with_name("registry.txt")

FIXED = {
    "createOrder": "Order",
    "cancelOrder": "Order",
    "queryOrderList": "Order",
    "queryOrderDetail": "Order",
    "queryResourceDetail": "Resource",
    "setResourceStrategy": "Resource",
    "closeResource": "Resource",
    "querySaasResourceInstance": "Resource",
    "addFavorites": "Favorites",
    "deleteFavorites": "Favorites",
    "queryFavorites": "Favorites",
    "queryAgreementSignList": "AgreementSignRecord",
    "queryAgreementSignDetail": "AgreementSignRecord",
}
"""Of the 21 names that audit.md fixes, those whose operations exist."""

LATER = {
    "renewOrder",
    "changeOrder",
    "unSubscribeByNegotiation",
    "submitRequirement",
    "confirmAcceptance",
    "queryDeliveryProcess",
    "queryPrivateOfferList",
    "queryPrivateOfferDetail",
}
"""Those whose operations come with supervision, offers, renewal and unsubscription."""


def load_all() -> dict[str, Operation]:
    """Every operation of the platform, without those that tests declare."""
    for config in apps.get_app_configs():
        for room in ("operations", "views"):
            try:
                package = importlib.import_module(f"{config.name}.{room}")
            except ModuleNotFoundError:
                continue
            for module in pkgutil.iter_modules(getattr(package, "__path__", [])):
                importlib.import_module(f"{package.__name__}.{module.name}")
    return {name: spec for name, spec in registry.items() if not spec.function.__module__.startswith("tests.")}


def test_the_names_are_those_that_were_agreed() -> None:
    lines = [
        f"{name} {spec.resource_type} {spec.action}{' read' if spec.read else ''}" for name, spec in load_all().items()
    ]
    text = "\n".join(sorted(lines)) + "\n"
    if os.environ.get("KOOGALLERY_UPDATE_REGISTRY"):
        LIST.write_text(text, encoding="utf-8")
    assert text.splitlines() == LIST.read_text(encoding="utf-8").splitlines()


def test_the_fixed_names_stand_with_their_resource_types() -> None:
    found = {name: spec.resource_type for name, spec in load_all().items() if name in FIXED}
    assert found == FIXED
    assert len(FIXED) + len(LATER) == 21


def test_every_name_and_action_has_its_form() -> None:
    for name, spec in load_all().items():
        assert re.fullmatch(r"[A-Za-z][\w.-]{0,63}", name), name
        assert re.fullmatch(r"[a-z]+:[a-zA-Z]+:[a-zA-Z]+", spec.action), spec.action
        assert spec.roles, name
        assert spec.function.__doc__, f"{name} says nothing of itself"
