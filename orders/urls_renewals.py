"""Addresses of Billing Center > Renewals."""

from django.urls import path

from orders.views import auto_renewals, calendar, calendar_feed, renewal_batch, renewals

urlpatterns = [
    path("console/renewals/", renewals.renewal_list, name="renewals"),
    path("console/renewals/batch/", renewal_batch.batch, name="renewal_batch"),
    path("console/renewals/calendar/", calendar.calendar, name="calendar"),
    path("console/renewals/calendar/forecast/", calendar.forecast_page, name="forecast"),
    path("console/renewals/calendar/forecast/csv/", calendar.forecast_csv, name="forecast_csv"),
    path("console/renewals/calendar/feed/", calendar_feed.settings_page, name="calendar_feed_settings"),
    path("console/renewals/calendar/feed/address/", calendar_feed.address, name="calendar_feed_address"),
    path("console/renewals/calendar/feed/renew/", calendar_feed.renew, name="calendar_feed_renew"),
    path("console/renewals/calendar/feed/off/", calendar_feed.switch_off, name="calendar_feed_off"),
    path("calendar/<str:token>.ics", calendar_feed.feed, name="calendar_feed"),
    path("console/renewals/<str:number>/", renewals.renewal, name="renewal"),
    path("console/renewals/<str:number>/cancel/", renewals.cancel, name="renewal_cancel"),
    path("console/renewals/<str:number>/auto/", auto_renewals.auto_renewal, name="auto_renewal"),
    path("console/renewals/<str:number>/auto/disable/", auto_renewals.disable, name="auto_renewal_disable"),
]
