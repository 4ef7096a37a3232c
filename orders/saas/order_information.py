"""What a seller's server learns when it asks for an order: the published shape, and the orders of a debug."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orders.saas.activities import expire_time


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedProduct:
    """The line of an order. `amount` is the list price, `paid` what is left after discount, both as plain numbers."""

    line_id: str
    charging_mode: str
    period_type: str
    period_number: str
    expires_at: datetime | None
    product_id: str
    product_name: str
    sku_code: str
    quantity: str
    amount: str
    paid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderInformation:
    """An order as its seller may know it; `contact` holds only what the buyer agreed to pass on."""

    order_id: str
    order_type: str
    created_at: datetime
    line: OrderedProduct
    customer_id: str
    customer_name: str
    contact: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The `orderInfo` member of the answer; empty members are left out."""
        line = self.line
        return {
            "orderId": self.order_id,
            "orderType": self.order_type,
            "createTime": expire_time(self.created_at),
            "orderLine": [
                _filled(
                    {
                        "orderLineId": line.line_id,
                        "chargingMode": line.charging_mode,
                        "periodType": line.period_type,
                        "periodNumber": line.period_number,
                        "expireTime": expire_time(line.expires_at) if line.expires_at else "",
                        "productInfo": [
                            _filled(
                                {
                                    "productId": line.product_id,
                                    "skuCode": line.sku_code,
                                    "linearValue": line.quantity,
                                    "productName": line.product_name,
                                }
                            )
                        ],
                        "currency": line.amount,
                        "currencyAfterDiscount": line.paid,
                    }
                )
                | {"extendParams": []}
            ],
            "buyerInfo": _filled(
                {"customerId": self.customer_id, "customerName": self.customer_name, **dict(self.contact)}
            ),
            "extendParams": [],
        }


def _filled(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in ("", None)}


_MOCKS: Mapping[str, tuple[str, str, str, str]] = {
    "MOCKPERIODYEARNEW": ("NEW", "PERIOD", "year", "1"),
    "MOCKONETIMENEW": ("NEW", "ONE_TIME", "", ""),
    "MOCKONDEMAND": ("NEW", "ON_DEMAND", "", ""),
    "MOCKONDEMANDPKG": ("NEW", "ON_DEMAND_PKG", "", ""),
    "MOCKPERIODDAYTRIAL": ("TRIAL", "PERIOD", "day", "7"),
    "MOCKMONTYTRIALTOFORMAL": ("TRIAL_TO_FORMAL", "PERIOD", "month", "1"),
    "MOCKMONTYUNSUBSCRIBE": ("UNSUBSCRIBE", "PERIOD", "month", "1"),
    "MOCKMONTYRENEW": ("RENEW", "PERIOD", "month", "1"),
    "MOCKMONTYCHANGE": ("CHANGE", "PERIOD", "month", "1"),
}
MOCK_ORDERS = tuple(_MOCKS)


def mock_order(
    order_id: str, *, at: datetime, expires_at: datetime, product_id: str, product_name: str
) -> OrderInformation:
    """The order of a debug, spelled as published; its line is the number with `-000001`. Raises `KeyError`."""
    order_type, mode, unit, count = _MOCKS[order_id]
    reversal = order_type == "UNSUBSCRIBE"
    return OrderInformation(
        order_id=order_id,
        order_type=order_type,
        created_at=at,
        line=OrderedProduct(
            line_id=f"{order_id}-000001",
            charging_mode=mode,
            period_type=unit,
            period_number=count,
            expires_at=expires_at if mode == "PERIOD" else None,
            product_id=product_id,
            product_name=product_name,
            sku_code="mock",
            quantity="1",
            amount="" if reversal else "100.00",
            paid="-100.00" if reversal else "100.00",
        ),
        customer_id="mock-customer",
        customer_name="Mock customer",
    )
