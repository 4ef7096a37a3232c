"""Operations managers read cases, preview what a decision does before they sign it, and keep the holiday calendar."""

from __future__ import annotations

import html
import json
import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import override_settings
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from audit.models import Trace
from catalog.operations import sellers
from koogallery import clock
from koogallery.admin_site import dashboard
from koogallery.identity.states import OperatorRole
from koogallery.kernel import guard, holidays, pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.files import storing
from koogallery.kernel.models import Holiday
from koogallery.kernel.operations import registry
from supervision.models import Appeal, FlowFile
from supervision.operations import reminding
from supervision.states import AppealState, Step
from tests.factories import catalog
from tests.factories.supervision import Deal, supervised, supervised_product, upload
from tests.personas import Persona, make_buyer, make_operator

pytestmark = pytest.mark.django_db


@pytest.fixture
def officer(db: None) -> Persona:
    return make_operator(OperatorRole.APPEAL_OFFICER)


def now_deal(price: str = "600.00", **fields: Any) -> Deal:
    plans = [catalog.plan(unit_price=price, term_unit="year", lengths=[1])]
    return supervised(product=supervised_product("license", plans=plans), at=clock.now(), **fields)


def address(row: Any, button: str = "") -> str:
    name = f"admin:supervision_{row._meta.model_name}"
    return reverse(f"{name}_operation", args=[row.pk, button]) if button else reverse(f"{name}_change", args=[row.pk])


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split()))


DECISION = {"decision": "refund_part", "refund": "200.50", "restart": "", "note": "Half of it works."}


# Reading


def test_the_queue_shows_what_waits_first_by_deadline_and_marks_what_is_overdue(officer: Persona) -> None:
    deals = [now_deal() for _each in range(3)]
    late, later, done = (deal.appeal() for deal in deals)
    deals[2].decide("continue")
    with guard.opened("test"):
        Appeal.objects.filter(pk=late.pk).update(decision_due_at=clock.now() - timedelta(seconds=1))
    listed = reverse("admin:supervision_appeal_changelist")
    queue = officer.client.get(listed).content.decode()
    assert queue.index(late.number) < queue.index(later.number)
    assert done.number not in queue
    content = officer.client.get(f"{listed}?queue=all").content.decode()
    assert content.index(late.number) < content.index(later.number) < content.index(done.number)
    assert content.count("· Overdue") == 1
    for query, numbers in {
        "overdue=yes": {late.number},
        "overdue=no": {later.number},
        "queue=all&overdue=no": {later.number, done.number},
        f"q={done.number}": {done.number},
        "state__exact=open": {late.number, later.number},
        "state__exact=proposed": set(),
        "state__exact=decided": {done.number},
    }.items():
        content = officer.client.get(f"{listed}?{query}").content.decode()
        assert {number for number in (late.number, later.number, done.number) if number in content} == numbers


