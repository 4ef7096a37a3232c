"""Pure rules of unsubscription."""
