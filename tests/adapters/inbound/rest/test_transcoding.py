"""From REST to request messages: whatever a message holds, and nothing that none holds."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from mintmark.v1 import clients_pb2, events_pb2, tokens_pb2

from adapters.inbound.json import Unreadable
from adapters.inbound.rest.problems import Troubled
from adapters.inbound.rest.violations import FieldsInvalid
from tests.adapters.inbound.rest.asking import asked
from tests.adapters.inbound.rest.messages import requests
from tests.rest import ROUTES, Told, told

KEY = "0f4b1d0e-6e1c-4d4c-9f0a-0a6d7c1b2e3f"
D1, TSH = tokens_pb2.TOKEN_PROVIDER_D1_ECOM, tokens_pb2.TOKEN_PROVIDER_TSH
ACTIVE, SUSPENDED = tokens_pb2.TOKEN_STATE_ACTIVE, tokens_pb2.TOKEN_STATE_SUSPENDED
TOKENS = "/v1/merchantGateways/g/merchants/m/tokens"


def again(name: str, sent: Told) -> Message:
    body = None if sent.body is None else json.dumps(sent.body).encode()
    return asked(name, sent.path, sent.query, body, sent.headers)


@pytest.mark.parametrize("name", ROUTES)
def test_any_request_of_ours_comes_through_as_it_was(name: str) -> None:
    @given(requests(name))
    @settings(max_examples=25)
    def comes_through(request: Message) -> None:
        assert again(name, told(name, request)) == request

    comes_through()


def test_both_spellings_and_both_forms_of_an_enum() -> None:
    expected = tokens_pb2.ListTokensRequest(page_size=5, provider=D1, states=[ACTIVE, SUSPENDED], refresh_due=True)
    for query in (
        "pageSize=5&provider=D1_ECOM&states=ACTIVE&states=SUSPENDED&refreshDue=true",
        "page_size=5&provider=TOKEN_PROVIDER_D1_ECOM&states=TOKEN_STATE_ACTIVE&states=4&refresh_due=true",
    ):
        assert asked("TokensService.ListTokens", "/v1/tokens", query) == expected
    for body in (
        {"tokens": [{"tokenId": "t", "provider": "TSH", "card": {"lastDigits": "1"}}]},
        {"tokens": [{"token_id": "t", "provider": 2, "card": {"last_digits": "1"}}], "request_id": KEY},
    ):
        made: Any = asked(
            "TokensService.ImportTokens", "/v1/tokens:import", "", json.dumps(body).encode(), {"Idempotency-Key": KEY}
        )
        assert made.tokens[0] == tokens_pb2.TokenImport(
            token_id="t", provider=TSH, card=tokens_pb2.CardSummaryImport(last_digits="1")
        )


def test_what_is_nested_and_what_is_text() -> None:
    query = "cursor=0&filter.kinds=TOKEN_CREATED&filter.kinds=2&filter.merchantGatewayId=g&heartbeatInterval=1.5s"
    made: Any = asked("EventsService.StreamEvents", "/v1/events", query)
    kinds = (events_pb2.EVENT_KIND_TOKEN_CREATED, events_pb2.EVENT_KIND_TOKEN_IMPORTED)
    wanted = events_pb2.EventFilter(kinds=kinds, merchant_gateway_id="g")
    expected = events_pb2.StreamEventsRequest(cursor="0", filter=wanted)
    expected.heartbeat_interval.FromMilliseconds(1500)
    assert made == expected


@pytest.mark.parametrize(
    ("body", "query", "paths"),
    [
        ({"client": {"displayName": "x", "scopes": []}}, "", ["display_name", "scopes"]),
        ({"client": {"display_name": None, "name": "clients/c", "etag": "1"}}, "", ["display_name"]),
        ({"client": {"displayName": "x"}}, "updateMask=scopes,issuerIds", ["scopes", "issuer_ids"]),
        ({"client": {"displayName": "x"}}, "update_mask=merchant_ids", ["merchant_ids"]),
        ({"client": {"displayName": "x"}, "updateMask": "scopes"}, "", ["scopes"]),
        ({"client": {}}, "", []),
    ],
)
def test_the_mask_is_what_is_given_or_what_the_body_names(body: Any, query: str, paths: list[str]) -> None:
    headers = {"Idempotency-Key": KEY}
    made: Any = asked("ClientsService.UpdateClient", "/v1/clients/c", query, json.dumps(body).encode(), headers)
    assert (made.client.name, list(made.update_mask.paths), made.request_id) == ("clients/c", paths, KEY)


def test_headers_stand_for_fields() -> None:
    for headers in ({"If-Match": '"7"', "Idempotency-Key": f'"{KEY}"'}, {"If-Match": 'W/"7"', "Idempotency-Key": KEY}):
        made: Any = asked("TokensService.EnableToken", f"{TOKENS}/t:enable", "", b"{}", headers)
        assert (made.etag, made.request_id) == ("7", KEY)
    made = asked("ClientsService.UpdateClient", "/v1/clients/c", "", b"{}", {"If-Match": '"7"', "Idempotency-Key": KEY})
    assert made.client == clients_pb2.Client(name="clients/c", etag="7")
    made = asked(
        "TokensService.EnableToken", f"{TOKENS}/t:enable", "", b"{}", {"If-Match": "*", "Idempotency-Key": KEY}
    )
    assert made.etag == ""


WRONG_QUERIES = [
    ("colour=red", "colour", "rest.unknown"),
    ("filter=x", "filter", "rest.unknown"),
    ("pageSize.x=1", "pageSize.x", "rest.unknown"),
    ("pageSize=1&pageSize=2", "page_size", "rest.twice"),
    ("pageSize=1&page_size=1", "page_size", "rest.twice"),
    ("pageSize=", "page_size", "rest.type"),
    ("pageSize=1.0", "page_size", "rest.type"),
    ("pageSize=2147483648", "page_size", "rest.type"),
    ("pageSize=" + "9" * 5000, "page_size", "rest.type"),
    ("pageSize=%D9%A1", "page_size", "rest.type"),
    ("refreshDue=yes", "refresh_due", "rest.type"),
    ("refreshDue", "refresh_due", "rest.type"),
    ("states=GONE", "states", "rest.type"),
    ("states=99", "states", "rest.type"),
    ("states=" + "9" * 5000, "states", "rest.type"),
    ("pageToken=%zz", "pageToken", "rest.type"),
    ("pageToken=%ff", "pageToken", "rest.type"),
    ("requestId=x", "requestId", "rest.unknown"),
]


@pytest.mark.parametrize(("query", "field", "rule"), WRONG_QUERIES)
def test_a_wrong_query_is_told_by_its_field(query: str, field: str, rule: str) -> None:
    with pytest.raises(FieldsInvalid) as caught:
        asked("TokensService.ListTokens", "/v1/tokens", query)
    assert (caught.value.violations[0].field, caught.value.violations[0].rule) == (field, rule)


WRONG_BODIES: list[tuple[Any, str, str]] = [
    ({"colour": 1}, "colour", "rest.unknown"),
    ({"tokens": [{}, {"colour": 1}]}, "tokens[1].colour", "rest.unknown"),
    ({"tokens": {}}, "tokens", "rest.type"),
    ({"tokens": [None]}, "tokens[0]", "rest.type"),
    ({"tokens": ["x"]}, "tokens[0]", "rest.type"),
    ({"tokens": [{"tokenId": 1}]}, "tokens[0].token_id", "rest.type"),
    ({"tokens": [{"tokenId": "x", "token_id": "x"}]}, "tokens[0].token_id", "rest.twice"),
    ({"tokens": [{"provider": "NOBODY"}]}, "tokens[0].provider", "rest.type"),
    ({"tokens": [{"provider": 1.5}]}, "tokens[0].provider", "rest.type"),
    ({"tokens": [{"provider": -1}]}, "tokens[0].provider", "rest.type"),
    ({"tokens": [{"card": []}]}, "tokens[0].card", "rest.type"),
    ({"requestId": KEY[:-1] + "0"}, "request_id", "rest.twice"),
]


@pytest.mark.parametrize(("body", "field", "rule"), WRONG_BODIES)
def test_a_wrong_body_is_told_by_its_field(body: Any, field: str, rule: str) -> None:
    with pytest.raises(FieldsInvalid) as caught:
        asked(
            "TokensService.ImportTokens", "/v1/tokens:import", "", json.dumps(body).encode(), {"Idempotency-Key": KEY}
        )
    assert [(each.field, each.rule) for each in caught.value.violations] == [(field, rule)]


def test_everything_that_is_wrong_is_told_at_once_and_no_value_of_it() -> None:
    body = b'{"taken_over_secret": ["the secret"], "allowWeakSecret": "s3cret", "name": "clients/other"}'
    with pytest.raises(FieldsInvalid) as caught:
        asked("ClientsService.RotateClientSecret", "/v1/clients/c:rotateSecret", "a=1&updateMask=x", body)
    fields = ["taken_over_secret", "allow_weak_secret", "a", "updateMask", "name", "request_id"]
    assert [each.field for each in caught.value.violations] == fields
    assert "s3cret" not in repr(caught.value.violations)
    assert "the secret" not in repr(caught.value.violations)


@pytest.mark.parametrize(
    ("name", "path", "headers"),
    [
        ("ClientsService.GetClient", "/v1/clients/c", {"If-Match": '"1"'}),
        ("ClientsService.DisableClient", "/v1/clients/c:disable", {"If-Match": '"1"'}),
        ("TokensService.EnableToken", f"{TOKENS}/t:enable", {"If-Match": "1"}),
        ("TokensService.EnableToken", f"{TOKENS}/t:enable", {"If-Match": '"1", "2"'}),
        ("TokensService.EnableToken", f"{TOKENS}/t:enable", {"If-None-Match": "*"}),
        ("TokensService.EnableToken", f"{TOKENS}/t:enable", {"Idempotency-Key": "é"}),
    ],
)
def test_a_condition_that_cannot_be_held_is_refused(name: str, path: str, headers: dict[str, str]) -> None:
    body = b"{}" if ROUTES[name].method == "POST" else None
    with pytest.raises(Troubled) as caught:
        asked(name, path, "", body, {"Idempotency-Key": KEY, **headers})
    assert caught.value.trouble.reason == "HEADER_INVALID"
    assert caught.value.trouble.metadata == {"header": next(iter(headers)).lower()}


HOSTILE = [
    b"",
    b"[]",
    b"null",
    b"{",
    b'{"a":NaN}',
    b'{"a":Infinity}',
    b'{"a":1' + b"0" * 5000 + b"}",
    b'{"a":1e5}' + b"x",
    b'{"a":0.12345678901234567890}',
    b'{"a":"\\u0000"}',
    b'{"\\u0000":1}',
    b'{"a":"\\ud800"}',
    b'{"a":1,"a":1}',
    b'{"a":{"b":1,"b":1}}',
    '{"a":1}'.encode("utf-16"),
    b'{"a":"\xff"}',
    b'{"a":' * 33 + b"1" + b"}" * 33,
    b"[" * 60_000,
    b'{"a":' * 12_000,
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_a_body_that_no_client_of_ours_may_send(body: bytes) -> None:
    with pytest.raises(Unreadable):
        asked("ClientsService.CreateClient", "/v1/clients", "", body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
FIELDS = ["clientId", "scopes", "client", "tokens", "provider", "updateMask", "oldSecretLifetime", "accounts", "name"]


@given(
    st.sampled_from(sorted(ROUTES)),
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), json_values),
    st.text(max_size=30),
    st.sampled_from(["clients/c", "%", "a%2fb", "..", "%00", "%ff"])
    | st.text(min_size=1).map(lambda id_: quote(id_, safe="")),
)
@settings(max_examples=300)
def test_whatever_comes_is_a_message_or_refused(name: str, body: Any, query: str, segment: str) -> None:
    path = ROUTES[name].path.split("{")[0] + "".join(ROUTES[name].path.partition("=")[2].split("}")).replace(
        "*", segment
    )
    sent = json.dumps(body).encode() if ROUTES[name].method in ("POST", "PATCH") else None
    try:
        made = asked(name, path if "{" in ROUTES[name].path else ROUTES[name].path, quote(query, safe="=&%.+"), sent)
    except (FieldsInvalid, Troubled, Unreadable, StopIteration):
        return
    json_format.MessageToJson(made)
