"""Rows of service supervision."""

from supervision.models.appeal import Appeal
from supervision.models.flow import Flow
from supervision.models.message import FlowMessage
from supervision.models.record import FlowFile, FlowRecord

__all__ = ["Appeal", "Flow", "FlowFile", "FlowMessage", "FlowRecord"]
