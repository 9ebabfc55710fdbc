"""EventsService: cursors, filters, what is hidden, and streams that lose nothing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import access_tokens_pb2, clients_pb2, tokens_pb2
from mintmark.v1 import events_pb2 as pb

from server.ports import LAST_KEY
from tests.server.rpc import notices
from tests.server.rpc.running import RunningCore, Session, refused, request_id, running_core

KIND = pb.EventKind


def import_tokens(core: RunningCore, place: str, *token_ids: str, merchant: str = "m-1") -> None:
    entries = [
        tokens_pb2.TokenImport(
            merchant_gateway_id=place,
            merchant_id=merchant,
            token_id=each,
            provider=tokens_pb2.TokenProvider.TOKEN_PROVIDER_TSH,
        )
        for each in token_ids
    ]
    core.admin.tokens.ImportTokens(tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=entries))


def listed(session: Session, cursor: str = "0", size: int = 0, **wanted: Any) -> pb.ListEventsResponse:
    request = pb.ListEventsRequest(cursor=cursor, page_size=size, filter=pb.EventFilter(**wanted))
    return session.events.ListEvents(request)


def ids(events: Any) -> list[str]:
    return [event.token.token_id for event in events]


@contextmanager
def stream(session: Session, cursor: str = "", heartbeat: int = 0, **wanted: Any) -> Iterator[Any]:
    request = pb.StreamEventsRequest(cursor=cursor, filter=pb.EventFilter(**wanted))
    if heartbeat:
        request.heartbeat_interval.CopyFrom(Duration(seconds=heartbeat))
    # A stream has no deadline of its own; a test that hangs does.
    opened = session.events.StreamEvents(request, timeout=30)
    try:
        yield opened
    finally:
        opened.cancel()


def read(opened: Any, count: int) -> list[pb.StreamEventsResponse]:
    """Messages until `count` events were in them."""
    messages: list[pb.StreamEventsResponse] = []
    while sum(len(message.events) for message in messages) < count:
        messages.append(next(opened))
    return messages


def events_of(messages: list[pb.StreamEventsResponse]) -> list[pb.Event]:
    return [event for message in messages for event in message.events]


def test_events_are_in_order_and_carry_cursors_that_resume(core: RunningCore, place: str) -> None:
    import_tokens(core, place, "a", "b", "c")
    found = listed(core.admin, merchant_gateway_id=place).events
    assert ids(found) == ["a", "b", "c"]
    assert [event.sequence for event in found] == sorted(event.sequence for event in found)
    for event in found:
        assert event.name == f"events/{event.sequence}"
        assert (event.merchant_gateway_id, event.merchant_id) == (place, "m-1")
        assert event.correlation_id
    resumed = listed(core.admin, found[0].cursor, merchant_gateway_id=place).events
    assert ids(resumed) == ["b", "c"]


def test_pages_of_events_move_past_what_the_filter_left_out(core: RunningCore, place: str) -> None:
    start = core.admin.head()
    import_tokens(core, place, "a", "b", "c")
    import_tokens(core, f"{place}x", "other")
    first = listed(core.admin, start, 2, merchant_gateway_id=place)
    assert (ids(first.events), first.caught_up) == (["a", "b"], False)
    second = listed(core.admin, first.next_cursor, 2, merchant_gateway_id=place)
    assert (ids(second.events), second.caught_up, second.next_cursor) == (["c"], True, core.admin.head())
    third = listed(core.admin, second.next_cursor, merchant_gateway_id=place)
    assert (list(third.events), third.caught_up, third.next_cursor) == ([], True, second.next_cursor)


def test_an_empty_cursor_lists_from_the_oldest(core: RunningCore) -> None:
    assert listed(core.admin, "", 5).events == listed(core.admin, "0", 5).events
    assert listed(core.admin, "", 1).events[0].sequence == 1


def test_events_are_filtered(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    import_tokens(core, place, "t-1")
    import_tokens(core, place, "t-1x", merchant="m-2")
    notices.record(core, notices.tsh(key, "binding_update", {}, merchant_id="m-1"))
    imported, bound = KIND.EVENT_KIND_TOKEN_IMPORTED, KIND.EVENT_KIND_BINDING_UPDATED

    def kinds(**wanted: Any) -> list[int]:
        return [event.kind for event in listed(core.admin, **{"merchant_gateway_id": place, **wanted}).events]

    assert kinds() == [imported, imported, bound]
    assert kinds(merchant_id="m-1") == [imported, bound]
    assert kinds(kinds=[bound]) == [bound]
    assert kinds(kinds=[imported, KIND.EVENT_KIND_CLIENT_CREATED]) == [imported, imported]
    token = f"merchantGateways/{place}/merchants/m-1/tokens/t-1"
    # A resource and those below it, but not one whose name only begins alike.
    assert kinds(resource=token) == [imported, bound]
    assert kinds(resource=f"{token}/bindings/d-1") == [bound]
    assert kinds(resource=f"merchantGateways/{place}") == [imported, imported, bound]


def test_a_caller_sees_the_events_of_what_it_may_see(core: RunningCore, place: str) -> None:
    import_tokens(core, place, "a")
    import_tokens(core, place, "b", merchant="m-2")
    import_tokens(core, f"{place}x", "c")
    key = core.api_key(place, ["m-1"])
    unreadable = notices.tsh(key, "binding_update", {}, merchant_id="", quarantine_reason=5)
    notices.record(core, unreadable)

    def seen(session: Session) -> list[str]:
        return [event.resource.partition("/")[0] + event.token.token_id for event in session.events_after("0")]

    assert seen(core.client(["events.read"], [place])) == ["merchantGatewaysa", "merchantGatewaysb", "notifications"]
    # Whose notification it is cannot be known: not for somebody who is bound to a merchant.
    assert seen(core.client(["events.read"], [place], ["m-1"])) == ["merchantGatewaysa"]
    assert seen(core.client(["events.read"])) == []
    everything = seen(core.client(["events.read"], ["*"]))
    assert {"clients", "apiKeys"} <= set(everything)
    assert "clients" not in seen(core.client(["events.read"], ["*"], ["m-1"]))


@pytest.mark.parametrize("cursor", ["x", "1", "-1", ".", "a.", "a.-1", "a.1.x", "a. 1", "a.99999999999999999999"])
def test_a_cursor_that_is_none_is_refused(core: RunningCore, cursor: str) -> None:
    with refused("INVALID_ARGUMENT", "CURSOR_INVALID") as told:
        listed(core.admin, cursor)
    assert told.metadata == {"cursor": cursor}
    with stream(core.admin, cursor) as opened, refused("INVALID_ARGUMENT", "CURSOR_INVALID"):
        next(opened)


def test_a_cursor_of_another_history_or_ahead_is_out_of_range(core: RunningCore) -> None:
    head = core.admin.head()
    generation, _, sequence = head.rpartition(".")
    for cursor in (f"{generation}.{int(sequence) + 100}", f"other.{sequence}", f"x{generation}.1"):
        with refused("OUT_OF_RANGE", "CURSOR_OUT_OF_RANGE") as told:
            listed(core.admin, cursor)
        assert told.metadata == {"oldest_cursor": f"{generation}.0", "head_cursor": head}
        with stream(core.admin, cursor) as opened, refused("OUT_OF_RANGE", "CURSOR_OUT_OF_RANGE") as told:
            next(opened)
        assert told.metadata == {"oldest_cursor": f"{generation}.0", "head_cursor": head}
    assert listed(core.admin, told.metadata["oldest_cursor"], 1).events[0].sequence == 1
    assert listed(core.admin, told.metadata["head_cursor"]).caught_up


def test_a_cursor_that_retention_has_passed_is_out_of_range() -> None:
    with running_core() as core:
        import_tokens(core, "g", "a", "b", "c")
        assert core.core.store.write(LAST_KEY, lambda transaction: transaction.removal.events(4)) == 4
        generation = core.core.store.generation
        for run in (lambda cursor: listed(core.admin, cursor), lambda cursor: next(opened_at(core, cursor))):
            with refused("OUT_OF_RANGE", "CURSOR_OUT_OF_RANGE") as told:
                run(f"{generation}.3")
            assert told.metadata == {"oldest_cursor": f"{generation}.4", "head_cursor": core.admin.head()}
        assert [event.sequence for event in listed(core.admin, f"{generation}.4", 1).events] == [5]
        assert [event.sequence for event in listed(core.admin, "0", 1).events] == [5]


def opened_at(core: RunningCore, cursor: str) -> Any:
    return core.admin.events.StreamEvents(pb.StreamEventsRequest(cursor=cursor), timeout=10)


def test_a_stream_from_0_begins_with_the_oldest_and_goes_on(core: RunningCore, place: str) -> None:
    import_tokens(core, place, "a", "b")
    with stream(core.admin, "0", merchant_gateway_id=place) as opened:
        messages = read(opened, 2)
        assert ids(events_of(messages)) == ["a", "b"]
        while not messages[-1].caught_up:
            messages.append(next(opened))
        import_tokens(core, place, "c")
        assert ids(events_of(read(opened, 1))) == ["c"]


def test_a_stream_without_a_cursor_begins_with_what_comes_next(core: RunningCore, place: str) -> None:
    import_tokens(core, place, "before")
    with stream(core.admin, merchant_gateway_id=place) as opened:
        first = next(opened)
        assert (list(first.events), first.caught_up) == ([], True)
        import_tokens(core, place, "after")
        messages = read(opened, 1)
        assert ids(events_of(messages)) == ["after"]
    # The cursor of any message resumes after it.
    with stream(core.admin, first.cursor, merchant_gateway_id=place) as opened:
        assert ids(events_of(read(opened, 1))) == ["after"]


def test_a_resumed_stream_loses_and_repeats_nothing(core: RunningCore, place: str) -> None:
    names = [f"t-{number:03}" for number in range(60)]
    cursor, seen = core.admin.head(), []
    for start in range(0, 60, 12):
        import_tokens(core, place, *names[start : start + 12])
        # Cut off in the middle, as networks do.
        with stream(core.admin, cursor, merchant_gateway_id=place) as opened:
            for event in events_of(read(opened, 1))[:7]:
                seen.append(event.token.token_id)
                cursor = event.cursor
    with stream(core.admin, cursor, merchant_gateway_id=place) as opened:
        while len(seen) < 60:
            seen += ids(next(opened).events)
    assert seen == names


def test_a_stream_says_when_it_has_caught_up_and_where_it_is(core: RunningCore, place: str) -> None:
    start = core.admin.head()
    import_tokens(core, f"{place}x", "other")
    with stream(core.admin, start, merchant_gateway_id=place) as opened:
        message = next(opened)
        # Nothing to show, but the cursor moves past what the filter left out.
        assert (list(message.events), message.caught_up, message.cursor) == ([], True, core.admin.head())


def test_a_silent_stream_sends_heartbeats(core: RunningCore, place: str) -> None:
    with stream(core.admin, heartbeat=1, merchant_gateway_id=place) as opened:
        began = time.monotonic()
        first, second = next(opened), next(opened)
        assert 0.8 < time.monotonic() - began < 5
        assert (list(second.events), second.caught_up, second.cursor) == ([], True, first.cursor)
        import_tokens(core, place, "t")
        assert ids(events_of(read(opened, 1))) == ["t"]


@pytest.mark.parametrize("seconds", [-1, 61])
def test_a_heartbeat_interval_out_of_bounds_is_refused(core: RunningCore, seconds: int) -> None:
    with stream(core.admin, heartbeat=seconds) as opened, refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        next(opened)


def test_a_stream_shows_what_its_caller_may_see(core: RunningCore, place: str) -> None:
    shop = core.client(["events.read"], [place], ["m-2"])
    with stream(shop, "0") as opened:
        import_tokens(core, place, "hidden")
        import_tokens(core, f"{place}x", "hidden", merchant="m-2")
        import_tokens(core, place, "shown", merchant="m-2")
        assert ids(events_of(read(opened, 1))) == ["shown"]


def test_a_stream_ends_when_its_client_is_disabled(core: RunningCore, place: str) -> None:
    created = core.create(["events.read"], [place])
    session = core.session(created.client.client_id, created.client_secret)
    with stream(session, heartbeat=1) as opened:
        next(opened)
        disable = clients_pb2.DisableClientRequest(request_id=request_id(), name=created.client.name)
        core.admin.clients.DisableClient(disable)
        began = time.monotonic()
        with refused("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID"):
            for _ in opened:
                pass
        assert time.monotonic() - began < 5


def test_a_stream_ends_when_its_access_token_is_revoked(core: RunningCore, place: str) -> None:
    created = core.create(["events.read"], [place])
    session = core.session(created.client.client_id, created.client_secret)
    with stream(session, heartbeat=1) as opened:
        next(opened)
        revoke = access_tokens_pb2.RevokeAccessTokenRequest(access_token=session.access_token)
        session.access_tokens.RevokeAccessToken(revoke)
        with refused("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID") as told:
            for _ in opened:
                pass
        assert told.metadata == {"why": "revoked"}


def test_a_stream_outlives_its_access_token_but_not_its_client() -> None:
    with running_core(clock=True) as core:
        created = core.create(["events.read"], ["*"])
        session = core.session(created.client.client_id, created.client_secret)
        with stream(session, heartbeat=1) as opened:
            next(opened)
            core.advance(1000)
            for _ in range(2):
                assert not next(opened).events, "a heartbeat"
            disable = clients_pb2.DisableClientRequest(request_id=request_id(), name=created.client.name)
            core.admin.clients.DisableClient(disable)
            with refused("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID") as told:
                for _ in opened:
                    pass
            assert "disabled" in told.metadata["why"]


def test_a_burst_reaches_many_streams_whole(core: RunningCore, place: str) -> None:
    key = core.api_key(place)
    sessions = [Session(core.channel(), core.admin.metadata) for _ in range(5)]
    opened = [session.events.StreamEvents(pb.StreamEventsRequest(), timeout=30) for session in sessions]
    for each in opened:
        next(each)
    batch = [notices.tsh(key, "binding_update", {}, device_id=f"d-{number:03}") for number in range(300)]
    for _ in range(3):
        notices.record(core, *batch)
        batch = [notices.tsh(key, "binding_update", {}, device_id=f"d-{number:03}") for number in range(300)]
    expected = [f"d-{number:03}" for _ in range(3) for number in range(300)]
    for each in opened:
        found = events_of(read(each, 900))
        assert [event.binding.device_id for event in found] == expected
        each.cancel()


def test_events_outlive_the_core() -> None:
    with running_core() as core:
        import_tokens(core, "g", "a")
        cursor = core.admin.head()
        before = listed(core.admin).events
        core.stop()
        core.start()
        import_tokens(core, "g", "b")
        assert listed(core.admin, size=len(before)).events == before
        assert ids(listed(core.admin, cursor, merchant_gateway_id="g").events) == ["b"]
        with stream(core.admin, cursor, merchant_gateway_id="g") as opened:
            assert ids(events_of(read(opened, 1))) == ["b"]
