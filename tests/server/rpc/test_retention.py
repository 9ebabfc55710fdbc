"""Retention through the public API, on both databases: what goes, what is still known, what is exported."""

import json
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from mintmark.v1 import clients_pb2, events_pb2, notifications_pb2, retention_pb2

from server.keys import keyring
from server.rpc import events as event_methods
from server.services import events, retention
from tests.server.rpc.notices import d1, own_id, record, told, tsh
from tests.server.rpc.running import RunningCore, Session, refused, request_id, running_core
from tests.server.rpc.test_events import import_tokens, listed, stream
from tests.waiting import eventually

DAY = 24 * 3600
GATEWAY = "MGW_000001"
QUARANTINED = retention_pb2.RetainedKind.RETAINED_KIND_QUARANTINED_NOTIFICATIONS
EVENTS = retention_pb2.RetainedKind.RETAINED_KIND_EVENTS


@pytest.fixture(params=["sqlite", "postgresql"])
def started(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., RunningCore]]:
    """Starts a core with a clock that the test moves, and an export folder."""
    settings: dict[str, Any] = {"clock": True, "retention_export_dir": tmp_path / "export"}
    (tmp_path / "export").mkdir()
    if request.param == "postgresql":
        keys = tmp_path / "keyring.json"
        keyring.create(keys)
        settings |= {"database_url": request.getfixturevalue("postgres_database"), "keyring_file": keys}
    running: list[RunningCore] = []

    def start(**more: Any) -> RunningCore:
        running.append(RunningCore(**{**settings, **more}))
        return running[-1]

    yield start
    for core in running:
        core.remove()


def shown(core: RunningCore) -> retention_pb2.Retention:
    return core.admin.retention.GetRetention(retention_pb2.GetRetentionRequest()).retention


def wake(core: RunningCore) -> None:
    core.core.steward.wake(core.core.retention.name)


def passed(core: RunningCore) -> retention_pb2.Retention:
    """What is kept once everything is removed whose time is over."""

    def settled() -> bool:
        # Each time: a core that is in the middle of a pass looks once more when it is done.
        wake(core)
        return not any(period.due for period in shown(core).periods)

    eventually(settled, 30, "the end of the pass")
    return shown(core)


def get(core: RunningCore, name: str) -> notifications_pb2.Notification:
    request = notifications_pb2.GetNotificationRequest(name=name)
    return core.admin.notifications.GetNotification(request).notification


