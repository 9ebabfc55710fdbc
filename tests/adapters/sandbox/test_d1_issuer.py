"""The D1 twin towards card issuers: what it sends, and when it sends it again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.sandbox import d1_issuer
from tests.adapters.inbound.running import Running as RunningGateway
from tests.adapters.sandbox.gateway import DROP, Gateway, settings_for
from tests.adapters.sandbox.running import running
from tests.waiting import eventually

SINGLES = [name for name, kind in d1_issuer.KINDS.items() if not kind.is_batch]
BATCHES = [name for name, kind in d1_issuer.KINDS.items() if kind.is_batch]


@pytest.fixture
def control(gateway: Gateway, tmp_path: Path) -> Iterator[httpx.Client]:
    with running(settings_for(gateway, tmp_path)) as client:
        yield client


def told(control: httpx.Client, kind: str, **order: Any) -> list[Any]:
    answer = control.post(f"/notifications/d1-issuer/{kind}", json=order)
    assert answer.status_code == 200, answer.text
    deliveries: list[Any] = answer.json()["deliveries"]
    return deliveries


@pytest.mark.parametrize("kind", SINGLES)
def test_a_single_notification(gateway: Gateway, control: httpx.Client, kind: str) -> None:
    [delivery] = told(control, kind, cardId="c 1", digitalCardId="c 1", fields={"error": "x", "startTime": None})
    assert (delivery["outcome"], delivery["issuerId"]) == ("acknowledged", "ISSUER0001")
    [request] = gateway.received
    assert request.path.startswith("/notifications/d1/v1/issuers/ISSUER0001/")
    assert "/c%201/" in request.path
    assert set(request.json) == {"operationId", "operation", "status", "error"}
    assert request.headers["authorization"] == "Bearer at-1"


@pytest.mark.parametrize("kind", BATCHES)
def test_a_batch_with_bad_items_and_repeats(gateway: Gateway, control: httpx.Client, kind: str) -> None:
    told(control, kind, issuerId="ISSUER0002", count=3, bad=5, repeat=1, regroup=True)
    first, again, regrouped, _ = gateway.received
    assert {request.path.split("/")[5] for request in gateway.received} == {"ISSUER0002"}
    assert first.body == again.body
    items = first.json["operations"]
    assert len(items) == 8
    name = d1_issuer.KINDS[kind].item_id
    assert len({item["operationId"] for item in items[:3]}) == 3
    assert all(isinstance(item[name], str) and item["status"] for item in items[:3])
    assert "no object" in items[3:]
    assert regrouped.json["operations"][:-1] == items[::-1]
    assert first.headers["x-correlation-id"] != regrouped.headers["x-correlation-id"]


@pytest.mark.parametrize("status", [500, 503, DROP])
def test_a_batch_comes_again_as_a_whole(gateway: Gateway, control: httpx.Client, status: int) -> None:
    gateway.script.notifications.extend([status, status])
    [delivery] = told(control, "card-operations", count=2)
    assert (delivery["attempts"], delivery["outcome"]) == (3, "acknowledged")
    assert len({request.body for request in gateway.received}) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 502])
def test_another_answer_to_a_batch_stops_the_feed_until_the_resume(
    gateway: Gateway, control: httpx.Client, status: int
) -> None:
    gateway.script.notifications.append(status)
    [delivery] = told(control, "card-operations", deadline=0.2)
    assert (delivery["attempts"], delivery["status"], delivery["outcome"]) == (1, status, "given_up")
    feeds = control.get("/state").json()["feeds"]
    assert [name for name, feed in feeds.items() if feed["stopped"]] == ["d1-issuer-batches"]
    assert control.post("/feeds/d1-issuer-batches/resume").json()["resumed"]
    [delivery] = told(control, "card-operations")
    assert delivery["acknowledged"]


@pytest.mark.parametrize("status", [400, 404, 500, 503, DROP])
def test_a_single_notification_is_sent_once_and_stops_nothing(
    gateway: Gateway, control: httpx.Client, status: int
) -> None:
    gateway.script.notifications.append(status)
    [delivery] = told(control, "card-operation")
    assert (delivery["attempts"], delivery["outcome"]) == (1, "lost")
    assert not any(feed["stopped"] for feed in control.get("/state").json()["feeds"].values())


def test_the_prefix_can_be_moved(gateway: Gateway, control: httpx.Client) -> None:
    assert control.post("/configure", json={"issuerPrefix": "/from-d1"}).status_code == 200
    told(control, "consumer-operations")
    assert gateway.received[0].path == "/from-d1/v2/issuers/ISSUER0001/consumers"


@pytest.mark.parametrize(
    ("kind", "order", "status"),
    [
        ("card-deliveries", {}, 404),
        ("card-operation", {"count": 2}, 400),
        ("card-operation", {"bad": 1}, 400),
        ("card-operations", {"cardId": "c"}, 400),
        ("card-operations", {"count": -1}, 400),
    ],
)
def test_orders_that_make_no_sense_are_refused(
    gateway: Gateway, control: httpx.Client, kind: str, order: dict[str, Any], status: int
) -> None:
    answer = control.post(f"/notifications/d1-issuer/{kind}", json=order)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert gateway.received == []


def test_our_gateway_takes_all_that_the_twin_sends(control: httpx.Client) -> None:
    receiver = RunningGateway().start()
    try:
        target = {"targetUrl": f"http://127.0.0.1:{receiver.port}", "clientId": "d1.partner", "clientSecret": "s3cret"}
        assert control.post("/configure", json=target).status_code == 200
        for kind in SINGLES:
            assert all(delivery["acknowledged"] for delivery in told(control, kind))
        for kind in BATCHES:
            assert all(delivery["acknowledged"] for delivery in told(control, kind, count=2, bad=4, regroup=True))
        records = receiver.core.records
        eventually(lambda: len(records) == len(SINGLES) + len(BATCHES) * (6 + 7))
        assert sum(bool(record.quarantine_reason) for record in records) == len(BATCHES) * 8
        assert not any(record.flags for record in records if not record.quarantine_reason)
    finally:
        receiver.stop()
