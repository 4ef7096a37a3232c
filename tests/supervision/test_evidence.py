"""The evidence bundle: one ZIP for both sides alike, a hash of everything, nothing that is nobody's business."""

from __future__ import annotations

import hashlib
import html
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone, translation

from audit.models import Trace
from koogallery import clock
from koogallery.identity.operations import agreements
from koogallery.identity.states import OperatorRole
from koogallery.kernel import files, guard, pages
from koogallery.kernel.calls import Role
from koogallery.kernel.files.storing import attachments
from koogallery.kernel.reasons import Missing, Refused
from orders.models import Order
from orders.saas.answers import ApplicationInfo
from orders.states import ResourceStatus
from supervision.operations import evidence, reading, reminding
from supervision.states import Step
from tests.factories import catalog, identity
from tests.factories.billing import usd
from tests.factories.supervision import Deal, supervised
from tests.personas import Persona, make_operator

pytestmark = pytest.mark.django_db

PDF = b"%PDF-1.7\n1 0 obj << >> endobj\ntrailer << >>\n%%EOF\n"
SECRETS = ("LICENSE-KEY-77", "s3cret-of-the-application", "license-file-content")


def sent(who: Persona, name: str, content: bytes = PDF, *, sealed: bool = False) -> list[files.Upload]:
    """A file that lies in the storage."""
    assert who.account is not None
    return list(
        files.receive([SimpleUploadedFile(name, content)], owner=who.account.pk, key=pages.new_key(), sealed=sealed)
    )


def full_deal(**fields: Any) -> Deal:
    """A license with everything that can happen to it, decided by a part refunded."""
    deal = supervised("license", at=clock.now(), **fields)
    deal.deliver(
        proof=sent(deal.seller, "Übergabe.pdf"),
        license_key=SECRETS[0],
        license_files=sent(deal.seller, "key.pdf", PDF + SECRETS[2].encode(), sealed=True),
        application=ApplicationInfo(front_end_url="https://app.example.com", password=SECRETS[1]),
    )
    deal.wait(minutes=1).reject("It does not <start>.")
    deal.wait(minutes=1).appeal(uploads=sent(deal.buyer, "log.pdf", PDF + b"log"))
    reminding.send_message(
        deal.seller.call(at=deal.at, key=pages.new_key()),
        flow=deal.flow.number,
        text="It starts here.",
        uploads=sent(deal.seller, "log.pdf", PDF + b"other log"),
    )
    deal.wait(minutes=1).decide("refund_part", refund=usd("200.00"), note="Half of it works.")
    return deal


def bundle(deal: Deal, who: Persona, at: datetime | None = None) -> bytes:
    export = evidence.export_for_appeal if who.role is Role.OPERATOR else evidence.export
    made = export(who.call(at=at or deal.at), flow=deal.flow.number)
    return b"".join(evidence.archive(made))


def opened(content: bytes) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return archive


def test_the_bundle_is_byte_for_byte_the_same_for_both_sides_whoever_asks_and_when() -> None:
    deal = full_deal()
    first = bundle(deal, deal.buyer)
    with translation.override("zh-hans"), timezone.override("America/New_York"):
        assert bundle(deal, deal.seller, at=deal.at + timedelta(hours=2)) == first
    names = opened(first).namelist()
    assert names == [
        "index.html",
        "order.json",
        "agreements.json",
        "status_history.json",
        "records.json",
        "messages.json",
        "appeals.json",
        "agreements/01-terms-1-en.txt",
        "agreements/01-terms-1-zh-hans.txt",
        "files/001-Übergabe.pdf",
        "files/002-log.pdf",
        "files/003-log.pdf",
        "manifest.json",
    ]


def test_the_manifest_lists_every_other_entry_with_size_and_hash() -> None:
    deal = full_deal()
    archive = opened(bundle(deal, deal.buyer))
    manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["order"], manifest["flow"]) == (deal.flow.order_number, deal.flow.number)
    listed = [(entry["name"], entry["size"], entry["sha256"]) for entry in manifest["entries"]]
    assert listed == [
        (name, len(archive.read(name)), hashlib.sha256(archive.read(name)).hexdigest())
        for name in archive.namelist()[:-1]
    ]
    recorded = {each.file.sha256 for each in deal.flow.files.exclude(purpose="license")}
    assert recorded <= {sha256 for _name, _size, sha256 in listed}
    assert archive.read("files/001-Übergabe.pdf") == PDF


