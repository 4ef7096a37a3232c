"""Predefined tags of an account (identity.md, G25 1.4.2)."""

from __future__ import annotations

from koogallery.identity.models import Account, PredefinedTag
from koogallery.identity.rules.tags import PREDEFINED, check_tag
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing, Refused

WHO = {Role.BUYER, Role.SYSTEM}


def _tag(call: Call, number: str) -> PredefinedTag:
    try:
        return PredefinedTag.objects.select_for_update().get(account=call.account_id, pk=int(number))
    except (PredefinedTag.DoesNotExist, ValueError):
        raise Missing(f"tag {number}") from None


@operation("createPredefinedTag", resource_type="PredefinedTag", roles=WHO, once=True)
def create_tag(call: Call, *, key: str, value: str) -> PredefinedTag:
    """Offer a tag for choice; the same tag again changes nothing.

    Raises `Refused`: `tag_key_form`, `tag_value_form`, `predefined_tag_limit`.
    """
    key, value = check_tag(key, value)
    account = Account.objects.select_for_update().get(number=call.account.number)
    found = account.predefined_tags.filter(key=key, value=value).first()
    if found is not None:
        return found
    if account.predefined_tags.count() >= PREDEFINED:
        raise Refused("predefined_tag_limit", limit=PREDEFINED)
    return PredefinedTag.objects.create(account=account, key=key, value=value, created_at=call.at)


@operation("deletePredefinedTag", resource_type="PredefinedTag", roles=WHO, targets={"tag": _tag})
def delete_tag(call: Call, *, tag: PredefinedTag) -> None:
    """Stop offering a tag; resources that have it keep it."""
    describe(resource_id=str(tag.pk), resource_name=str(tag))
    tag.delete()
