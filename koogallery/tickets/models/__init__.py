"""Rows of service tickets."""

from koogallery.tickets.models.message import TicketFile, TicketMessage
from koogallery.tickets.models.ticket import Ticket

__all__ = ["Ticket", "TicketFile", "TicketMessage"]
