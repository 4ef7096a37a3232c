"""How the catalogue words prices: per unit, per term, from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

from koogallery.kernel.money import unit_price_text


def is_chinese() -> bool:
    """Whether the language in force is Chinese."""
    return (get_language() or "en").startswith("zh")


def told(pair: Any) -> str:
    """The text of an (English, Chinese) pair in the language in force; English where there is no Chinese."""
    english, chinese = pair
    return str(chinese) if chinese and is_chinese() else str(english)


def cycle_text(term_unit: str) -> str:
    """ "month" or "year" as prices name it."""
    return pgettext("price per", "month") if term_unit == "month" else pgettext("price per", "year")


def per_text(*, unit: str, per: str) -> str:
    """`/ user and year`, `/ month`, `/ hour`, or nothing; both parts already in the language in force."""
    if unit and per:
        return _("/ %(unit)s and %(cycle)s") % {"unit": unit, "cycle": per}
    return f"/ {unit or per}" if unit or per else ""


@dataclass(frozen=True, slots=True)
class Card:
    """A product card, in the language in force; `price` is empty where nothing is sold in the currency."""

    url: str
    name: str
    seller: str
    line: str
    delivery: str
    price: str
    price_prefix: str
    price_unit: str
    logo_url: str


def price_parts(stored: Mapping[str, Any], currency: str) -> tuple[str, str, str]:
    """Prefix, price and unit of a stored card in a currency; three empty texts without a price in it."""
    price = stored["prices"].get(currency)
    if price is None:
        return "", "", ""
    per = price["per"]
    cycle = cycle_text(per[0]) if per[0] in ("month", "year") and per[0] == per[1] else told(per)
    return (
        pgettext("price", "from") if price["from"] else "",
        unit_price_text(Decimal(price["amount"]), currency),
        per_text(unit=told(price["unit"]), per=cycle),
    )