def test_the_queue_is_read_in_the_order_of_its_index(
    officer: Persona, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    now_deal().appeal()
    with django_assert_max_num_queries(60) as asked:
        officer.client.get(reverse("admin:supervision_appeal_changelist"))
    (listed,) = [
        each["sql"] for each in asked.captured_queries if re.search('ORDER BY .*"decision_due_at"', each["sql"])
    ]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {listed}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "appeal_queue" in plan
    assert "Incremental Sort" in plan or "Sort" not in plan


def test_the_page_of_an_appeal_holds_the_whole_case(officer: Persona) -> None:
    deal = now_deal().to(Step.CONFIRM)
    deal.reject("It does not start.")
    appeal = deal.appeal(by=deal.seller, reason="It does start.\nSee the file.", uploads=[upload("start.pdf")])
    reminding.send_message(deal.buyer.call(at=deal.at, key=pages.new_key()), flow=deal.flow.number, text="No!")
    page = officer.client.get(address(appeal))
    text = text_of(page)
    for words in (
        appeal.number, deal.flow.order_number, str(deal.flow.account), str(deal.flow.seller), "It does start.",
        "start.pdf", "It does not start.", "proof.pdf", "No!", "USD 600.00", "Decide", "Send message",
        "Waiting for the seller to provide the service · frozen",
    ):  # fmt: skip
        assert words in text, words
    assert address(appeal, "countersignAppeal") not in page.content.decode()
    flow_page = text_of(officer.client.get(address(deal.flow)))
    assert appeal.number in flow_page
    assert "start.pdf" in flow_page


@pytest.mark.parametrize("name", ["appeal", "flow"])
def test_nothing_can_be_typed_into_a_row(officer: Persona, name: str) -> None:
    row = now_deal().appeal()
    row = row if name == "appeal" else row.flow
    page = officer.client.get(address(row))
    assert 'name="_save"' not in page.content.decode()
    assert officer.client.post(address(row), {}).status_code == 403
    assert officer.client.get(f"/admin/supervision/{name}/add/").status_code == 403
    assert officer.client.post(f"/admin/supervision/{name}/{row.pk}/delete/", {}).status_code == 403


def test_support_reads_everything_and_is_offered_nothing(support: Persona) -> None:
    appeal = now_deal().appeal()
    for row in (appeal, appeal.flow):
        text = text_of(support.client.get(address(row)))
        assert "Send message" not in text
        assert " Decide " not in text
    assert support.client.get(address(appeal, "decideAppeal")).status_code == 403
    assert support.client.post(address(appeal, "decideAppeal"), DECISION).status_code == 403
    answer = support.client.post(address(appeal, "sendSupervisionMessage"), {"text": "Hello"})
    assert "None of your roles includes" in text_of(answer)
    assert not appeal.flow.messages.exists()
    assert "Add holiday" not in text_of(support.client.get(reverse("admin:kernel_holiday_changelist")))


@pytest.mark.parametrize("role", [OperatorRole.FINANCE, OperatorRole.AUDITOR])
def test_roles_without_supervision_see_no_case(role: OperatorRole) -> None:
    appeal, client = now_deal().appeal(), make_operator(role).client
    assert client.get(address(appeal)).status_code == 403
    assert client.get(address(appeal.flow)).status_code == 403
    assert client.get(reverse("admin:supervision_flow_file", args=[appeal.flow.pk, "x"])).status_code == 403
    assert client.get(address(appeal, "decideAppeal")).status_code == 403


# Deciding


def test_a_decision_is_previewed_changed_and_signed(officer: Persona) -> None:
    deal = now_deal().to(Step.CONFIRM)
    appeal = deal.appeal()
    page = officer.client.get(address(appeal, "decideAppeal"))
    assert "less than USD 600.00, which is held" in text_of(page)
    preview = officer.client.post(address(appeal, "decideAppeal"), DECISION)
    text = text_of(preview)
    for words in (
        "Back to the customer (Account balance) USD 200.50",
        "On to the seller USD 0.00",
        "Stays held USD 399.50",
        "Waiting for the user to confirm acceptance → Waiting for the user to confirm acceptance",
        "Processing → Processing",
        "not needed",
        "Half of it works.",
    ):
        assert words in text, words
    appeal.refresh_from_db()
    assert appeal.state == AppealState.OPEN
    again = officer.client.post(address(appeal, "decideAppeal"), {**DECISION, "again": "1"})
    assert 'value="200.50"' in again.content.decode()
    signed = {**DECISION, "sign": "1", "previewed": preview.context["previewed"]}
    answer = officer.client.post(address(appeal, "decideAppeal"), signed)
    assert (answer.status_code, answer["Location"]) == (302, address(appeal))
    appeal.refresh_from_db()
    assert (appeal.state, str(appeal.refund), appeal.proposed_by) == (AppealState.DECIDED, "USD 200.50", officer.user)
    text = text_of(officer.client.get(address(appeal)))
    assert "To the customer USD 200.50, to the seller USD 0.00, still held USD 399.50" in text
    assert officer.client.get(address(appeal, "decideAppeal")).status_code == 404


@pytest.mark.parametrize("previewed", ["", "[]", "no json", json.dumps({"refunded": "1.00"})])
def test_nothing_is_signed_that_was_not_previewed(officer: Persona, previewed: str) -> None:
    appeal = now_deal().appeal()
    answer = officer.client.post(address(appeal, "decideAppeal"), {**DECISION, "sign": "1", "previewed": previewed})
    assert "The money changed since its effects were shown." in text_of(answer)
    appeal.refresh_from_db()
    assert appeal.state == AppealState.OPEN


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"refund": ""}, "Enter the amount to refund."),
        ({"refund": "600"}, "A part is no more than what was paid, USD 600.00"),
        ({"refund": "0.001"}, "The amount has more digits than USD has."),
        ({"note": ""}, "This field is required."),
        ({"note": "x" * 1001}, "at most 1000 characters"),
        ({"decision": "restart"}, "The flow cannot be restarted from this step."),
        ({"decision": "restart", "restart": "completed"}, "Select a valid choice."),
        ({"decision": "bribe"}, "Select a valid choice."),
    ],
)
def test_what_cannot_be_decided_stands_in_the_form(officer: Persona, changed: dict[str, str], words: str) -> None:
    appeal = now_deal().appeal()
    assert words in text_of(officer.client.post(address(appeal, "decideAppeal"), DECISION | changed))


