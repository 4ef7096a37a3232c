"""Reads of service supervision that pages and rooms above use."""

from supervision.queries.flows import (
    flow_locked,
    flows_of,
    flows_of_seller,
    own_flow,
    own_flow_locked,
    sold_flow,
    sold_flow_locked,
)

__all__ = [
    "flow_locked",
    "flows_of",
    "flows_of_seller",
    "own_flow",
    "own_flow_locked",
    "sold_flow",
    "sold_flow_locked",
]
