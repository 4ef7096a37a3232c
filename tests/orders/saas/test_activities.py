"""Requests of both versions and the reading of answers."""

import base64
import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.saas import activities, answers, codes, signing_v1, signing_v2
from orders.saas.activities import Activity, InterfaceVersion, InvalidCall, build_request
from orders.saas.codes import CallError, CallStatus
from orders.saas.credentials import EncryptType, seal, unseal
from orders.saas.signing_v2 import SignatureCheck

KEY = "0123456789abcdef0123456789abcdef"
AT = datetime(2026, 3, 1, 1, 2, 3, 456789, tzinfo=UTC)
URL = "https://seller.example.com/saas?tenant=7"
V1, V2 = InterfaceVersion.V1, InterfaceVersion.V2
PARAMS = {
    Activity.NEW_INSTANCE: {
        "orderId": "CS1",
        "orderLineId": "CS1-000001",
        "businessId": "b1",
        "customerId": "c1",
        "productId": "p1",
        "email": "a@example.com",
        "chargingMode": "ONE_TIME",
        "saasExtendParams": [{"name": "域名", "value": "x"}],
    },
    Activity.QUERY_INSTANCE: {"instanceId": "i1,i2"},
    Activity.REFRESH_INSTANCE: {
        "scene": "RENEWAL",
        "orderId": "CS2",
        "orderLineId": "CS2-000001",
        "instanceId": "i1",
        "productId": None,
        "expireTime": "20270105235959",
    },
    Activity.UPDATE_INSTANCE_STATUS: {"instanceId": "i1", "status": "UNFREEZE"},
    Activity.EXPIRE_INSTANCE: {"instanceId": "i1", "orderId": "CS1", "productId": "p1"},
    Activity.RELEASE_INSTANCE: {"instanceId": "i1"},
    Activity.UPGRADE_INSTANCE: {"instanceId": "i1", "orderId": "CS3", "orderLineId": "CS3-000001", "skuCode": "s2"},
    Activity.CHANGE_INSTANCE_CHECK: {"instanceId": "i1", "productInfo": {"productId": "p2", "skuCode": None}},
}


def build(version, activity, **changed):
    params = PARAMS[activity] | changed
    return build_request(version=version, url=URL, key=KEY, activity=activity, params=params, at=AT)


def query_of(request):
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


@pytest.mark.parametrize("activity", Activity)
def test_every_activity_of_version_2_is_a_signed_post(activity):
    request = build(V2, activity)
    content = json.loads(request.body)
    assert request.method == "POST"
    assert content["testFlag"] == "0"
    assert list(content) == sorted(content)
    assert all(value is not None for value in content.values())
    query = query_of(request)
    assert query.pop("tenant") == "7"
    checked = signing_v2.check_request(key=KEY, query=query, body=request.body, now=AT, remember=lambda nonce: True)
    assert checked is SignatureCheck.OK


def test_version_2_writes_exactly_what_the_interface_knows():
    assert json.loads(build(V2, Activity.NEW_INSTANCE).body) == {
        "activity": "newInstance",
        "businessId": "b1",
        "orderId": "CS1",
        "orderLineId": "CS1-000001",
        "testFlag": "0",
    }
    assert json.loads(build(V2, Activity.EXPIRE_INSTANCE).body) == {
        "activity": "updateInstanceStatus",
        "instanceId": "i1",
        "status": "FREEZE",
        "testFlag": "0",
    }
    assert json.loads(build(V2, Activity.CHANGE_INSTANCE_CHECK).body)["productInfo"] == {"productId": "p2"}


@pytest.mark.parametrize("activity", [each for each in Activity if each is not Activity.CHANGE_INSTANCE_CHECK])
def test_every_activity_of_version_1_is_a_signed_get(activity):
    request = build(V1, activity)
    query = query_of(request)
    assert query.pop("tenant") == "7"
    assert (request.method, request.body) == ("GET", b"")
    assert query["timeStamp"] == "20260301010203456"
    assert signing_v1.check_request(key=KEY, params=query, now=AT) is SignatureCheck.OK


