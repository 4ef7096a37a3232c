"""Addresses of the message centre."""

from django.urls import path

from koogallery.notifications.views import messages

app_name = "notifications"

urlpatterns = [
    path("console/messages/", messages.message_list, name="messages"),
    path("console/messages/read/", messages.read_many, name="read_many"),
    path("console/messages/preferences/", messages.preferences, name="preferences"),
    path("console/messages/<int:number>/", messages.message_details, name="message"),
    path("console/messages/<int:number>/read/", messages.read, name="read"),
]
