"""The example seller's server, called by the marketplace's own client over loopback."""

import json
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from koogallery import clock
from orders.example_seller import ExampleSeller, Failure
from orders.saas.activities import Activity, InterfaceVersion, build_request
from orders.saas.codes import CallError, CallStatus
from orders.saas.transport import call_seller

KEY = "0123456789abcdef0123456789abcdef"
V1, V2 = InterfaceVersion.V1, InterfaceVersion.V2


@pytest.fixture
def seller():
    with ExampleSeller(key=KEY) as running:
        yield running


def send(seller, activity, params, *, version=V2, key=KEY, at=None, timeout=5.0):
    request = build_request(
        version=version,
        url=seller.version_1_url if version is V1 else seller.url,
        key=key,
        activity=activity,
        params=params,
        at=at or clock.real_now(),
    )
    return call_seller(request=request, key=KEY, allow_loopback=True, timeout=timeout)


def create(seller, *, version=V2, order="CS1", **options):
    params = {
        "orderId": order,
        "orderLineId": f"{order}-000001",
        "businessId": "b1",
        "customerId": "c1",
        "productId": "p1",
    }
    return send(seller, Activity.NEW_INSTANCE, params, version=version, **options)


@pytest.mark.parametrize("version", InterfaceVersion)
def test_an_instance_lives_from_creation_to_release(seller, version):
    created = create(seller, version=version)
    assert created.status is CallStatus.DONE
    assert created.signature_ok is (True if version is V1 else None)
    instance = created.instance_id
    assert create(seller, version=version).instance_id == instance
    assert create(seller, version=version, order="CS2").instance_id != instance

    queried = send(seller, Activity.QUERY_INSTANCE, {"instanceId": instance}, version=version)
    (info,) = queried.instances
    assert info.application is not None
    assert info.application.user_name == "admin"
    assert info.application.password == seller.instances[instance].password
    assert info.application.front_end_url.startswith("https://")

    order = {"instanceId": instance, "orderId": "CS3", "orderLineId": "CS3-000001"}
    refresh = order | {"scene": "RENEWAL", "expireTime": "20270105235959"}
    assert send(seller, Activity.EXPIRE_INSTANCE, {"instanceId": instance}, version=version).status is CallStatus.DONE
    assert seller.instances[instance].status == "FROZEN"
    thaw = {"instanceId": instance, "status": "UNFREEZE"}
    assert send(seller, Activity.UPDATE_INSTANCE_STATUS, thaw, version=version).status is CallStatus.DONE
    assert seller.instances[instance].status == "ACTIVE"
    assert send(seller, Activity.REFRESH_INSTANCE, refresh, version=version).status is CallStatus.DONE
    assert seller.instances[instance].expire_time == "20270105235959"
    assert send(seller, Activity.UPGRADE_INSTANCE, order, version=version).status is CallStatus.DONE
    assert seller.instances[instance].upgrades == ["CS3"]
    release = {"instanceId": instance}
    assert send(seller, Activity.RELEASE_INSTANCE, release, version=version).status is CallStatus.DONE
    assert send(seller, Activity.QUERY_INSTANCE, release, version=version).code == "000003"
    assert all(call.verified and call.version == version for call in seller.calls)


def test_a_change_can_be_checked_beforehand(seller):
    instance = create(seller).instance_id
    assert send(seller, Activity.CHANGE_INSTANCE_CHECK, {"instanceId": instance}).status is CallStatus.DONE
    assert send(seller, Activity.CHANGE_INSTANCE_CHECK, {"instanceId": "unknown"}).code == "000003"


@pytest.mark.parametrize("version", InterfaceVersion)
def test_a_wrong_key_or_an_old_timestamp_is_refused_and_recorded(seller, version):
    assert create(seller, version=version, key="f" * 32).code == "000001"
    old = clock.real_now() - timedelta(seconds=62)
    assert create(seller, version=version, at=old).code == "000001"
    assert [call.check for call in seller.calls] == ["wrong", "stale"]
    assert seller.instances == {}


