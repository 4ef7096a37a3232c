"""Pages of the catalogue, one noun per file."""
