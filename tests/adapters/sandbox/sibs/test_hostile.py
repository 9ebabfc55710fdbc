"""Whatever comes, the twin goes on, and nothing changes that was not asked for rightly."""

import json
from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.sandbox.sibs.caller import Caller

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["notificationConfigurationCode", "requestOperationType", "paymentMethods", "channelTypeNotification"]
)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=30)
CONTROL = (
    *(("POST", path) for path in ("/configs", "/transactions", "/faults", "/notifications/rules", "/clock/advance")),
    *(("PUT", path) for path in ("/faults", "/notifications/rules")),
    *(("PATCH", path) for path in ("/habits", "/configs/x")),
)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def test_bodies_of_every_kind(shared_caller: Caller) -> None:
    @settings(max_examples=60, deadline=None)
    @given(method=st.sampled_from(["POST", "PUT"]), name=FIELDS, value=VALUES, wrong=VALUES)
    def send(method: str, name: str, value: Any, wrong: Any) -> None:
        # The security is none, so that nothing can be made by accident.
        channel = {"notificationType": "URL", "value": "https://a.example/", "security": [wrong]}
        document = {**shared_caller.body(channelTypeNotification=channel), name: value}
        answer = shared_caller.send(as_json(document), method)
        assert answer.status_code == 400, answer.text

    send()
    assert shared_caller.lines("/configs") == []


def test_lists_and_tokens_of_every_kind(shared_caller: Caller) -> None:
    @settings(max_examples=60, deadline=None)
    @given(document=VALUES, body=st.binary(max_size=200))
    def send(document: Any, body: bytes) -> None:
        headers = shared_caller.headers()
        assert (
            shared_caller.client.post("/sibs/v1/webhooks", content=as_json(document), headers=headers).status_code
            == 400
        )
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert shared_caller.client.post("/sibs/oauth2/token", content=body, headers=form).status_code in {400, 401}

    send()


def test_paths_of_every_kind(shared_caller: Caller) -> None:
    @settings(max_examples=60, deadline=None)
    @given(word=WORDS)
    def send(word: str) -> None:
        word = quote(word, safe="")
        for path in (
            f"/sibs/{word}",
            f"/sibs/payments/{word}/status",
            f"/sibs/v1/acquirers/{word}/merchants/1/terminal/webhook",
        ):
            answer = shared_caller.client.post(path, json={}, headers=shared_caller.headers())
            assert answer.status_code in {400, 404, 405}, path
            assert shared_caller.client.get(path, headers=shared_caller.headers()).status_code in {404, 405}

    send()


def test_control_calls_of_every_kind(shared_caller: Caller) -> None:
    before = shared_caller.control("GET", "/state")

    @settings(max_examples=60, deadline=None)
    @given(call=st.sampled_from(CONTROL), name=st.text(max_size=10), value=VALUES)
    def send(call: tuple[str, str], name: str, value: Any) -> None:
        answer = shared_caller.client.request(
            call[0], f"/sibs/control{call[1]}", content=as_json({f"x{name}": value, "seed": "none"})
        )
        assert answer.status_code in {400, 404}, answer.text

    send()
    assert {**shared_caller.control("GET", "/state"), "time": 0} == {**before, "time": 0}


def test_headers_that_are_no_text(shared_caller: Caller) -> None:
    for name in shared_caller.headers():
        headers: dict[bytes, bytes] = {key.encode(): value.encode() for key, value in shared_caller.headers().items()}
        headers[name.encode()] = b"\xff\xfe"
        answer = shared_caller.client.post("/sibs/v1/webhooks", json={}, headers=headers)
        assert answer.status_code in {400, 401, 403}, name


def test_web_pages_do_not_control_it(shared_caller: Caller) -> None:
    answer = shared_caller.client.post(
        "/sibs/control/clock/advance", json={"seconds": 1}, headers={"origin": "http://a"}
    )
    assert answer.status_code == 403
    assert shared_caller.client.get("/sibs/control/state", headers={"host": "evil.example"}).status_code == 400
