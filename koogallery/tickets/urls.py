"""Addresses of service tickets."""

from django.urls import path

from koogallery.tickets.views import tickets

app_name = "tickets"

urlpatterns = [
    path("console/tickets/", tickets.ticket_list, name="list"),
    path("console/tickets/new/", tickets.new, name="new"),
    path("console/tickets/<str:number>/", tickets.detail, name="detail"),
    path("console/tickets/<str:number>/reply/", tickets.reply, name="reply"),
    path("console/tickets/<str:number>/close/", tickets.close, name="close"),
    path("console/tickets/<str:number>/files/<str:file>/", tickets.download, name="file"),
]
