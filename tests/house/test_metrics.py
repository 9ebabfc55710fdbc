"""Every metric of a running stack: its name, its help, its labels, and its row in the README."""

import re
from dataclasses import dataclass, field

import httpx
import pytest
from mintmark.v1 import access_tokens_pb2, access_tokens_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from adapters.cli.supervisor.probe import get
from tests.house.tree import ROOT
from tests.plain import PLAIN
from tests.stack import Stack

README = (ROOT / "README.md").read_text()
ROW = re.compile(r"^\| `(mintmark_\w+)` \| (\w+) \|([^|]*)\|[^|]+\|[^|]+\|$", re.MULTILINE)
ROLES = ("core", "gateway", "dispatcher", "sandbox")
NAME = re.compile(r"mintmark(_[a-z][a-z0-9]*)+")
UNITS = ("seconds", "bytes", "units", "size", "events", "records")
# Of these there are few values, whoever calls and whatever is sent. No id, name or text of a caller is among them.
LABELS = {"role", "method", "code", "route", "status", "kind", "outcome", "reason", "read", "fault", "use", "version"}
LABELS |= {"call_class", "feed", "state"}
# Clients have 100 subscriptions at most, and only clients of ours have any.
# A webhook config has seven states.
LABELS |= {"subscription", "account", "state"}
CANARY = "canary-of-the-metrics"


@dataclass
class Family:
    """A metric as it is exposed, by any role."""

    kind: str
    text: str
    labels: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)


def exposed(stack: Stack) -> dict[str, Family]:
    """The families of every role and of the supervisor; counters with their `_total`."""
    texts = [httpx.get(f"{stack.admin_url}/metrics", timeout=5, verify=PLAIN).text]
    texts += [get(f"unix:{stack.data}/run/{role}.admin.sock", "/metrics", 5)[1] for role in ROLES]
    found: dict[str, Family] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            if not name.startswith("mintmark_") or name.endswith("_created"):
                continue
            told = found.setdefault(name, Family(family.type, family.documentation))
            assert (told.kind, told.text) == (family.type, family.documentation), name
            for sample in family.samples:
                told.labels |= {label for label in sample.labels if label != "le"}
                told.values |= {value for label, value in sample.labels.items() if label != "le"}
    return found


@pytest.fixture(scope="module")
def families(running_stack: Stack) -> dict[str, Family]:
    """After calls that hold a canary wherever a caller can write something, and after each kind of answer."""
    http = running_stack.http
    headers = {"x-correlation-id": CANARY, "authorization": f"APIKEY {CANARY}", "content-type": "application/json"}
    d1 = f"/merchant-gateways/{CANARY}/merchants/m/tokens/t/notify-update"
    for path in (f"/{CANARY}", "/notify-merchant-update", d1):
        http.post(path, json={"merchantId": CANARY}, headers=headers)
    http.request("PURGE", "/oauth2/token", headers=headers)
    http.post("/oauth2/token", auth=(CANARY, CANARY), data={"grant_type": "client_credentials"})
    stub = access_tokens_pb2_grpc.AccessTokensServiceStub(running_stack.channel)
    asked = access_tokens_pb2.IssueAccessTokenRequest(client_id=CANARY, client_secret=CANARY)
    with pytest.raises(Exception, match="UNAUTHENTICATED"):
        stub.IssueAccessToken(asked, timeout=10)
    running_stack.lines("tokens", "list", "--merchant", CANARY)
    running_stack.command("tokens", "show", CANARY, check=False)
    return exposed(running_stack)


def test_names_say_what_is_counted_and_in_which_unit(families: dict[str, Family]) -> None:
    assert len(families) > 25
    for name, family in families.items():
        assert NAME.fullmatch(name), name
        assert name.endswith("_total") is (family.kind == "counter"), name
        if family.kind == "histogram":
            assert name.endswith(UNITS), name
        assert not re.search(r"_(ms|millis|milliseconds|minutes|micros|kb|mb|percent)(_|$)", name), name


def test_every_metric_has_a_help_text_with_its_unit(families: dict[str, Family]) -> None:
    for name, family in families.items():
        assert re.fullmatch(r"[A-Z].+\.", family.text), name
        for unit in ("seconds", "bytes"):
            assert not re.search(rf"_{unit}(_total)?$", name) or f"in {unit}" in family.text, name


def test_no_label_can_grow_without_a_bound(families: dict[str, Family]) -> None:
    for name, family in families.items():
        assert family.labels <= LABELS, name
        for value in family.values:
            assert CANARY not in value, name
            assert len(value) < 250, name


def test_the_table_in_the_readme_is_what_is_exposed(families: dict[str, Family]) -> None:
    table = {name: (kind, labels) for name, kind, labels in ROW.findall(README)}
    assert {name: kind for name, (kind, _) in table.items()} == {name: each.kind for name, each in families.items()}
    for name, (_, labels) in table.items():
        written = set(re.findall(r"`(\w+)`", labels))
        seen = families[name].labels - {"role"}
        assert seen <= written <= LABELS - {"role"}, name
