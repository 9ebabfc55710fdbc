"""Streams that lose nothing, whatever happens to the connection."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
from mintmark.v1 import access_tokens_pb2, access_tokens_pb2_grpc, tokens_pb2
from mintmark.v1 import events_pb2 as pb

from mintmark_client import (
    Client,
    CursorOutOfRange,
    EventStream,
    Fault,
    InvalidRequest,
    Pacing,
    Unauthenticated,
    Unavailable,
)
from tests.adapters.cli.fake_core import SECRET
from tests.mintmark_client.conftest import Connect
from tests.mintmark_client.fake_core import Failure, Message, UnsteadyCore
from tests.mintmark_client.fake_network import FakeNetwork
from tests.server.rpc.running import RunningCore, request_id
from tests.waiting import eventually

QUICK = Pacing(first=0.01, longest=0.05)


def import_tokens(core: RunningCore, place: str, first: int, count: int) -> list[str]:
    """Makes so many events; returns the token ids in their order."""
    ids = [f"t-{number:04}" for number in range(first, first + count)]
    for each in ids:
        entry = tokens_pb2.TokenImport(
            merchant_gateway_id=place, merchant_id="m", token_id=each, provider=tokens_pb2.TOKEN_PROVIDER_TSH
        )
        core.admin.tokens.ImportTokens(tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=[entry]))
    return ids


def token_ids(events: Iterator[pb.Event], count: int = 10_000) -> list[str]:
    return [event.token.token_id for event in islice(events, count)]


def test_what_is_kept_comes_and_then_what_is_new(client: Client, core: RunningCore, place: str) -> None:
    made = import_tokens(core, place, 0, 3)
    with client.events.stream("0") as events:
        assert token_ids(events, 3) == made
        made = import_tokens(core, place, 3, 2)
        assert token_ids(events, 2) == made
    with client.events.stream("0", until_caught_up=True) as events:
        assert len(token_ids(events)) == 5
        assert events.caught_up


def test_a_cursor_is_past_what_was_handed_out_and_no_further(client: Client, core: RunningCore, place: str) -> None:
    made = import_tokens(core, place, 0, 4)
    with client.events.stream("0") as events:
        assert events.cursor == "0"
        seen = next(events)
        assert (seen.token.token_id, events.cursor) == (made[0], seen.cursor)
        saved = events.cursor
    with client.events.stream(saved, until_caught_up=True) as events:
        assert token_ids(events) == made[1:]
        assert events.cursor == core.admin.head()


def test_a_filter_leaves_out_and_the_cursor_moves_past_it(client: Client, core: RunningCore, place: str) -> None:
    import_tokens(core, place, 0, 3)
    wanted = pb.EventFilter(kinds=[pb.EVENT_KIND_TOKEN_DISABLED])
    with client.events.stream("0", wanted, until_caught_up=True) as events:
        assert token_ids(events) == []
        assert events.cursor == core.admin.head()


def test_a_restart_of_the_core_skips_nothing_and_keeps_the_order(core: RunningCore, place: str) -> None:
    made = core.create(["events.read"], [place])
    with Client(
        core.settings.grpc_address,
        client_id=made.client.client_id,
        client_secret=made.client_secret,
        pacing=QUICK,
    ) as client:
        expected = import_tokens(core, place, 0, 20)
        events = client.events.stream("0")
        seen = token_ids(events, 10)
        with ThreadPoolExecutor(1) as other:
            rest = other.submit(token_ids, events, 30)
            core.stop()
            core.start()
            expected += import_tokens(core, place, 20, 20)
            assert seen + rest.result(20) == expected
        events.close()


def test_killed_connections_skip_nothing_and_keep_the_order(
    connect: Connect, core: RunningCore, place: str, network: FakeNetwork
) -> None:
    client = connect(network.address, pacing=QUICK)
    events = client.events.stream("0")
    seen: list[str] = []
    expected: list[str] = []

    def read() -> None:
        for each in islice(events, 80):
            seen.append(each.token.token_id)

    def most_came() -> bool:
        return len(seen) >= len(expected) - 5

    with ThreadPoolExecutor(1) as other:
        reading = other.submit(read)
        for number in range(8):
            expected += import_tokens(core, place, 10 * number, 10)
            eventually(most_came, what="the events before the cut")
            network.cut()
        reading.result(20)
    events.close()
    assert seen == expected
    assert network.connections > 4


def test_a_silent_connection_counts_as_broken(
    connect: Connect, core: RunningCore, place: str, network: FakeNetwork
) -> None:
    client = connect(network.address, pacing=QUICK)
    made = import_tokens(core, place, 0, 1)
    with client.events.stream("0", heartbeat=1) as events, ThreadPoolExecutor(1) as other:
        assert token_ids(events, 1) == made
        network.freeze()
        rest = other.submit(token_ids, events, 1)
        before = network.connections
        eventually(lambda: network.connections > before, what="a new connection")
        network.thaw()
        made = import_tokens(core, place, 1, 1)
        assert rest.result(20) == made


def test_a_revoked_access_token_is_replaced(client: Client, core: RunningCore, place: str) -> None:
    made = import_tokens(core, place, 0, 1)
    with client.events.stream("0") as events:
        assert token_ids(events, 1) == made
        used = client._connection.access_token.get(10, "c")
        revoke = access_tokens_pb2.RevokeAccessTokenRequest(access_token=used)
        client.stub(access_tokens_pb2_grpc.AccessTokensServiceStub).RevokeAccessToken(revoke)
        # The core looks at it every second; what comes after is seen with a new one.
        with ThreadPoolExecutor(1) as other:
            rest = other.submit(token_ids, events, 1)
            eventually(lambda: client._connection.access_token.get(10, "c") != used, what="a new access token")
            made = import_tokens(core, place, 1, 1)
            assert rest.result(20) == made


def test_a_cursor_out_of_range_says_where_to_start(client: Client) -> None:
    with pytest.raises(CursorOutOfRange) as caught:
        next(client.events.stream("ffffffffffffffff.1"))
    assert caught.value.oldest_cursor
    assert caught.value.head_cursor


def test_a_wrong_question_is_not_repeated(client: Client) -> None:
    with pytest.raises(InvalidRequest) as caught:
        next(client.using(correlation_id="c-9").events.stream(heartbeat=0.5))
    assert (caught.value.violations[0].field, caught.value.correlation_id) == ("heartbeat_interval", "c-9")


@pytest.mark.parametrize("by", ["stream", "client"])
def test_closing_ends_an_iteration_that_waits(by: str, connect: Connect) -> None:
    client = connect()
    events = client.events.stream()
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(list, events)
        eventually(lambda: events.cursor, what="the first message")
        (events if by == "stream" else client).close()
        assert waiting.result(5) == []
    events.close()
    assert list(events) == []


def event(sequence: int) -> pb.Event:
    return pb.Event(sequence=sequence, cursor=f"1.{sequence}")


def message(*sequences: int, caught_up: bool = False) -> Message:
    return Message(events=[event(each) for each in sequences], cursor=f"1.{sequences[-1]}", caught_up=caught_up)


@pytest.fixture
def follower(unsteady: UnsteadyCore) -> Iterator[Client]:
    with Client(unsteady.address, client_id="orders", client_secret=SECRET, pacing=QUICK) as made:
        yield made


def sequences(events: EventStream) -> list[int]:
    return [each.sequence for each in events]


def test_every_end_that_passes_goes_on_from_the_cursor(unsteady: UnsteadyCore, follower: Client) -> None:
    unsteady.failures = [Failure("UNAVAILABLE"), Failure("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS")]
    unsteady.streams = [
        [message(1, 2), Failure("UNAVAILABLE", "SHUTTING_DOWN")],
        [message(3), Failure("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID")],
        [message(4)],
        [Failure("CANCELLED")],
        [message(5), Failure("INTERNAL")],
        [message(6), Failure("UNKNOWN")],
        [Message(cursor="1.9"), Failure("ABORTED")],
        [message(10, 11, caught_up=True)],
    ]
    assert sequences(follower.events.stream("0", until_caught_up=True)) == [1, 2, 3, 4, 5, 6, 10, 11]
    asked = ["0", "0", "0", "1.2", "1.3", "1.4", "1.4", "1.5", "1.6", "1.9"]
    assert [request.cursor for request in unsteady.requests] == asked
    assert len({seen["x-correlation-id"] for seen in unsteady.metadata}) == 1
    assert unsteady.issued == ["access-1", "access-2"]


def test_a_stream_that_is_closed_hands_out_nothing_more(unsteady: UnsteadyCore, follower: Client) -> None:
    unsteady.streams = [[message(1, 2, 3)]]
    events = follower.events.stream("0")
    assert next(events).sequence == 1
    events.close()
    assert list(events) == []
    assert events.cursor == "1.1"


def test_silence_while_the_reader_is_busy_does_not_count(unsteady: UnsteadyCore, follower: Client) -> None:
    unsteady.streams = [[message(1), message(2), None], [message(3, caught_up=True)]]
    events = follower.events.stream("0", heartbeat=0.1, until_caught_up=True)
    assert next(events).sequence == 1
    busy_until = time.monotonic() + 0.4
    eventually(lambda: time.monotonic() > busy_until)
    assert len(unsteady.requests) == 1
    assert sequences(events) == [2, 3]
    assert [request.cursor for request in unsteady.requests] == ["0", "1.2"]


def test_what_does_not_pass_ends_the_stream(unsteady: UnsteadyCore, follower: Client) -> None:
    unsteady.streams = [[message(1), Failure("INTERNAL", "INTERNAL")]]
    events = follower.events.stream("0")
    assert next(events).sequence == 1
    with pytest.raises(Fault):
        next(events)
    assert list(events) == []


def test_a_second_refusal_of_the_credentials_ends_the_stream(unsteady: UnsteadyCore, follower: Client) -> None:
    unsteady.failures = [Failure("UNAUTHENTICATED", "ACCESS_TOKEN_INVALID")] * 2
    with pytest.raises(Unauthenticated):
        next(follower.events.stream("0"))
    assert unsteady.issued == ["access-1", "access-2"]


def test_patience_ends_the_wait_for_a_server_that_is_gone(unsteady: UnsteadyCore, follower: Client) -> None:
    unsteady.stop()
    with pytest.raises(Unavailable):
        next(follower.events.stream("0", patience=0.2))


def test_a_stream_that_retention_overtakes_ends_and_skips_nothing(unsteady: UnsteadyCore, caller: Client) -> None:
    """Its own cursor would be refused for ever; to begin with the oldest is for the one who knows what was missed."""
    unsteady.streams = [[message(1, 2), Failure("OUT_OF_RANGE", "CURSOR_OUT_OF_RANGE")]]
    with caller.events.stream("0") as events:
        assert [next(events).sequence, next(events).sequence] == [1, 2]
        with pytest.raises(CursorOutOfRange):
            next(events)
    assert unsteady.streams == []