def test_only_steps_that_were_reached_are_offered(officer: Persona) -> None:
    appeal = now_deal().appeal()
    content = officer.client.get(address(appeal, "decideAppeal")).content.decode()
    assert 'value="hand_over"' in content
    assert 'value="confirm"' not in content


def test_a_second_manager_countersigns_and_the_first_may_not(officer: Persona) -> None:
    deal = now_deal(price="1200.00")
    appeal = deal.appeal()
    decision = {"decision": "refund_all", "refund": "", "restart": "", "note": "Never delivered."}
    preview = officer.client.post(address(appeal, "decideAppeal"), decision)
    text = text_of(preview)
    assert "needed: more than USD 1,000.00 changes hands" in text
    assert "Processing → Canceled" in text
    officer.client.post(
        address(appeal, "decideAppeal"), {**decision, "sign": "1", "previewed": preview.context["previewed"]}
    )
    own = officer.client.post(address(appeal, "countersignAppeal"), {})
    assert "Another operations manager has to countersign." in text_of(own)
    second = make_operator(OperatorRole.APPEAL_OFFICER)
    page = text_of(second.client.get(address(appeal)))
    assert "To the customer USD 1,200.00" in page
    assert "Countersign" in page
    declined = second.client.post(address(appeal, "declineCountersignature"), {"note": "Too early."})
    assert declined.status_code == 302
    assert "Too early." in text_of(officer.client.get(address(appeal)))
    preview = officer.client.post(address(appeal, "decideAppeal"), decision)
    officer.client.post(
        address(appeal, "decideAppeal"), {**decision, "sign": "1", "previewed": preview.context["previewed"]}
    )
    assert second.client.post(address(appeal, "countersignAppeal"), {}).status_code == 302
    assert deal.step == Step.CANCELED


def twice(who: Persona, where: str, data: dict[str, Any]) -> list[Any]:
    """The answers to a form that was sent twice, as a double click does, and once more with a key of its own."""
    same = {**data, pages.KEY_FIELD: pages.new_key()}
    return [who.client.post(where, same), who.client.post(where, same), who.client.post(where, data)]


@pytest.mark.parametrize("decision", ["refund_part", "restart"])
def test_a_double_click_on_sign_is_answered_once_and_a_late_one_refused(officer: Persona, decision: str) -> None:
    deal = now_deal().to(Step.CONFIRM)
    appeal = deal.appeal()
    where = address(appeal, "decideAppeal")
    chosen = {**DECISION, "decision": decision}
    if decision == "restart":
        chosen |= {"refund": "", "restart": "confirm"}
        deal.flow.refresh_from_db()
    previewed = officer.client.post(where, chosen).context["previewed"]
    first, second, late = twice(officer, where, {**chosen, "sign": "1", "previewed": previewed})
    assert (first.status_code, first["Location"]) == (302, address(appeal))
    assert (second.status_code, second["Location"]) == (302, address(appeal))
    assert "This appeal is" in text_of(late)
    assert "This appeal is" in text_of(officer.client.post(where, chosen))
    assert officer.client.get(where).status_code == 404
    assert deal.flow.records.filter(kind="decide").count() == 1


