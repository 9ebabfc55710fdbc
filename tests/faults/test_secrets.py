"""Card numbers and secrets sent through the stack: none of them is in any byte that it writes."""

import base64
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from mintmark.v1 import notifications_pb2, notifications_pb2_grpc

from tests.faults.reading import Reading
from tests.plain import PLAIN
from tests.stack import Stack
from tests.waiting import eventually

# All pass the check digit; one each, so that whatever is found tells where it came from.
CARD_NUMBERS = {
    "field": "4111111111111111",
    "free text": "5500005555555559",
    "number": "6011000990139424",
    "key": "378282246310005",
    "header": "3530111333300000",
    "path": "30569309025904",
    "grouped": "4012888888881881",
    "deep": "5105105105105100",
    "not json": "4222222222222220",
    "query": "6011111111111117",
    "form": "5555555555554444",
    "unauthenticated": "4000056655665556",
    "unknown route": "371449635398431",
    "escaped": "4242424242424242",
    "trace": "4916338506082832",
    "trace state": "4024007103939509",
    "REST path": "4539578763621486",
    "REST query": "4716461583322103",
    "REST field": "5204740009900014",
    "REST name": "5420923878724339",
    "REST header": "4485275742308327",
    "REST trace": "6011514433546201",
}
MERCHANT = "10610027312"
PATH = f"/merchant-gateways/MGW_000001/merchants/{MERCHANT}/tokens"


@pytest.fixture(scope="module")
def planted() -> Iterator["Planted"]:
    """A stack of its own to which everything has been sent."""
    stack = Stack(MINTMARK_LOG_LEVEL="debug", MINTMARK_TRACES="file")
    try:
        yield Planted(stack.start(60))
    finally:
        stack.remove()


def grouped(number: str) -> str:
    return " ".join(number[place : place + 4] for place in range(0, len(number), 4))


