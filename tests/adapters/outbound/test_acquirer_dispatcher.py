"""Dispatchers between a real core and the acquirer's twin: configs applied, drift found and healed, transactions asked
for, with access tokens that are shared in Redis, and a trace of each task."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import redis
from mintmark.v1 import accounts_pb2 as ap

from tests.adapters.outbound.acquiring import SECRET, operation, outcome
from tests.adapters.outbound.running import LIMITS, NOWHERE, DispatcherProcess
from tests.adapters.sandbox.sibs.caller import ACQUIRER, Caller, caller_of
from tests.server.rpc.configuring import Acquirer, open_acquirer
from tests.server.rpc.running import RunningCore, running_core
from tests.valkey import Valkey
from tests.waiting import eventually

CLIENT_ID = "sandbox-client-id"
WEBHOOK = "/{version}/acquirers/{acquirer}/merchants/{merchant}/terminal/webhook"


@dataclass
class House:
    """An account at the twin with client credentials, and two dispatchers."""

    core: RunningCore
    twin: Caller
    valkey: Valkey
    acquirer: Acquirer
    dispatchers: list[DispatcherProcess]

    def becomes(self, name: str, state: str) -> None:
        eventually(lambda: self.acquirer.state_of(name) == state, 40, f"{name} becoming {state}")

    def code(self, name: str) -> str:
        return self.acquirer.get(name).notification_configuration_code

    def at_the_twin(self, name: str) -> dict[str, Any]:
        return dict(self.twin.control("GET", f"/configs/{self.code(name)}"))

    def issued(self) -> int:
        return int(self.twin.control("GET", "/access-tokens")["issued"])

    def fetches(self) -> int:
        """How often both together fetch an access token: once, or each for itself where Redis was too slow for one."""
        return 2 if "redis_left_alone" in self.logged() else 1

    def calls(self, name: str) -> list[str]:
        """What was asked of the twin for a config, by those whom it let in."""
        lines = [each for each in self.twin.lines("/requests") if each["code"] == self.code(name)]
        return [each["endpoint"] for each in lines if each["authenticated"]]

    def logged(self) -> str:
        return "".join(each.logged() for each in self.dispatchers)

    def spans(self) -> list[dict[str, Any]]:
        """Of the dispatchers."""
        files = [each.spool.parent / "traces.jsonl" for each in self.dispatchers]
        return [json.loads(line) for file in files if file.exists() for line in file.read_text().splitlines()]


def fields(base_url: str, **changes: Any) -> dict[str, Any]:
    source = {"token_url": f"{base_url}/sibs/oauth2/token", "client_id": CLIENT_ID, "client_secret": SECRET}
    return {
        "base_url": base_url,
        "path_prefix": "/sibs",
        "acquirer_id": ACQUIRER,
        "client_id": CLIENT_ID,
        "access_token": "",
        "client_credentials": ap.SibsClientCredentials(**{**source, **changes}),
        "payments_base_url": base_url,
        "payments_path_prefix": "/sibs/api/v1/payments",
        "delete_by_update": True,
    }


@pytest.fixture(scope="module")
def valkey_of_ours() -> Iterator[Valkey]:
    """Nobody else empties it or stops it."""
    server = Valkey()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, valkey_of_ours: Valkey) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    traced = {"MINTMARK_TRACES": "file", "MINTMARK_REDIS_URL": valkey_of_ours.url}
    settings = {"public_url": "https://gateway.example", **LIMITS}
    with running_core(**settings) as core, caller_of(folder / "twin") as twin:
        acquirer = open_acquirer(core, **fields(str(twin.client.base_url).rstrip("/")))
        dispatchers = [DispatcherProcess(core, folder / name, **traced) for name in ("d1", "d2")]
        made = House(core, twin, valkey_of_ours, acquirer, dispatchers)
        try:
            for each in dispatchers:
                each.start()
            yield made
        finally:
            for each in dispatchers:
                each.kill()


def test_what_is_desired_is_applied_and_what_drifts_is_shown_and_healed(house: House) -> None:
    config = house.acquirer.create().name
    house.becomes(config, "APPLIED")
    there = house.at_the_twin(config)
    assert there["value"] == f"https://gateway.example/sibs/notifications/{config.removeprefix('webhookConfigs/')}"
    house.twin.control("PATCH", f"/configs/{house.code(config)}", {"methods": ["IDEL"], "key": "new"})
    house.acquirer.refresh(config)
    house.becomes(config, "DRIFTED")
    seen = house.acquirer.get(config)
    assert {each.field for each in seen.differences} == {"payment_method_codes", "key"}
    assert seen.observed.foreign_key
    house.acquirer.apply(house.acquirer.desired(config.removeprefix("webhookConfigs/")))
    house.becomes(config, "APPLIED")
    house.acquirer.refresh(config)
    eventually(lambda: not house.acquirer.get(config).refresh_pending, 40, "the refresh")
    assert house.acquirer.state_of(config) == "APPLIED"
    house.acquirer.delete(config)
    house.becomes(config, "DELETED")


def test_all_of_them_share_one_access_token(house: House) -> None:
    configs = [house.acquirer.create().name for _ in range(12)]
    for config in configs:
        house.becomes(config, "APPLIED")
    assert house.issued() <= house.fetches()
    house.twin.control("POST", "/access-tokens/revoke", {"static": False})
    house.acquirer.refresh(*configs)
    for config in configs:
        eventually(partial(_refreshed, house, config), 40, "the refresh")
    # Each may have found out by itself; who fetched first, fetched for both.
    assert house.issued() <= 2 * house.fetches()


def _refreshed(house: House, config: str) -> bool:
    return not house.acquirer.get(config).refresh_pending


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_is_found_out_by_the_list(house: House, applied: bool) -> None:
    house.twin.fault("reset", endpoint="create", applied=applied)
    config = house.acquirer.create().name
    house.becomes(config, "APPLIED")
    assert house.calls(config) == (["create", "update"] if applied else ["create", "create"])
    told = [(operation(call), outcome(call)) for call in reversed(house.acquirer.get(config).calls)]
    let_in = [step for step in told if step[1] != "UNAUTHENTICATED"]
    second = "UPDATE" if applied else "CREATE"
    assert let_in == [("CREATE", "UNKNOWN"), ("LIST", "ACCEPTED"), (second, "ACCEPTED")]


def test_a_refused_one_waits_for_people(house: House) -> None:
    house.twin.fault("rejected", endpoint="create", code="E0101", message="no such merchant")
    config = house.acquirer.create().name
    house.becomes(config, "REJECTED")
    last = house.acquirer.get(config).last_call
    assert (last.transaction_status, last.status_code, last.status_description) == ("RJCT", "E0101", "no such merchant")
    sent = [each for each in house.twin.lines("/requests") if each["code"] == house.code(config)][-1]
    assert (sent["requestId"], sent["userId"]) == (last.tpp_request_id, "admin")


def accepted(span: dict[str, Any]) -> bool:
    return bool(span["attributes"]["mintmark.outcome"] == "accepted")


def test_each_task_is_a_trace_with_its_calls(house: House) -> None:
    """Whichever of the tasks that created something: they are all alike."""
    config = house.acquirer.create().name
    house.becomes(config, "APPLIED")

    def whole() -> list[dict[str, Any]]:
        spans = house.spans()
        told = [span for span in spans if span["name"].endswith("/RecordWebhookConfigCall")]
        asked = {span["parent_id"]: span for span in spans if span["name"] == f"POST {WEBHOOK}" and accepted(span)}
        tasks = {span["span_id"]: span for span in spans if span["name"] == "task APPLY_WEBHOOK_CONFIG"}
        found = [span["parent_id"] for span in told if span["parent_id"] in asked.keys() & tasks.keys()]
        return [tasks[found[-1]], asked[found[-1]]] if found else []

    task, call = eventually(whole, 20, "the trace")
    assert (task["role"], task["kind"], task["parent_id"]) == ("dispatcher", "consumer", "")
    assert task["attributes"]["mintmark.correlation_id"]
    assert call["kind"] == "client"
    assert call["attributes"]["http.response.status_code"] == 200
    assert any(f'"trace_id":"{task["trace_id"]}"' in line for line in house.logged().splitlines())
    # Nothing is traced that belongs to no task.
    assert not [span for span in house.spans() if not span["parent_id"] and not span["name"].startswith("task ")]


def test_no_secret_and_no_id_is_in_logs_traces_or_redis(house: House) -> None:
    logged = house.logged()
    assert '"partner call"' in logged
    traced = json.dumps(house.spans())
    folders = [path for each in house.dispatchers for path in each.spool.parent.rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in folders)
    with redis.Redis.from_url(house.valkey.url) as client:
        names = client.keys("*")
        assert isinstance(names, list)
        assert names
        kept += b"".join(name + (client.get(name) or b"") for name in names)
    keys = [line["key"] for line in _journal(house) if line.get("key")]
    assert keys
    for secret in (SECRET, CLIENT_ID, *keys):
        assert secret not in logged
        assert secret.encode() not in kept
    assert ACQUIRER not in traced
    assert "1000000001" not in traced


def _journal(house: House) -> list[dict[str, Any]]:
    """What the twin keeps of its configs, keys included."""
    lines = (house.twin.folder / "sandbox/sibs/state.jsonl").read_text().splitlines()
    return [json.loads(line).get("config", {}) for line in lines]


def test_a_token_endpoint_that_is_away_is_waited_for(house: House) -> None:
    base_url = str(house.twin.client.base_url).rstrip("/")
    lost = open_acquirer(house.core, **fields(base_url, token_url=f"{NOWHERE}/oauth2/token"))
    config = lost.create().name
    eventually(lambda: lost.get(config).last_call.trouble == "access_token_connect", 40, "a call that was not sent")
    assert lost.state_of(config) in {"PENDING", "APPLYING"}
    lost.state(**fields(base_url))
    eventually(lambda: lost.state_of(config) == "APPLIED", 60, "the end of it")
