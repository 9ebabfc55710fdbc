"""Batches: they form by themselves, and what is not stored is 503."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from tests.adapters.inbound.running import Running
from tests.waiting import eventually

PATH = "/notify-merchant-update"


def body(merchant: str, size: int = 0) -> dict[str, str]:
    return {"merchantId": merchant, "scheme": "VISA", "padding": "x" * size}


def sent_together(gateway: Running, merchants: list[str], size: int = 0) -> dict[str, int]:
    """Sends while the core is held, so that all but the first go in the next batch. Returns the statuses."""
    gateway.core.free.clear()
    with ThreadPoolExecutor(len(merchants)) as pool:
        answers = {name: pool.submit(gateway.tsh, PATH, body(name, size)) for name in merchants}
        waiting = f"mintmark_http_requests_in_flight {len(merchants)}.0"
        eventually(lambda: waiting in gateway.admin("/metrics").text)
        gateway.core.free.set()
        return {name: answer.result().status_code for name, answer in answers.items()}


def test_what_waits_goes_in_one_batch(gateway: Running) -> None:
    merchants = [f"m{number}" for number in range(20)]
    assert set(sent_together(gateway, merchants).values()) == {204}
    assert sum(gateway.core.batches) == 20
    assert len(gateway.core.batches) <= 3
    assert {record.merchant_id for record in gateway.core.records} == set(merchants)


def test_a_batch_closes_at_one_mebibyte(gateway: Running) -> None:
    assert set(sent_together(gateway, [f"m{number}" for number in range(40)], size=60_000).values()) == {204}
    assert max(gateway.core.batches) <= 17


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INVALID_ARGUMENT,
    ],
)
def test_not_stored_is_503_for_everybody(gateway: Running, code: grpc.StatusCode) -> None:
    gateway.core.failure = code
    for answer in (gateway.tsh(PATH, body("m")), gateway.tsh(PATH, b"not json"), gateway.d1(), gateway.d1(b"[]")):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert list(answer.json()) == ["error"]
    gateway.core.failure = None
    assert gateway.tsh(PATH, body("m")).status_code == 204


def test_one_record_that_the_core_cannot_read_does_not_cost_the_others(gateway: Running) -> None:
    answers = sent_together(gateway, ["a", "b", "poison", "c", "d"])
    assert answers == {"a": 204, "b": 204, "c": 204, "d": 204, "poison": 503}


def test_a_core_that_goes_and_comes_back(start: Callable[..., Running]) -> None:
    gateway = start()
    gateway.core.stop()
    assert gateway.tsh(PATH, body("m")).status_code == 503
    gateway.core.start()
    eventually(lambda: gateway.tsh(PATH, body("m")).status_code == 204)


def test_in_flight_is_finished_and_new_work_refused_at_the_end(start: Callable[..., Running]) -> None:
    gateway = start()
    gateway.core.free.clear()
    statuses: list[int] = []
    caller = threading.Thread(target=lambda: statuses.append(gateway.tsh(PATH, body("m")).status_code))
    caller.start()
    eventually(lambda: gateway.core.batches)
    gateway.terminate()
    eventually(lambda: "stopping" in gateway.admin("/readyz").text)
    refused = gateway.tsh(PATH, body("n"))
    assert refused.status_code == 503
    assert (refused.headers["retry-after"], refused.headers["connection"]) == ("1", "close")
    gateway.core.free.set()
    caller.join(10)
    assert statuses == [204]
    assert gateway.exit_code() == 0
