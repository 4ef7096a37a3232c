"""Agreements: publishing versions, signing them, consent to pass on contact data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import QuerySet

from koogallery.identity.models import AgreementSignature, AgreementText, ContactConsent
from koogallery.identity.models.agreement import digest
from koogallery.identity.states import AgreementKind, ContactKind
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing, Refused


@operation("publishAgreement", resource_type="AgreementText", roles={Role.OPERATOR, Role.SYSTEM})
def publish_text(
    call: Call, *, kind: AgreementKind | str, subject: str, titles: Mapping[str, str], texts: Mapping[str, str]
) -> AgreementText:
    """Put a text in force as the next version of its subject; an unchanged text stays the version it is.

    `titles` and `texts` map languages to text; English is needed. Raises `Refused("agreement_english")`.
    """
    titles = {language: text.strip() for language, text in titles.items() if text.strip()}
    texts = {language: text.strip() for language, text in texts.items() if text.strip()}
    if "en" not in titles or "en" not in texts:
        raise Refused("agreement_english", field="texts")
    last = AgreementText.objects.select_for_update().filter(subject=subject).order_by("-version").first()
    sha256 = digest(titles, texts)
    if last is not None and last.sha256 == sha256:
        return last
    return AgreementText.objects.create(
        kind=AgreementKind(kind),
        subject=subject,
        version=last.version + 1 if last else 1,
        titles=titles,
        texts=texts,
        sha256=sha256,
        published_at=call.at,
    )


@operation("signAgreements", resource_type="AgreementSignRecord", roles={Role.BUYER}, default_allowed=True)
def sign(call: Call, *, texts: Sequence[AgreementText], order_number: str = "") -> list[AgreementSignature]:
    """Record that the user signed these versions now; an order's placing calls it within its transaction."""
    signatures = AgreementSignature.objects.bulk_create(
        [
            AgreementSignature(
                account=call.account,
                user=call.user,
                text=text,
                order_number=order_number,
                address=call.address,
                at=call.at,
            )
            for text in texts
        ]
    )
    describe(
        resource_id=",".join(signature.number for signature in signatures)[:128],
        resource_name=", ".join(str(text.titles.get("en", "")) for text in texts),
        versions={text.trace_ref()[0]: text.sha256 for text in texts},
    )
    return signatures


@operation("grantContactConsent", resource_type="ContactConsent", roles={Role.BUYER}, default_allowed=True)
def grant_consent(
    call: Call, *, kind: ContactKind | str, product_code: str, seller_name: str, order_number: str
) -> ContactConsent:
    """Record that the user agrees to pass this contact value on to the product's seller (G25 1.1).

    What was agreed to for the order before stays as it is; if it was taken back, it counts again from now on.
    """
    before = (
        ContactConsent.objects.select_for_update().filter(order_number=order_number, kind=ContactKind(kind)).first()
    )
    if before is not None:
        if before.withdrawn_at is not None:
            before.user, before.address = call.user, call.address
            before.granted_at, before.withdrawn_at = call.at, None
            before.save(update_fields=["user", "address", "granted_at", "withdrawn_at"])
        return before
    return ContactConsent.objects.create(
        account=call.account,
        user=call.user,
        kind=ContactKind(kind),
        product_code=product_code,
        seller_name=seller_name,
        order_number=order_number,
        address=call.address,
        granted_at=call.at,
    )


def _own_consent(call: Call, number: str) -> ContactConsent:
    try:
        return ContactConsent.objects.select_for_update().get(account=call.account_id, pk=int(number))
    except (ContactConsent.DoesNotExist, ValueError):
        raise Missing(f"consent {number}") from None


@operation(
    "withdrawContactConsent",
    resource_type="ContactConsent",
    roles={Role.BUYER},
    targets={"consent": _own_consent},
    default_allowed=True,
)
def withdraw_consent(call: Call, *, consent: ContactConsent) -> ContactConsent:
    """Take a consent back; from now on the seller sees masked data. Raises `Refused("consent_withdrawn")`."""
    if consent.withdrawn_at is not None:
        raise Refused("consent_withdrawn")
    consent.withdrawn_at = call.at
    consent.save(update_fields=["withdrawn_at"])
    return consent


@operation("queryAgreementSignList", resource_type="AgreementSignRecord", roles={Role.BUYER}, read=True)
def query_signatures(call: Call) -> QuerySet[AgreementSignature]:
    """The account's signatures, newest first."""
    return AgreementSignature.objects.filter(account=call.account_id).select_related("text", "user")


def _own_signature(call: Call, number: str) -> AgreementSignature:
    try:
        return AgreementSignature.objects.select_related("text", "user").get(account=call.account_id, number=number)
    except AgreementSignature.DoesNotExist:
        raise Missing(f"signature {number}") from None


@operation(
    "queryAgreementSignDetail",
    resource_type="AgreementSignRecord",
    roles={Role.BUYER},
    targets={"signature": _own_signature},
    read=True,
)
def query_signature(call: Call, *, signature: AgreementSignature) -> AgreementSignature:
    """One signature with the text as it was signed."""
    return signature
