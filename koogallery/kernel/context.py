"""What every frame needs besides its page: navigation, language, theme. Nothing is computed that is not shown."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from koogallery.kernel import display, navigation
from koogallery.kernel.preferences import THEMES, theme_of

LANGUAGE_NAMES = {"en": "English", "zh-hans": "简体中文"}


def frame(request: HttpRequest) -> dict[str, Any]:
    """`frame` for the templates; its parts are computed when a frame shows them."""
    return {"frame": Frame(request)}


class Frame:
    """Navigation, language and theme of one request."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.unread_messages = SimpleLazyObject(self._unread)

    def _signed_in(self) -> bool:
        user = getattr(self._request, "user", None)
        return user is not None and user.is_authenticated

    def _unread(self) -> str:
        if not self._signed_in():
            return ""
        return navigation.shown_badge(navigation.provided("unread_messages", self._request, 0))

    @property
    def initials(self) -> str:
        """The letters that stand for the user."""
        return display.initials(self._request.user.get_username()) if self._signed_in() else ""

    @property
    def buyer(self) -> list[navigation.Section]:
        return navigation.sections("buyer", self._request)

    @property
    def seller(self) -> list[navigation.Section]:
        return navigation.sections("seller", self._request)

    @property
    def categories(self) -> Any:
        """What catalog provides for the **Products** menu: (label, url, [(label, url), …])."""
        return navigation.provided("categories", self._request, [])

    @property
    def is_seller(self) -> bool:
        """Whether the user's account sells; catalog provides it."""
        return self._signed_in() and bool(navigation.provided("is_seller", self._request, False))

    @property
    def has_buyer_console(self) -> bool:
        return navigation.leads_somewhere("/console/")

    @property
    def billing_address(self) -> str:
        return "/console/billing/" if navigation.leads_somewhere("/console/billing/") else ""

    @property
    def messages_address(self) -> str:
        return "/console/messages/" if navigation.leads_somewhere("/console/messages/") else ""

    @property
    def suggest_address(self) -> str:
        return "/products/suggest/" if navigation.leads_somewhere("/products/suggest/") else ""

    @property
    def sign_in(self) -> str:
        return str(settings.LOGIN_URL)

    @property
    def sign_up(self) -> str:
        return address_of("identity:sign_up")

    @property
    def sign_out(self) -> str:
        return address_of("identity:sign_out")

    @property
    def account(self) -> str:
        return address_of("identity:account") or address_of("identity:credentials")

    @property
    def preferences(self) -> str:
        """Where a signed-in user's display preferences are kept; anonymous visitors keep theirs in cookies."""
        return address_of("identity:preferences") if self._signed_in() else ""

    @cached_property
    def theme(self) -> str:
        return theme_of(self._request)

    @property
    def languages(self) -> list[tuple[str, str, bool]]:
        """Code, own name, and whether it is in force."""
        now = get_language()
        return [(code, LANGUAGE_NAMES.get(code, str(name)), code == now) for code, name in settings.LANGUAGES]

    @property
    def language_name(self) -> str:
        return LANGUAGE_NAMES.get(get_language() or "en", "English")

    @property
    def themes(self) -> list[tuple[str, str, bool]]:
        """Code, name, and whether it is in force."""
        names = {"auto": _("Like the device"), "light": _("Light"), "dark": _("Dark")}
        return [(code, names[code], code == self.theme) for code in THEMES]

    @property
    def path(self) -> str:
        """The address to come back to after a change of preferences."""
        return self._request.get_full_path()

    @property
    def asked(self) -> list[tuple[str, str]]:
        """The fields of the address; a template that asks `request.GET` itself would take `?items=` for its method."""
        return [(name, str(value)) for name, value in self._request.GET.items() if name != "confirm"]


def address_of(name: str) -> str:
    """The address of a named page, or nothing when the page does not exist."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
