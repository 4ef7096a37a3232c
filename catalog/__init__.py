"""What is sold: sellers, products, specifications, price plans, search, favourites."""