def test_version_1_has_its_own_names_and_encrypts_contact_data():
    created = query_of(build(V1, Activity.NEW_INSTANCE))
    assert unseal(sealed=created["email"], access_key=KEY) == "a@example.com"
    assert created["chargingMode"] == "3"
    assert json.loads(base64.b64decode(created["saasExtendParams"])) == [{"name": "域名", "value": "x"}]
    assert "orderLineId" not in created
    assert query_of(build(V1, Activity.UPGRADE_INSTANCE))["activity"] == "upgrade"
    status = query_of(build(V1, Activity.UPDATE_INSTANCE_STATUS))
    assert (status["activity"], status["instanceStatus"]) == ("instanceStatus", "NORMAL")
    assert "status" not in status


def test_only_version_2_checks_a_change_beforehand():
    assert not activities.supports(version=V1, activity=Activity.CHANGE_INSTANCE_CHECK)
    with pytest.raises(InvalidCall):
        build(V1, Activity.CHANGE_INSTANCE_CHECK)


@pytest.mark.parametrize(
    ("activity", "changed"),
    [
        (Activity.NEW_INSTANCE, {"orderId": ""}),
        (Activity.NEW_INSTANCE, {"orderId": "x" * 65}),
        (Activity.NEW_INSTANCE, {"instanceid": "typo"}),
        (Activity.REFRESH_INSTANCE, {"scene": "LATER"}),
        (Activity.UPDATE_INSTANCE_STATUS, {"status": "NORMAL"}),
        (Activity.QUERY_INSTANCE, {"instanceId": ",".join(["i"] * 101)}),
    ],
)
def test_a_call_that_breaks_the_interface_is_not_built(activity, changed):
    with pytest.raises(InvalidCall):
        build(V2, activity, **changed)


def test_expiry_is_written_in_the_platform_zone_and_debug_calls_are_marked():
    assert activities.expire_time(datetime(2027, 1, 5, 15, 59, 59, tzinfo=UTC)) == "20270105235959"
    request = build_request(
        version=V2, url=URL, key=KEY, activity=Activity.RELEASE_INSTANCE, params={"instanceId": "i"}, at=AT, test=True
    )
    assert json.loads(request.body)["testFlag"] == "1"


def read(content, *, version=V2, activity=Activity.NEW_INSTANCE, http_status=200, sign=True):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    header = signing_v1.body_sign(key=KEY, body=body) if sign else None
    return answers.read_answer(
        version=version, activity=activity, key=KEY, http_status=http_status, body=body, body_sign=header, elapsed_ms=7
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("000000", CallStatus.DONE),
        ("000004", CallStatus.PROCESSING),
        *((code, CallStatus.RETRY) for code in ("000001", "000002", "000003", "000005", "000900", "999999")),
        *((f"00010{digit}", CallStatus.REFUSED) for digit in range(8)),
        ("000108", CallStatus.RETRY),
    ],
)
def test_result_codes_are_classified_and_have_words(code, status):
    result = read({"resultCode": code, "resultMsg": "m", "instanceId": "i1"})
    assert (result.status, result.code, result.message, result.elapsed_ms) == (status, code, "m", 7)
    assert result.sentence == codes.code_sentence(code)
    assert result.is_refused is (status is CallStatus.REFUSED)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", CallError.NOT_JSON),
        (b"<html>", CallError.NOT_JSON),
        (b"\xff\xfe", CallError.NOT_JSON),
        (b"[]", CallError.NOT_JSON),
        (b'{"resultCode": NaN}', CallError.NOT_JSON),
        (b"[" * 60000, CallError.NOT_JSON),
        (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", CallError.NOT_JSON),
        ({}, CallError.INVALID_ANSWER),
        ({"resultCode": 0}, CallError.INVALID_ANSWER),
        ({"resultCode": "0"}, CallError.INVALID_ANSWER),
        ({"resultCode": "000000"}, CallError.INVALID_ANSWER),
        ({"resultCode": "000000", "instanceId": "i" * 65}, CallError.INVALID_ANSWER),
        ({"resultCode": "000000", "instanceId": 5}, CallError.INVALID_ANSWER),
    ],
)
def test_garbage_is_tried_again(content, error):
    result = read(content)
    assert (result.status, result.error) == (CallStatus.RETRY, error)
    assert result.instance_id == ""
    assert result.sentence == codes.error_sentence(error)