def test_the_same_request_is_not_taken_twice(seller):
    request = build_request(
        version=V2,
        url=seller.url,
        key=KEY,
        activity=Activity.QUERY_INSTANCE,
        params={"instanceId": "i"},
        at=clock.real_now(),
    )
    codes = [call_seller(request=request, key=KEY, allow_loopback=True).code for _ in range(2)]
    assert codes == ["000003", "000001"]
    assert [call.check for call in seller.calls] == ["ok", "replayed"]


def test_information_is_being_prepared_until_the_delay_is_over():
    with ExampleSeller(key=KEY, delay=0.3) as seller:
        instance = {"instanceId": create(seller).instance_id}
        waiting = send(seller, Activity.QUERY_INSTANCE, instance)
        assert (waiting.status, waiting.code) == (CallStatus.PROCESSING, "000004")
        time.sleep(0.35)
        assert send(seller, Activity.QUERY_INSTANCE, instance).status is CallStatus.DONE


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("000106", CallStatus.REFUSED, None),
        ("000005", CallStatus.RETRY, None),
        ("000004", CallStatus.PROCESSING, None),
        ("garbage", CallStatus.RETRY, CallError.NOT_JSON),
        ("500", CallStatus.RETRY, CallError.HTTP_STATUS),
        ("drop", CallStatus.RETRY, CallError.CONNECTION_FAILED),
        ("timeout", CallStatus.RETRY, CallError.TIMEOUT),
    ],
)
def test_it_fails_on_demand_so_many_times(seller, kind, status, error):
    seller.fail(kind, times=1)
    first = create(seller, timeout=0.4)
    assert (first.status, first.error) == (status, error)
    made = len(seller.instances)
    assert made == (1 if kind in ("drop", "timeout") else 0)
    assert create(seller).status is CallStatus.DONE
    assert len(seller.instances) == 1


def test_an_unsigned_answer_of_version_1_is_noticed(seller):
    seller.fail("unsigned", times=1)
    assert create(seller, version=V1).error is CallError.SIGNATURE_WRONG


def test_a_failure_may_hit_one_activity_only(seller):
    seller.fail("500", activity="queryInstance")
    instance = create(seller).instance_id
    assert send(seller, Activity.QUERY_INSTANCE, {"instanceId": instance}).error is CallError.HTTP_STATUS
    seller.recover()
    assert send(seller, Activity.QUERY_INSTANCE, {"instanceId": instance}).status is CallStatus.DONE


def test_an_unknown_way_to_fail_is_refused():
    with pytest.raises(ValueError, match="no way to fail"):
        Failure("sometimes")


def test_every_request_is_logged_with_its_verification(tmp_path):
    log = tmp_path / "calls.jsonl"
    with ExampleSeller(key=KEY, log=log) as seller:
        instance = create(seller).instance_id
        send(seller, Activity.QUERY_INSTANCE, {"instanceId": instance})
        password = seller.instances[instance].password
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["activity"], line["verified"], line["answer"]) for line in lines] == [
        ("newInstance", True, "000000"),
        ("queryInstance", True, "000000"),
    ]
    assert lines[0]["params"]["orderId"] == "CS1"
    assert password not in log.read_text()


@pytest.mark.processes
def test_the_command_serves_until_it_is_told_to_stop(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    root = Path(__file__).parents[3]
    log = tmp_path / "calls.jsonl"
    options = ["--port", str(port), "--key", KEY, "--fail", "000005", "--fail-times", "1", "--log", str(log)]
    process = subprocess.Popen(
        [sys.executable, "manage.py", "example_seller", "--settings", "koogallery.settings.test", *options],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert f"http://127.0.0.1:{port}/saas" in process.stdout.readline()

        class Remote:
            url = f"http://127.0.0.1:{port}/saas"
            version_1_url = f"http://127.0.0.1:{port}/v1"

        assert create(Remote).code == "000005"
        assert create(Remote).status is CallStatus.DONE
        assert create(Remote, version=V1).status is CallStatus.DONE
    finally:
        process.terminate()
        assert process.wait(timeout=10) == 0
        process.stdout.close()
    assert len(log.read_text().splitlines()) == 3
