"""Write `static/img/icons.svg`: one symbol for each icon that the pages name."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import lucide
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

SVG = "{http://www.w3.org/2000/svg}"
NAMED = re.compile(r"""(?:\{%\s*icon\s+|icon\s*[=:]\s*|\bItem\([^\n]*?,\s*|icon_html\()["']([a-z0-9-]+)["']""")
ALWAYS = {
    "activity",
    "arrow-down",
    "arrow-left",
    "arrow-right",
    "arrow-up",
    "badge-check",
    "badge-percent",
    "ban",
    "banknote",
    "bell",
    "book-open",
    "box",
    "boxes",
    "briefcase",
    "building-2",
    "calendar",
    "calendar-clock",
    "chart-column",
    "check",
    "chevron-down",
    "chevron-left",
    "chevron-right",
    "chevron-up",
    "circle-alert",
    "circle-check",
    "circle-question-mark",
    "circle-x",
    "clipboard-list",
    "clock",
    "cloud",
    "code",
    "columns-3",
    "copy",
    "cpu",
    "credit-card",
    "database",
    "download",
    "ellipsis",
    "external-",
    "link",
    "eye",
    "eye-off",
    "file-check",
    "file-text",
    "funnel",
    "folder",
    "gauge",
    "gift",
    "globe",
    "hand-coins",
    "handshake",
    "heart",
    "heart-off",
    "history",
    "house",
    "image",
    "inbox",
    "info",
    "key",
    "key-round",
    "landmark",
    "layers",
    "layout-dashboard",
    "layout-grid",
    "life-buoy",
    "list",
    "list-checks",
    "lock",
    "log-out",
    "mail",
    "menu",
    "message-square",
    "monitor",
    "moon",
    "package",
    "pencil",
    "phone",
    "plug",
    "plus",
    "qr-code",
    "receipt",
    "refresh-cw",
    "rotate-ccw",
    "scale",
    "search",
    "send",
    "server",
    "settings",
    "share-2",
    "shield",
    "shield-check",
    "shopping-cart",
    "sliders-horizontal",
    "smartphone",
    "star",
    "store",
    "sun",
    "tag",
    "tags",
    "ticket",
    "timer",
    "trash-2",
    "trending-up",
    "triangle-alert",
    "truck",
    "undo-2",
    "upload",
    "user",
    "user-plus",
    "users",
    "wallet",
    "wrench",
    "x",
    "zap",
}


def named_in_project(root: Path) -> set[str]:
    """The icons that templates and Python files of the project name."""
    found: set[str] = set()
    folders = ["templates", "koogallery", "audit", "billing", "catalog", "orders", "supervision", "unsubscriptions"]
    for folder in folders:
        for pattern in ("*.html", "*.py"):
            for path in (root / folder).rglob(pattern):
                found.update(NAMED.findall(path.read_text(encoding="utf-8")))
    return found


def sprite(names: set[str], package: Any) -> tuple[str, list[str]]:
    """The sprite's text, and the names that the icon package does not have."""
    symbols, missing = [], []
    for name in sorted(names):
        try:
            drawn = ElementTree.fromstring(package.read(f"{name}.svg"))
        except KeyError:
            missing.append(name)
            continue
        inner = "".join(ElementTree.tostring(child, encoding="unicode") for child in drawn)
        inner = re.sub(r'\s?xmlns(:\w+)?="[^"]*"', "", inner).replace("ns0:", "").replace(" />", "/>")
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{inner.strip()}</symbol>')
    body = "\n".join(symbols)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>\n', missing


class Command(BaseCommand):
    help = "Write static/img/icons.svg with every icon that the pages name."

    def handle(self, *args: Any, **options: Any) -> None:
        root = Path(settings.ROOT)
        with zipfile.ZipFile(Path(lucide.__file__).with_name("lucide.zip")) as package:
            known = {name.removesuffix(".svg") for name in package.namelist()}
            named = {name for name in named_in_project(root) if name in known}
            text, missing = sprite(named | ALWAYS, package)
        if missing:
            raise CommandError(f"The icon package has no {', '.join(missing)}.")
        (root / "static/img/icons.svg").write_text(text, encoding="utf-8")
        self.stdout.write(f"{len(named | ALWAYS)} icons, {len(text):,} bytes")
