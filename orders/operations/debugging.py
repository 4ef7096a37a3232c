"""Debug calls of sellers before release, and products whose server fails for days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from catalog import queries as catalog
from catalog.operations import suspending
from koogallery import clock
from koogallery.kernel import ids
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import operation
from koogallery.kernel.reasons import Missing, Refused
from koogallery.notifications.operations import notify
from orders.models import InterfaceCall
from orders.operations import interface_calls
from orders.queries.interface import products_failing_daily
from orders.saas.activities import Activity, InterfaceVersion, InvalidCall, build_request, supports

if TYPE_CHECKING:
    from catalog.models import Product

FAILING_DAYS = 5


def sellers_product(call: Call, code: Any) -> Product:
    """A product of the calling seller, in whatever state. Raises `Missing`."""
    product = catalog.product_by_code(str(code)[:60])
    if product.seller.account_id != call.account_id:
        raise Missing(f"product {code}")
    return product


@operation(
    "debugInterface",
    resource_type="InterfaceCall",
    roles={Role.SELLER},
    targets={"product": sellers_product},
    once=True,
)
def debug(call: Call, *, product: Product, activity: str, parameters: Mapping[str, str]) -> InterfaceCall:
    """Ask the seller's server once with `testFlag` 1; a success puts a product back on sale that its failures took off.

    Raises `Refused`: `interface_missing`, `activity_unknown` for what the version has not, `debug_parameters`.
    """
    if not product.interface_version or not product.interface_url:
        raise Refused("interface_missing", field="product")
    version = InterfaceVersion(int(product.interface_version))
    wanted = Activity(activity) if activity in set(Activity) else None
    if wanted is None or not supports(version=version, activity=wanted):
        raise Refused("activity_unknown", field="activity")
    given = {name: value for name, value in parameters.items() if value != ""}
    _check_parameters(product, version, wanted, given)
    return interface_calls.enqueue(
        call, activity=wanted, product=product, key=f"debug:{ids.public_id()}", parameters=given, test=True
    )


def _check_parameters(
    product: Product, version: InterfaceVersion, activity: Activity, given: Mapping[str, str]
) -> None:
    """Raise `Refused("debug_parameters")` when no request can be made of the parameters."""
    full = {**given, "businessId": ids.public_id()} if activity is Activity.NEW_INSTANCE else dict(given)
    try:
        build_request(
            version=version,
            url=product.interface_url,
            key=product.interface_key,
            activity=activity,
            params=full,
            at=clock.real_now(),
            test=True,
        )
    except InvalidCall as invalid:
        raise Refused("debug_parameters", detail=str(invalid)) from invalid


def suspend_failing(upto: datetime) -> int:
    """Take products off sale whose server failed on each of the last five whole days; how many there were."""
    today = clock.platform_date(upto)
    failing = products_failing_daily(first=today - timedelta(days=FAILING_DAYS), days=FAILING_DAYS)
    for product in failing:
        suspend(system_call(at=upto), product=product.code)
    return len(failing)


def _product(call: Call, code: Any) -> Product:
    return catalog.product_by_code(str(code))


@operation(
    "suspendFailingProduct",
    resource_type="Product",
    roles={Role.SYSTEM},
    targets={"product": _product},
)
def suspend(call: Call, *, product: Product) -> Product:
    """Take a product off sale because of its server and tell its seller how it comes back."""
    suspending.suspend(call, product=product.code, reason="interface_failed")
    notify(
        account_id=product.seller.account_id,
        kind="product_suspended",
        params={"product": product.name, "days": str(FAILING_DAYS)},
        link=f"/seller/interface/debug/?product={product.code}",
        key=f"product-suspended:{product.code}:{clock.platform_date(call.at).isoformat()}",
        at=call.at,
    )
    return product
