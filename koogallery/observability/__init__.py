"""Health, metrics, logs and request ids: how an operator sees what the platform does."""
