"""Pages of the Billing Center."""
