"""Operations managers' pages of the catalogue: rows read-only, buttons call operations."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from catalog.models import (
    Category,
    ChangePath,
    OfferMilestone,
    OfferUse,
    PlanPrice,
    PricePlan,
    PrivateOffer,
    Product,
    ResellerDiscount,
    Seller,
    Sku,
    Specification,
    StandingDiscount,
    StockMovement,
)
from catalog.operations import categories, discounts, products, sellers
from catalog.states import ProductState, SellerState
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.kernel.admin import GuardedInline, GuardedModelAdmin, OperationButton, shown_moment, shown_money
from koogallery.kernel.reasons import Refused


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=300, widget=forms.Textarea)


class OptionalReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=300, required=False, widget=forms.Textarea)


class ProfileForm(forms.Form):
    """The public part of a seller's profile."""

    name = forms.CharField(label=_("Name"), max_length=120)
    name_zh = forms.CharField(label=_("Name (Chinese)"), max_length=120, required=False)
    introduction = forms.CharField(label=_("Introduction"), required=False, widget=forms.Textarea)
    introduction_zh = forms.CharField(label=_("Introduction (Chinese)"), required=False, widget=forms.Textarea)
    email = forms.EmailField(label=_("Customer-service e-mail"))
    phone = forms.CharField(label=_("Customer-service phone"), max_length=40, required=False)
    hours = forms.CharField(label=_("Service hours"), max_length=120, required=False)
    hours_zh = forms.CharField(label=_("Service hours (Chinese)"), max_length=120, required=False)
    website = forms.URLField(label=_("Website"), required=False, assume_scheme="https")


class CategoryForm(forms.Form):
    code = forms.SlugField(label=_("Code"), max_length=60)
    name = forms.CharField(label=_("Name"), max_length=80)
    name_zh = forms.CharField(label=_("Name (Chinese)"), max_length=80, required=False)
    parent = forms.SlugField(label=_("Parent category (code)"), max_length=60, required=False)
    summary = forms.CharField(label=_("Summary"), max_length=160, required=False)
    summary_zh = forms.CharField(label=_("Summary (Chinese)"), max_length=160, required=False)
    icon = forms.SlugField(label=_("Icon"), max_length=40, required=False)
    position = forms.IntegerField(label=_("Position"), min_value=0, initial=0)


class DiscountForm(forms.Form):
    account = forms.CharField(label=_("Account name"), max_length=64)
    product = forms.SlugField(label=_("Product (code)"), max_length=60)
    share = forms.DecimalField(
        label=_("Share that is paid"), min_value=Decimal("0.0001"), max_value=Decimal("0.9999"), decimal_places=4
    )
    note = forms.CharField(label=_("Note"), max_length=200, required=False)


@admin.register(Seller)
class SellerAdmin(GuardedModelAdmin):
    list_display = ("name", "code", "state", "account", shown_moment("review_due_at", _("decide until")))
    list_filter = ("state",)
    search_fields = ("name", "name_zh", "code", "account__name")
    list_select_related = ("account",)
    exclude = ("bank_account",)
    operation_buttons = (
        OperationButton(
            "approveSeller",
            _("Approve"),
            run=lambda call, row, data: sellers.approve(call, seller=row.code),
            says=_("The account may sell, and its seller page is public."),
            shown=lambda row: row.state == SellerState.PENDING,
        ),
        OperationButton(
            "rejectSeller",
            _("Reject"),
            run=lambda call, row, data: sellers.reject(call, seller=row.code, **data),
            form=ReasonForm,
            says=_("The applicant reads the reason and may apply again."),
            shown=lambda row: row.state == SellerState.PENDING,
            danger=True,
        ),
        OperationButton(
            "updateSellerProfile",
            _("Change profile"),
            run=lambda call, row, data: sellers.update(call, seller=row.code, **data),
            form=ProfileForm,
            initial=lambda row: {name: getattr(row, name) for name in ProfileForm.base_fields},
            says=_("The seller page and search show it at once."),
        ),
    )


class SpecificationInline(GuardedInline):
    model = Specification
    fields = ("position", "code", "name", "is_active", "limit_per_account")


class SkuInline(GuardedInline):
    model = Sku
    fields = ("position", "code", "choices", "is_active")


class ChangePathInline(GuardedInline):
    model = ChangePath
    fields = ("source", "target", "is_upgrade")


@admin.register(Product)
class ProductAdmin(GuardedModelAdmin):
    list_display = ("name", "code", "seller", "delivery_method", "supervised", "state", "popularity")
    list_filter = ("state", "delivery_method", "supervised")
    search_fields = ("name", "name_zh", "code")
    list_select_related = ("seller",)
    exclude = ("interface_key", "content_digest")
    inlines = (SpecificationInline, SkuInline, ChangePathInline)
    operation_buttons = (
        OperationButton(
            "releaseProduct",
            _("Put on sale"),
            run=lambda call, row, data: products.release(call, product=row.code),
            says=_("Buyers find it and can buy it."),
            shown=lambda row: row.state != ProductState.ON_SALE,
        ),
        OperationButton(
            "hideProduct",
            _("Hide"),
            run=lambda call, row, data: products.hide(call, product=row.code, **data),
            form=OptionalReasonForm,
            says=_("It leaves lists and search. What was bought goes on."),
            shown=lambda row: row.state in (ProductState.ON_SALE, ProductState.SUSPENDED),
        ),
        OperationButton(
            "removeProduct",
            _("Remove"),
            run=lambda call, row, data: products.remove(call, product=row.code, **data),
            form=OptionalReasonForm,
            says=_("It leaves the catalogue. What was bought goes on."),
            shown=lambda row: row.state in (ProductState.ON_SALE, ProductState.HIDDEN, ProductState.SUSPENDED),
            danger=True,
        ),
    )


