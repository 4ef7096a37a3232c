"""The traced reads of billing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing import queries
from billing.models import Charge, MilestoneBill
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing


@operation("queryBilling", resource_type="Account", action="marketplace:billing:get", roles={Role.BUYER}, read=True)
def query_billing(call: Call) -> None:
    """Look at balance, credit, cards, top-ups and statements."""
    describe(resource=call.account)


@operation("queryBillList", resource_type="Bill", action="marketplace:bill:list", roles={Role.BUYER}, read=True)
def query_bills(call: Call) -> None:
    """List the lines of Bills."""
    describe(resource_id=call.account.number, resource_name=call.account.name)


@operation("queryBillDetail", resource_type="Bill", action="marketplace:bill:get", roles={Role.BUYER}, read=True)
def query_bill(call: Call, *, bill: str) -> Charge:
    """One line of Bills of the call's account. Raises `Missing`."""
    found = queries.explained(Charge.objects.filter(account=call.account_id, number=bill))
    charge = found.select_related("customer").first()
    if charge is None:
        raise Missing(f"No bill {bill}.")
    describe(resource=charge)
    return charge


def own_milestone_bill(call: Call, number: str) -> MilestoneBill:
    """A milestone bill of the call's account. Raises `Missing`."""
    bills = MilestoneBill.objects.select_related("milestone").filter(account=call.account_id, number=str(number)[:24])
    if (found := bills.first()) is None:
        raise Missing(f"No milestone bill {number}.")
    return found


@operation("queryMilestoneBillList", resource_type="MilestoneBill", roles={Role.BUYER}, read=True)
def query_milestone_bills(call: Call, *, filters: Mapping[str, Any] | None = None) -> None:
    """List the milestone bills of the account."""
    describe(resource_id=call.account.number, resource_name=call.account.name)


@operation(
    "queryMilestoneBillDetail",
    resource_type="MilestoneBill",
    roles={Role.BUYER},
    targets={"bill": own_milestone_bill},
    read=True,
)
def query_milestone_bill(call: Call, *, bill: MilestoneBill) -> MilestoneBill:
    """One milestone bill, on its page or as a file."""
    describe(state=bill.shown_state(call.at))
    return bill
