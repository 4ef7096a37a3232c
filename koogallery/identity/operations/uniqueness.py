"""The database decides what is unique; its word becomes a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from koogallery.kernel.reasons import Refused

TAKEN: dict[str, tuple[str, str]] = {
    "account_name_once": ("account_name_taken", "name"),
    "user_sign_in_name_once": ("user_name_taken", "username"),
    "identity_user_sign_in_name_key": ("user_name_taken", "username"),
    "user_root_email_once": ("email_taken", "email"),
    "group_name_once": ("group_name_taken", "name"),
    "policy_name_once": ("policy_name_taken", "name"),
    "project_name_once": ("project_name_taken", "name"),
}
"""Constraint → reason code and field."""


@contextmanager
def refused_if_taken() -> Iterator[None]:
    """Turn the violation of a constraint listed in `TAKEN` into its `Refused`."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        known = TAKEN.get(getattr(diagnosis, "constraint_name", "") or "")
        if known is None:
            raise
        code, field = known
        raise Refused(code, field=field) from error