@pytest.mark.parametrize("button", ["countersignAppeal", "declineCountersignature"])
def test_a_double_click_on_a_second_signature_is_answered_once(officer: Persona, button: str) -> None:
    deal = now_deal(price="1200.00")
    appeal = deal.appeal()
    deal.decide("refund_all", by=officer)
    second = make_operator(OperatorRole.APPEAL_OFFICER)
    where = address(appeal, button)
    answers = twice(second, where, {"note": "Too early."})
    assert [answer.status_code for answer in answers] == [302, 302, 200]
    assert "No decision waits for a second signature." in text_of(answers[2])
    assert second.client.get(where).status_code == 404


def test_a_double_click_on_remove_removes_a_holiday_once(officer: Persona) -> None:
    row = holidays.add(system_call(), day=date(2026, 12, 25), name="Christmas")
    where = reverse("admin:kernel_holiday_operation", args=[row.pk, "removeHoliday"])
    answers = twice(officer, where, {})
    listed = reverse("admin:kernel_holiday_changelist")
    assert [(answer.status_code, answer["Location"]) for answer in answers] == [(302, listed)] * 3
    told = text_of(officer.client.get(listed))
    assert told.count("Done: Remove") == 2
    assert told.count("It no longer exists.") == 1
    traces = Trace.objects.filter(trace_name="removeHoliday", trace_rating="normal")
    assert [trace.resource_id for trace in traces] == ["2026-12-25"]
    assert officer.client.get(where).status_code == 404


def test_operations_write_to_both_sides(officer: Persona) -> None:
    deal = now_deal()
    appeal = deal.appeal()
    assert officer.client.post(address(appeal, "sendSupervisionMessage"), {"text": "Send the log."}).status_code == 302
    assert officer.client.post(address(deal.flow, "sendSupervisionMessage"), {"text": "Please."}).status_code == 302
    assert list(deal.flow.messages.values_list("actor", "text")) == [
        ("operator", "Send the log."),
        ("operator", "Please."),
    ]


def test_operations_attach_files_that_both_sides_can_download(officer: Persona) -> None:
    deal = now_deal()
    appeal = deal.appeal()
    for row in (appeal, deal.flow):
        where = address(row, "sendSupervisionMessage")
        page = officer.client.get(where).content.decode()
        assert 'type="file"' in page and "multiple" in page and "Supported formats" in page
        assert officer.client.post(where, {"text": "See this.", "files": [sent("a"), sent("b")]}).status_code == 302
        assert "a.pdf" in officer.client.get(address(row)).content.decode()
    for persona, party in ((deal.buyer, "console"), (deal.seller, "seller")):
        page = persona.client.get(f"/{party}/supervision/{deal.flow.number}/").content.decode()
        links = re.findall(r'href="([^"]+/files/[^"]+)"[^>]*>b\.pdf<', page)
        assert len(links) == 2
        answer = persona.client.get(links[0])
        assert b"".join(answer.streaming_content).startswith(b"%PDF")


def test_a_message_of_operations_without_words_keeps_its_files_and_a_wrong_file_is_named(officer: Persona) -> None:
    where = address(now_deal().flow, "sendSupervisionMessage")
    again = officer.client.post(where, {"text": "", "files": sent("kept")})
    assert again.status_code == 200 and 'name="files-kept"' in again.content.decode()
    wrong = officer.client.post(where, {"text": "Words", "files": SimpleUploadedFile("x.exe", b"MZ")})
    assert wrong.status_code == 200 and "Words" in wrong.content.decode() and "x.exe" in wrong.content.decode()
    assert not FlowFile.objects.exists()


