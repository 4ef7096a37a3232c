"""Pages of service tickets."""
