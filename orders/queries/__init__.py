"""Reads for pages and other apps."""
