"""Operations managers' console: the Django admin in Unfold's look, composed from all rooms of the platform."""
