"""The tracker: an account's own operations are recorded unless it switched that off."""

from __future__ import annotations

from koogallery.identity.models import Account
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing

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
    account = Account.objects.select_for_update().filter(pk=call.account_id).first()
    if account is None:
        raise Missing("No account.")
    account.tracker_enabled = enabled
    account.save(update_fields=["tracker_enabled"])
    describe(resource=account, resource_id="system", resource_name="system", tracker_enabled=enabled)
    return account
