"""The limit on failed authentications: what is counted, for whom, for how long, and what never waits."""

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mintmark.v1 import notifications_pb2
from structlog.testing import capture_logs

from adapters.inbound.failed_authentications import (
    CLAIMS,
    MINUTE,
    Claim,
    FailedAuthentications,
    Window,
    source,
)
from adapters.settings import SettingsInvalid, load
from tests.adapters.inbound.door import Door
from tests.adapters.inbound.running import API_KEY, TAKEN_OVER_KEY, Running

LIMIT = 10
HERE, THERE = "192.0.2.1", "192.0.2.2"


class Failing:
    """Failures at a clock that is moved by hand."""

    def __init__(self, limit: int = LIMIT, most: int = 1000) -> None:
        self.now = 0.0
        self.failures = FailedAuthentications(limit, lambda: self.now, most)

    def often(self, count: int, address: str = HERE, claim: Claim | None = None) -> list[int]:
        return [self.failures.failed(address, claim) for _ in range(count)]


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 7.0, 59.5, 60.0, 61.0]), st.integers(0, 3)), max_size=80),
    st.integers(1, 4),
    st.integers(1, 30),
)
def test_a_window_is_what_a_plain_list_is(steps: list[tuple[float, int]], limit: int, most: int) -> None:
    window, plain, now = Window(limit, most), list[tuple[float, int]](), 0.0
    for seconds, key in steps:
        now += seconds
        recent = [time for time, whose in plain[-most:] if whose == key and now - time < MINUTE]
        wait = recent[0] + MINUTE - now if len(recent) >= limit else 0.0
        assert window.wait(key, now) == wait
        if not wait:
            window.add(key, now)
            plain.append((now, key))
        assert len(window) <= most


def test_the_eleventh_within_a_minute_waits_until_the_first_is_a_minute_old() -> None:
    failing = Failing()
    assert failing.often(5) == [0] * 5
    failing.now = 30.2
    assert failing.often(7) == [0] * 5 + [30] * 2
    failing.now = 59.9
    assert failing.often(1) == [1]
    # What had to wait does not count, so that who never stops is told 401 now and then.
    failing.now = 60.0
    assert failing.often(6) == [0] * 5 + [31]


def test_clients_and_sources_are_counted_apart() -> None:
    failing = Failing()
    for claim in (None, Claim("a"), Claim("b"), Claim("a", certain=True)):
        for address in (HERE, THERE):
            assert failing.often(LIMIT + 1, address, claim)[-2:] == [0, MINUTE]


def test_made_up_clients_have_a_limit_together_that_no_certain_one_shares() -> None:
    failing = Failing()
    waits = [failing.failures.failed(HERE, Claim(f"made up {number}")) for number in range(CLAIMS * LIMIT + 1)]
    assert waits == [0] * CLAIMS * LIMIT + [MINUTE]
    assert failing.often(1, HERE, Claim("d1.partner", certain=True)) == [0]
    assert failing.often(1, HERE) == [0]
    assert failing.often(1, THERE, Claim("made up")) == [0]


def test_however_many_come_so_much_is_remembered() -> None:
    failing = Failing(most=100)
    for number in range(2000):
        address = f"2001:db8:{number:x}::1"
        failing.often(LIMIT + 1, address, Claim(f"made up {number}" * 50))
        failing.failures.is_news(address)
        assert len(failing.failures) <= 300
    failing.now += MINUTE
    failing.often(1)
    failing.often(1, claim=Claim("another"))
    failing.failures.is_news(HERE)
    assert len(failing.failures) == 4, "a minute later all is forgotten"


def test_it_is_news_once_a_minute() -> None:
    failing = Failing()
    assert [failing.failures.is_news(HERE) for _ in range(3)] == [True, False, False]
    assert failing.failures.is_news(THERE)
    failing.now += MINUTE
    assert failing.failures.is_news(HERE)


@pytest.mark.parametrize(
    ("addresses", "whence"),
    [
        (("127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"), "loopback"),
        ((None, ""), "unix"),
        (("192.0.2.1", "::ffff:192.0.2.1"), "192.0.2.1"),
        (("192.0.2.2",), "192.0.2.2"),
        (("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff"), "2001:db8:0:1::/64"),
        (("2001:db8:0:2::1",), "2001:db8:0:2::/64"),
        (("fe80::1%eth0", "fe80::2%eth0"), "fe80::/64"),
        (("testclient",), "testclient"),
    ],
)
def test_sources(addresses: tuple[str | None, ...], whence: str) -> None:
    assert {source(address) for address in addresses} == {whence}


@pytest.mark.parametrize("limit", ["0", "-1", "10001", "none"])
def test_there_is_always_a_limit(limit: str) -> None:
    with pytest.raises(SettingsInvalid, match="MINTMARK_HTTP_FAILED_AUTHENTICATION_LIMIT"):
        load({"http_failed_authentication_limit": limit})
    assert load().http_failed_authentication_limit == LIMIT


