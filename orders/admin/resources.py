"""Resources with their terms; secrets are not shown."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.admin import GuardedInline, GuardedModelAdmin, shown_moment
from koogallery.kernel.display import date_text
from orders.models import Resource, ResourceTerm, UsageRecord
from orders.queries.renewing import changed_price


class TermInline(GuardedInline):
    """The paid terms of a resource."""

    model = ResourceTerm
    fk_name = "resource"
    fields = ("first_day", "last_day", "full_price_shown", "share_shown", "paid_shown")
    readonly_fields = fields
    tab = False

    @admin.display(description=_("From"))
    def first_day(self, term: ResourceTerm) -> str:
        return date_text(term.start)

    @admin.display(description=_("Through"))
    def last_day(self, term: ResourceTerm) -> str:
        return date_text(term.end)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ResourceTerm]:
        """The terms with the lines that they were bought with."""
        return super().get_queryset(request).select_related("line")

    @admin.display(description=_("Full price"))
    def full_price_shown(self, term: ResourceTerm) -> str:
        changed = changed_price(term)
        bought = str(term.list_price)
        return f"{bought}, {_now('%(amount)s as it was changed') % {'amount': changed}}" if changed else bought

    @admin.display(description=_("Share that is paid"))
    def share_shown(self, term: ResourceTerm) -> str:
        return f"{term.discount_share.normalize():f}"

    @admin.display(description=_("Paid"))
    def paid_shown(self, term: ResourceTerm) -> str:
        return str(term.paid_money)


@admin.register(Resource)
class ResourceAdmin(GuardedModelAdmin):
    """All resources."""

    list_display = (
        "number",
        "account",
        "seller",
        "product_name",
        "delivery_method",
        "status",
        shown_moment("purchased_at", _("Purchased")),
        shown_moment("expires_at", _("Expires")),
    )
    list_filter = ("status", "delivery_method", "billing_mode", ("purchased_at", admin.DateFieldListFilter))
    search_fields = ("=number", "=order_number", "=account__name", "=instance_id")
    search_help_text = _("Resource ID, order No., account name or instance ID, exactly")
    list_select_related = ("account", "seller")
    exclude = ("password",)
    ordering = ("-pk",)
    inlines = (TermInline,)


@admin.register(UsageRecord)
class UsageRecordAdmin(GuardedModelAdmin):
    """What sellers reported of pay-per-use resources."""

    list_display = (
        "serial",
        "seller",
        "resource",
        "value",
        shown_moment("begin_at", _("From")),
        shown_moment("end_at", _("To")),
        shown_moment("received_at", _("Received")),
    )
    list_filter = (("received_at", admin.DateFieldListFilter),)
    search_fields = ("=serial", "=resource__number", "=resource__instance_id")
    search_help_text = _("Serial, resource ID or instance ID, exactly")
    list_select_related = ("seller", "resource")
    ordering = ("-pk",)
