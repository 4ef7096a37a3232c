"""How files arrive: to disk while they stream in, past the limit without a byte kept, through the real WSGI stack."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.conf import settings as django_settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import _get_new_csrf_string
from django.test import Client, RequestFactory
from django.urls import path
from pytest_django import Settings

from koogallery.kernel import files
from koogallery.kernel.files.streaming import MAX_FILES_PER_REQUEST, BoundedUploadHandler
from koogallery.kernel.pages import new_key, page
from tests.factories.files import PDF
from tests.personas import Persona

BOUNDARY = "----a-boundary-of-the-test"
MEGABYTE = 1024 * 1024


class ProofForm(files.FilesForm):
    reason = forms.CharField()
    proof = files.FilesField()


@page(audience="buyer")
def proof(request: HttpRequest) -> HttpResponse:
    """A page of the test that takes files and says what it understood."""
    form = ProofForm(request.POST, request.FILES, call=request.call)  # type: ignore[attr-defined]
    valid = form.is_valid()
    return JsonResponse(
        {
            "valid": valid,
            "errors": {name: [error.code for error in errors.as_data()] for name, errors in form.errors.items()},
            "messages": form.errors.get("proof", []),
            "reason": form.data.get("reason"),
            "files": [[each.name, each.size, each.sha256] for each in form.cleaned_data.get("proof", [])],
            "html": str(form),
        }
    )


@page(audience="public")
def anyone(request: HttpRequest) -> HttpResponse:
    """A page of the test that anybody may post to."""
    return JsonResponse({"files": list(request.FILES), "fields": request.POST.dict()})


urlpatterns = [path("proof/", proof, name="proof"), path("anyone/", anyone, name="anyone")]


@pytest.fixture(autouse=True)
def pages(settings: Settings, tmp_path: Path) -> Path:
    settings.ROOT_URLCONF = __name__
    settings.INCOMING_FILES = tmp_path / "incoming"
    return tmp_path / "incoming"


class Body(io.RawIOBase):
    """A multipart body that is made while it is read, and remembers the most that lay on disk meanwhile."""

    def __init__(self, fields: dict[str, str], sent: list[tuple[str, str, bytes, int]], *, watch: Path) -> None:
        self.fields, self.sent, self.watch = fields, sent, watch
        self.highest_on_disk = 0
        self.parts = self._parts()
        self.rest = b""
        self.length = sum(len(part) for part in self._parts())

    def _parts(self) -> Iterator[bytes]:
        for name, value in self.fields.items():
            yield f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, filename, head, size in self.sent:
            disposition = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'
            yield f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: text/html\r\n\r\n".encode() + head
            block = b"0123456789abcdef" * 4096
            left = size - len(head)
            while left > 0:
                yield block[: min(left, len(block))]
                left -= len(block)
            yield b"\r\n"
        yield f"--{BOUNDARY}--\r\n".encode()

    def read(self, size: int = -1) -> bytes:
        while len(self.rest) < size and (part := next(self.parts, None)) is not None:
            self.rest += part
        found, self.rest = self.rest[:size], self.rest[size:]
        if self.watch.exists():
            on_disk = sum(each.stat().st_size for each in self.watch.iterdir())
            self.highest_on_disk = max(self.highest_on_disk, on_disk)
        return found


def post(address: str, body: Body, *, client: Client | None) -> tuple[int, dict[str, Any]]:
    """Send a body through the whole WSGI application, with the session of `client`; status and JSON."""
    application = get_wsgi_application()
    cookies = {django_settings.CSRF_COOKIE_NAME: body.fields["csrfmiddlewaretoken"]}
    if client is not None:
        name = django_settings.SESSION_COOKIE_NAME
        cookies[name] = client.cookies[name].value
    environ = {
        **RequestFactory()._base_environ(),
        "REQUEST_METHOD": "POST",
        "PATH_INFO": address,
        "CONTENT_TYPE": f"multipart/form-data; boundary={BOUNDARY}",
        "CONTENT_LENGTH": str(body.length),
        "HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "wsgi.input": body,
    }
    answered: list[str] = []
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)  # the test's transaction goes on
    try:
        response = application(environ, lambda status, headers, *rest: answered.append(status))
        content = b"".join(response)
        response.close()
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)
    return int(answered[0][:3]), json.loads(content) if content.startswith(b"{") else {}


def fields(**more: str) -> dict[str, str]:
    """What a form of the site brings with it."""
    return {"csrfmiddlewaretoken": _get_new_csrf_string(), "idempotency_key": new_key(), **more}


def test_a_body_of_60_mb_is_read_past_with_little_memory_and_the_refusal_names_the_file(
    buyer: Persona, pages: Path
) -> None:
    Client()  # what a first request loads is not the upload's
    post("/proof/", Body(fields(reason="first"), [("proof", "a.pdf", PDF, 100)], watch=pages), client=buyer.client)
    body = Body(
        fields(reason="Everything works as ordered."),
        [("proof", "too large.pdf", PDF, 60 * MEGABYTE), ("proof", "small.pdf", PDF, 3 * MEGABYTE)],
        watch=pages,
    )
    tracemalloc.start()
    try:
        status, said = post("/proof/", body, client=buyer.client)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert status == 200
    assert said["valid"] is False
    assert said["errors"] == {"proof": ["file_too_large"]}
    assert said["messages"] == ["too large.pdf is larger than 50.0 MB."]
    assert said["reason"] == "Everything works as ordered."
    assert "small.pdf" in said["html"]
    assert peak < 8 * MEGABYTE
    assert body.highest_on_disk <= 50 * MEGABYTE
    assert list(pages.iterdir()) == []


def test_a_file_of_exactly_the_limit_arrives_whole(buyer: Persona, pages: Path) -> None:
    body = Body(fields(reason="x"), [("proof", "whole.pdf", PDF, files.MAX_SIZE)], watch=pages)
    digest = hashlib.sha256(PDF)
    left = files.MAX_SIZE - len(PDF)
    block = b"0123456789abcdef" * 4096
    while left > 0:
        digest.update(block[: min(left, len(block))])
        left -= len(block)
    status, said = post("/proof/", body, client=buyer.client)
    assert (status, said["errors"]) == (200, {})
    assert said["files"] == [["whole.pdf", files.MAX_SIZE, digest.hexdigest()]]


def test_a_request_larger_than_any_form_is_not_read(pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("koogallery.kernel.files.streaming.MAX_REQUEST_SIZE", MEGABYTE)
    data = {"proof": SimpleUploadedFile("a.pdf", PDF + b"x" * MEGABYTE)}
    request = RequestFactory().post("/proof/", data)
    with pytest.raises(RequestDataTooBig):
        _ = request.POST
    assert not pages.exists()


def test_a_request_that_does_not_say_its_size_is_read_no_further_than_any_form(
    buyer: Persona, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("koogallery.kernel.files.streaming.MAX_REQUEST_SIZE", 2 * MEGABYTE)
    monkeypatch.setattr(BoundedUploadHandler, "handle_raw_input", lambda *args, **kwargs: None)
    many = [("proof", f"{number}.pdf", PDF, MEGABYTE) for number in range(9)]
    body = Body(fields(reason="x"), many, watch=pages)
    post("/proof/", body, client=buyer.client)
    assert body.highest_on_disk <= 2 * MEGABYTE
    assert len(list(body.parts)) > 4
    assert list(pages.iterdir()) == []


def test_files_of_visitors_who_are_not_signed_in_are_not_kept(db: None, pages: Path) -> None:
    body = Body(fields(reason="spam"), [("proof", "a.pdf", PDF, 2 * MEGABYTE)], watch=pages)
    status, said = post("/anyone/", body, client=None)
    assert status == 200
    assert said["files"] == []
    assert said["fields"]["reason"] == "spam"
    assert body.highest_on_disk == 0


def test_a_request_without_a_true_token_is_refused_before_the_view(buyer: Persona, pages: Path) -> None:
    body = Body(fields(reason="x"), [("proof", "a.pdf", PDF, 1000)], watch=pages)
    body.fields["csrfmiddlewaretoken"] = _get_new_csrf_string()
    status, _said = post("/proof/", body, client=None)
    assert status in (302, 403)


def test_more_files_than_a_form_takes_are_refused_with_their_limit(buyer: Persona, pages: Path) -> None:
    many = [("proof", f"{number}.pdf", PDF, 1000) for number in range(11)]
    _status, said = post("/proof/", Body(fields(reason="x"), many, watch=pages), client=buyer.client)
    assert said["errors"] == {"proof": ["too_many_files"]}
    assert said["messages"] == ["At most 10 files can be attached."]


def test_no_bytes_are_kept_of_files_beyond_what_any_request_may_hold(buyer: Persona, pages: Path) -> None:
    many = [("proof", f"{number}.pdf", PDF, 100_000) for number in range(MAX_FILES_PER_REQUEST + 10)]
    body = Body(fields(reason="x"), many, watch=pages)
    _status, said = post("/proof/", body, client=buyer.client)
    assert said["errors"] == {"proof": ["too_many_files"]}
    assert body.highest_on_disk <= MAX_FILES_PER_REQUEST * 100_000


def test_the_handler_names_no_file_on_disk_after_what_was_sent(tmp_path: Path, settings: Settings) -> None:
    request = RequestFactory().post("/", {"a": SimpleUploadedFile("a." + "x" * 240, PDF)})
    assert isinstance(request.upload_handlers[0], BoundedUploadHandler)
    received = request.FILES["a"]
    assert Path(received.temporary_file_path()).suffix == ".upload"
    assert received.read() == PDF
    assert received.sha256 == hashlib.sha256(PDF).hexdigest()
    request.close()


def broken_off(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The answer to a request whose form could not be read."""
    return HttpResponse(reason, status=403)


def test_an_upload_that_breaks_off_leaves_nothing(buyer: Persona, pages: Path, settings: Settings) -> None:
    settings.CSRF_FAILURE_VIEW = f"{__name__}.broken_off"

    class Broken(Body):
        def read(self, size: int = -1) -> bytes:
            found = super().read(size)
            if self.highest_on_disk > MEGABYTE:
                raise OSError("The connection is gone.")
            return found

    body = Broken(fields(reason="x"), [("proof", "a.pdf", PDF, 20 * MEGABYTE)], watch=pages)
    status, _said = post("/proof/", body, client=buyer.client)
    assert status == 403
    gc.collect()
    assert list(pages.iterdir()) == []
