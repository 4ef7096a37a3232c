"""What a seller's answer means: result codes, failures of the connection, and what follows from them."""

from __future__ import annotations

from enum import StrEnum

from django.utils.translation import gettext, gettext_noop


class CallStatus(StrEnum):
    """What follows from an attempt."""

    DONE = "done"
    PROCESSING = "processing"
    RETRY = "retry"
    REFUSED = "refused"


class CallError(StrEnum):
    """Why an attempt brought no valid answer."""

    ADDRESS_REFUSED = "address_refused"
    NOT_RESOLVED = "not_resolved"
    CONNECTION_FAILED = "connection_failed"
    TLS_FAILED = "tls_failed"
    TIMEOUT = "timeout"
    REDIRECT = "redirect"
    HTTP_STATUS = "http_status"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    INVALID_ANSWER = "invalid_answer"
    SIGNATURE_WRONG = "signature_wrong"


OK = "000000"
PROCESSING = "000004"

_SENTENCES = {
    OK: gettext_noop("The seller's server did what was asked."),
    "000001": gettext_noop("The seller's server could not verify the signature."),
    "000002": gettext_noop("The seller's server found a parameter invalid."),
    "000003": gettext_noop("The seller's server does not know this instance."),
    PROCESSING: gettext_noop("The seller's server is still working on it."),
    "000005": gettext_noop("The seller's server had an internal error."),
    "000100": gettext_noop("The seller has no resources left for this product."),
    "000101": gettext_noop("The mobile number is missing or already in use at the seller."),
    "000102": gettext_noop("The e-mail address is missing or already in use at the seller."),
    "000103": gettext_noop("You already bought this product from the seller."),
    "000104": gettext_noop("The seller's service had an internal error."),
    "000105": gettext_noop("You already have this benefit."),
    "000106": gettext_noop("The product is sold out."),
    "000107": gettext_noop("The domain of the e-mail address is already in use at the seller."),
}
_ERROR_SENTENCES = {
    CallError.ADDRESS_REFUSED: gettext_noop("The address of the seller's server is not allowed."),
    CallError.NOT_RESOLVED: gettext_noop("The name of the seller's server cannot be resolved."),
    CallError.CONNECTION_FAILED: gettext_noop("The seller's server cannot be reached or broke the connection."),
    CallError.TLS_FAILED: gettext_noop("The seller's server offers no valid TLS 1.2 connection."),
    CallError.TIMEOUT: gettext_noop("The seller's server did not answer within 5 seconds."),
    CallError.REDIRECT: gettext_noop("The seller's server answered with a redirect, which is not followed."),
    CallError.HTTP_STATUS: gettext_noop("The seller's server answered with an HTTP error."),
    CallError.TOO_LARGE: gettext_noop("The seller's server answered with more than 64 KiB."),
    CallError.NOT_JSON: gettext_noop("The seller's server did not answer with a JSON object."),
    CallError.INVALID_ANSWER: gettext_noop("The answer of the seller's server lacks something that it must hold."),
    CallError.SIGNATURE_WRONG: gettext_noop("The signature of the answer is missing or wrong."),
}
_UNKNOWN = gettext_noop("The seller's server answered with a code that is not known.")


def is_business_refusal(code: str) -> bool:
    """Whether the seller refuses for good: 000100 to 000107."""
    return code in _SENTENCES and code >= "000100"


def status_of(code: str) -> CallStatus:
    """What follows from a result code. Unknown codes are tried again, like any garbage."""
    if code == OK:
        return CallStatus.DONE
    if code == PROCESSING:
        return CallStatus.PROCESSING
    return CallStatus.REFUSED if is_business_refusal(code) else CallStatus.RETRY


def code_sentence(code: str) -> str:
    """A result code in words, in the language in force."""
    return gettext(_SENTENCES.get(code, _UNKNOWN))


def error_sentence(error: CallError | str) -> str:
    """A failure of the connection in words, in the language in force."""
    return gettext(_ERROR_SENTENCES[CallError(error)])


def outcome_sentence(code: str) -> str:
    """A result code or a failure of the connection in words, in the language in force; empty for nothing yet."""
    if not code:
        return ""
    return error_sentence(code) if code in set(CallError) else code_sentence(code)