def test_it_tells_the_whole_case() -> None:
    deal = full_deal()
    archive = opened(bundle(deal, deal.seller))
    read = {name: json.loads(archive.read(f"{name}.json")) for name in ("order", "records", "messages", "appeals")}
    order = read["order"]
    assert (order["number"], order["amount"]) == (deal.flow.order_number, {"amount": "1200.00", "currency": "USD"})
    assert {name: each["amount"] for name, each in order["money"].items()} == {
        "paid": "1200.00",
        "held": "1000.00",
        "earned": "0.00",
        "refunded": "200.00",
    }
    assert [record["operation"] for record in read["records"]] == [
        "Service flow opened",
        "Service delivered",
        "Service rejected",
        "Appeal initiated",
        "Appeal decided",
    ]
    assert read["records"][1]["files"] == ["files/001-Übergabe.pdf"]
    assert read["records"][3]["files"] == ["files/002-log.pdf"]
    assert read["messages"] == [
        {"at": read["messages"][0]["at"], "by": "Seller", "text": "It starts here.", "files": ["files/003-log.pdf"]}
    ]
    appeal = read["appeals"][0]
    assert (appeal["explanation"], appeal["effects"]["refunded"]) == ("Half of it works.", "200.00")
    assert read["messages"][0]["at"].endswith("+08:00")
    history = json.loads(archive.read("status_history.json"))
    assert [entry["status"] for entry in history][:2] == ["Order placed", "Paid"]
    page = archive.read("index.html").decode()
    assert "It does not &lt;start&gt;." in page
    assert f"Evidence of order {deal.flow.order_number}" in page


def test_it_holds_the_signed_versions_of_the_agreements_with_the_times_of_signing() -> None:
    operator = make_operator()
    deal = supervised("license", at=clock.now())
    later = deal.at + timedelta(seconds=1)
    agreements.publish_text(
        operator.call(at=later, key=pages.new_key()),
        kind="terms",
        subject="terms",
        titles={"en": "Terms and Conditions"},
        texts={"en": "Newer words"},
    )
    archive = opened(bundle(deal, deal.buyer, at=later))
    signed = json.loads(archive.read("agreements.json"))
    assert [(each["subject"], each["version"], each["signed_for_order"]) for each in signed] == [
        ("terms", 1, deal.flow.order_number)
    ]
    assert datetime.fromisoformat(signed[0]["signed"]) == deal.order.placed_at
    text = archive.read(signed[0]["files"][0]).decode()
    assert text.startswith("Terms and Conditions\n\n")
    assert "Newer words" not in text


def test_no_license_no_password_and_no_name_of_a_user_is_in_it() -> None:
    deal = full_deal()
    for who in (deal.buyer, deal.seller, make_operator()):
        archive = opened(bundle(deal, who))
        assert not any("key.pdf" in name for name in archive.namelist())
        whole = b"\n".join(archive.read(name) for name in archive.namelist())
        for secret in SECRETS:
            assert secret.encode() not in whole
        shared = b"\n".join(archive.read(name) for name in archive.namelist() if not name.startswith("traces/"))
        for person in (deal.buyer.user, deal.seller.user):
            assert person.email.encode() not in shared
        assert deal.flow.appeals.get().proposed_by.username.encode() not in shared  # type: ignore[union-attr]


def test_contact_data_is_in_it_as_far_as_the_consent_goes() -> None:
    without = supervised("license", at=clock.now())
    assert json.loads(opened(bundle(without, without.seller)).read("order.json"))["contact"] is None

    deal = supervised("license", at=clock.now())
    email = deal.buyer.user.email
    with guard.opened("test"):
        Order.objects.filter(pk=deal.flow.order_id).update(contact_kind="email")
    consent = agreements.grant_consent(
        deal.buyer.call(at=deal.at),
        kind="email",
        product_code=deal.order.product_code,
        seller_name="",
        order_number=deal.flow.order_number,
    )
    for who in (deal.buyer, deal.seller):
        told = json.loads(opened(bundle(deal, who)).read("order.json"))["contact"]
        assert told == {"kind": "email", "value": email, "withdrawn": None}
    agreements.withdraw_consent(deal.buyer.call(at=deal.at, key=pages.new_key()), consent=str(consent.pk))
    content = bundle(deal, deal.seller)
    assert content == bundle(deal, deal.buyer)
    assert email.encode() not in opened(content).read("order.json")


def test_a_decision_that_waits_for_its_second_signature_is_nobodys_yet() -> None:
    deal = supervised("license", at=clock.now())
    deal.appeal()
    deal.decide("refund_all", note="A secret of operations.")
    archive = opened(bundle(deal, deal.seller))
    appeal = json.loads(archive.read("appeals.json"))[0]
    assert appeal["status"] == "Waiting for a second signature"
    assert "decision" not in appeal
    assert b"A secret of operations." not in b"".join(archive.read(name) for name in archive.namelist())


