"""Hostile requests on every route of a gateway before a real core: no 5xx, the partner's shape, no memory kept."""

import base64
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.faults.hostile import CARD_NUMBERS, ROUTES, Attack, attacks
from tests.faults.pair import Pair
from tests.plain import PLAIN

SEED = 20261121
MAY_GROW = 16 * 1024
# Halves of requests are held no longer than these, so that many can be tried.
LIMITS = {
    "MINTMARK_HTTP_HEADER_TIMEOUT": "0.3",
    "MINTMARK_HTTP_BODY_TIMEOUT": "0.3",
    "MINTMARK_HTTP_KEEP_ALIVE_TIMEOUT": "0.3",
}
LONGEST_WAIT = 5.0
ANSWER = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    made = Pair(None, **LIMITS)
    try:
        yield made.start()
    finally:
        made.remove()


class Attacker:
    """Sends attacks and judges the answers."""

    def __init__(self, pair: Pair) -> None:
        host, _, port = pair.url.removeprefix("http://").rpartition(":")
        self._address = (host, int(port))
        self._pair = pair
        basic = base64.b64encode(f"thales:{pair.client_secret}".encode())
        self.secrets = [pair.client_secret, basic.decode(), pair.api_key, pair.partner.access_token, *CARD_NUMBERS]
        self.authorizations = {
            "d1": f"Bearer {pair.partner.access_token}".encode(),
            "tsh": f"APIKEY {pair.api_key}".encode(),
            "form": b"Basic " + basic,
        }
        self.sent = 0
        self.statuses: Counter[tuple[str, int]] = Counter()

    def run(self, count: int, *, start: int = SEED) -> None:
        @seed(start)
        @settings(
            max_examples=count,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=False,
            database=None,
            deadline=None,
        )
        @given(attacks(self.authorizations))
        def attack(chosen: Attack) -> None:
            self._attack(chosen)

        attack()

    def _attack(self, attack: Attack) -> None:
        self.sent += 1
        answer = self._exchange(attack)
        judged = self._judge(answer, head=attack.head)
        assert judged or attack.cut or not attack.sent.strip(), f"no answer to {attack}: {attack.sent[:300]!r}"
        for status in judged:
            self.statuses[attack.route, status] += 1

    def _exchange(self, attack: Attack) -> bytes:
        """What comes back, up to the first whole answer or the end of the connection."""
        received = b""
        deadline = time.monotonic() + LONGEST_WAIT
        with socket.create_connection(self._address, LONGEST_WAIT) as connection:
            # What is answered before it was whole is closed at once.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(attack.sent)
            while not self._whole(received, head=attack.head):
                assert time.monotonic() < deadline, f"held for {LONGEST_WAIT} s: {attack}: {attack.sent[:300]!r}"
                try:
                    piece = connection.recv(65536)
                except ConnectionResetError:
                    break
                if not piece:
                    break
                received += piece
        return received

    def _whole(self, received: bytes, *, head: bool) -> bool:
        received = received.removeprefix(CONTINUE)
        found = ANSWER.match(received)
        if found is None:
            return False
        length = re.search(rb"(?i)content-length: ([0-9]+)", found[2])
        return head or len(received) >= found.end() + (int(length[1]) if length else 0)

    def _judge(self, received: bytes, *, head: bool) -> list[int]:
        statuses = []
        received = received.removeprefix(CONTINUE)
        while received:
            found = ANSWER.match(received)
            assert found, received[:300]
            status, headers = int(found[1]), _headers(found[2])
            # What the parser refuses is answered before anybody asks whether it was a HEAD.
            bare = head and not received.startswith(b"{", found.end())
            length = 0 if bare else int(headers.get("content-length", "0"))
            body, received = received[found.end() : found.end() + length], received[found.end() + length :]
            statuses.append(status)
            if len(body) < length:
                break  # a pipelined one that was not waited for
            self._judge_one(status, headers, body, bare=bare)
        return statuses

    def _judge_one(self, status: int, headers: dict[str, str], body: bytes, *, bare: bool) -> None:
        assert status < 500, (status, body)
        assert not [secret for secret in self.secrets[:3] if secret.encode() in body]
        if status == 204 or bare:
            assert not body
        elif status >= 400 and (body or status != 401):
            assert headers["content-type"] == "application/json"
            assert isinstance(json.loads(body)["error"], str)
        assert status != 401 or "www-authenticate" in headers
        assert status != 405 or "allow" in headers


def _headers(lines: bytes) -> dict[str, str]:
    pairs = (line.partition(b": ") for line in lines.splitlines())
    return {name.decode().lower(): value.decode() for name, _, value in pairs}


def _kibibytes(pid: int) -> int:
    found = re.search(r"VmRSS:\s+([0-9]+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


def _memory(pair: Pair) -> dict[str, int]:
    assert pair.process is not None
    return {"core": _kibibytes(pair.process.pid), "gateway": _kibibytes(pair.gateway.pid)}


def _campaign(pair: Pair, warm_up: int, count: int) -> str:
    """Runs it and tells its figures."""
    attacker = Attacker(pair)
    attacker.run(warm_up, start=1)
    before = _memory(pair)
    attacker.run(count)
    after = _memory(pair)
    grown = {role: after[role] - before[role] for role in after}
    assert attacker.sent >= warm_up + count
    assert all(each < MAY_GROW for each in grown.values()), grown
    reached = Counter[str]()
    for (route, status), times in attacker.statuses.items():
        reached[route] += times
        reached[str(status)] += times
    assert not set(ROUTES) - set(reached)
    # Most of it must get past the door, or nothing behind it was tried.
    assert reached["204"] > count / 20
    assert {"200", "400", "401", "404", "405", "413", "415", "431"} <= set(reached), reached
    assert pair.gateway.poll() is None
    assert pair.partner.send_many() == {204}
    assert httpx.get(f"{pair.url}/.well-known/jwks.json", timeout=5, verify=PLAIN).status_code == 200
    _check_log(pair, attacker.secrets)
    statuses = {name: times for name, times in sorted(reached.items()) if name.isdigit()}
    return f"{count} requests after {warm_up}, answers {statuses}, grown by {grown} KiB"


def _check_log(pair: Pair, secrets: list[str]) -> None:
    log = pair.log.read_text(errors="replace")
    assert "Traceback" not in log
    assert "a fault of ours" not in log
    assert '"level": "error"' not in log
    for secret in secrets:
        assert secret not in log


@pytest.mark.timeout(240)
def test_a_thousand_hostile_requests(pair: Pair) -> None:
    _campaign(pair, 300, 1000)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_ten_thousand_hostile_requests(pair: Pair, figures: Callable[[str], None]) -> None:
    figures(_campaign(pair, 2000, 10_000))