@pytest.fixture(scope="module")
def people() -> Iterator[Running]:
    """The partners of a gateway that is never started."""
    running = Running()
    yield running
    shutil.rmtree(running.folder)


@pytest.fixture
def door(people: Running, tmp_path: Path) -> Iterator[Door]:
    with Door(people.core, tmp_path / "http.sock", LIMIT) as door:
        yield door


def basic(name: str, key: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{key}'.encode()).decode()}"


def test_past_the_limit_a_wrong_key_is_429_and_a_good_one_gets_in(door: Door) -> None:
    for number in range(LIMIT):
        assert door.post("/keys", f"APIKEY wrong {number}").status_code == 401
        assert door.post("/keys", f"APIKEY {API_KEY}").status_code == 204
    door.let_pass(0.5)
    refused = door.post("/keys", "APIKEY wrong", **{"x-forwarded-for": "192.0.2.77", "forwarded": "for=192.0.2.77"})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert list(refused.json()) == ["error"]
    assert "www-authenticate" not in refused.headers
    for key in (API_KEY, TAKEN_OVER_KEY):
        assert door.post("/keys", f"APIKEY {key}").status_code == 204
    door.let_pass(59)
    assert door.post("/keys", "APIKEY wrong").headers["retry-after"] == "1"
    door.let_pass(0.5)
    assert door.post("/keys", "APIKEY wrong").status_code == 401


def test_past_the_limit_a_wrong_access_token_is_503_and_a_worn_out_one_still_401(door: Door, people: Running) -> None:
    core = people.core
    for _ in range(LIMIT):
        assert door.post("/tokens", "Bearer wrong").status_code == 401
    refused = door.post("/tokens")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")
    assert list(refused.json()) == ["error"]
    # By a 401 a client learns that it needs a new one. Nobody else can use up its own.
    for _ in range(LIMIT):
        answer = door.post("/tokens", f"Bearer {core.sign(exp=1)}")
        assert (answer.status_code, 'error="invalid_token"' in answer.headers["www-authenticate"]) == (401, True)
    assert door.post("/tokens", f"Bearer {core.sign(exp=1)}").status_code == 503
    assert door.post("/tokens", f"Bearer {core.sign(exp=1, client_id='other')}").status_code == 401
    assert door.post("/tokens", f"Bearer {core.sign()}").status_code == 204
    forged = core.sign()[:-3] + "AAA"
    assert door.post("/tokens", f"Bearer {forged}").status_code == 503


def test_ids_that_basic_claims_are_counted_apart_and_asking_first_is_no_failure(door: Door) -> None:
    for _ in range(LIMIT + 1):
        last = door.post("/keys", basic("one", "wrong"))
    assert last.status_code == 429
    # Another spelling is the same client's.
    assert door.post("/keys", basic("%6Fne", "wrong")).status_code == 429
    assert door.post("/keys", basic("two", "wrong")).status_code == 401
    assert door.post("/keys", basic("tsh", API_KEY)).status_code == 204
    for _ in range(2 * LIMIT):
        asked = door.post("/keys")
        assert (asked.status_code, "Basic " in asked.headers["www-authenticate"]) == (401, True)
    assert door.post("/keys", "APIKEY wrong").status_code == 401


def test_each_401_is_an_alert_and_what_comes_after_is_one_a_minute(door: Door) -> None:
    with capture_logs() as logged:
        for _ in range(LIMIT + 20):
            door.post("/keys", "APIKEY canary")
        door.let_pass(MINUTE)
        for _ in range(LIMIT + 20):
            door.post("/keys", "APIKEY canary")
    alerts = [line for line in logged if line.get("alert")]
    assert [line.get("status") for line in alerts] == [*[401] * LIMIT, None] * 2
    [limited, _] = [line for line in alerts if "status" not in line]
    assert limited.items() >= {"log_level": "warning", "source": "unix", "route": "/keys"}.items()
    assert "canary" not in str(logged)
    metrics = door.metrics()
    assert 'mintmark_failed_authentications_total{route="/keys"} 20.0' in metrics
    assert 'mintmark_limited_authentications_total{route="/keys"} 40.0' in metrics


def test_of_a_key_that_the_core_knows_to_be_revoked_the_gateway_tells_whatever_others_did(
    start: Callable[..., Running],
) -> None:
    gateway = start(MINTMARK_HTTP_FAILED_AUTHENTICATION_LIMIT="1")
    wrong = [gateway.tsh("/notify-merchant-update", {}, authorization="APIKEY wrong").status_code for _ in range(2)]
    assert wrong == [401, 429]
    gateway.core.outcome = notifications_pb2.RECORD_OUTCOME_UNAUTHENTICATED
    known = [gateway.tsh("/notify-merchant-update", {"merchantId": "m", "scheme": "VISA"}) for _ in range(2)]
    assert [answer.status_code for answer in known] == [401, 429]
