"""Traces of a whole stack, as a collector gets them; and one that is dead or hangs, which changes nothing."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.collector import Collector, Seen
from tests.plain import PLAIN
from tests.stack import Stack, free_ports
from tests.waiting import eventually

GATEWAY_ID = "MGW_000007"
NOTIFY_UPDATE = f"/merchant-gateways/{GATEWAY_ID}/merchants/10610027312/tokens/traced/notify-update"
D1_ROUTE = "POST /merchant-gateways/{merchantGatewayId}/merchants/{merchantId}/tokens/{tokenId}/notify-update"
RECORD = "mintmark.v1.NotificationRecordsService/RecordNotifications"
SERVER, CLIENT = 2, 3
THEIR_TRACE, THEIR_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Partner:
    """Both partners, with credentials of their own."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        client = ("clients", "create", "d1-traced", "--scope", "d1-notify", "--merchant-gateway", GATEWAY_ID)
        (made,) = stack.lines(*client)
        (key,) = stack.lines("api-keys", "create", "tsh-traced", "--merchant-gateway", GATEWAY_ID)
        self._secret, self._key = made["client_secret"], key["api_key"]

    def access_token(self) -> str:
        form = {"grant_type": "client_credentials"}
        answer = self.stack.http.post("/oauth2/token", auth=("d1-traced", self._secret), data=form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def d1(self, correlation_id: str, *, access_token: str = "", **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {access_token or self.access_token()}", "x-correlation-id": correlation_id}
        return self.stack.http.post(NOTIFY_UPDATE, json={"updateType": "X"}, headers={**sent, **headers})

    def tsh(self, correlation_id: str, **headers: str) -> httpx.Response:
        sent = {"authorization": f"APIKEY {self._key}", "x-correlation-id": correlation_id}
        body = {"merchantId": "m", "scheme": "VISA"}
        return self.stack.http.post("/notify-merchant-update", json=body, headers={**sent, **headers})


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def partner(collector: Collector) -> Iterator[Partner]:
    """A stack that sends its spans to the collector, whatever the environment says about OpenTelemetry."""
    misleading = {
        "OTEL_SDK_DISABLED": "true",
        "OTEL_TRACES_SAMPLER": "always_off",
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "no number",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_RESOURCE_ATTRIBUTES": "left=behind",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "0",
    }
    stack = Stack(MINTMARK_TRACES="otlp", MINTMARK_TRACES_ENDPOINT=collector.endpoint).with_settings(misleading)
    try:
        yield Partner(stack.start())
    finally:
        stack.remove()


def below(spans: list[Seen], parent: Seen, name: str) -> Seen:
    """The one span of this name right below another."""
    (found,) = [span for span in spans if span.parent_id == parent.span_id and span.name == name]
    assert found.trace_id == parent.trace_id
    return found


def arrived(collector: Collector, route: str, correlation_id: str) -> Seen:
    """The span of a request, once everything of its trace has arrived."""

    def whole() -> list[Seen]:
        found = collector.named(route, mintmark_correlation_id=correlation_id)
        names = {span.name for span in collector.seen() if found and span.trace_id == found[0].trace_id}
        return found if names >= {RECORD, "store commit", "store queue", "record notification"} else []

    return eventually(whole, 20, "the trace")[0]


@pytest.mark.parametrize("feed", ["d1", "tsh"])
def test_one_trace_from_the_request_into_the_commit(partner: Partner, collector: Collector, feed: str) -> None:
    route = {"d1": D1_ROUTE, "tsh": "POST /notify-merchant-update"}[feed]
    correlation_id = f"one-trace-{feed}"
    assert getattr(partner, feed)(correlation_id).status_code == 204
    request = arrived(collector, route, correlation_id)
    spans = collector.seen()
    assert (request.service, request.kind, request.parent_id) == ("mintmark-gateway", SERVER, "")
    assert request.attributes["http.response.status_code"] == 204
    (call,) = [span for span in spans if span.parent_id == request.span_id and span.kind == CLIENT]
    assert (call.service, call.name) == ("mintmark-gateway", RECORD)
    recording = below(spans, call, RECORD)
    assert (recording.service, recording.kind) == ("mintmark-core", SERVER)
    assert (request.trace_id, request.span_id) in call.links
    assert (request.trace_id, request.span_id) in recording.links
    commit = below(spans, recording, "store commit")
    assert (recording.trace_id, recording.span_id) in commit.links
    queue = below(spans, recording, "store queue")
    assert queue.links == ((commit.trace_id, commit.span_id),)
    assert request.began <= call.began <= recording.began <= commit.began <= commit.ended <= recording.ended
    told = below(spans, request, "record notification")
    assert told.attributes["mintmark.correlation_id"] == correlation_id
    assert (recording.trace_id, recording.span_id) in told.links


def test_the_trace_is_in_the_log_lines_of_both_roles(partner: Partner, collector: Collector) -> None:
    partner.tsh("in-the-log")
    partner.tsh("in-the-log")
    request = arrived(collector, "POST /notify-merchant-update", "in-the-log")

    def lines() -> list[dict[str, str]]:
        every = partner.stack.log.read_text().splitlines()
        return [told for line in every if "in-the-log" in line and (told := json.loads(line))]

    told = eventually(lambda: found if len(found := lines()) >= 3 else [])
    requests = [line["trace_id"] for line in told if line["event"] == "request"]
    (repeated,) = [line for line in told if line["event"] == "notification"]
    assert request.trace_id in requests
    assert (repeated["state"], repeated["trace_id"]) == ("repeated", requests[1])


def test_the_token_endpoint_and_a_read_are_traced(partner: Partner, collector: Collector) -> None:
    form, tell = {"grant_type": "client_credentials"}, {"x-correlation-id": "asks"}
    partner.stack.http.post("/oauth2/token", auth=("d1-traced", "wrong"), headers=tell, data=form)
    (request,) = eventually(lambda: collector.named("POST /oauth2/token", mintmark_correlation_id="asks"))

    def of_the_core() -> list[Seen]:
        found = collector.named("mintmark.v1.AccessTokensService/IssueAccessToken")
        return [span for span in found if span.trace_id == request.trace_id and span.kind == SERVER]

    asked = eventually(of_the_core)
    assert asked[0].attributes["mintmark.correlation_id"] == "asks"
    partner.stack.lines("tokens", "list")
    (listed,) = eventually(lambda: collector.named("mintmark.v1.TokensService/ListTokens"))
    eventually(lambda: below(collector.seen(), listed, "store list tokens"))


def test_only_a_known_caller_is_followed(partner: Partner, collector: Collector) -> None:
    theirs = {"traceparent": f"00-{THEIR_TRACE}-{THEIR_SPAN}-01"}
    assert partner.tsh("known", **theirs).status_code == 204
    assert partner.d1("unknown", access_token="wrong", **theirs).status_code == 401
    card = f"00-{'4111111111111111':a>32}-{THEIR_SPAN}-01"
    assert partner.tsh("looks-like-a-card", traceparent=card).status_code == 204
    assert partner.tsh("malformed", traceparent="00-zz-01").status_code == 204
    known = arrived(collector, "POST /notify-merchant-update", "known")
    assert (known.trace_id, known.parent_id) == (THEIR_TRACE, THEIR_SPAN)
    (unknown,) = eventually(lambda: collector.named(D1_ROUTE, mintmark_correlation_id="unknown"))
    assert (unknown.trace_id != THEIR_TRACE, unknown.parent_id) == (True, "")
    for odd in ("looks-like-a-card", "malformed"):
        assert arrived(collector, "POST /notify-merchant-update", odd).parent_id == ""
    assert "4111111111111111" not in collector.raw.hex()
    assert "4111111111111111" not in partner.stack.log.read_text()


def test_a_trace_that_is_not_kept_is_kept_nowhere(partner: Partner, collector: Collector) -> None:
    assert partner.tsh("not-kept", traceparent=f"00-{'f' * 32}-{THEIR_SPAN}-00").status_code == 204
    partner.tsh("kept-after-it")
    arrived(collector, "POST /notify-merchant-update", "kept-after-it")
    assert not [span for span in collector.seen() if span.trace_id == "f" * 32]
    assert not [span for span in collector.seen() if span.attributes.get("mintmark.correlation_id") == "not-kept"]


def test_spans_hold_no_ids_and_nothing_of_the_environment(partner: Partner, collector: Collector) -> None:
    partner.d1("no-ids")
    arrived(collector, D1_ROUTE, "no-ids")
    for word in (b"10610027312", b"traced/", GATEWAY_ID.encode(), b"left", b"behind"):
        assert word not in collector.raw
    assert {span.service for span in collector.seen()} == {"mintmark-gateway", "mintmark-core"}


def test_a_collector_in_trouble_changes_nothing() -> None:
    """At first nobody is there; then somebody is who takes what comes and never answers, to the end."""
    (port,) = free_ports(1)
    stack = Stack(MINTMARK_TRACES="otlp", MINTMARK_TRACES_ENDPOINT=f"http://127.0.0.1:{port}")
    collector: Collector | None = None
    try:
        partner = Partner(stack.start())
        assert [partner.tsh(f"dead-{number}").status_code for number in range(50)] == [204] * 50
        eventually(lambda: failed(stack) > 0, 20, "a failed export")
        collector = hanging = Collector(port)
        hanging.answers.clear()
        eventually(lambda: partner.tsh("meanwhile").status_code == 204 and hanging.asked, 20, "an export that hangs")
        assert [partner.tsh(f"hanging-{number}").status_code for number in range(50)] == [204] * 50
        assert partner.d1("after").status_code == 204
        assert stack.stop() == 0
        told = [json.loads(line) for line in stack.log.read_text().splitlines() if line.startswith("{")]
        # Once for each role, however often it fails; and both ended by themselves, in time.
        assert len([line for line in told if line["event"] == "traces_not_exported"]) <= 2
        assert [line for line in told if line["event"] == "core_stopped"]
        assert not [line for line in told if line["level"] == "error"]
    finally:
        stack.remove()
        if collector is not None:
            collector.stop()


def failed(stack: Stack) -> float:
    """Spans of the gateway that no collector has taken."""
    counted = 'mintmark_spans_total{role="gateway",outcome="failed"} '
    metrics = httpx.get(f"{stack.admin_url}/metrics", timeout=5, verify=PLAIN).text
    return sum(float(line.removeprefix(counted)) for line in metrics.splitlines() if line.startswith(counted))