def test_operations_get_the_same_and_the_traces_of_both_parties() -> None:
    deal = full_deal()
    shared = opened(bundle(deal, deal.buyer))
    archive = opened(bundle(deal, make_operator(OperatorRole.APPEAL_OFFICER)))
    extra = [name for name in archive.namelist() if name not in shared.namelist()]
    assert extra == ["traces/customer.jsonl", "traces/seller.jsonl"]
    for name in shared.namelist()[:-1]:
        assert archive.read(name) == shared.read(name)
    of_customer, of_seller = (
        [json.loads(line)["trace_name"] for line in archive.read(name).decode().splitlines()] for name in extra
    )
    assert {"createOrder", "rejectDelivery", "initiateAppeal", "decideAppeal"} <= set(of_customer)
    assert {"deliverService", "sendSupervisionMessage", "decideAppeal"} <= set(of_seller)
    assert "rejectDelivery" not in of_seller


def test_a_file_that_the_storage_lost_is_listed_as_missing() -> None:
    deal = full_deal()
    lost = deal.flow.files.get(purpose="proof").file
    attachments().delete(lost.key)
    archive = opened(bundle(deal, deal.buyer))
    assert "files/001-Übergabe.pdf" not in archive.namelist()
    entries = {entry["name"]: entry for entry in json.loads(archive.read("manifest.json"))["entries"]}
    assert entries["files/001-Übergabe.pdf"] == {
        "name": "files/001-Übergabe.pdf",
        "size": lost.size,
        "sha256": lost.sha256,
        "missing": True,
    }


def test_buyer_seller_and_operations_download_it_and_nobody_else_knows_of_it(stranger: Persona) -> None:
    deal = full_deal()
    number, flow = deal.flow.number, deal.flow
    addresses = {
        "buyer": (deal.buyer, reverse("supervision:evidence", args=[number])),
        "seller": (deal.seller, reverse("supervision:seller_evidence", args=[number])),
        "officer": (make_operator(), reverse("admin:supervision_flow_evidence", args=[flow.pk])),
    }
    contents = {}
    for name, (who, address) in addresses.items():
        answer = who.client.get(address)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
        assert answer["Content-Disposition"] == f'attachment; filename="evidence-{flow.order_number}.zip"'
        assert answer["X-Content-Type-Options"] == "nosniff"
        contents[name] = b"".join(answer.streaming_content)
    assert contents["buyer"] == contents["seller"] != contents["officer"]
    assert stranger.client.get(addresses["buyer"][1]).status_code == 404
    assert deal.buyer.client.get(addresses["seller"][1]).status_code == 404
    assert make_operator(OperatorRole.FINANCE).client.get(addresses["officer"][1]).status_code == 403
    with pytest.raises(Missing):
        bundle(deal, stranger)
    traces = Trace.objects.filter(trace_name="exportEvidence", trace_rating="normal")
    assert sorted(trace.user_type for trace in traces) == ["buyer", "seller"]
    read = Trace.objects.filter(trace_name="exportAppealEvidence", trace_rating="normal")
    assert {trace.account_id for trace in read} == {flow.account_id, flow.seller.account_id}
    assert read.count() == 2


@pytest.mark.parametrize("role", [OperatorRole.SUPPORT, OperatorRole.CATALOGUE_REVIEWER, OperatorRole.AUDITOR])
def test_only_who_decides_appeals_reads_the_traces_and_files_of_both_parties(role: OperatorRole) -> None:
    deal = full_deal()
    proof = deal.flow.files.get(purpose="proof").file
    who, officer = make_operator(role), make_operator(OperatorRole.APPEAL_OFFICER)
    addresses = [
        reverse("admin:supervision_flow_evidence", args=[deal.flow.pk]),
        reverse("admin:supervision_flow_file", args=[deal.flow.pk, proof.number]),
    ]
    case = reverse("admin:supervision_flow_change", args=[deal.flow.pk])
    offered = officer.client.get(case).content.decode()
    shown = who.client.get(case)
    assert shown.status_code == (200 if role is OperatorRole.SUPPORT else 403)
    for address in addresses:
        assert address in offered
        assert address not in shown.content.decode()
        answer = officer.client.get(address)
        assert answer.status_code == 200
        assert b"".join(answer.streaming_content)
        assert who.client.get(address).status_code == 403
    with pytest.raises(Refused):
        bundle(deal, who)
    with pytest.raises(Refused):
        reading.download_appeal_file(who.call(at=deal.at), flow=deal.flow.number, file=proof.number)
    for account_id in (deal.flow.account_id, deal.flow.seller.account_id):
        names = Trace.objects.filter(account_id=account_id, user_type="operator", trace_rating="normal")
        assert {"decideAppeal", "exportAppealEvidence", "downloadAppealFile"} <= {each.trace_name for each in names}


