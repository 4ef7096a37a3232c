"""Rich text of sellers: sanitised on its way in, so that pages may show it as it is."""

from __future__ import annotations

import nh3

TAGS = {
    "p", "br", "strong", "em", "b", "i", "u", "ul", "ol", "li", "h2", "h3", "h4", "blockquote", "code", "pre", "a",
    "table", "thead", "tbody", "tr", "th", "td", "hr",
}  # fmt: skip


def sanitised(html: str) -> str:
    """The text without scripts, styles, frames, forms, pictures and event handlers; links open as `nofollow`."""
    return nh3.clean(
        html,
        tags=TAGS,
        attributes={"a": {"href"}, "th": {"scope"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
    ).strip()
