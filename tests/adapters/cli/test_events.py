"""`mintmark events tail`."""

from mintmark.v1 import events_pb2

from tests.adapters.cli.conftest import Command
from tests.adapters.cli.fake_core import FakeCore


def event(sequence: int) -> events_pb2.Event:
    made = events_pb2.Event(
        name=f"events/{sequence}",
        sequence=sequence,
        cursor=f"1.{sequence}",
        kind=events_pb2.EVENT_KIND_BINDING_UPDATED,
        resource=f"merchantGateways/g/merchants/m/tokens/t/bindings/d{sequence}",
        details={"scheme": "VISA"},
    )
    made.time.FromJsonString("2026-11-21T04:05:06Z")
    made.binding.state_text = "ACTIVE"
    return made


def test_all_events_from_the_oldest_and_then_the_end(mintmark: Command, core: FakeCore) -> None:
    core.events = [event(number) for number in range(1, 6)]
    result = mintmark("events", "tail", "--from", "0", "--until-caught-up", "--output", "json")
    assert (result.code, [line["sequence"] for line in result.lines]) == (0, ["1", "2", "3", "4", "5"])
    text = mintmark("events", "tail", "--from", "1.4", "--until-caught-up", "--kind", "binding-updated").out
    (line,) = text.splitlines()
    assert line.split() == ["5", "04:05:06", "BINDING_UPDATED", event(5).resource, "ACTIVE", "scheme=VISA"]
    assert list(core.requests[-1].filter.kinds) == [events_pb2.EVENT_KIND_BINDING_UPDATED]


def test_a_broken_stream_goes_on_from_its_cursor(mintmark: Command, core: FakeCore) -> None:
    core.events = [event(number) for number in range(1, 8)]
    core.streams_break_after = [2, 3]
    result = mintmark("events", "tail", "--from", "0", "--until-caught-up", "--output", "json")
    assert (result.code, [int(line["sequence"]) for line in result.lines]) == (0, list(range(1, 8)))
    assert [request.cursor for request in core.requests] == ["0", "1.2", "1.5"]


def test_a_cursor_out_of_range_is_refused_with_the_oldest(mintmark: Command) -> None:
    result = mintmark("events", "tail", "--from", "old", "--until-caught-up")
    assert result.code == 1
    assert "oldest_cursor 1.5" in result.err


def test_a_stream_that_retention_overtakes_ends_with_the_oldest(mintmark: Command, core: FakeCore) -> None:
    """Going on from its own cursor would be refused for ever, and from the oldest it would skip in silence."""
    core.events = [event(number) for number in range(1, 8)]
    core.passed_after = 3
    result = mintmark("events", "tail", "--from", "0", "--output", "json")
    assert (result.code, [int(line["sequence"]) for line in result.lines]) == (1, [1, 2, 3])
    assert "oldest_cursor 1.5" in result.err
    assert "no longer kept" in result.err
    assert len(core.requests) == 1
