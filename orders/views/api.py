"""The API of sellers' servers: order query and usage report, each signed with a product's key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from koogallery import clock
from koogallery.kernel import rates
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Missing
from orders.operations import nonces, seller_api
from orders.queries.interface import debugged_products, product_of_order, resources_of_instances
from orders.saas.order_information import MOCK_ORDERS, mock_order
from orders.saas.signing_v2 import SignatureCheck, check_order_query, check_usage_report
from orders.saas.usage import MOST_RECORDS, instance_ids

if TYPE_CHECKING:
    from catalog.models import Product


PER_MINUTE = 600
MOCK_TERM = timedelta(days=30)
MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ApiResult:
    """A result code as published, its HTTP status and an English sentence."""

    code: str
    status: int
    message: str

    def answer(self, **members: Any) -> JsonResponse:
        """The JSON answer."""
        return JsonResponse({"resultCode": self.code, "resultMsg": self.message, **members}, status=self.status)


OK = ApiResult("MKT.0000", 200, "success")
NOT_AUTHENTICATED = ApiResult("MKT.0154", 401, "The signature is missing, stale or wrong, or there is no such object.")
PARAMETER_MISSING = ApiResult("MKT.0101", 400, "A parameter is missing or wrong.")
BUSY = ApiResult("MKT.0199", 429, "Too many requests. Try again in a minute.")
METHOD = ApiResult("MKT.0100", 405, "This method is not supported.")
TOO_MANY_RECORDS = ApiResult("MKT.9001", 400, f"usage_records holds none or more than {MOST_RECORDS} records.")
BODY_WRONG = ApiResult("MKT.9002", 400, "The body is not a JSON object with usage_records.")
SOME_REFUSED = ApiResult("MKT.9003", 200, "Some records were not taken; the others are kept.")
ALL_REFUSED = ApiResult("MKT.9004", 200, "No record was taken.")


def _seller_call(call: Call, product: Product) -> Call:
    return replace(call, role=Role.SELLER, account=product.seller.account, user=None)


@page(audience="api", operations=["queryOrderInformation"])
def order_query(request: HttpRequest) -> JsonResponse:
    """GET …/order/query?orderId=&orderLineId=: an order of the product with whose key the query is signed.

    A wrong signature and an order that is not the seller's are answered alike. The numbers of debug orders are
    answered to products that were debugged in the last day.
    """
    if request.method != "GET":
        return METHOD.answer()
    if not rates.is_within(what="api", who=request.call.address, per_minute=PER_MINUTE):
        return BUSY.answer()
    query = {name: str(value) for name, value in request.GET.items()}
    order_id, line_id = query.get("orderId", "")[:64], query.get("orderLineId", "")[:64]
    if not order_id:
        return PARAMETER_MISSING.answer()
    is_mock = order_id in MOCK_ORDERS
    candidates = debugged_products(at=request.call.at) if is_mock else product_of_order(order_id)
    product = _signer(candidates, query)
    if product is None:
        return NOT_AUTHENTICATED.answer()
    if is_mock:
        found = mock_order(
            order_id,
            at=request.call.at,
            expires_at=request.call.at + MOCK_TERM,
            product_id=product.code,
            product_name=product.name,
        )
        return OK.answer(orderInfo=found.to_json())
    try:
        found = seller_api.order_information(_seller_call(request.call, product), order=order_id, line=line_id)
    except Missing:
        return PARAMETER_MISSING.answer()
    return OK.answer(orderInfo=found.to_json())


def _signer(candidates: Iterable[Product], query: Mapping[str, str]) -> Product | None:
    """The product with whose key an order query is signed."""
    for product in candidates:
        if product.interface_key:
            check = check_order_query(
                key=product.interface_key,
                query=query,
                now=clock.real_now(),
                remember=partial(nonces.remember, product, at=clock.real_now()),
            )
            if check is SignatureCheck.OK:
                return product
    return None


@csrf_exempt
@page(audience="api", operations=["reportUsage"])
def usage_data(request: HttpRequest) -> JsonResponse:
    """POST …/isv/usage-data: usage of pay-per-use resources, signed with the key of one of their products.

    `signature`, `ts` and `nonce` come as parameters of the address or as headers.
    """
    if request.method != "POST":
        return METHOD.answer()
    if not rates.is_within(what="api", who=request.call.address, per_minute=PER_MINUTE):
        return BUSY.answer()
    report = _report(request)
    records = report.get("usage_records") if report else None
    if report is None or not isinstance(records, list):
        return BODY_WRONG.answer()
    if not 0 < len(records) <= MOST_RECORDS:
        return TOO_MANY_RECORDS.answer()
    resources = resources_of_instances(instance_ids(records))
    product = _reporter({resource.product_id: resource.product for resource in resources}.values(), request, report)
    if product is None:
        return NOT_AUTHENTICATED.answer()
    refused = seller_api.report_usage(
        _seller_call(request.call, product), seller=product.seller, records=records, resources=resources
    )
    if not refused:
        return OK.answer(failed_records=[])
    result = ALL_REFUSED if len(refused) == len(records) else SOME_REFUSED
    return result.answer(
        failed_records=[
            {
                "index": place,
                "metering_sn": _named(records[place], "metering_sn"),
                "instance_id": _named(records[place], "instance_id"),
                "code": code.value,
                "message": code.sentence,
            }
            for place, code in refused
        ]
    )


def _report(request: HttpRequest) -> dict[str, Any] | None:
    if len(request.body) > MOST_BYTES:
        return None
    try:
        report = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    return report if isinstance(report, dict) else None


def _reporter(products: Iterable[Product], request: HttpRequest, report: Mapping[str, Any]) -> Product | None:
    """The product with whose key a report is signed."""
    given = {name: request.GET.get(name) or request.headers.get(name, "") for name in ("signature", "ts", "nonce")}
    for product in products:
        if product.interface_key:
            check = check_usage_report(
                key=product.interface_key,
                sent=given["signature"],
                timestamp=given["ts"],
                nonce=given["nonce"],
                report=report,
                now=clock.real_now(),
                remember=partial(nonces.remember, product, at=clock.real_now()),
            )
            if check is SignatureCheck.OK:
                return product
    return None


def _named(record: Any, name: str) -> str:
    value = record.get(name, "") if isinstance(record, Mapping) else ""
    return str(value)[:64]
