"""Files in forms: stored once, kept while a form is refused, removed on demand, equal on a second click (R18)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.core.files.storage import storages
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from pytest_django import Settings

from koogallery.kernel import files
from koogallery.kernel.files import receiving
from koogallery.kernel.files.recording import Upload
from koogallery.kernel.models import StoredFile
from koogallery.kernel.operations import operation, registry
from koogallery.kernel.reasons import Refused
from koogallery.settings import environment
from tests.factories.files import CONTENTS, PDF, sent
from tests.personas import Persona

pytestmark = pytest.mark.django_db

KEY = "key-of-the-form-1"


class ReasonForm(files.FilesForm):
    reason = forms.CharField(label="Reason", max_length=20)
    proof = files.FilesField(label="Delivery proof", required=True)
    more = files.FilesField(label="License files", sealed=True, max_files=2)


def bound(persona: Persona, *sent_files: Any, more: list[Any] | None = None, key: str = KEY, **data: Any) -> ReasonForm:
    """The form as a page makes it of a request."""
    fields = QueryDict(mutable=True)
    for name, value in {"reason": "because", **data}.items():
        fields.setlist(name.replace("__", "-"), value if isinstance(value, list) else [value])
    found = MultiValueDict({"proof": list(sent_files), "more": more or []})
    return ReasonForm(fields, found, call=persona.call(key=key))


def tokens(form: forms.Form, name: str = "proof") -> list[str]:
    """What the drawn form carries of the files it keeps."""
    return re.findall(rf'<input type="hidden" name="{name}-kept" value="([^"]+)">', str(form))


def codes(form: forms.Form, name: str = "proof") -> list[str]:
    """The codes of a field's errors."""
    return [error.code or "" for error in form.errors.as_data().get(name, [])]


def test_a_field_cleans_to_stored_uploads(buyer: Persona) -> None:
    form = bound(buyer, sent("证明.PDF"), sent("picture.png"))
    assert form.is_valid(), form.errors
    first, second = form.cleaned_data["proof"]
    assert (first.name, first.size, first.content_type, first.sealed) == (
        "证明.PDF",
        len(PDF),
        "application/pdf",
        False,
    )
    assert (second.name, second.content_type) == ("picture.png", "image/png")
    assert first.key.startswith(f"{buyer.account.pk}/{KEY}/")  # type: ignore[union-attr]
    assert b"".join(files.read(key=first.key, sealed=False)) == PDF
    assert form.cleaned_data["more"] == []


def test_a_second_click_of_the_same_form_gives_equal_uploads(buyer: Persona) -> None:
    first = bound(buyer, sent("a.pdf"), more=[sent("license.zip")])
    second = bound(buyer, sent("a.pdf"), more=[sent("license.zip")])
    assert first.is_valid()
    assert second.is_valid()
    assert first.cleaned_data == second.cleaned_data
    assert b"".join(files.read(key=second.cleaned_data["more"][0].key, sealed=True)) == CONTENTS["zip"]


def test_other_forms_and_other_accounts_store_apart(buyer: Persona, stranger: Persona) -> None:
    found = [
        bound(buyer, sent("a.pdf")),
        bound(buyer, sent("a.pdf"), key="another-key-2"),
        bound(stranger, sent("a.pdf")),
    ]
    assert all(form.is_valid() for form in found)
    assert len({form.cleaned_data["proof"][0].key for form in found}) == 3


def test_files_of_a_form_refused_for_other_input_come_back_without_being_sent_again(buyer: Persona) -> None:
    refused = bound(buyer, sent("a.pdf"), sent("b.png"), reason="x" * 21)
    assert not refused.is_valid()
    html = str(refused)
    assert "a.pdf" in html
    assert html.count("Remove") == 2
    again = bound(buyer, key="next-key-of-the-form", proof__kept=tokens(refused))
    assert again.is_valid(), again.errors
    assert [each.name for each in again.cleaned_data["proof"]] == ["a.pdf", "b.png"]
    assert [each.key for each in again.cleaned_data["proof"]] == [
        receiving.kept(token, owner=buyer.account.pk).key  # type: ignore[union-attr]
        for token in tokens(refused)
    ]


def test_kept_files_keep_their_tokens_so_that_they_end_after_a_day(buyer: Persona) -> None:
    refused = bound(buyer, sent("a.pdf"), reason="")
    refused.is_valid()
    again = bound(buyer, reason="", proof__kept=tokens(refused))
    again.is_valid()
    assert tokens(again) == tokens(refused)


def test_an_operation_that_refuses_leaves_the_files_with_the_form(buyer: Persona) -> None:
    form = bound(buyer, sent("a.pdf"))
    assert form.is_valid()
    form.add_error("reason", "Not now.")
    assert len(tokens(form)) == 1
    assert not StoredFile.objects.exists()


def test_a_kept_file_can_be_removed(buyer: Persona) -> None:
    refused = bound(buyer, sent("a.pdf"), sent("b.png"), reason="")
    refused.is_valid()
    digests = re.findall(r'name="proof-removed" value="([^"]+)"', str(refused))
    again = bound(buyer, proof__kept=tokens(refused), proof__removed=digests[:1])
    assert again.is_valid()
    assert [each.name for each in again.cleaned_data["proof"]] == ["b.png"]
    none_left = bound(buyer, proof__kept=tokens(refused), proof__removed=digests)
    assert codes(none_left) == ["required"]


def test_what_is_refused_is_named_and_what_is_accepted_is_kept(buyer: Persona) -> None:
    form = bound(buyer, sent("a.pdf"), sent("b.pdf", b"MZ"), sent("c.exe", b"MZ"), sent("d.pdf", b""))
    assert not form.is_valid()
    assert codes(form) == ["file_content", "file_type", "file_empty"]
    assert all(name in str(form.errors["proof"]) for name in ("b.pdf", "c.exe", "d.pdf"))
    assert len(tokens(form)) == 1


