"""`mintmark subscriptions`, against a real core."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import structlog

from tests.adapters.cli.conftest import Command
from tests.server.rpc.running import RunningCore, running_core
from tests.server.rpc.subscribing import happen, subscribe
from tests.waiting import eventually


@pytest.fixture(scope="module")
def core() -> Iterator[RunningCore]:
    with running_core() as running, (running.folder / "log").open("w") as log:
        # What the core logs must not be taken for what the command prints.
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
        yield running
        structlog.reset_defaults()


@pytest.fixture
def settings(core: RunningCore, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command's settings: a real core and its administrator."""
    monkeypatch.setenv("MINTMARK_GRPC_ADDRESS", core.settings.grpc_address)
    monkeypatch.setenv("MINTMARK_DATA_DIR", str(core.settings.data_dir))
    return core.settings.data_dir


def test_a_subscription_from_its_creation_to_its_end(mintmark: Command, core: RunningCore) -> None:
    created = mintmark("subscriptions", "create", "orders", "--merchant-gateway", "g-1", "--lease", "1m", "-o", "json")
    (made,) = created.lines
    assert (made["name"], made["leaseDuration"]) == ("clients/admin/subscriptions/orders", "60s")
    a, b = happen(core, "g-1", "a", "b")
    pulled = mintmark("subscriptions", "pull", "orders", "--max", "1", "--output", "json")
    assert [(line["event"]["sequence"], line["deliveryCount"]) for line in pulled.lines] == [(str(a), "1")]
    refused = mintmark("subscriptions", "acknowledge", made["name"], str(b))
    assert (refused.code, "EVENT_NOT_DELIVERED" in refused.err) == (1, True)
    assert mintmark("subscriptions", "acknowledge", "orders", str(a)).err == "1 acknowledged\n"
    (text,) = mintmark("subscriptions", "pull", "orders", "--acknowledge").out.splitlines()
    assert text.split()[0] == str(b)
    assert mintmark("subscriptions", "pull", "orders").out == ""
    (shown,) = mintmark("subscriptions", "list", "--output", "json").lines
    assert shown.get("outstandingCount", "0") == "0"
    update = ("subscriptions", "update", "orders", "--kind", "token-disabled", "--lease", "5s", "--output", "json")
    (after,) = mintmark(*update).lines
    assert (after["filter"], after["leaseDuration"]) == ({"kinds": ["EVENT_KIND_TOKEN_DISABLED"]}, "5s")
    assert mintmark("subscriptions", "update", "orders").code == 2
    assert mintmark("subscriptions", "update", "orders", "--everything", "--kind", "token-disabled").code == 2
    assert mintmark("subscriptions", "update", "orders", "--everything", "-o", "json").lines[0]["filter"] == {}
    assert mintmark("subscriptions", "seek", "orders", "now").code == 0
    assert mintmark("subscriptions", "delete", "orders").code == 0
    assert mintmark("subscriptions", "show", "orders").code == 1


def test_an_operator_sees_and_ends_what_others_left(mintmark: Command, core: RunningCore) -> None:
    left = subscribe(core.client(["subscriptions.write"], ["g-2"]))
    client = left.split("/")[1]
    assert [line["name"] for line in mintmark("subscriptions", "list", "--client", client, "-o", "json").lines] == [
        left
    ]
    assert mintmark("subscriptions", "pull", left).code == 1
    assert mintmark("subscriptions", "delete", left).code == 0
    assert mintmark("subscriptions", "list", "--client", client).err == "none\n"


def holds(file: Path, text: str) -> bool:
    return text in file.read_text()


def test_following_goes_on_until_ctrl_c(core: RunningCore, settings: Path, tmp_path: Path) -> None:
    name = subscribe(core.admin, "", id_="followed", merchant_gateway_id="g-3")
    out = tmp_path / "out"
    command = [str(Path(sys.executable).parent / "mintmark"), "subscriptions", "pull", name, "--follow"]
    with out.open("w") as file:
        running = subprocess.Popen([*command, "--acknowledge", "-o", "json"], stdout=file, env=os.environ)
        try:
            for token_id in ("a", "b"):
                (sequence,) = happen(core, "g-3", token_id)
                eventually(partial(holds, out, f"events/{sequence}"), 20, "the event")
            running.send_signal(signal.SIGINT)
            assert running.wait(10) == -signal.SIGINT
        finally:
            running.kill()
            running.wait(10)
    assert len([json.loads(line) for line in out.read_text().splitlines()]) == 2