def exported(folder: Path, kind: str) -> list[dict[str, Any]]:
    files = sorted(folder.glob(f"{kind}-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_what_is_over_goes_and_is_exported(started: Callable[..., RunningCore], tmp_path: Path) -> None:
    core = started()
    sender, key = core.partner(GATEWAY), core.api_key(GATEWAY)
    results = record(core, d1(sender, GATEWAY), tsh(key, "binding_update", {"binding_state": "ACTIVE"}))
    before = list(listed(core.admin, "0", 1000).events)
    kept = [get(core, result.notification) for result in results]
    cursor = before[0].cursor
    core.advance(89 * DAY)
    passed(core)
    assert listed(core.admin, "0", 1000).events[0].sequence == 1
    core.advance(2 * DAY)
    now = passed(core)

    removed = before[-1].sequence
    assert now.oldest_cursor == before[-1].cursor
    assert now.exported
    assert not now.export_failing
    with refused("OUT_OF_RANGE", "CURSOR_OUT_OF_RANGE") as out:
        listed(core.admin, cursor)
    assert out.metadata["oldest_cursor"] == now.oldest_cursor
    with stream(core.admin, cursor) as opened, refused("OUT_OF_RANGE", "CURSOR_OUT_OF_RANGE"):
        next(opened)
    assert [event for event in listed(core.admin, "0", 1000).events if event.sequence <= removed] == []
    for result in results:
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            get(core, result.notification)

    folder = tmp_path / "export"
    lines = exported(folder, "events")
    assert [json_format.ParseDict(line, events_pb2.Event()) for line in lines] == before
    for each in kept:
        each.ClearField("event_sequence")
    lines = exported(folder, "notifications")
    assert [json_format.ParseDict(line, notifications_pb2.Notification()) for line in lines] == kept
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert not [file for file in folder.iterdir() if file.suffix != ".jsonl"]


def test_a_repeat_is_known_after_its_notification_has_gone(started: Callable[..., RunningCore]) -> None:
    core = started()
    key = core.api_key(GATEWAY)
    first = tsh(key, "binding_update", {"binding_state": "ACTIVE"}, correlation_id=own_id())
    unbound = tsh(core.api_key(GATEWAY, ["other"]), "binding_update", {"binding_state": "ACTIVE"})
    stored = record(core, first, unbound)
    assert told(stored) == [("STORED", "APPLIED"), ("STORED", "QUARANTINED")]
    core.advance(300 * DAY)
    passed(core)
    cursor = core.admin.head()
    again = record(core, first, unbound)
    assert [each[0] for each in told(again)] == ["REPEATED", "REPEATED"]
    assert [each.notification for each in again] == [each.notification for each in stored]
    assert core.admin.events_after(cursor) == []
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        get(core, stored[0].notification)
    core.advance(101 * DAY)
    passed(core)
    assert told(record(core, first)) == [("STORED", "APPLIED")]


def test_quarantine_is_kept_by_its_own_setting(started: Callable[..., RunningCore]) -> None:
    core = started(retention_quarantined="200d")
    key = core.api_key(GATEWAY, ["other"])
    (stored,) = record(core, tsh(key, "binding_update", {"binding_state": "ACTIVE"}))
    core.advance(199 * DAY)
    wake(core)
    eventually(lambda: listed(core.admin, "0").next_cursor and core.core.store.view.bounds()[0], what="the events")
    found = get(core, stored.notification)
    assert found.state == notifications_pb2.NotificationState.NOTIFICATION_STATE_QUARANTINED
    # Its event is gone already.
    assert found.event_sequence == 0
    core.advance(2 * DAY)
    now = passed(core)
    assert {period.kind for period in now.periods if period.HasField("oldest_time")}.isdisjoint({QUARANTINED})


def test_a_request_is_known_for_30_days(started: Callable[..., RunningCore]) -> None:
    core = started()

    def create(own: str, request: str) -> clients_pb2.Client:
        wish = clients_pb2.CreateClientRequest(
            request_id=request, client_id=own, scopes=["tokens.read"], merchant_gateway_ids=[GATEWAY]
        )
        return core.admin.clients.CreateClient(wish).client

    known = request_id()
    first = create("a", known)
    core.advance(29 * DAY)
    passed(core)
    assert create("a", known) == first
    with refused("FAILED_PRECONDITION", "REQUEST_ID_REUSED"):
        create("b", known)
    core.advance(2 * DAY)
    passed(core)
    assert create("b", known).client_id == "b"


def test_secrets_are_in_no_export(started: Callable[..., RunningCore], tmp_path: Path) -> None:
    core = started()
    created = core.create(["tokens.read"], [GATEWAY])
    core.advance(91 * DAY)
    passed(core)
    text = "".join(file.read_text() for file in (tmp_path / "export").iterdir())
    assert created.client.name in text
    assert created.client_secret not in text


@contextmanager
def narrow_stream(core: RunningCore) -> Iterator[Any]:
    """A stream of all events over a connection that holds only a few which nobody has read yet."""
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1024))
    with grpc.insecure_channel(core.settings.grpc_address, options) as channel:
        opened = Session(channel, core.admin.metadata).events.StreamEvents(
            events_pb2.StreamEventsRequest(cursor="0"), timeout=60
        )
        yield opened
        opened.cancel()