def test_who_may_not_see_a_flow_gets_nothing_of_it(buyer: Persona) -> None:
    assert buyer.account is not None
    clerk = Persona(identity.UserFactory(account=buyer.account, is_root=False, username="narrow"), Role.BUYER)
    identity.deny(clerk.user, "marketplace:supervision:view")
    deal = full_deal(buyer=buyer)
    proof = deal.flow.files.get(purpose="proof").file
    names = ["detail", "request", "template", "accept", "reject", "remind", "appeal", "withdraw", "message", "evidence"]
    addresses = [reverse(f"supervision:{name}", args=[deal.flow.number]) for name in names]
    addresses += [reverse("supervision:list"), reverse("supervision:file", args=[deal.flow.number, proof.number])]
    assert {clerk.client.get(address).status_code for address in addresses} == {403}
    assert {clerk.client.post(address, {}).status_code for address in addresses} <= {403, 405}
    with pytest.raises(Refused):
        bundle(deal, clerk)


def test_a_storage_that_is_away_is_told_before_the_download_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    deal = full_deal()
    address = reverse("supervision:evidence", args=[deal.flow.number])
    assert deal.buyer.client.get(address).status_code == 200
    monkeypatch.setattr(type(attachments()), "open", _away)
    answer = deal.buyer.client.get(address)
    assert answer.status_code != 200
    assert answer["Content-Type"].startswith("text/html")
    assert Refused("file_storage_unavailable").sentence in html.unescape(answer.content.decode())


def _away(*args: Any, **kwargs: Any) -> Any:
    raise ConnectionError("away")


def test_files_that_the_storage_does_not_give_later_are_listed_as_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    deal = full_deal()
    made = evidence.export(deal.buyer.call(at=deal.at), flow=deal.flow.number)
    handles: list[Any] = []
    read = files.read

    def broken(*, key: str, sealed: bool) -> Any:
        if len(handles) == 1:
            handles.append(None)
            raise Refused("file_storage_unavailable")
        handles.append(read(key=key, sealed=sealed))
        if len(handles) == 3:
            handles[-1].chunks = iter(_breaking_off())
        return handles[-1]

    monkeypatch.setattr(files, "read", broken)
    archive = opened(b"".join(evidence.archive(made)))
    entries = {entry["name"]: entry for entry in json.loads(archive.read("manifest.json"))["entries"]}
    told = {name: entry.get("unavailable", False) for name, entry in entries.items() if name.startswith("files/")}
    assert told == {"files/001-Übergabe.pdf": False, "files/002-log.pdf": True, "files/003-log.pdf": True}
    assert archive.read("files/003-log.pdf") == b"%PDF"
    assert entries["files/003-log.pdf"]["recorded_sha256"] != entries["files/003-log.pdf"]["sha256"]
    assert handles[0].handle.closed
    assert handles[2].handle.closed


def _breaking_off() -> Iterator[bytes]:
    yield b"%PDF"
    raise ConnectionError("away")


def test_a_download_that_breaks_off_gives_the_file_back(monkeypatch: pytest.MonkeyPatch) -> None:
    deal = supervised("license", at=clock.now())
    deal.deliver(proof=sent(deal.seller, "big.pdf", PDF + b"x" * 1_000_000))
    made = evidence.export(deal.buyer.call(at=deal.at), flow=deal.flow.number)
    handles: list[Any] = []
    read = files.read

    def kept(*, key: str, sealed: bool) -> Any:
        handles.append(read(key=key, sealed=sealed))
        return handles[-1]

    monkeypatch.setattr(files, "read", kept)
    chunks = evidence.archive(made)
    while not handles or handles[0].handle.tell() == 0:
        next(chunks)
    assert not handles[0].handle.closed
    chunks.close()  # type: ignore[attr-defined]
    assert handles[0].handle.closed