def test_kept_and_new_files_are_counted_together(buyer: Persona) -> None:
    pictures = [sent(f"{number}.pdf", PDF + bytes([number])) for number in range(10)]
    refused = bound(buyer, *pictures, reason="")
    refused.is_valid()
    assert len(tokens(refused)) == 10
    again = bound(buyer, sent("one more.pdf"), proof__kept=tokens(refused))
    assert codes(again) == ["too_many_files"]
    assert len(tokens(again)) == 10
    two = bound(buyer, sent("a.pdf"), more=[sent(f"{n}.pdf", PDF + bytes([n])) for n in range(3)])
    assert codes(two, "more") == ["too_many_files"]


def test_a_required_field_asks_for_a_file(buyer: Persona) -> None:
    assert codes(bound(buyer)) == ["required"]


def test_tokens_of_others_forged_or_old_ones_and_those_of_another_field_bring_nothing(
    buyer: Persona, stranger: Persona, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = bound(buyer, sent("a.pdf"), more=[sent("license.zip")], reason="")
    refused.is_valid()
    own, sealed = tokens(refused), tokens(refused, "more")
    assert codes(bound(stranger, proof__kept=own)) == ["required"]
    assert codes(bound(buyer, proof__kept=[own[0][:-2] + "xx"])) == ["required"]
    assert codes(bound(buyer, proof__kept=sealed)) == ["required"]
    assert bound(buyer, proof__kept=own).is_valid()
    from datetime import timedelta

    monkeypatch.setattr(receiving, "KEPT_FOR", timedelta(seconds=-1))
    assert codes(bound(buyer, proof__kept=own)) == ["required"]


def test_the_control_says_what_is_accepted(buyer: Persona) -> None:
    html = str(ReasonForm(call=buyer.call()))
    assert 'type="file"' in html
    assert html.count(" multiple") == 2
    assert 'accept=".bmp,.jpg,.jpeg,.png,.gif,.doc,.docx,.xls,.xlsx,.ppt,.pptx,.pdf,.rar,.zip"' in html
    assert "Supported formats: BMP, JPG, JPEG, PNG" in html
    assert "Max. file size: 50.0 MB" in html


def test_names_are_escaped_on_the_page(buyer: Persona) -> None:
    refused = bound(buyer, sent('<img src=x onerror="alert(1)">.pdf'), reason="")
    refused.is_valid()
    assert "<img" not in str(refused)


def test_received_files_are_all_stored_or_none(buyer: Persona) -> None:
    owner = buyer.account.pk  # type: ignore[union-attr]
    with pytest.raises(Refused) as refused:
        files.receive([sent("a.pdf"), sent("b.pdf", b"no")], owner=owner, key="all-or-none-1", field="proof")
    assert (refused.value.code, refused.value.field) == ("file_content", "proof")
    assert not storages["attachments"].exists(f"{owner}/all-or-none-1")
    uploads = files.receive([sent("a.pdf"), sent("b.png")], owner=owner, key="all-or-none-1")
    assert uploads == files.receive([sent("a.pdf"), sent("b.png")], owner=owner, key="all-or-none-1")
    assert files.kept(files.keep_token(uploads[0], owner=owner), owner=owner) == uploads[0]
    assert files.kept(files.keep_token(uploads[0], owner=owner), owner=owner + 1) is None


def test_a_storage_that_is_away_refuses_with_its_reason_and_keeps_what_was_typed(
    buyer: Persona, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "no folder").write_text("x")
    chosen = environment.attachments(tmp_path / "no folder")
    settings.STORAGES = {**settings.STORAGES, "attachments": chosen}
    form = bound(buyer, sent("a.pdf"))
    assert codes(form) == ["file_storage_unavailable"]
    assert 'value="because"' in str(form)
    with pytest.raises(Refused) as refused:
        files.receive([sent("a.pdf")], owner=1, key="storage-is-away", field="proof")
    assert (refused.value.code, refused.value.field) == ("file_storage_unavailable", "proof")


def test_a_form_key_cannot_lead_out_of_its_place(buyer: Persona) -> None:
    upload = files.receive([sent("a.pdf")], owner=7, key="../../../etc")[0]
    assert upload.key == f"7/etc/{upload.sha256}"


def test_uploads_become_rows_only_inside_an_operation_that_succeeds(buyer: Persona) -> None:
    from koogallery.kernel.calls import Role

    @operation("keepTestFiles", resource_type="File", roles={Role.BUYER}, once=True, default_allowed=True)
    def keep(call: Any, *, uploads: list[Upload], refuse: bool = False) -> StoredFile:
        rows = files.record(call, uploads)
        if refuse:
            raise Refused("invalid_input")
        return rows[0]

    try:
        uploads = files.receive([sent("a.pdf")], owner=buyer.account.pk, key=KEY)  # type: ignore[union-attr]
        with pytest.raises(Refused):
            keep(buyer.call(key=KEY), uploads=uploads, refuse=True)
        assert not StoredFile.objects.exists()
        first = keep(buyer.call(key=KEY), uploads=uploads)
        again = files.receive([sent("a.pdf")], owner=buyer.account.pk, key=KEY)  # type: ignore[union-attr]
        assert keep(buyer.call(key=KEY), uploads=again) == first
        row = StoredFile.objects.get()
        assert (row.name, row.size, row.owner_id) == ("a.pdf", len(PDF), buyer.account.pk)  # type: ignore[union-attr]
    finally:
        registry.pop("keepTestFiles", None)
