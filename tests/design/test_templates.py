"""Templates keep to the content security policy and name only icons that the sprite holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from koogallery.kernel.navigation import CONSOLES

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
# Mails are read in mail programs, admin pages are Unfold's, evidence lies in a ZIP: they have other rules.
ELSEWHERE = {"mail", "mails", "email", "admin", "unfold", "evidence"}
PAGES = [path for path in TEMPLATES if not ELSEWHERE & {*path.parts, path.stem.partition("_")[0]}]
SPRITE = set(re.findall(r'<symbol id="([a-z0-9-]+)"', (ROOT / "static/img/icons.svg").read_text(encoding="utf-8")))
FORBIDDEN = re.compile(r"<style|\sstyle=|\son[a-z]+=[\"']|\shx-on|javascript:|<script(?![^>]*\ssrc=)", re.IGNORECASE)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_holds_no_inline_script_or_style(path: Path) -> None:
    assert not FORBIDDEN.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_named_icon_is_in_the_sprite(path: Path) -> None:
    named = set(re.findall(r"""(?:\{%\s*icon\s+|\sicon=)["']([a-z0-9-]+)["']""", path.read_text(encoding="utf-8")))
    assert named <= SPRITE, "run manage.py build_icons"


def test_every_icon_of_the_navigation_is_in_the_sprite() -> None:
    icons = {item.icon for groups in CONSOLES.values() for group in groups for item in group.items}
    assert icons <= SPRITE
