"""The tracker: an account's own operations are recorded unless it switched that off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from koogallery.identity import queries as identity
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing

if TYPE_CHECKING:
    from koogallery.identity.models import Account

OWNERS = {Role.BUYER, Role.SELLER}


@operation("enableTracker", resource_type="Tracker", roles=OWNERS)
def enable(call: Call) -> Account:
    """Record the account's operations again."""
    return _switch(call, enabled=True)


@operation("disableTracker", resource_type="Tracker", roles=OWNERS)
def disable(call: Call) -> Account:
    """Stop recording the account's own operations; what the platform and operations managers do stays recorded."""
    return _switch(call, enabled=False)


def _switch(call: Call, *, enabled: bool) -> Account:
    if call.account_id is None:
        raise Missing("No account.")
    account = identity.account(call.account_id, locked=True)
    account.tracker_enabled = enabled
    account.save(update_fields=["tracker_enabled"])
    describe(resource=account, resource_id="system", resource_name="system", tracker_enabled=enabled)
    return account
