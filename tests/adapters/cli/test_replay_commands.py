"""Finding, understanding and replaying notifications by the command, against a real core."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from mintmark.v1 import notifications_pb2

from adapters.cli.notifications import readable
from tests.adapters.cli.conftest import Command
from tests.server.rpc.conftest import core as real_core
from tests.server.rpc.conftest import place
from tests.server.rpc.notices import MERCHANT, d1, record, tsh
from tests.server.rpc.running import RunningCore

__all__ = ["place", "real_core"]


@pytest.fixture
def settings(real_core: RunningCore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The command's settings: the real core's, whose log would go where the command prints."""
    monkeypatch.setenv("MINTMARK_GRPC_ADDRESS", real_core.settings.grpc_address)
    monkeypatch.setenv("MINTMARK_DATA_DIR", str(real_core.folder / "data"))
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield real_core.folder
    structlog.reset_defaults()


def names(mintmark: Command, *options: str) -> list[str]:
    result = mintmark("--output", "json", "notifications", "list", *options)
    assert result.code == 0, result.err
    return [each["name"] for each in result.lines]


def test_every_filter_finds(mintmark: Command, real_core: RunningCore, place: str) -> None:
    key, partner = real_core.api_key(place, ["another"]), real_core.partner(place)
    told = {"binding_state": "MELTED"}
    flags = [notifications_pb2.NOTIFICATION_FLAG_NUL]
    kept, applied = record(
        real_core,
        tsh(key, "binding_update", told, device_id=f"d-{place}", flags=flags),
        d1(partner, place, f"t-{place}", correlation_id=f"c-{place}"),
    )
    here = ("--merchant-gateway", place)
    assert names(mintmark, *here) == [applied.notification, kept.notification]
    for options in (
        ("--partner", "tsh"),
        ("--sender", key),
        ("--quarantine-reason", "merchant-not-bound"),
        ("--flag", "nul"),
        ("--device", f"d-{place}"),
        ("--state", "quarantined", "--since", "1h"),
    ):
        assert names(mintmark, *here, *options) == [kept.notification], options
    resource = f"merchantGateways/{place}/merchants/{MERCHANT}"
    for options in (("--resource", resource), ("--token", f"t-{place}"), ("--correlation-id", f"c-{place}")):
        assert names(mintmark, *options) == [applied.notification], options
    assert names(mintmark, *here, "--until", "1h") == []
    assert names(mintmark, *here, "--since", "2020-01-01T00:00:00Z", "--until", "2099-01-01T00:00:00+02:00")
    for wrong in ("yesterday", "2020-99-99T00:00:00Z", "-5m"):
        result = mintmark("notifications", "list", f"--since={wrong}")
        assert (result.code, "--since" in result.err) == (2, True)


def test_a_body_is_shown_readably(mintmark: Command, real_core: RunningCore, place: str) -> None:
    (result,) = record(real_core, tsh(real_core.api_key(place), "binding_update", {"binding_state": "ACTIVE"}))
    shown = mintmark("notifications", "show", result.notification).out
    assert "state: APPLIED" in shown
    assert '\n  "binding_state": "ACTIVE",\n' in shown
    (document,) = mintmark("notifications", "show", result.notification, "--output", "json").lines
    assert "ACTIVE" in document["redactedBody"]


def test_what_a_terminal_would_obey_is_escaped() -> None:
    assert readable('{"a": "\\u001b[2J"}') == '{\n  "a": "\\u001b[2J"\n}'
    assert readable("no JSON \x1b[2J ä\u202e") == "no JSON \\x1b[2J ä\\u202e"
    assert readable("[" * 100_000).startswith("[[")


def test_one_is_replayed_only_when_asked_to(mintmark: Command, real_core: RunningCore, place: str) -> None:
    key = real_core.api_key(place, ["another"])
    (kept,) = record(real_core, tsh(key, "binding_update", {"binding_state": "ACTIVE"}))
    name = kept.notification
    assert mintmark("notifications", "replay", name).out == f"{name}: nothing differs\n"
    real_core.api_key(place)
    for _ in range(2):
        shown = mintmark("notifications", "replay", name.removeprefix("notifications/")).out
        assert "QUARANTINED MERCHANT_NOT_BOUND -> APPLIED; nothing was changed" in shown
        assert "state_text" in shown
    (document,) = mintmark("notifications", "replay", name, "--apply", "--output", "json").lines
    assert document["after"]["state"] == "NOTIFICATION_STATE_APPLIED"
    assert {"path": "state_text", "after": "ACTIVE"} in document["differences"]
    assert mintmark("notifications", "replay", name).out == f"{name}: nothing differs\n"
    missing = mintmark("notifications", "replay", "none")
    assert (missing.code, "RESOURCE_NOT_FOUND" in missing.err) == (1, True)


def test_many_are_replayed_and_followed(mintmark: Command, real_core: RunningCore, place: str) -> None:
    key = real_core.api_key(place, ["another"])
    told = {"binding_state": "ACTIVE"}
    record(real_core, *(tsh(key, "binding_update", told, device_id=f"d-{n}") for n in range(3)))
    real_core.api_key(place)
    chosen = ("--reason", "bound now", "--state", "quarantined", "--merchant-gateway", place, "--follow")
    tried = mintmark("replays", "create", *chosen, "--output", "json")
    assert tried.lines[0]["dryRun"]
    assert (tried.lines[0]["state"], tried.lines[0]["differentCount"]) == ("REPLAY_STATE_DONE", "3")
    assert "3 of 3 examined, 3 different, 0 applied, 0 refused" in tried.err
    done = mintmark("replays", "create", *chosen, "--apply", "--output", "json").lines[0]
    assert (done["appliedCount"], done["reason"]) == ("3", "bound now")
    results = mintmark("replays", "results", done["name"])
    assert results.out.count("state_text: - -> ACTIVE") == 3
    assert done["name"] in mintmark("replays", "list").out
    for command in ("show", "cancel"):
        (document,) = mintmark("replays", command, done["name"], "--output", "json").lines
        assert json.dumps(document) == json.dumps(done)
    assert "state: DONE" in mintmark("replays", "show", done["name"], "--follow").out


def test_wrong_words_are_named(mintmark: Command) -> None:
    result = mintmark("replays", "create", "--reason", "x", "--partner", "VISA")
    assert (result.code, "D1, TSH" in result.err) == (2, True)
