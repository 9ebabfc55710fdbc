"""`mintmark retention show`."""

from mintmark.v1 import retention_pb2

from tests.adapters.cli.conftest import Command
from tests.adapters.cli.fake_core import FakeCore


def retention() -> retention_pb2.Retention:
    events = retention_pb2.RetainedPeriod(kind=retention_pb2.RETAINED_KIND_EVENTS, due=True)
    events.period.seconds = 90 * 24 * 3600
    events.oldest_time.FromJsonString("2026-08-01T04:05:06Z")
    requests = retention_pb2.RetainedPeriod(kind=retention_pb2.RETAINED_KIND_REQUESTS)
    requests.period.seconds = 36 * 3600
    pin = retention_pb2.RetentionPin(subscription="subscriptions/slow", floor_cursor="1.5", event_count=7)
    pin.removal_time.FromJsonString("2026-12-01T04:05:06Z")
    return retention_pb2.Retention(periods=[events, requests], pins=[pin], oldest_cursor="1.5", exported=True)


def test_what_is_kept_and_who_holds_it_back(mintmark: Command, core: FakeCore) -> None:
    core.retention = retention()
    text = mintmark("retention", "show").out
    rows = [line.split() for line in text.splitlines() if line.strip()]
    assert ["EVENTS", "90", "d", "2026-08-01T04:05:06Z", "yes"] in rows
    assert ["REQUESTS", "36", "h"] in rows
    assert ["subscriptions/slow", "7", "2026-12-01T04:05:06Z", "1.5"] in rows
    assert "oldest cursor: 1.5" in text
    assert "exported before it is removed: yes" in text


def test_an_export_that_fails_is_told(mintmark: Command, core: FakeCore) -> None:
    core.retention.export_failing = True
    result = mintmark("retention", "show")
    assert "MINTMARK_RETENTION_EXPORT_DIR" in result.err
    assert "exported before it is removed: no" in result.out
    (line,) = mintmark("retention", "show", "--output", "json").lines
    assert line == {"exportFailing": True}
