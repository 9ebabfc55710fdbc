"""The twins deliver as the contract's retry rules say."""

import asyncio
import json
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox import d1, tsh
from adapters.sandbox.app import Sandbox
from adapters.sandbox.ledger import ACKNOWLEDGED, GIVEN_UP, HELD, LOST, Delivery
from tests.adapters.sandbox.conftest import Run
from tests.adapters.sandbox.gateway import DROP, Gateway, basic


def binding(sandbox: Sandbox) -> Any:
    return tsh.notification(tsh.BINDING_CREATION, sandbox.now(), {})


def test_d1_fetches_its_access_token_once_and_sends_with_it(gateway: Gateway, with_sandbox: Run[None]) -> None:
    async def play(sandbox: Sandbox) -> None:
        for _ in range(3):
            assert (await sandbox.deliveries.deliver(d1.token_update())).outcome == ACKNOWLEDGED

    with_sandbox(play)
    (asked,) = gateway.token_requests
    assert basic(asked) == "is_tbank01:1:2/3"
    assert asked.body == b"grant_type=client_credentials"
    assert [request.headers["authorization"] for request in gateway.received] == ["Bearer at-1"] * 3
    correlation_ids = {request.headers["x-correlation-id"] for request in gateway.received}
    assert len(correlation_ids) == 3
    assert gateway.received[0].path.startswith("/merchant-gateways/MGW_000001/merchants/10610027312/tokens/")
    assert gateway.received[0].json == {"updateType": "TOKEN_METADATA_UPDATED"}


def test_d1_renews_by_expiry_and_not_because_a_call_was_refused(gateway: Gateway, with_sandbox: Run[None]) -> None:
    gateway.script.expires_in = 900
    hours = 0

    async def play(sandbox: Sandbox) -> None:
        nonlocal hours
        sandbox.sender.ecom_tokens._wall = lambda: 3600.0 * hours
        await sandbox.deliveries.deliver(d1.token_update())
        hours = 1
        await sandbox.deliveries.deliver(d1.token_update())
        assert len(gateway.token_requests) == 2
        gateway.script.notifications.append(401)
        held = asyncio.create_task(sandbox.deliveries.deliver(d1.token_update()))
        while not sandbox.feeds["d1"].stopped:
            await asyncio.sleep(0)
        assert len(gateway.token_requests) == 2
        sandbox.feeds["d1"].resume()
        assert (await held).outcome == ACKNOWLEDGED

    with_sandbox(play)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408, DROP])
def test_passing_troubles_are_retried_with_the_same_message(
    gateway: Gateway, with_sandbox: Run[Delivery], status: int
) -> None:
    gateway.script.notifications = deque([status, status, status])
    delivery = with_sandbox(lambda sandbox: sandbox.deliveries.deliver(binding(sandbox)))
    assert (delivery.outcome, delivery.attempts, delivery.status) == (ACKNOWLEDGED, 4, 204)
    first, *others = gateway.received
    assert all(other.body == first.body and other.headers == first.headers for other in others)
    assert first.headers["authorization"] == "APIKEY key-1"


