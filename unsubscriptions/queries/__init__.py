"""What pages and other rooms ask."""
