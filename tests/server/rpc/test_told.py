"""What the core tells: the correlation id in answers, log lines and events, and what became of notifications."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import structlog
from mintmark.v1 import events_pb2, notifications_pb2, tokens_pb2
from prometheus_client import REGISTRY
from sqlalchemy.exc import OperationalError
from structlog.contextvars import merge_contextvars

from tests.server.rpc import notices
from tests.server.rpc.running import RunningCore, request_id
from tests.waiting import eventually

UUID_LENGTH = 36
Lines = list[Any]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged meanwhile, by every thread."""
    with structlog.testing.capture_logs(processors=[merge_contextvars]) as captured:
        yield captured


def told(metadata: Any) -> str:
    return str(dict(metadata)["x-correlation-id"])


def record(core: RunningCore, *records: notifications_pb2.NotificationRecord) -> list[Any]:
    request = notifications_pb2.RecordNotificationsRequest(records=records)
    return list(core.gateway.records.RecordNotifications(request).results)


def importing(place: str) -> tokens_pb2.ImportTokensRequest:
    provider = tokens_pb2.TokenProvider.TOKEN_PROVIDER_TSH
    entry = tokens_pb2.TokenImport(merchant_gateway_id=place, merchant_id="m", token_id="t", provider=provider)
    return tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=[entry])


@pytest.mark.parametrize(("given", "kept"), [("order-7", True), ("", False), ("pan 4111111111111111", False)])
def test_an_answer_carries_the_correlation_id(core: RunningCore, given: str, kept: bool) -> None:
    metadata = (("x-correlation-id", given),) if given else ()
    _, call = core.admin.tokens.ListTokens.with_call(tokens_pb2.ListTokensRequest(), metadata=metadata)
    answered = told(call.trailing_metadata())
    assert answered == given if kept else len(answered) == UUID_LENGTH


def test_a_refusal_carries_it_too(core: RunningCore) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        core.admin.tokens.GetToken(tokens_pb2.GetTokenRequest(name="nothing"), metadata=(("x-correlation-id", "no-1"),))
    error: Any = caught.value
    assert told(error.trailing_metadata()) == "no-1"


def test_a_stream_tells_it_at_the_beginning(core: RunningCore) -> None:
    stream = core.admin.events.StreamEvents(events_pb2.StreamEventsRequest(cursor="0"))
    assert len(told(stream.initial_metadata())) == UUID_LENGTH
    stream.cancel()


def test_a_clients_correlation_id_is_in_its_events(core: RunningCore, place: str) -> None:
    core.admin.tokens.ImportTokens(importing(place), metadata=(("x-correlation-id", "import-1"),))
    (event,) = core.admin.events_after("0", merchant_gateway_id=place)
    assert event.correlation_id == "import-1"


def test_each_notification_that_was_not_plainly_applied_has_a_line(core: RunningCore, place: str, lines: Lines) -> None:
    sender = core.partner(place)
    first = notices.d1(sender, place, correlation_id="first")
    foreign = notices.d1("clients/nobody", place, correlation_id="foreign")
    unreadable = notices.d1(sender, place, correlation_id="unreadable")
    unreadable.quarantine_reason = notifications_pb2.QUARANTINE_REASON_BODY_UNREADABLE
    unreadable.ClearField("content")
    cut = notices.d1(sender, place, correlation_id="cut")
    cut.quarantine_reason = notifications_pb2.QUARANTINE_REASON_CARD_NUMBER_IN_IDENTIFIER
    results = record(core, first, first, foreign, unreadable, cut)
    noted = [line for line in lines if line["event"] == "notification"]
    by_id = {line["correlation_id"]: line for line in noted if line["state"] != "applied"}
    kind = "D1_TOKEN_UPDATE"
    seen = {name: (line["kind"], line["state"], line["reason"], line["log_level"]) for name, line in by_id.items()}
    assert seen == {
        "first": (kind, "repeated", "NONE", "info"),
        "foreign": (kind, "refused", "UNAUTHENTICATED", "info"),
        "unreadable": (kind, "rejected", "BODY_UNREADABLE", "info"),
        "cut": (kind, "quarantined", "CARD_NUMBER_IN_IDENTIFIER", "warning"),
    }
    assert by_id["cut"]["notification"] == results[4].notification
    applied = [line for line in noted if line["state"] == "applied"]
    assert [(line["correlation_id"], line["log_level"]) for line in applied] == [("first", "debug")]


def test_notifications_are_counted_by_what_became_of_them(core: RunningCore, place: str) -> None:
    def count(outcome: str, reason: str = "NONE") -> float:
        labels = {"kind": "D1_TOKEN_UPDATE", "outcome": outcome, "reason": reason}
        return REGISTRY.get_sample_value("mintmark_notifications_recorded_total", labels) or 0.0

    before = count("applied"), count("repeated"), count("refused", "UNAUTHENTICATED")
    notice = notices.d1(core.partner(place), place)
    record(core, notice, notice, notice, notices.d1("clients/nobody", place))
    after = count("applied"), count("repeated"), count("refused", "UNAUTHENTICATED")
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 2, 1]


def test_the_stores_own_lines_name_whom_they_concern(
    core: RunningCore, place: str, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("", {}, sqlite3.OperationalError("disk I/O error"))

    notes = [notices.d1(core.partner(place), place, correlation_id=f"many-{number}") for number in range(7)]
    monkeypatch.setattr("server.store.transaction.SqlTransaction.number_events", gone)
    for run in (
        lambda: record(core, *notes),
        lambda: core.admin.tokens.ImportTokens(importing(place), metadata=(("x-correlation-id", "import-2"),)),
    ):
        with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
            run()
    told = [line for line in lines if line["event"] == "store_unavailable"]
    assert [(line["correlation_ids"], line["correlation_id_count"]) for line in told] == [
        ([f"many-{number}" for number in range(5)], 7),
        (["import-2"], 1),
    ]
    assert (REGISTRY.get_sample_value("mintmark_writer_failures_total", {"fault": "unavailable"}) or 0) >= 2


def test_a_slow_commit_is_told(core: RunningCore, place: str, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.store.commits.SLOW_S", 0.0)
    record(core, notices.d1(core.partner(place), place, correlation_id="slow-1"))
    slow = [line for line in lines if line["event"] == "commit_slow" and line["correlation_ids"] == ["slow-1"]]
    assert [(line["units"], line["fault"]) for line in slow] == [(1, "")]


def test_open_streams_and_their_lag_are_shown(core: RunningCore, place: str) -> None:
    def shown(name: str) -> float:
        return REGISTRY.get_sample_value(name) or 0.0

    before = shown("mintmark_event_streams_open")
    stream = core.admin.events.StreamEvents(events_pb2.StreamEventsRequest(cursor="0"))
    while not next(stream).caught_up:
        pass
    assert shown("mintmark_event_streams_open") == before + 1
    record(core, notices.d1(core.partner(place), place))
    assert any(message.events for message in stream)
    eventually(lambda: shown("mintmark_event_stream_lag_events") == 0.0)
    stream.cancel()
    eventually(lambda: shown("mintmark_event_streams_open") == before)


def test_access_tokens_are_counted_by_the_answer(core: RunningCore) -> None:
    def count(outcome: str) -> float:
        return REGISTRY.get_sample_value("mintmark_access_token_requests_total", {"outcome": outcome}) or 0.0

    before = count("issued"), count("refused")
    core.client(["tokens.read"])
    with pytest.raises(grpc.RpcError):
        core.issue("admin", "wrong")
    assert (count("issued") - before[0], count("refused") - before[1]) == (1, 1)
