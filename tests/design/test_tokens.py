"""Colours: every pair of text and background that the style sheet uses is readable in both themes."""

from __future__ import annotations

import gzip
import math
import re
from pathlib import Path

import pytest

SHEET = (Path(__file__).parents[2] / "static/css/koogallery.css").read_text(encoding="utf-8")
TOKEN = re.compile(r"--([a-z0-9-]+): light-dark\((oklch\([^)]*\)), (oklch\([^)]*\))\);")
TOKENS = {name: (light, dark) for name, light, dark in TOKEN.findall(SHEET)}
INKS = ["ink", "ink-2", "ink-3", "accent", "danger", "success", "warning", "info"]
SURFACES = ["canvas", "surface", "surface-2", "raised"]
PAIRS = [
    *((ink, ground) for ink in INKS for ground in SURFACES),
    ("ink", "surface-3"),
    ("ink-2", "surface-3"),
    ("accent", "accent-soft"),
    ("ink", "accent-soft"),
    ("ink-2", "accent-soft"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-danger", "danger"),
    ("on-danger", "danger-strong"),
    *((tone, f"{tone}-soft") for tone in ("success", "warning", "danger", "info")),
    ("canvas", "ink"),
]


def channels(colour: str) -> tuple[float, float, float]:
    """Linear sRGB of an `oklch(L% C H)` text, each from 0 to 1."""
    lightness, chroma, hue = (float(part.rstrip("%")) for part in colour[6:-1].split("/")[0].split())
    lightness /= 100
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return tuple(min(1.0, max(0.0, channel)) for channel in (red, green, blue))  # type: ignore[return-value]


def luminance(colour: str) -> float:
    red, green, blue = channels(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_arithmetic_knows_black_on_white() -> None:
    assert contrast("oklch(0% 0 0)", "oklch(100% 0 0)") == pytest.approx(21, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_is_readable(ink: str, ground: str, theme: int) -> None:
    assert contrast(TOKENS[ink][theme], TOKENS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["canvas", "surface", "raised"])
def test_the_border_of_a_field_is_seen(ground: str, theme: int) -> None:
    assert contrast(TOKENS["line-field"][theme], TOKENS[ground][theme]) >= 3


@pytest.mark.parametrize("hue", [268, 205, 175, 148, 85, 50, 18, 320])
def test_letters_are_readable_on_every_tint(hue: int) -> None:
    assert contrast(f"oklch(38% .09 {hue})", f"oklch(91.5% .048 {hue})") >= 4.5
    assert contrast(f"oklch(90% .055 {hue})", f"oklch(34% .06 {hue})") >= 4.5


def test_every_colour_and_size_in_use_is_a_token() -> None:
    used = set(re.findall(r"var\(--([a-z0-9-]+)", SHEET))
    known = set(re.findall(r"--([a-z0-9-]+):", SHEET))
    assert used <= known


def test_style_sheet_and_script_are_small() -> None:
    root = Path(__file__).parents[2] / "static"
    packed = sum(len(gzip.compress((root / name).read_bytes())) for name in ("css/koogallery.css", "js/app.js"))
    assert packed < 20_000
