"""HTTP in, one operation or query, an answer."""
