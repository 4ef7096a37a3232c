"""Addresses that belong to no app."""

from django.urls import path

from koogallery.kernel.preferences import display_preferences

urlpatterns = [path("preferences/display/", display_preferences, name="display_preferences")]