def test_license_files_are_kept_like_passwords(buyer: Persona) -> None:
    assert buyer.account is not None
    clerk = Persona(identity.UserFactory(account=buyer.account, is_root=False, username="narrow"), Role.BUYER)
    identity.deny(clerk.user, "marketplace:saasResourceInstance:view")
    deal = full_deal(buyer=buyer)
    file = deal.flow.files.get(purpose="license").file
    number = deal.flow.number
    address = reverse("supervision:license_file", args=[number, file.number])
    resource_page = reverse("orders:resource", args=[deal.flow.line.resources.get().number])
    detail = reverse("supervision:detail", args=[number])
    answer = deal.buyer.client.get(address)
    assert answer.status_code == 200
    assert SECRETS[2].encode() in b"".join(answer.streaming_content)
    assert Trace.objects.filter(trace_name="downloadLicenseFile", account_id=buyer.account.pk).count() == 1
    for page in (detail, resource_page):
        assert address in deal.buyer.client.get(page).content.decode()
    assert clerk.client.get(address).status_code == 403
    assert address not in clerk.client.get(detail).content.decode()
    for name in ("file", "seller_file"):
        who = deal.seller if name == "seller_file" else deal.buyer
        assert who.client.get(reverse(f"supervision:{name}", args=[number, file.number])).status_code == 404
    assert deal.seller.client.get(address).status_code == 404


def test_a_seller_sees_the_names_of_license_files_and_cannot_download_them() -> None:
    deal = supervised("license", at=clock.now())
    deal.deliver(license_files=sent(deal.seller, "key.pdf", sealed=True))
    file = deal.flow.files.get(purpose="license").file
    shown = deal.seller.client.get(reverse("supervision:seller_detail", args=[deal.flow.number])).content.decode()
    assert '<span class="name">key.pdf</span>' in shown
    assert file.number not in shown


def test_nothing_of_a_license_is_shown_once_the_resource_is_closed() -> None:
    deal = supervised(
        "license", at=clock.now(), plans=[catalog.plan(unit_price="600.00", term_unit="year", lengths=[1])]
    )
    deal.deliver(
        proof=sent(deal.seller, "proof.pdf"),
        license_key=SECRETS[0],
        license_files=sent(deal.seller, "key.pdf", sealed=True),
    )
    deal.wait(minutes=1).appeal()
    deal.wait(minutes=1).decide("refund_all")
    resource = deal.flow.line.resources.get()
    assert resource.status == ResourceStatus.CLOSED
    file = deal.flow.files.get(purpose="license").file
    address = reverse("supervision:license_file", args=[deal.flow.number, file.number])
    refused = deal.buyer.client.get(address)
    assert refused.status_code >= 400
    assert Refused("license_key_missing").sentence in html.unescape(refused.content.decode())
    eye = reverse("orders:resource_license", args=[resource.number])
    for page in (
        reverse("supervision:detail", args=[deal.flow.number]),
        reverse("orders:resource", args=[resource.number]),
    ):
        shown = deal.buyer.client.get(page).content.decode()
        assert "The application information was removed when the resource was closed." in shown
        assert "key.pdf" not in shown
        assert address not in shown
        assert eye not in shown


def test_the_archive_leaves_in_chunks_and_is_never_held_whole() -> None:
    deal = supervised("license", at=clock.now())
    content = PDF + b"x" * 3_000_000
    deal.deliver(proof=sent(deal.seller, "big.pdf", content))
    made = evidence.export(deal.buyer.call(at=deal.at), flow=deal.flow.number)
    chunks = list(evidence.archive(made))
    assert len(chunks) > 20
    assert max(len(chunk) for chunk in chunks) < 200_000
    assert opened(b"".join(chunks)).read("files/001-big.pdf") == content


def test_every_page_of_a_flow_offers_the_bundle(operator: Persona) -> None:
    deal = supervised("license", at=clock.now())
    appeal, flow = deal.appeal(), deal.flow
    address = reverse("admin:supervision_flow_evidence", args=[flow.pk])
    for who, name in ((deal.buyer, "detail"), (deal.seller, "seller_detail")):
        shown = who.client.get(reverse(f"supervision:{name}", args=[flow.number])).content.decode()
        evidence_name = name.replace("detail", "evidence")
        assert f'href="{reverse(f"supervision:{evidence_name}", args=[flow.number])}" download' in shown
    for name, row in (("appeal", appeal), ("flow", flow)):
        page = operator.client.get(reverse(f"admin:supervision_{name}_change", args=[row.pk]))
        assert address in page.content.decode()


@pytest.mark.parametrize("step", [Step.SUBMIT, Step.ACCEPTED])
def test_a_flow_without_files_has_a_bundle_at_any_step(step: Step) -> None:
    deal = supervised("saas", at=clock.now(), plans=[catalog.plan(unit_price="0", term_unit="year", lengths=[1])])
    if step is Step.ACCEPTED:
        deal.submit()
    assert "manifest.json" in opened(bundle(deal, deal.seller)).namelist()