def test_a_slow_stream_is_told_what_it_missed(
    started: Callable[..., RunningCore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection holds some events, the feed's memory a few; what lies between is removed while it waits."""
    monkeypatch.setattr(events, "REMEMBERED", 10)
    monkeypatch.setattr(event_methods, "BATCH", 10)
    core = started()
    with narrow_stream(core) as opened:
        seen = [event.sequence for event in next(opened).events]
        for number in range(10):
            ids = [f"{number}-{each}-{'x' * 50}" for each in range(100)]
            import_tokens(core, GATEWAY, *ids, merchant="m" * 100)
        core.advance(91 * DAY)
        removed = int(passed(core).oldest_cursor.rpartition(".")[2])
        with refused("OUT_OF_RANGE", "CURSOR_OUT_OF_RANGE") as out:
            for message in opened:
                seen += [event.sequence for event in message.events]
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) < int(out.metadata["oldest_cursor"].rpartition(".")[2]) <= removed
    # From the oldest on nothing is missing.
    following = core.admin.events_after(passed(core).oldest_cursor)
    assert [event.sequence for event in following] == list(range(removed + 1, removed + 1 + len(following)))


def test_recording_goes_on_beside_a_pass(started: Callable[..., RunningCore], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 8)
    core = started()
    key = core.api_key(GATEWAY)

    def told_of(number: int) -> Any:
        return tsh(
            key, "binding_update", {"binding_state": "ACTIVE"}, correlation_id=f"c-{number}", device_id=f"d-{number}"
        )

    old = [told_of(number) for number in range(120)]
    names = [each.notification for each in record(core, *old)]
    core.advance(91 * DAY)
    cursor = core.admin.head()
    young = [told_of(number) for number in range(1000, 1160)]

    def send(start: int) -> list[tuple[str, str]]:
        found = []
        for place in range(start, 160, 4):
            results = record(core, young[place], old[place % 120], young[place])
            found += [(each.notification, outcome) for each, (outcome, _) in zip(results, told(results), strict=True)]
        return found

    wake(core)
    with ThreadPoolExecutor(4) as pool:
        results = [each for found in pool.map(send, range(4)) for each in found]
    passed(core)
    outcomes = [outcome for _, outcome in results]
    assert (outcomes.count("STORED"), outcomes.count("REPEATED")) == (160, 320)
    assert {name for name, outcome in results if outcome == "REPEATED"} >= set(names)
    caused = [event.notification for event in core.admin.events_after(cursor)]
    assert sorted(caused) == sorted(name for name, outcome in results if outcome == "STORED")
    assert {get(core, name).delivery_count for name, outcome in results if outcome == "STORED"} == {2}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with hardly any room, or, where nobody may mount one, a folder that nobody may write to."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    if not mounted:
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere and cannot mount here")
        folder.chmod(0o500)
    yield folder
    if mounted:
        subprocess.run(["umount", folder], check=True)
    else:
        folder.chmod(0o700)


def test_a_full_disk_stops_removal_and_nothing_else(small_disk: Path) -> None:
    with running_core(clock=True, retention_export_dir=small_disk) as core:
        key = core.api_key(GATEWAY)
        devices = [f"d-{each}-{'x' * 400}" for each in range(50)]
        old = [tsh(key, "binding_update", {"binding_state": "ACTIVE"}, device_id=each) for each in devices]
        names = [each.notification for each in record(core, *old)]
        core.advance(91 * DAY)
        wake(core)
        eventually(lambda: shown(core).export_failing, 30, "the pass that fails")
        assert core.core.store.view.bounds()[0] == 0
        assert all(get(core, name) for name in names)
        assert not [file for file in small_disk.iterdir() if file.name.startswith((".notifications", "notifications"))]
        (stored,) = record(core, tsh(key, "binding_update", {"binding_state": "ACTIVE"}, device_id="new"))
        assert get(core, stored.notification)
        if small_disk.is_mount():
            subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
        else:
            small_disk.chmod(0o700)
        passed(core)
        assert [each["name"] for each in exported(small_disk, "notifications")] == sorted(names)
        eventually(lambda: not shown(core).export_failing, what="the end of the warning")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with running_core(retention_export_dir=tmp_path / "absent") as core:
        assert shown(core).exported
        assert shown(core).export_failing
        (tmp_path / "absent").mkdir()
        assert not shown(core).export_failing


def test_what_is_kept_is_shown(started: Callable[..., RunningCore]) -> None:
    core = started()
    first = listed(core.admin, "0", 1).events[0]
    now = shown(core)
    periods = {period.kind: period for period in now.periods}
    assert len(periods) == len(now.periods) == 9
    assert periods[EVENTS].period.seconds == 90 * DAY
    assert periods[EVENTS].oldest_time == first.time
    assert not periods[EVENTS].due
    assert not periods[QUARANTINED].HasField("oldest_time")
    assert now.oldest_cursor == f"{first.cursor.rpartition('.')[0]}.0"
