"""Arithmetic and eligibility on frozen values."""