def test_pauses_double_up_to_a_limit(with_sandbox: Run[list[float]]) -> None:
    async def pauses(sandbox: Sandbox) -> list[float]:
        return [sandbox.deliveries._pause(failures) for failures in range(1, 40)]

    found = with_sandbox(pauses)
    for index, pause in enumerate(found):
        full = min(300.0, 2.0**index)
        assert full / 2 <= pause <= full


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 301])
def test_d1_keeps_what_was_refused_until_the_feed_is_resumed(
    gateway: Gateway, with_sandbox: Run[None], status: int
) -> None:
    gateway.script.notifications.append(status)

    async def play(sandbox: Sandbox) -> None:
        feed = sandbox.feeds["d1"]
        refused = asyncio.create_task(sandbox.deliveries.deliver(d1.token_update()))
        while not feed.stopped:
            await asyncio.sleep(0)
        assert str(status) in feed.stop_reason
        later = asyncio.create_task(sandbox.deliveries.deliver(d1.token_update()))
        while [item.outcome for item in sandbox.ledger.pending()] != [HELD, HELD]:
            await asyncio.sleep(0)
        assert (await sandbox.deliveries.deliver(binding(sandbox))).outcome == ACKNOWLEDGED, "the other feed goes on"
        assert len(gateway.received) == 2
        assert feed.resume()
        assert not feed.resume()
        assert [(await refused).outcome, (await later).outcome] == [ACKNOWLEDGED] * 2
        assert (await refused).attempts == 2

    with_sandbox(play)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_tsh_loses_what_was_refused_and_stops(gateway: Gateway, with_sandbox: Run[None], status: int) -> None:
    gateway.script.notifications.append(status)

    async def play(sandbox: Sandbox) -> None:
        assert (await sandbox.deliveries.deliver(binding(sandbox))).outcome == LOST
        assert sandbox.feeds["tsh"].stopped
        assert not sandbox.feeds["d1"].stopped
        given_up = await sandbox.deliveries.deliver(binding(sandbox), deadline=0.05)
        assert (given_up.outcome, given_up.attempts) == (GIVEN_UP, 0)
        sandbox.feeds["tsh"].resume()
        assert (await sandbox.deliveries.deliver(binding(sandbox))).outcome == ACKNOWLEDGED

    with_sandbox(play)


def test_a_token_endpoint_that_fails_is_retried_and_one_that_refuses_stops_the_feed(
    gateway: Gateway, with_sandbox: Run[None]
) -> None:
    gateway.script.tokens = deque([503, DROP, 200])

    async def play(sandbox: Sandbox) -> None:
        delivery = await sandbox.deliveries.deliver(d1.token_update())
        assert (delivery.outcome, delivery.attempts) == (ACKNOWLEDGED, 3)
        sandbox.sender.forget_access_tokens()
        gateway.script.tokens.append(401)
        refused = await sandbox.deliveries.deliver(d1.token_update(), deadline=1)
        assert (refused.outcome, refused.status) == (GIVEN_UP, 401)
        assert "token endpoint" in sandbox.feeds["d1"].stop_reason

    with_sandbox(play)


def test_the_deadline_ends_a_delivery_to_a_gateway_that_is_gone(gateway: Gateway, with_sandbox: Run[Delivery]) -> None:
    gateway.script.otherwise = 503
    delivery = with_sandbox(lambda sandbox: sandbox.deliveries.deliver(binding(sandbox), deadline=0.2))
    assert delivery.outcome == GIVEN_UP
    assert delivery.attempts >= 2


def test_the_ledger_has_a_line_for_each_delivery_also_after_a_restart(
    gateway: Gateway, with_sandbox: Run[None], tmp_path: Path
) -> None:
    async def play(sandbox: Sandbox) -> None:
        await sandbox.deliveries.deliver(d1.token_update(token_id="t-1", correlation_id="c-1"))

    with_sandbox(play)
    gateway.script.notifications.append(404)

    async def again(sandbox: Sandbox) -> None:
        await sandbox.deliveries.deliver(binding(sandbox), repeat=1, burst="b")
        lines = [json.loads(line) for line in sandbox.ledger.lines()]
        assert [line["sequence"] for line in lines] == [1, 2]
        first, second = lines
        assert (first["tokenId"], first["correlationId"], first["acknowledged"], first["status"]) == (
            *("t-1", "c-1"),
            *(True, 204),
        )
        assert (second["outcome"], second["acknowledged"], second["repeat"], second["burst"]) == ("lost", False, 1, "b")

    with (tmp_path / "sandbox" / "ledger.jsonl").open("a") as torn:
        torn.write('{"sequence": 99, "ki')
    with_sandbox(again)
