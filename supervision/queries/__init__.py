"""Reads of service supervision that its pages and rooms above use."""