class Planted:
    """The secrets in use, and the requests that carry them and the card numbers."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.client = self._one(
            "clients", "create", "thales", "--scope", "d1-notify", "--merchant-gateway", "MGW_000001"
        )
        self.taken_over = "taken-over-secret-of-40-characters-0123"
        over = (
            "clients",
            "create",
            "older",
            "--scope",
            "d1-notify",
            "--merchant-gateway",
            "MGW_000001",
            "--secret-stdin",
        )
        self._one(*over, stdin=self.taken_over)
        self.key = self._one("api-keys", "create", "tsh", "--merchant-gateway", "MGW_000001")["api_key"]
        self.basic = base64.b64encode(f"thales:{self.client['client_secret']}".encode()).decode()
        answer = self._post("/oauth2/token", f"Basic {self.basic}", b"grant_type=client_credentials", form=True)
        self.access_token = answer.json()["access_token"]
        self.administrator = stack.metadata()[0][1]
        self.rest_secret = "secret-of-a-client-made-by-REST-0123456789"
        self.statuses = self._send()
        self.rest_statuses = self._send_rest()

    def secrets(self) -> dict[str, str]:
        return {
            "client secret": self.client["client_secret"],
            "taken-over secret": self.taken_over,
            "basic credentials": self.basic,
            "API key": self.key,
            "access token": self.access_token,
            "access token of REST": self.administrator.removeprefix("Bearer "),
            "secret given by REST": self.rest_secret,
            "administrator's secret": self.stack.credentials()[1],
            "gateway's secret": self.stack.credentials("role.gateway")[1],
            "dispatcher's secret": self.stack.credentials("role.dispatcher")[1],
            "wrong secret": "a-wrong-secret-that-somebody-typed",
            "wrong key": "a-wrong-key-that-somebody-configured",
        }

    def _send(self) -> list[int]:
        """Every way in for a card number; the statuses."""
        pan = CARD_NUMBERS
        bearer, key = f"Bearer {self.access_token}", f"APIKEY {self.key}"
        binding = {"merchantId": "m", "tokenId": "t", "deviceId": "d", "selectedIdvMethod": "NONE"}
        creation, one = "/notify-binding-creation", f"{PATH}/token-1/notify-update"
        escaped = "".join(f"\\u{ord(digit):04x}" for digit in pan["escaped"])
        bodies = [
            {**binding, "vProvisionedTokenId": pan["field"]},
            {**binding, "tokenId": pan["field"], "deviceId": pan["field"]},
            {**binding, "note": f"the card {pan['free text']} was seen"},
            {**binding, "pan": int(pan["number"])},
            {**binding, pan["key"]: "x"},
            {**binding, "note": grouped(pan["grouped"]), "dashed": grouped(pan["grouped"]).replace(" ", "-")},
            {**binding, "a": [{"b": [{"c": pan["deep"]}]}]},
        ]
        sent = [self._post(creation, key, json.dumps(body).encode()) for body in bodies]
        sent += [self._traced(creation, key, trace, json.dumps(binding).encode()) for trace in self._traces()]
        sent += [
            self._post(creation, key, json.dumps(binding).encode()[:-1] + f', "e": "{escaped}"}}'.encode()),
            self._post(creation, key, f"no JSON at all: {pan['not json']}".encode()),
            self._post(creation, key, json.dumps(binding).encode(), correlation_id=pan["header"]),
            self._post(one, bearer, json.dumps({"updateType": pan["field"]}).encode(), correlation_id=pan["header"]),
            self._post(f"{PATH}/{pan['path']}/notify-update", bearer, b'{"updateType": "X"}'),
            self._post(f"{PATH}/{quote(grouped(pan['path']))}/notify-update", bearer, b'{"updateType": "X"}'),
            self._post(f"{one}?card={pan['query']}", bearer, b'{"updateType": "X"}'),
            self._post(f"/oauth2/token?card={pan['query']}", f"Basic {self.basic}", self._form(), form=True),
            self._post("/oauth2/introspect", f"Basic {self.basic}", f"token={pan['form']}".encode(), form=True),
            self._post("/oauth2/revoke", f"Basic {self.basic}", f"token={pan['form']}".encode(), form=True),
            self._post(creation, f"APIKEY {pan['unauthenticated']}", json.dumps(binding).encode()),
            self._post(one, "Bearer x", json.dumps({"updateType": pan["unauthenticated"]}).encode()),
            self._post(f"/{pan['unknown route']}", key, pan["unknown route"].encode()),
            self._post(creation, "APIKEY a-wrong-key-that-somebody-configured", b"{}"),
            self._post("/oauth2/token", self._wrong_basic(), b"grant_type=client_credentials", form=True),
            self._post("/oauth2/token", f"Basic {self._basic_of('older', self.taken_over)}", self._form(), form=True),
        ]
        return [answer.status_code for answer in sent]

    def _send_rest(self) -> list[int]:
        """Every way into REST, in the place of an id, a value, a name and a header that means something."""
        pan = CARD_NUMBERS
        path, query, field, name, header = (
            pan[f"REST {each}"] for each in ("path", "query", "field", "name", "header")
        )
        token, key = f"merchantGateways/g/merchants/m/tokens/{path}", str(uuid.uuid4())
        importing = {"merchantGatewayId": "g", "merchantId": "m", "provider": "D1_ECOM"}
        secret = {"takenOverSecret": self.rest_secret}
        told = [
            self._rest("GET", f"/v1/{token}"),
            self._rest("GET", f"/v1/{quote(grouped(token))}:{path}"),
            self._rest("GET", f"/v1/merchantGateways/{path}/merchants/-/tokens?pageToken={path}"),
            self._rest("GET", f"/v1/{path}/{path}"),
            self._rest("POST", f"/v1/{token}:disable", {"reason": "x"}),
            self._rest(
                "GET", f"/v1/events?cursor={query}&filter.resource={query}&{query}={query}&filter.kinds={query}"
            ),
            self._rest("GET", f"/v1/notifications?tokenId={query}"),
            self._rest("GET", f"/v1/events?cursor={query}", accept="text/event-stream"),
            self._rest("GET", "/v1/events", accept="text/event-stream", last_event_id=header),
            self._rest("GET", "/v1/clients/admin", if_none_match=f'"{header}"', x_correlation_id=header),
            self._rest("POST", "/v1/tokens:import", {"tokens": [{**importing, "tokenId": field}]}),
            self._rest("POST", "/v1/tokens:import", {"tokens": [{**importing, name: {name: name}}], name: 1}),
            self._rest("POST", f"/v1/{token}:disable", {"reason": f"card {grouped(field)}"}),
            self._rest("POST", "/v1/replays", {"reason": field, "dryRun": True, "filter": {"tokenId": field}}),
            self._rest("POST", "/v1/subscriptions", {"subscriptionId": field, "startCursor": field}),
            self._rest("PATCH", "/v1/clients/thales", {"client": {"displayName": field}}, if_match=f'"{header}"'),
            self._rest("POST", "/v1/clients/thales:disable", {}, idempotency_key=header),
            self._rest("GET", "/v1/clients", authorization=f"Bearer {header}"),
            self._rest("GET", "/v1/clients", traceparent=f"00-{pan['REST trace']:a>32}-b7ad6b7169203331-01"),
            self._rest("POST", "/v1/accessTokens:introspect", {"accessToken": field}),
            self._rest("POST", "/v1/accessTokens:issue", {"clientId": field, "clientSecret": field}),
            self._rest("POST", "/v1/clients/thales:rotateSecret", secret, idempotency_key=key),
            self._rest("POST", "/v1/clients/thales:rotateSecret", secret, idempotency_key=key),
        ]
        return [answer.status_code for answer in told]

    def _rest(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        sent = {"authorization": self.administrator, **{key.replace("_", "-"): text for key, text in headers.items()}}
        if body is None:
            return self.stack.http.request(method, path, headers=sent)
        sent = {"content-type": "application/json", "idempotency-key": str(uuid.uuid4()), **sent}
        return self.stack.http.request(method, path, content=json.dumps(body).encode(), headers=sent)

    def _traces(self) -> list[str]:
        """Trace contexts of a partner, well formed and not, that hold a card number."""
        pan = CARD_NUMBERS["trace"]
        return [f"00-{pan:a>32}-b7ad6b7169203331-01", f"00-{'b' * 32}-{pan}-01", f"00-{pan:0>32}-{pan}-01", pan]

    def _traced(self, path: str, authorization: str, traceparent: str, content: bytes) -> httpx.Response:
        pan = CARD_NUMBERS["trace state"]
        headers = {
            "authorization": authorization,
            "content-type": "application/json",
            "traceparent": traceparent,
            "tracestate": f"vendor={pan}",
            "baggage": f"card={pan}",
        }
        return self.stack.http.post(path, content=content, headers=headers)

    def _form(self) -> bytes:
        return f"grant_type=client_credentials&scope={CARD_NUMBERS['form']}&x={CARD_NUMBERS['form']}".encode()

    def _wrong_basic(self) -> str:
        return f"Basic {self._basic_of('thales', 'a-wrong-secret-that-somebody-typed')}"

    @staticmethod
    def _basic_of(client_id: str, secret: str) -> str:
        return base64.b64encode(f"{client_id}:{secret}".encode()).decode()

    def _post(
        self, path: str, authorization: str, content: bytes, *, correlation_id: str = "", form: bool = False
    ) -> httpx.Response:
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        headers = {"authorization": authorization, "content-type": kind}
        if correlation_id:
            headers["x-correlation-id"] = correlation_id
        return self.stack.http.post(path, content=content, headers=headers)

    def _one(self, *arguments: str, stdin: str = "") -> dict[str, str]:
        (made,) = self.stack.lines(*arguments, stdin=stdin)
        return dict(made)


def forms(number: str) -> list[bytes]:
    """A card number as it may be written: plain, grouped, dashed, encoded."""
    spaced = grouped(number)
    base64s = base64.b64encode(number.encode()).rstrip(b"=")
    texts = (number, spaced, spaced.replace(" ", "-"), quote(spaced), number.encode().hex())
    return [*(text.encode() for text in texts), base64s]


def written(stack: Stack) -> dict[str, bytes]:
    """Every byte that the stack has written, and its metrics."""
    files = [each for each in stack.folder.rglob("*") if each.is_file() and not each.is_socket()]
    found = {str(each.relative_to(stack.folder)): each.read_bytes() for each in files}
    metrics = httpx.get(f"{stack.admin_url}/metrics", timeout=5, verify=PLAIN)
    assert metrics.status_code == 200
    return found | {"metrics": metrics.content}


def found_in(pieces: dict[str, bytes], needles: dict[str, list[bytes]]) -> list[str]:
    return [
        f"{what} in {place}"
        for place, content in pieces.items()
        for what, texts in needles.items()
        if any(text in content for text in texts)
    ]


def test_nothing_secret_is_shown(planted: Planted) -> None:
    """What the gRPC API returns holds neither: resources, events, and the bodies of notifications."""
    stack = planted.stack
    assert planted.statuses[:7] == [204] * 7
    assert planted.rest_statuses[-2:] == [200, 200]
    assert not [status for status in (*planted.statuses, *planted.rest_statuses) if status >= 500]
    metadata = stack.metadata()
    reading = Reading(stack.channel, metadata)
    shown = {name: repr(getattr(reading, name)()).encode() for name in ("tokens", "bindings", "merchants", "events")}
    notifications = reading.notifications()
    assert len(notifications) >= 10
    get = notifications_pb2_grpc.NotificationsServiceStub(stack.channel).GetNotification
    for each in notifications:
        request = notifications_pb2.GetNotificationRequest(name=each.name)
        got = get(request, metadata=metadata, timeout=10).notification
        assert got.redacted_body
        shown[each.name] = f"{got!r} {got.redacted_body}".encode()
    shown |= {name: repr(getattr(reading, name)()).encode() for name in ("clients", "api_keys", "accounts")}
    numbers = {name: forms(number) for name, number in CARD_NUMBERS.items()}
    assert not found_in(shown, numbers | {name: [text.encode()] for name, text in planted.secrets().items()})


def test_nothing_secret_is_written(planted: Planted) -> None:
    """The last test here: it ends the stack, so that what is written at the end is looked at too."""
    stack = planted.stack
    secrets = {name: [secret.encode()] for name, secret in planted.secrets().items()}
    numbers = {name: forms(number) for name, number in CARD_NUMBERS.items()}
    live = written(stack)
    assert any(name.endswith("-wal") for name in live)
    eventually(lambda: b"oauth2/token" in (stack.data.parent / "log").read_bytes())
    stack.stop()
    files = {str(each.relative_to(stack.folder)): each.read_bytes() for each in _files(stack.folder)}
    pieces = {f"live {name}": content for name, content in live.items()} | files
    spans = [json.loads(line)["name"] for line in files["data/traces.jsonl"].splitlines()]
    assert {"POST /notify-binding-creation", "POST /oauth2/token", "store commit", "record notification"} <= {*spans}
    assert {"GET /v1/merchantGateways/*/merchants/*/tokens/*", "POST /v1/tokens:import"} <= {*spans}
    assert not found_in(pieces, numbers)
    kept = {name for name in pieces if "/credentials/" in name}
    assert not found_in({name: content for name, content in pieces.items() if name not in kept}, secrets)
    # The credentials files hold the house's own secrets, and the search does find them there.
    assert {each.partition(" in ")[0] for each in found_in({name: pieces[name] for name in kept}, secrets)} == {
        "administrator's secret",
        "gateway's secret",
        "dispatcher's secret",
    }


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]