def test_no_file_is_stored_of_whom_no_role_lets_write(support: Persona, monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[str] = []
    monkeypatch.setattr(storing, "put", lambda file, *, key, sealed: stored.append(key))
    where = address(now_deal().flow, "sendSupervisionMessage")
    assert "None of your roles includes" in text_of(support.client.post(where, {"text": "Hello", "files": sent("a")}))
    assert stored == []


def sent(name: str) -> SimpleUploadedFile:
    return SimpleUploadedFile(f"{name}.pdf", b"%PDF-1.7 " + name.encode(), content_type="application/pdf")


# Overview and sidebar


def test_the_overview_counts_appeals_by_deadline_and_the_sidebar_bears_the_number(officer: Persona) -> None:
    now_deal().appeal()
    proposed = now_deal(price="1200.00")
    proposed.appeal()
    proposed.decide("refund_all")
    page = officer.client.get("/admin/")
    card = next(card for card in page.context["cards"] if str(card.title) == "Appeals by deadline")
    assert [line.value for line in card.lines][:4] == ["0", "0", "1", "2"]
    items = {item["link"]: item.get("badge") for group in page.context["sidebar_navigation"] for item in group["items"]}
    assert items[reverse("admin:supervision_appeal_changelist")] == 2
    assert isinstance(card.lines[0], dashboard.Line)


def test_finance_has_no_card_of_appeals() -> None:
    cards = make_operator(OperatorRole.FINANCE).client.get("/admin/").context["cards"]
    assert "Appeals by deadline" not in {str(card.title) for card in cards}


# Holidays


def test_an_appeal_officer_keeps_the_calendar(officer: Persona) -> None:
    add = reverse("admin:kernel_holiday_list_operation", args=["addHoliday"])
    assert officer.client.post(add, {"day": "2026-12-25", "name": "Christmas"}).status_code == 302
    assert "Dec 25, 2026 is in the calendar already: Christmas." in text_of(
        officer.client.post(add, {"day": "2026-12-25", "name": "Again"})
    )
    row = Holiday.objects.get()
    assert "Christmas" in text_of(officer.client.get(reverse("admin:kernel_holiday_changelist")))
    remove = reverse("admin:kernel_holiday_operation", args=[row.pk, "removeHoliday"])
    answer = officer.client.post(remove, {})
    assert (answer.status_code, answer["Location"]) == (302, reverse("admin:kernel_holiday_changelist"))
    assert not Holiday.objects.exists()


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (OperatorRole.ADMINISTRATOR, True),
        (OperatorRole.APPEAL_OFFICER, True),
        (OperatorRole.SUPPORT, False),
        (OperatorRole.CATALOGUE_REVIEWER, False),
        (OperatorRole.FINANCE, False),
    ],
)
def test_the_calendar_is_kept_by_appeal_officers_and_administrators(role: OperatorRole, may: bool) -> None:
    add = reverse("admin:kernel_holiday_list_operation", args=["addHoliday"])
    make_operator(role).client.post(add, {"day": "2026-12-25", "name": "Christmas"})
    assert Holiday.objects.exists() is may


def test_a_sellers_application_is_reviewed_within_working_days_of_the_same_calendar() -> None:
    holidays.add(system_call(), day=date(2026, 12, 25), name="Christmas")
    who = make_buyer()
    at = clock.day_start(date(2026, 12, 24)) + timedelta(hours=9)
    seller = sellers.apply(who.call(at=at, key=pages.new_key()), name="Late & Sons", email="late@example.com")
    assert seller.review_due_at == clock.day_end(date(2026, 12, 30))


def test_every_button_calls_an_operation_that_exists() -> None:
    from supervision.admin import AppealAdmin, FlowAdmin, HolidayAdmin

    assert {AppealAdmin, FlowAdmin, HolidayAdmin} <= {type(each) for each in admin.site._registry.values()}
    for each in (AppealAdmin, FlowAdmin, HolidayAdmin):
        assert {button.name for button in (*each.operation_buttons, *each.list_buttons)} <= set(registry)


# Files


def test_operations_download_what_was_sent_but_no_license_file(
    officer: Persona, support: Persona, tmp_path: Any
) -> None:
    with override_settings(MEDIA_ROOT=str(tmp_path)):
        deal = now_deal()
        deal.deliver(license_files=[upload("license.pdf", b"%PDF key", sealed=True)])
        license_file = deal.flow.files.get(purpose="license")
        proof = deal.flow.files.get(purpose="proof")
        assert "license.pdf" not in text_of(officer.client.get(address(deal.flow)))

        def download(who: Persona, each: Any) -> int:
            return who.client.get(
                reverse("admin:supervision_flow_file", args=[deal.flow.pk, each.file.number])
            ).status_code

        assert download(officer, license_file) == 404
        assert download(support, license_file) == download(support, proof) == 403
        assert download(officer, proof) in (200, 404)
