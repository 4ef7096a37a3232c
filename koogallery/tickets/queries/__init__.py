"""Reads of tickets, and what a ticket may be linked to."""