@admin.register(Category)
class CategoryAdmin(GuardedModelAdmin):
    list_display = ("name", "name_zh", "code", "parent", "position")
    search_fields = ("name", "name_zh", "code")
    list_select_related = ("parent",)
    list_buttons = (
        OperationButton(
            "saveCategory",
            _("Add category"),
            run=lambda call, row, data: categories.save_category(call, **data),
            form=CategoryForm,
            says=_("It appears in the Products menu."),
        ),
    )
    operation_buttons = (
        OperationButton(
            "saveCategory",
            _("Change"),
            run=lambda call, row, data: categories.save_category(call, **(dict(data) | {"code": row.code})),
            form=CategoryForm,
            initial=lambda row: {
                **{name: getattr(row, name) for name in CategoryForm.base_fields if name != "parent"},
                "parent": row.parent.code if row.parent else "",
            },
            says=_("The Products menu shows it at once."),
        ),
    )


class PlanPriceInline(GuardedInline):
    model = PlanPrice
    fields = ("currency", "unit_price", "bands", "length_prices", "overflow_price")


@admin.register(PricePlan)
class PricePlanAdmin(GuardedModelAdmin):
    list_display = ("sku", "product", "billing_mode", "term_unit", "model", "is_active")
    list_filter = ("billing_mode", "model", "is_active")
    search_fields = ("sku__code", "sku__product__name", "sku__product__code")
    list_select_related = ("sku__product",)
    inlines = (PlanPriceInline,)

    @admin.display(description=_("product"))
    def product(self, row: PricePlan) -> Any:
        return row.sku.product


def _grant(call: Any, row: Any, data: Any) -> Any:
    account = identity.account_by_name(data["account"])
    if account is None:
        raise Refused("account_unknown", field="account", name=data["account"])
    return discounts.grant(call, account=account, **{key: value for key, value in data.items() if key != "account"})


@admin.register(StandingDiscount)
class StandingDiscountAdmin(GuardedModelAdmin):
    list_display = (
        "account", "product", "share", shown_moment("valid_from", _("from")), shown_moment("valid_to", _("to")),
    )  # fmt: skip
    search_fields = ("account__name", "product__name", "product__code")
    list_select_related = ("account", "product")
    list_buttons = (
        OperationButton(
            "grantStandingDiscount",
            _("Grant a discount"),
            run=_grant,
            form=DiscountForm,
            says=_("0.90 means that 90 % of the price is paid. It replaces the one in force."),
        ),
    )


@admin.register(ResellerDiscount)
class ResellerDiscountAdmin(GuardedModelAdmin):
    list_display = ("reseller", "customer", "product", "share")
    search_fields = ("reseller__name", "customer__name", "product__name")
    list_select_related = ("reseller", "customer", "product")


@admin.register(StockMovement)
class StockMovementAdmin(GuardedModelAdmin):
    list_display = (
        "order_number", "product", "count", shown_moment("taken_at", _("taken")),
        shown_moment("given_back_at", _("given back")),
    )  # fmt: skip
    search_fields = ("order_number", "product__code")
    list_select_related = ("product",)


class WithMilestones(admin.SimpleListFilter):
    """Offers with or without milestones."""

    title = _("milestones")
    parameter_name = "with_milestones"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("With milestones")), ("no", _("Without milestones"))]

    def queryset(self, request: Any, queryset: Any) -> Any:
        wanted = {"yes": {"milestones__gt": 0}, "no": {"milestones": 0}}
        return queryset.filter(**wanted.get(self.value() or "", {}))


class OfferMilestoneInline(GuardedInline):
    model = OfferMilestone
    fields = ("position", "name", "delivery", "share_percent", "amount", "currency")


class OfferUseInline(GuardedInline):
    model = OfferUse
    fields = ("order_number", "state", "taken_at", "ended_at")


@admin.register(PrivateOffer)
class PrivateOfferAdmin(GuardedModelAdmin):
    list_display = (
        "number", "name", "seller", "account", "product", "shown_state", shown_money("amount", _("amount")),
        "milestones", shown_moment("valid_from", _("valid from")), shown_moment("valid_to", _("valid to")),
        shown_moment("sent_at", _("sent")),
    )  # fmt: skip
    list_filter = ("state", WithMilestones, "created_at")
    search_fields = ("number", "name", "account__name", "account__number", "product__name", "seller__name")
    list_select_related = ("seller", "account", "product")
    exclude = ("token", "form", "configuration")
    inlines = (OfferMilestoneInline, OfferUseInline)

    @admin.display(description=_("status"), ordering="state")
    def shown_state(self, row: PrivateOffer) -> str:
        return str(row.shown_state(clock.now()).label)
