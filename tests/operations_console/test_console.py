"""Operations managers sign in, see what their roles show, and change things only through operations."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.db import models
from django.test import Client
from django.urls import reverse

from audit.models import Trace
from catalog.models import PricePlan, StandingDiscount
from koogallery import clock
from koogallery.identity.models import User
from koogallery.identity.states import OperatorRole
from koogallery.kernel import guard, holidays, pages, policies
from koogallery.kernel.models import OutboxMessage, PolicyChoice, SweepFailure
from koogallery.kernel.operations import registry
from tests.factories import catalog
from tests.factories.identity import PASSWORD
from tests.personas import Persona, make_buyer, make_operator

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def auditor() -> Persona:
    return make_operator(OperatorRole.AUDITOR)


def parked_message() -> OutboxMessage:
    return OutboxMessage.objects.create(
        kind="mail", key="mail:1", payload={}, created_at=AT, parked_at=AT, attempts=12, error="refused"
    )


def test_an_operations_manager_signs_in_here_and_the_sign_in_is_traced(operator: Persona, client: Client) -> None:
    page = client.get("/admin/login/")
    assert page.status_code == 200
    assert "'unsafe-eval'" in page["Content-Security-Policy"]
    answer = client.post(
        "/admin/login/", {"username": operator.user.username, "password": PASSWORD, "next": "/admin/parked/"}
    )
    assert (answer.status_code, answer["Location"]) == (302, "/admin/parked/")
    assert Trace.objects.get(trace_name="signIn").trace_rating == "normal"
    assert client.get("/admin/").status_code == 200


def test_a_wrong_password_and_a_buyer_read_the_same(operator: Persona, buyer: Persona, client: Client) -> None:
    for name, password in ((operator.user.username, "wrong"), (buyer.user.email, PASSWORD), ("nobody", "wrong")):
        answer = client.post("/admin/login/", {"username": name, "password": password})
        assert answer.status_code == 200
        assert answer.context["form"].non_field_errors().as_data()[0].code == "sign_in_failed"
    assert not client.session.get("_auth_user_id")


def test_a_signed_in_buyer_is_sent_to_the_sign_in_page_and_sees_no_rows(buyer: Persona) -> None:
    for name in ("admin:index", "admin:parked", "admin:kernel_outboxmessage_changelist"):
        assert buyer.client.get(reverse(name)).status_code == 302


def test_every_list_opens_for_an_administrator(operator: Persona) -> None:
    for model, model_admin in admin.site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        address = reverse(f"admin:{name}_changelist")
        assert operator.client.get(address).status_code == 200, address
        assert operator.client.get(address, {"q": "x"}).status_code in (200, 302), address
        assert not model_admin.has_add_permission(_request(operator)), name
        assert not model_admin.has_delete_permission(_request(operator)), name


def test_every_row_can_be_shown_and_none_of_its_fields_edited(operator: Persona) -> None:
    request = _request(operator)
    for model, model_admin in admin.site._registry.items():
        row = model()
        form = model_admin.get_form(request, row, change=True)
        assert list(form.base_fields) == [], model
        shown = flatten_fieldsets(model_admin.get_fieldsets(request, row))
        assert shown, model
        assert len(shown) == len(set(shown)), model
        for button in (*model_admin.operation_buttons, *model_admin.list_buttons):  # type: ignore[attr-defined]
            assert button.name in registry, (model, button.name)


def test_no_page_shows_a_moment_a_day_or_a_number_as_the_database_holds_it(operator: Persona) -> None:
    request = _request(operator)
    for model, model_admin in admin.site._registry.items():
        shown = [(model, name) for name in model_admin.get_list_display(request)]
        shown += [(model, name) for name in flatten_fieldsets(model_admin.get_fieldsets(request, model()))]
        for inline in model_admin.get_inline_instances(request):
            shown += [(inline.model, name) for name in flatten_fieldsets(inline.get_fieldsets(request))]
        for of, name in shown:
            field = next((field for field in of._meta.fields if field.name == name), None)
            assert not isinstance(field, models.DateField | models.DecimalField), (model, name)


def test_days_prices_and_shares_are_shown_as_on_pages(operator: Persona) -> None:
    holidays.add(operator.call(key=pages.new_key()), day=date(2027, 1, 5), name="A day off")
    product = catalog.make_product(plans=[catalog.plan(unit_price="1234.002")])
    plan = PricePlan.objects.get(sku__product=product)
    with guard.opened("test"):
        granted = StandingDiscount.objects.create(
            account=make_buyer().account, product=product, share=Decimal("0.9"), valid_from=AT
        )
    for address, said in (
        (reverse("admin:kernel_holiday_changelist"), "Jan 05, 2027"),
        (reverse("admin:catalog_standingdiscount_changelist"), ">0.9<"),
        (reverse("admin:catalog_standingdiscount_change", args=[granted.pk]), ">0.9<"),
        (reverse("admin:catalog_priceplan_change", args=[plan.pk]), "USD 1,234.002<"),
    ):
        assert said in operator.client.get(address).content.decode(), address


def _request(persona: Persona) -> object:
    from django.test import RequestFactory

    request = RequestFactory().get("/admin/")
    request.user = persona.user
    return request


def test_an_auditor_sees_traces_and_nothing_else(auditor: Persona) -> None:
    assert auditor.client.get("/admin/").status_code == 200
    assert auditor.client.get(reverse("admin:audit_trace_changelist")).status_code == 200
    for name in ("admin:kernel_outboxmessage_changelist", "admin:parked", "admin:policies", "admin:what_if"):
        assert auditor.client.get(reverse(name)).status_code == 403, name
    page = auditor.client.get("/admin/").content.decode()
    assert reverse("admin:parked") not in page
    assert reverse("admin:audit_trace_changelist") in page


def test_the_overview_counts_parked_work(operator: Persona) -> None:
    parked_message()
    cards = operator.client.get("/admin/").context["cards"]
    lines = {str(line.label): line for line in cards[0].lines}
    assert lines["Outgoing messages parked"].value == "1"
    assert lines["Outgoing messages parked"].alarm
    assert not lines["Rows parked by sweeps"].alarm


def test_trying_again_puts_a_parked_message_back_and_is_traced(operator: Persona) -> None:
    message = parked_message()
    page = operator.client.get(reverse("admin:parked"))
    assert b"mail:1" in page.content
    operator.client.post(reverse("admin:parked_retry"), {"kind": "message", "row": message.pk})
    message.refresh_from_db()
    assert (message.parked_at, message.attempts) == (None, 0)
    assert message.next_try_at is not None
    trace = Trace.objects.get(trace_name="retryMessage")
    assert (trace.user_name, trace.resource_name) == (operator.user.username, "mail mail:1")
    again = operator.client.post(reverse("admin:parked_retry"), {"kind": "message", "row": message.pk}, follow=True)
    assert "no longer parked" in again.content.decode()


def test_a_button_asks_first_and_then_calls_its_operation(operator: Persona) -> None:
    failure = SweepFailure.objects.create(sweep="orders", row_id=7, attempts=6, parked_at=AT, error="boom")
    change = operator.client.get(reverse("admin:kernel_sweepfailure_change", args=[failure.pk]))
    address = reverse("admin:kernel_sweepfailure_operation", args=[failure.pk, "retrySweepRow"])
    assert address in change.content.decode()
    assert "_save" not in change.content.decode()
    confirm = operator.client.get(address)
    assert confirm.status_code == 200
    assert not Trace.objects.filter(trace_name="retrySweepRow").exists()
    assert operator.client.post(address).status_code == 302
    failure.refresh_from_db()
    assert (failure.attempts, failure.parked_at) == (0, None)


def test_a_button_is_not_there_for_a_role_that_may_not(auditor: Persona) -> None:
    message = parked_message()
    address = reverse("admin:kernel_outboxmessage_operation", args=[message.pk, "retryMessage"])
    assert auditor.client.post(address).status_code == 403
    message.refresh_from_db()
    assert message.parked_at is not None


def test_rows_cannot_be_added_changed_or_deleted_by_hand(operator: Persona) -> None:
    message = parked_message()
    assert operator.client.post(reverse("admin:kernel_outboxmessage_add"), {"kind": "x"}).status_code == 403
    change = reverse("admin:kernel_outboxmessage_change", args=[message.pk])
    assert operator.client.post(change, {"kind": "x"}).status_code == 403
    assert operator.client.post(reverse("admin:kernel_outboxmessage_delete", args=[message.pk])).status_code == 403
    message.refresh_from_db()
    assert message.kind == "mail"


def test_choosing_a_pack_puts_it_in_force_from_now_on(operator: Persona) -> None:
    address = reverse("admin:policies")
    assert operator.client.get(address).status_code == 200
    fields = {"pack": "2024", "grace_days": "7"}
    assert operator.client.post(address, fields).status_code == 302
    now = policies.in_force(clock.now())
    assert (now.pack, now["grace_days"], now["appeal.mode"]) == ("2024", 7, "gated")
    assert policies.in_force(clock.now() - timedelta(days=1)).pack == "2025"
    assert operator.client.post(address, {"pack": "2025"}).status_code == 302
    assert policies.in_force(clock.now()).overrides == {}
    assert Trace.objects.filter(trace_name="choosePolicies").count() == 2


def test_a_value_outside_the_closed_list_is_refused(operator: Persona) -> None:
    answer = operator.client.post(reverse("admin:policies"), {"pack": "2025", "grace_days": "8"})
    assert answer.status_code == 200
    assert "grace_days" in answer.context["form"].errors
    assert not PolicyChoice.objects.exists()


def test_what_if_says_which_value_applies_on_a_date_and_why(operator: Persona) -> None:
    with clock.at(AT):
        policies.choose(operator.call(at=AT), pack="2024", overrides={"grace_days": "7"})
    answer = operator.client.get(reverse("admin:what_if"), {"day": "2026-11-25"})
    found = {item.name: item for item in answer.context["answers"]}
    assert (found["grace_days"].value, found["grace_days"].why) == (
        "7",
        "chosen by an administrator: in force at that moment",
    )
    assert found["appeal.mode"].value == "gated"
    assert found["appeal.mode"].why.startswith("pack 2024")
    before = operator.client.get(reverse("admin:what_if"), {"day": "2026-11-01"}).context["answers"]
    assert {item.name: item.value for item in before}["grace_days"] == "15"
    unknown = operator.client.get(reverse("admin:what_if"), {"order": "CS0000000000XXXXX"})
    assert "order" in unknown.context["form"].errors


def test_the_language_switch_keeps_the_page_and_the_choice(operator: Persona) -> None:
    answer = operator.client.post(reverse("admin:language"), {"language": "zh-hans", "next": "/admin/parked/"})
    assert answer["Location"] == "/admin/parked/"
    assert User.objects.get(pk=operator.user.pk).language == "zh-hans"
    evil = operator.client.post(reverse("admin:language"), {"language": "en", "next": "https://evil.example/"})
    assert evil["Location"] == "/admin/"


def test_there_is_no_clock_outside_a_rehearsal(operator: Persona) -> None:
    assert operator.client.get(reverse("admin:clock")).status_code == 404


def test_large_tables_are_estimated_not_counted() -> None:
    from koogallery.kernel.admin import EstimatedPaginator

    class Small(EstimatedPaginator):
        EXACT = 3

    for number in range(5):
        OutboxMessage.objects.create(kind="x", key=str(number), created_at=AT)
    assert Small(OutboxMessage.objects.order_by("pk"), 2).count >= 4
    assert Small(OutboxMessage.objects.filter(kind="y").order_by("pk"), 2).count == 0


@pytest.mark.parametrize("role", list(OperatorRole))
def test_every_role_may_sign_in_choose_a_language_and_sign_out(role: OperatorRole, client: Client) -> None:
    manager = make_operator(role)
    answer = client.post("/admin/login/", {"username": manager.user.username, "password": PASSWORD})
    assert answer.status_code == 302
    assert client.post(reverse("admin:language"), {"language": "zh-hans"}).status_code == 302
    assert client.post(reverse("admin:logout")).status_code == 200
    assert Trace.objects.filter(trace_name="signOut", trace_rating="normal").count() == 1


def test_an_operations_manager_changes_the_own_password_and_stays_signed_in(operator: Persona) -> None:
    address = reverse("admin:password_change")
    new = "a quite different phrase"
    for posted, field in (
        ({"present": "wrong", "new": new, "again": new}, "present"),
        ({"present": PASSWORD, "new": "short", "again": "short"}, "new"),
        ({"present": PASSWORD, "new": new, "again": "other"}, "again"),
    ):
        assert field in operator.client.post(address, posted).context["form"].errors
    assert operator.client.post(address, {"present": PASSWORD, "new": new, "again": new}).status_code == 302
    assert operator.client.get("/admin/").status_code == 200
    assert User.objects.get(pk=operator.user.pk).check_password(new)
    assert Trace.objects.filter(trace_name="changePassword", trace_rating="normal").count() == 1
