"""The guarded client, against real sockets."""

import datetime as dt
import socket
import ssl
import threading
import time
from contextlib import contextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from koogallery import clock
from orders.saas import transport
from orders.saas.activities import Activity, InterfaceVersion, build_request
from orders.saas.codes import CallError, CallStatus
from orders.saas.transport import CallFailed, call_seller, check_url, fetch

GOOD = b'{"resultCode":"000000","instanceId":"i1"}'


@contextmanager
def server(answer, *, tls=None):
    """A raw server: `answer(connection)` is called for each connection, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    stopped = threading.Event()

    def serve(connection):
        try:
            with tls.wrap_socket(connection, server_side=True) if tls else connection as wrapped:
                answer(wrapped)
        except OSError:
            connection.close()

    def accept():
        while not stopped.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    stopped.set()
    thread.join()
    listener.close()


def receive(connection):
    """Read one request of `get` to its end."""
    request = b""
    while not request.endswith(b"{}"):
        request += connection.recv(65536)


def answering(body, *, status="200 OK", headers=""):
    def answer(connection):
        receive(connection)
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        connection.sendall(head.encode() + body)

    return answer


def get(url, **options):
    return fetch(url=url, method="POST", body=b"{}", headers={}, **({"allow_loopback": True} | options))


def failure(url, **options):
    with pytest.raises(CallFailed) as caught:
        get(url, **options)
    return caught.value.error


@pytest.mark.parametrize(
    "url",
    [
        "http://seller.example.com/",
        "ftp://seller.example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://93.184.216.34/",
        "https://2130706433/",
        "https://0x7f.0.0.1/",
        "https://127.1/",
        "https://localhost/",
        "https://intranet/",
        "https://user:pass@seller.example.com/",
        "https://seller.example.com:99999/",
        "https://seller.example.com/\r\nX: y",
        "https://sel\\ler.example.com/",
        "https://-.example.com/",
        "https:///path",
        "",
    ],
)
def test_only_https_to_a_domain_name_is_allowed(url):
    with pytest.raises(CallFailed) as caught:
        check_url(url)
    assert caught.value.error is CallError.ADDRESS_REFUSED


def test_a_seller_url_keeps_its_port_path_and_query():
    target = check_url("https://Seller.Example.com:8443/a/b?c=d")
    assert (target.host, target.port, target.path) == ("seller.example.com", 8443, "/a/b?c=d")
    assert check_url("https://münchen.example/").host == "xn--mnchen-3ya.example"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://localhost/", "http://[::1]/", "http://seller.example.com/"]
)
def test_a_rehearsal_allows_http_and_loopback(url):
    assert check_url(url, allow_loopback=True).scheme == "http"


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://169.254.169.254/", "http://192.168.1.1/", "http://0.0.0.0/"]
)
def test_even_a_rehearsal_does_not_allow_private_addresses(url):
    assert failure(url) is CallError.ADDRESS_REFUSED


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "fec0::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:4136:e378::1",
        "2001:db8::1",
        "nonsense",
    ],
)
def test_an_address_that_is_not_public_is_refused_whoever_names_it(address):
    assert not transport.is_public(address)
    error = failure("https://seller.example.com/", allow_loopback=False, resolve=lambda host, port: [address])
    assert error is CallError.ADDRESS_REFUSED


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_known(address):
    assert transport.is_public(address)


def test_one_private_address_among_public_ones_is_enough_to_refuse():
    error = failure(
        "https://seller.example.com/", allow_loopback=False, resolve=lambda host, port: ["8.8.8.8", "10.0.0.1"]
    )
    assert error is CallError.ADDRESS_REFUSED


def test_the_connection_goes_to_the_checked_address_whatever_the_name_resolves_to_later():
    asked = []

    def resolve(host, port):
        asked.append(host)
        return ["127.0.0.1"]

    with server(answering(GOOD)) as port:
        answer = get(f"http://rebinding.example.com:{port}/", resolve=resolve)
    assert answer.body == GOOD
    assert asked == ["rebinding.example.com"]


def test_a_name_that_does_not_resolve_says_so():
    def resolve(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    assert failure("http://seller.example.com/", resolve=resolve) is CallError.NOT_RESOLVED
    assert failure("http://seller.example.com/", resolve=lambda host, port: []) is CallError.NOT_RESOLVED


def test_a_slow_name_server_counts_into_the_time_limit():
    assert failure("http://x.example.com/", resolve=lambda host, port: time.sleep(1), timeout=0.2) is CallError.TIMEOUT


def test_a_closed_port_is_a_failed_connection():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert failure(f"http://127.0.0.1:{port}/") is CallError.CONNECTION_FAILED


def test_a_redirect_is_not_followed():
    followed = []

    def other(connection):
        followed.append(connection)

    with (
        server(other) as second,
        server(answering(b"", status="302 Found", headers=f"Location: http://127.0.0.1:{second}/\r\n")) as first,
    ):
        assert get(f"http://127.0.0.1:{first}/").status == 302
    assert followed == []


@pytest.mark.parametrize(("size", "taken"), [(64 * 1024, True), (64 * 1024 + 1, False)])
def test_an_answer_has_at_most_64_kib(size, taken):
    with server(answering(b"x" * size)) as port:
        if taken:
            assert len(get(f"http://127.0.0.1:{port}/").body) == size
        else:
            assert failure(f"http://127.0.0.1:{port}/") is CallError.TOO_LARGE


def test_an_endless_answer_is_cut_off():
    def endless(connection):
        receive(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    with server(endless) as port:
        assert failure(f"http://127.0.0.1:{port}/") is CallError.TOO_LARGE


def drip(text):
    def answer(connection):
        receive(connection)
        for byte in text:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection: time.sleep(2),
        drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100),
        drip(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100),
    ],
)
def test_silence_and_dripping_bytes_end_at_the_time_limit(answer):
    with server(answer) as port:
        started = time.monotonic()
        assert failure(f"http://127.0.0.1:{port}/", timeout=0.5) is CallError.TIMEOUT
        assert time.monotonic() - started < 1.5


@pytest.mark.parametrize("raw", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"])
def test_a_broken_connection_is_a_failed_connection(raw):
    def answer(connection):
        receive(connection)
        connection.sendall(raw)

    with server(answer) as port:
        assert failure(f"http://127.0.0.1:{port}/") is CallError.CONNECTION_FAILED


def test_a_compressed_answer_is_not_unpacked():
    with server(answering(b"\x1f\x8b00", headers="Content-Encoding: gzip\r\n")) as port:
        assert failure(f"http://127.0.0.1:{port}/") is CallError.NOT_JSON


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for seller.example.com."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "seller.example.com")])
    now = clock.real_now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("seller.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "seller.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def tls_pair(certificate):
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    trusting = transport.tls_context()
    trusting.load_verify_locations(certificate)
    return serving, trusting


def loopback(host, port):
    return ["127.0.0.1"]


def test_tls_verifies_the_domain_name_at_the_pinned_address(certificate):
    serving, trusting = tls_pair(certificate)
    with server(answering(GOOD), tls=serving) as port:
        assert get(f"https://seller.example.com:{port}/", resolve=loopback, tls=trusting).body == GOOD
        assert failure(f"https://other.example.com:{port}/", resolve=loopback, tls=trusting) is CallError.TLS_FAILED
        assert failure(f"https://seller.example.com:{port}/", resolve=loopback) is CallError.TLS_FAILED


def test_tls_1_2_is_the_least():
    context = transport.tls_context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_stalled_tls_handshake_ends_at_the_time_limit():
    with server(lambda connection: time.sleep(2)) as port:
        assert failure(f"https://seller.example.com:{port}/", resolve=loopback, timeout=0.4) is CallError.TIMEOUT


def test_a_call_never_raises_for_what_the_network_does():
    request = build_request(
        version=InterfaceVersion.V2,
        url="https://seller.example.com/",
        key="k" * 32,
        activity=Activity.RELEASE_INSTANCE,
        params={"instanceId": "i1"},
        at=clock.real_now(),
    )
    result = call_seller(request=request, key="k" * 32, resolve=lambda host, port: ["10.0.0.1"])
    assert (result.status, result.error) == (CallStatus.RETRY, CallError.ADDRESS_REFUSED)
    assert result.sentence
