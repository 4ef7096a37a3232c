"""Pages of unsubscription."""
