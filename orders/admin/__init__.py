"""Operations managers' view of what was bought: read-only rows, and buttons that call operations."""

from orders.admin import interface, orders, resources

__all__ = ["interface", "orders", "resources"]
