"""The virus scan: a stand-in speaks clamd's protocol over a socket."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator

import pytest
from django.core.files.storage import storages
from pytest_django import Settings

from koogallery.engine.ports import free_port
from koogallery.kernel import files
from koogallery.kernel.reasons import Refused
from tests.factories.files import PDF, sent

SIGNATURE = b"a-signature-that-only-this-test-knows"


class Daemon(socketserver.ThreadingTCPServer):
    """clamd as far as INSTREAM goes; `mood` is how it answers."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.mood = "well"
        self.scanned: list[bytes] = []


class Conversation(socketserver.StreamRequestHandler):
    """One command: chunks, each behind its length, until one of length nought."""

    server: Daemon

    def handle(self) -> None:
        assert self.rfile.readline() == b"nINSTREAM\n"
        if self.server.mood == "gone":
            return
        content = b""
        while length := struct.unpack("!L", self.rfile.read(4))[0]:
            content += self.rfile.read(length)
        self.server.scanned.append(content)
        if self.server.mood == "small":
            self.wfile.write(b"INSTREAM size limit exceeded. ERROR\n")
        elif self.server.mood == "ill":
            self.wfile.write(b"stream: Can't allocate memory ERROR\n")
        else:
            found = b" Test.Signature-1 FOUND" if SIGNATURE in content else b" OK"
            self.wfile.write(b"stream:" + found + b"\n")


@pytest.fixture
def daemon(settings: Settings) -> Iterator[Daemon]:
    with Daemon() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        settings.CLAMAV = f"127.0.0.1:{server.server_address[1]}"
        yield server
        server.shutdown()


def test_a_clean_file_is_scanned_whole_and_stored(daemon: Daemon) -> None:
    content = PDF + b"x" * 5000
    upload = files.receive([sent("a.pdf", content)], owner=1, key="scanned-and-clean")[0]
    assert daemon.scanned == [content]
    assert b"".join(files.read(key=upload.key, sealed=False)) == content


@pytest.mark.parametrize("sealed", [False, True])
def test_an_infected_file_is_refused_by_name_and_nothing_is_stored(daemon: Daemon, sealed: bool) -> None:
    with pytest.raises(Refused) as refused:
        files.receive(
            [sent("good.pdf"), sent("bad.pdf", PDF + SIGNATURE)],
            owner=1,
            key=f"an-infected-form-{sealed}",
            sealed=sealed,
            field="proof",
        )
    assert refused.value.code == "file_infected"
    assert refused.value.field == "proof"
    assert refused.value.params == {"name": "bad.pdf", "found": "Test.Signature-1"}
    assert not storages["attachments"].exists(f"1/an-infected-form-{sealed}")


@pytest.mark.parametrize("mood", ["gone", "small", "ill"])
def test_without_a_verdict_nothing_is_accepted(daemon: Daemon, mood: str) -> None:
    daemon.mood = mood
    with pytest.raises(Refused) as refused:
        files.receive([sent("a.pdf")], owner=1, key=f"without-a-verdict-{mood}")
    assert refused.value.code == "file_scan_unavailable"
    assert not storages["attachments"].exists(f"1/without-a-verdict-{mood}")


def test_a_daemon_that_is_away_stops_uploads(settings: Settings) -> None:
    settings.CLAMAV = f"127.0.0.1:{free_port()}"
    with pytest.raises(Refused) as refused:
        files.receive([sent("a.pdf")], owner=1, key="nobody-there-to-scan")
    assert refused.value.code == "file_scan_unavailable"


def test_without_the_setting_nothing_is_asked(settings: Settings) -> None:
    settings.CLAMAV = ""
    assert files.receive([sent("a.pdf", PDF + SIGNATURE)], owner=1, key="no-scanner-at-all")
