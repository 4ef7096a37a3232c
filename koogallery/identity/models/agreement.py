"""Agreements: every version of a text, and who signed which."""

from __future__ import annotations

import hashlib
import json

from django.conf import settings
from django.db import models
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from koogallery.identity.models.account import Account
from koogallery.identity.models.user import User
from koogallery.identity.states import AgreementKind, ContactKind
from koogallery.kernel import ids
from koogallery.kernel.guard import GuardedModel


class AgreementText(GuardedModel):
    """One version of one text. A new version is a new row; a row never changes.

    `subject` names what it is about: `terms`, `eula:<product code>`, `special:<product or order>`. `titles` and `texts`
    map languages to text; English is always there.
    """

    kind = models.CharField(_("kind"), max_length=20, choices=AgreementKind)
    subject = models.CharField(_("subject"), max_length=120)
    version = models.PositiveIntegerField(_("version"))
    titles = models.JSONField(_("titles"))
    texts = models.JSONField(_("texts"))
    sha256 = models.CharField(_("SHA-256"), max_length=64, editable=False)
    published_at = models.DateTimeField(_("published"))

    class Meta:
        verbose_name = _("agreement text")
        verbose_name_plural = _("agreement texts")
        ordering = ["subject", "-version"]
        constraints = [models.UniqueConstraint(fields=["subject", "version"], name="agreement_version_once")]

    def __str__(self) -> str:
        return f"{self.title} ({self.version})"

    @property
    def title(self) -> str:
        """The title in the language in force, else in English."""
        return str(_in_language(self.titles))

    @property
    def text(self) -> str:
        """The text in the language in force, else in English."""
        return str(_in_language(self.texts))

    def trace_ref(self) -> tuple[str, str]:
        """Subject with version, and title in English."""
        return f"{self.subject}@{self.version}", str(self.titles.get("en", ""))


def digest(titles: dict[str, str], texts: dict[str, str]) -> str:
    """SHA-256, in hexadecimal, of titles and texts in all languages; names the version that was signed."""
    content = json.dumps([titles, texts], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


def _in_language(texts: dict[str, str]) -> str:
    return texts.get(translation.get_language() or settings.LANGUAGE_CODE) or texts.get("en", "")


class AgreementSignature(GuardedModel):
    """That a user signed a version: when, from where, for which order."""

    number = models.CharField(max_length=32, unique=True, default=ids.public_id, editable=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="signatures", verbose_name=_("account"))
    user = models.ForeignKey(User, models.PROTECT, related_name="signatures", verbose_name=_("user"))
    text = models.ForeignKey(AgreementText, models.PROTECT, related_name="signatures", verbose_name=_("agreement"))
    order_number = models.CharField(_("order"), max_length=32, blank=True)
    address = models.CharField(_("address"), max_length=45, blank=True)
    at = models.DateTimeField(_("signed"))

    class Meta:
        verbose_name = _("agreement signature")
        verbose_name_plural = _("agreement signatures")
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["account", "-at"], name="signature_of_account")]

    def trace_ref(self) -> tuple[str, str]:
        """Record number and the text's title."""
        return self.number, str(self.text.titles.get("en", ""))


class ContactConsent(GuardedModel):
    """That a user agreed to pass a contact value on to a product's seller; can be withdrawn (G25 1.1)."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="contact_consents", verbose_name=_("account"))
    user = models.ForeignKey(User, models.PROTECT, related_name="contact_consents", verbose_name=_("user"))
    kind = models.CharField(_("contact"), max_length=10, choices=ContactKind)
    product_code = models.CharField(_("product"), max_length=64)
    seller_name = models.CharField(_("seller"), max_length=120, blank=True)
    order_number = models.CharField(_("order"), max_length=32)
    address = models.CharField(_("address"), max_length=45, blank=True)
    granted_at = models.DateTimeField(_("granted"))
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)

    class Meta:
        verbose_name = _("consent to pass on contact data")
        verbose_name_plural = _("consents to pass on contact data")
        ordering = ["-granted_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["order_number", "kind"], name="consent_once")]

    def trace_ref(self) -> tuple[str, str]:
        """Order and kind of contact."""
        return self.order_number, self.kind
