"""The demo's place in Django; it only brings the command `load_demo`."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "koogallery.demo"
    label = "demo"