@pytest.mark.parametrize(("http_status", "error"), [(302, CallError.REDIRECT), (500, CallError.HTTP_STATUS)])
def test_redirects_and_http_errors_are_tried_again(http_status, error):
    result = read({"resultCode": "000000", "instanceId": "i1"}, http_status=http_status)
    assert (result.status, result.error, result.http_status) == (CallStatus.RETRY, error, http_status)


def test_version_1_answers_without_a_right_signature_are_tried_again():
    good = {"resultCode": "000000", "instanceId": "i1"}
    assert read(good, version=V1).signature_ok is True
    assert read(good, version=V1).status is CallStatus.DONE
    unsigned = read(good, version=V1, sign=False)
    assert (unsigned.status, unsigned.error, unsigned.signature_ok) == (
        CallStatus.RETRY,
        CallError.SIGNATURE_WRONG,
        False,
    )
    assert read({"resultCode": "000106"}, version=V1, sign=False).status is CallStatus.RETRY
    assert read(good).signature_ok is None


APPLICATION = {
    "frontEndUrl": "https://app.example.com/1",
    "adminUrl": "javascript:alert(1)",
    "userName": "admin",
    "password": "s3cret",
    "memo": "hello",
}


def test_application_information_is_read_and_its_password_masked():
    content = {
        "resultCode": "000000",
        "info": [{"instanceId": "i1", "appInfo": APPLICATION, "usageInfo": {"usageValue": 12.5}}],
    }
    result = read(content, activity=Activity.QUERY_INSTANCE)
    (instance,) = result.instances
    assert (instance.instance_id, instance.usage_value) == ("i1", "12.5")
    assert instance.application == answers.ApplicationInfo(
        front_end_url="https://app.example.com/1", admin_url="", user_name="admin", password="s3cret", memo="hello"
    )
    assert "s3cret" not in json.dumps(result.masked_body)
    assert "s3cret" not in repr(result)
    assert result.masked_body["info"][0]["appInfo"]["password"] == answers.MASK


@pytest.mark.parametrize("kind", EncryptType)
def test_version_1_application_information_is_decrypted(kind):
    sealed = APPLICATION | {"password": seal(text="s3cret", access_key=KEY, encrypt_type=kind)}
    content = {"resultCode": "000000", "instanceId": "i1", "encryptType": str(int(kind)), "appInfo": sealed}
    result = read(content, version=V1, activity=Activity.QUERY_INSTANCE)
    (instance,) = result.instances
    assert instance.application is not None
    assert (instance.application.user_name, instance.application.password) == ("admin", "s3cret")
    wrong = read(content | {"encryptType": "9"}, version=V1, activity=Activity.QUERY_INSTANCE)
    assert wrong.error is CallError.INVALID_ANSWER
    plain = content | {"appInfo": APPLICATION}
    assert read(plain, version=V1, activity=Activity.QUERY_INSTANCE).error is CallError.INVALID_ANSWER


def test_a_query_without_information_is_still_processing():
    assert read({"resultCode": "000000"}, activity=Activity.QUERY_INSTANCE).status is CallStatus.PROCESSING
    assert read({"resultCode": "000000", "info": []}, activity=Activity.QUERY_INSTANCE).status is CallStatus.PROCESSING


@pytest.mark.parametrize(
    "info", [{}, "x", [1], [{"appInfo": {}}], [{"instanceId": "i", "appInfo": {"password": "p" * 129}}]]
)
def test_broken_information_is_tried_again(info):
    result = read({"resultCode": "000000", "info": info}, activity=Activity.QUERY_INSTANCE)
    assert (result.status, result.error) == (CallStatus.RETRY, CallError.INVALID_ANSWER)


def test_an_answer_can_be_stored_as_postgresql_json():
    result = read(b'{"resultCode":"000000","instanceId":"i1","resultMsg":"a\\u0000b\\ud800"}')
    assert result.message == "ab?"
    json.dumps(result.masked_body, ensure_ascii=False).encode()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_no_json_breaks_the_reader(content):
    for activity in Activity:
        read(content, activity=activity)
        read({"resultCode": "000000", "info": content, "instanceId": content}, activity=activity)
        read({"resultCode": "000000", "info": [{"instanceId": "i", "appInfo": content}]}, activity=activity)
