"""Pages of the operations console that are not about one row."""
