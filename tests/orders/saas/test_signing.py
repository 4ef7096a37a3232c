"""Signatures and encryption of the SaaS interface, by the published and computed vectors."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.saas import credentials, signing_v1, signing_v2
from orders.saas.credentials import EncryptType, NotDecrypted
from orders.saas.signing_v2 import NonceMemory, SignatureCheck

KEY = "0123456789abcdef0123456789abcdef"
NONCE = "50D83FAKE0NONCE000000000000000001"
STAMP = "1680508066618"
ORDER = {
    "orderId": "CS2211181819B4LVS",
    "orderLineId": "CS2211181819B4LVS-000001",
    "activity": "newInstance",
    "businessId": "03pf80c2bae96vc49b80b917bea776d7",
    "testFlag": "0",
    "productId": None,
}
BODY = (
    b'{"activity":"newInstance","businessId":"03pf80c2bae96vc49b80b917bea776d7","orderId":"CS2211181819B4LVS",'
    b'"orderLineId":"CS2211181819B4LVS-000001","testFlag":"0"}'
)
V1_TEXT = (
    "activity=newInstance&businessId=61e834ba-7b97-4418-b8f7-e5345137278c&customerId=68cbc86abc2018ab880d92f36422fa0e"
    "&expireTime=20200727153156&orderId=CS1906666666ABCDE&productId=00301-666666-0--0&testFlag=1"
    "&timeStamp=20200727073711903"
)
NOW = signing_v2.parse_timestamp(STAMP)


def test_the_body_is_compact_sorted_and_without_nulls():
    assert signing_v2.compact(ORDER) == BODY
    nested = {"b": [{"d": None, "c": 1}], "a": "名称"}
    assert signing_v2.compact(nested) == '{"a":"名称","b":[{"c":1}]}'.encode()


def test_the_version_2_vector_gives_its_body_hash_and_signature():
    assert signing_v2.body_hash(key=KEY, body=BODY) == (
        "1a5b5fa84394b2ba195bb7288df2301557a7c836a0274c02ce2eb9d814e2cd7e"
    )
    assert signing_v2.signature(key=KEY, nonce=NONCE, timestamp=STAMP, body=BODY) == (
        "20c73432bfb290415106a68d0decc24a1744ce4e754a9fd996384c95136eb1d8"
    )


def test_the_header_form_gives_its_x_sign():
    assert signing_v2.x_sign(key=KEY, nonce=NONCE, timestamp=STAMP, body=BODY) == (
        "1c46ff57f59333f030a18735a986ab45f530053fda35ed006d19ff20fee8bc30"
    )


def test_the_usage_report_vector_gives_its_signature():
    report = {
        "usage_records": [
            {
                "usage_value": "12.5",
                "record_time": "20250101T010500Z",
                "instance_id": "ins-0001",
                "begin_time": "20250101T000000Z",
                "end_time": "20250101T010000Z",
            }
        ]
    }
    expected = "JTbBCebdXk26s46X6xNndsSM6C2hU/mRDFNPVxKHRiQ="
    body = signing_v2.compact(report)
    assert signing_v2.usage_signature(key=KEY, timestamp="1735693500000", nonce="abc123", body=body) == expected
    now = signing_v2.parse_timestamp("1735693500000")

    def check(sent):
        return signing_v2.check_usage_report(
            key=KEY,
            sent=sent,
            timestamp="1735693500000",
            nonce="abc123",
            report=report,
            now=now,
            remember=lambda nonce: True,
        )

    assert check(expected) is SignatureCheck.OK
    assert check(expected.lower()) is SignatureCheck.WRONG


def query(**changed):
    return signing_v2.sign_query(key=KEY, nonce=NONCE, at=NOW, body=BODY) | changed


def check(parameters, *, now=NOW, body=BODY, key=KEY, memory=None):
    memory = memory or NonceMemory()
    return signing_v2.check_request(
        key=key, query=parameters, body=body, now=now, remember=lambda nonce: memory.remember(nonce, now=now)
    )


def test_a_signed_request_is_accepted_once_in_small_or_capital_letters():
    memory = NonceMemory()
    assert check(query(signature=query()["signature"].upper()), memory=memory) is SignatureCheck.OK
    assert check(query(), memory=memory) is SignatureCheck.REPLAYED


def test_a_wrong_signature_does_not_burn_its_nonce():
    memory = NonceMemory()
    assert check(query(signature="0" * 64), memory=memory) is SignatureCheck.WRONG
    assert check(query(), memory=memory) is SignatureCheck.OK


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"signature": ""}, SignatureCheck.MISSING),
        ({"nonce": ""}, SignatureCheck.MISSING),
        ({"nonce": "N" * 500}, SignatureCheck.MISSING),
        ({"timestamp": ""}, SignatureCheck.MISSING),
        ({"timestamp": "1680508066"}, SignatureCheck.MISSING),
        ({"timestamp": "1680508066619"}, SignatureCheck.WRONG),
        ({"nonce": "another"}, SignatureCheck.WRONG),
        ({"signature": "é" * 64}, SignatureCheck.WRONG),
    ],
)
def test_what_is_missing_or_changed_is_refused(changed, found):
    assert check(query(**changed)) is found


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_timestamp_may_be_sixty_seconds_off_and_no_more(seconds):
    edge = NOW + timedelta(seconds=seconds)
    assert check(query(), now=edge) is SignatureCheck.OK
    assert check(query(), now=edge + timedelta(milliseconds=seconds)) is SignatureCheck.STALE


def test_another_body_or_key_is_refused():
    assert check(query(), body=BODY + b" ") is SignatureCheck.WRONG
    assert check(query(), key=KEY[::-1]) is SignatureCheck.WRONG


def test_an_order_query_is_signed_with_the_hash_of_the_empty_body():
    signed = signing_v2.sign_query(key=KEY, nonce=NONCE, at=NOW, body=b"")
    found = signing_v2.check_order_query(key=KEY, query=signed, now=NOW, remember=lambda nonce: True)
    assert found is SignatureCheck.OK
    found = signing_v2.check_order_query(key=KEY, query=query(), now=NOW, remember=lambda nonce: True)
    assert found is SignatureCheck.WRONG


def test_nonces_are_forgotten_after_the_window():
    memory = NonceMemory()
    assert memory.remember("n", now=NOW)
    assert not memory.remember("n", now=NOW + timedelta(seconds=120))
    assert memory.remember("n", now=NOW + timedelta(seconds=121))


def test_a_new_nonce_is_random_and_timestamps_have_13_digits():
    assert signing_v2.new_nonce() != signing_v2.new_nonce()
    assert signing_v2.timestamp(NOW) == STAMP


def test_the_published_version_1_vector_gives_its_token():
    params = dict(pair.split("=", 1) for pair in V1_TEXT.split("&"))
    token = "Gzbfjf9LHRBcI3bFVi++sLinCNOBF6qa7is1fvjEgYQ="
    assert signing_v1.auth_token(key="xxxxxxx", params=params) == token
    now = datetime(2020, 7, 27, 7, 37, 11, 903000, tzinfo=UTC)
    assert signing_v1.time_stamp(now) == params["timeStamp"]
    signed = params | {"authToken": token}
    assert signing_v1.check_request(key="xxxxxxx", params=signed, now=now) is SignatureCheck.OK
    late = now + timedelta(seconds=61)
    assert signing_v1.check_request(key="xxxxxxx", params=signed, now=late) is SignatureCheck.STALE
    changed = signed | {"orderId": "CS1906666666ABCDF"}
    assert signing_v1.check_request(key="xxxxxxx", params=changed, now=now) is SignatureCheck.WRONG
    assert signing_v1.check_request(key="xxxxxxx", params=params, now=now) is SignatureCheck.MISSING
    odd = signed | {"timeStamp": "2020-07-27"}
    assert signing_v1.check_request(key="xxxxxxx", params=odd, now=now) is SignatureCheck.MISSING


def test_the_body_sign_vector_is_recognised_with_its_case_and_quotes():
    body = b'{"resultCode":"000000","resultMsg":"success","instanceId":"ins-0001"}'
    header = 'sign_type="HMAC-SHA256", signature="Xze2TKLQLSOfodh8ZUrhSWPSHiIKROFcy7k+rxL+qDE="'
    assert signing_v1.body_sign(key=KEY, body=body) == header
    assert signing_v1.check_body_sign(key=KEY, body=body, header=header)
    for wrong in (None, "", header.replace('"', ""), header.lower(), header.replace("Xze2", "Yze2")):
        assert not signing_v1.check_body_sign(key=KEY, body=body, header=wrong)


def test_the_key_is_derived_as_java_does():
    key = credentials.derive_key(access_key=KEY, length=32)
    assert key.hex() == "2d703e10a32f30251a2370355793e78659958b312e3999221d27765b6fb35fce"
    assert credentials.derive_key(access_key=KEY, length=16) == key[:16]


@pytest.mark.parametrize(
    ("kind", "sealed"),
    [
        (EncryptType.AES_256, "abcdefgh12345678KMVK0ru2yoEwCee0LD44qA=="),
        (EncryptType.AES_128, "abcdefgh123456786IbIzJ0VNbgnR/Vo/+a+IA=="),
    ],
)
def test_the_password_vectors_are_sealed_and_unsealed(kind, sealed):
    assert credentials.seal(text="Pa55word!", access_key=KEY, encrypt_type=kind, iv="abcdefgh12345678") == sealed
    assert credentials.unseal(sealed=sealed, access_key=KEY, encrypt_type=kind) == "Pa55word!"


@given(st.text(max_size=100), st.text(min_size=1, max_size=64), st.sampled_from(EncryptType))
def test_every_text_survives_sealing(text, key, kind):
    sealed = credentials.seal(text=text, access_key=key, encrypt_type=kind)
    assert credentials.unseal(sealed=sealed, access_key=key, encrypt_type=kind) == text


@pytest.mark.parametrize(
    "sealed", ["", "short", "abcdefgh12345678", "abcdefgh12345678!!!!", "é" * 40, "plain admin name"]
)
def test_what_was_not_sealed_is_said_so(sealed):
    with pytest.raises(NotDecrypted):
        credentials.unseal(sealed=sealed, access_key=KEY)
