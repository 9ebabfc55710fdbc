"""What the gateway tells: the correlation id of every request, and how long notifications wait."""

import re
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from tests.adapters.inbound.running import NOTIFY_UPDATE, Running
from tests.waiting import eventually

MERCHANT_UPDATE = "/notify-merchant-update"
BODY = {"merchantId": "m", "scheme": "VISA"}
OLDEST = re.compile(r"^mintmark_notification_oldest_waiting_seconds ([0-9.e+-]+)$", re.MULTILINE)


def logged(gateway: Running, event: str, **facts: object) -> list[dict[str, object]]:
    return [line for line in gateway.logged() if line["event"] == event and facts.items() <= line.items()]


@pytest.mark.parametrize("path", ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/nothing-here"])
def test_answers_on_paths_of_no_partner_carry_the_correlation_id(gateway: Running, path: str) -> None:
    answer = gateway.client.get(path, headers={"x-correlation-id": "mine-1"})
    assert answer.headers["x-correlation-id"] == "mine-1"
    made = gateway.client.get(path).headers["x-correlation-id"]
    eventually(lambda: logged(gateway, "request", correlation_id=made))


@pytest.mark.parametrize("odd", ["with blank", "pan-4111111111111111"])
def test_what_is_not_plain_is_in_no_header(gateway: Running, odd: str) -> None:
    answer = gateway.client.get("/.well-known/jwks.json", headers={"x-correlation-id": odd})
    assert odd not in answer.headers.get("x-correlation-id", "")


def test_answers_to_partners_are_the_same_to_the_byte(gateway: Running) -> None:
    for answer in (gateway.tsh(MERCHANT_UPDATE, BODY), gateway.d1(), gateway.d1(path=f"{NOTIFY_UPDATE}-not")):
        assert ("x-correlation-id" in answer.headers) is (answer.status_code == 404)


def test_every_request_has_a_correlation_id_in_its_line(gateway: Running) -> None:
    gateway.client.post("/oauth2/token", headers={"x-correlation-id": "asks-1"})
    eventually(lambda: logged(gateway, "request", route="/oauth2/token", correlation_id="asks-1", status=415))
    gateway.client.get("/nothing-here", headers={"x-correlation-id": "lost-1"})
    eventually(lambda: logged(gateway, "request", route="unknown", correlation_id="lost-1"))


def test_what_was_not_recorded_is_named(gateway: Running) -> None:
    gateway.core.failure = grpc.StatusCode.UNAVAILABLE
    assert gateway.tsh(MERCHANT_UPDATE, BODY, **{"x-correlation-id": "not-recorded-1"}).status_code == 503
    eventually(lambda: logged(gateway, "not recorded", correlation_ids=["not-recorded-1"], records=1))


def test_the_age_of_what_waits_is_shown(gateway: Running) -> None:
    def age() -> float:
        found = OLDEST.search(gateway.admin("/metrics").text)
        return float(found[1]) if found else -1.0

    def notified() -> int:
        return gateway.tsh(MERCHANT_UPDATE, BODY).status_code

    assert age() == 0.0
    gateway.core.free.clear()
    with ThreadPoolExecutor(3) as pool:
        try:
            answers = [pool.submit(notified)]
            # What comes together goes to the core together, and nobody waits: the others come when the first is there.
            eventually(lambda: gateway.core.batches == [1])
            answers += [pool.submit(notified) for _ in range(2)]
            eventually(lambda: age() > 0.0)
        finally:
            gateway.core.free.set()
        assert [answer.result() for answer in answers] == [204] * 3
    assert age() == 0.0
