from django.apps import AppConfig


class StyleguideConfig(AppConfig):
    """Every component in its states on one page, for those who build pages; served in DEBUG and tests only."""

    name = "koogallery.styleguide"
    label = "styleguide"
