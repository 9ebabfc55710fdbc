"""What REST answers before and instead of the core, in front of a fake one."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from adapters.inbound import problems
from adapters.inbound.rest.problems import reshape
from adapters.inbound.rest.refusals import CHALLENGE
from tests.adapters.inbound.rest.asking import Headed
from tests.adapters.inbound.running import NOTIFY_UPDATE, Running
from tests.rest import ROUTES
from tests.waiting import eventually

REVOKE = "/v1/accessTokens:revoke"
JSON = {"content-type": "application/json"}


def check(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    """The answer is a whole problem."""
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert (problem["status"], problem["reason"], problem["type"]) == (status, reason, f"/problems/{reason}")
    correlation_id = answer.headers["x-correlation-id"]
    assert problem["instance"] == f"urn:mintmark:correlation-id:{correlation_id}"
    assert answer.headers["cache-control"] == "no-store"
    assert set(problem) == {"type", "title", "status", "detail", "instance", "reason", "metadata", "violations"}
    return problem


def revoke(gateway: Running, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return gateway.client.post(REVOKE, content=content, headers={**JSON, **headers})


def test_the_callers_own_access_token_goes_on_and_no_other(gateway: Running) -> None:
    assert revoke(gateway, {"accessToken": "x"}, authorization="Bearer mine").status_code == 200
    assert revoke(gateway, {"accessToken": "x"}).status_code == 200
    assert gateway.core.callers == ["Bearer mine", ""]
    refused = revoke(gateway, {"accessToken": "x"}, authorization="Bearer not-ours")
    check(refused, 401, "ACCESS_TOKEN_INVALID")
    assert refused.headers["www-authenticate"] == f'{CHALLENGE}, error="invalid_token"'


@pytest.mark.parametrize("value", ["", "Bearer \xe9", "Bearer " + "x" * 5000])
def test_an_authorization_that_cannot_go_on(gateway: Running, value: str) -> None:
    sent = httpx.Headers([(b"content-type", b"application/json"), (b"authorization", value.encode("latin-1"))])
    check(gateway.client.post(REVOKE, content=b"{}", headers=sent), 401, "ACCESS_TOKEN_INVALID")
    assert gateway.core.callers == []


def test_two_authorizations(gateway: Running) -> None:
    sent = [("authorization", "Bearer a"), ("authorization", "Bearer b"), *JSON.items()]
    check(gateway.client.post(REVOKE, content=b"{}", headers=sent), 401, "ACCESS_TOKEN_INVALID")
    assert gateway.core.callers == []


def test_paths_and_methods(gateway: Running) -> None:
    for path in ("/v1", "/v1/", "/v1/nothing", "/v1/clients/", "/v1//clients", "/v1/clients/../clients", "/v1/%2e"):
        for method in ("GET", "POST", "PROPFIND", "OPTIONS"):
            check(gateway_request(gateway, method, path), 404, "PATH_UNKNOWN")
    wrong = gateway.client.delete("/v1/clients")
    check(wrong, 405, "METHOD_WRONG")
    assert wrong.headers["allow"] == "POST, GET, HEAD"
    # Below other paths partners' words stay as they are.
    assert gateway.client.get("/v2").json() == {"error": "Resource not found"}


def gateway_request(gateway: Running, method: str, path: str) -> httpx.Response:
    """As written: httpx would take dots out of the path."""
    answer = gateway.raw(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
    return httpx.Response(int(lines[0].split()[1]), headers=headers, content=body)


def test_bodies(gateway: Running) -> None:
    check(revoke(gateway, b""), 400, "BODY_UNREADABLE")
    check(revoke(gateway, b"[1]"), 400, "BODY_UNREADABLE")
    check(revoke(gateway, b'{"a":"' + b"x" * 70_000 + b'"}'), 413, "BODY_TOO_LARGE")
    check(revoke(gateway, {}, **{"content-encoding": "gzip"}), 415, "CONTENT_TYPE_WRONG")
    check(revoke(gateway, {}, **{"content-type": "text/plain"}), 415, "CONTENT_TYPE_WRONG")
    check(gateway.client.post(REVOKE), 415, "CONTENT_TYPE_WRONG")
    problem = check(revoke(gateway, {"colour": 1}), 400, "FIELD_INVALID")
    assert problem["violations"] == [
        {"field": "colour", "description": "there is no such field", "rule": "rest.unknown"}
    ]
    assert gateway.core.callers == []


def test_a_slow_body(start: Callable[..., Running]) -> None:
    gateway = start(MINTMARK_HTTP_BODY_TIMEOUT="0.2")
    head = f"POST {REVOKE} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{"
    answer = gateway.raw(head.encode())
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"reason":"BODY_TOO_SLOW"' in answer


def test_correlation_ids(gateway: Running) -> None:
    for given, kept in (("order-7", True), ("4111111111111111", False), ("a b", False), ("x" * 129, False)):
        answer = revoke(gateway, {"accessToken": "x"}, **{"x-correlation-id": given})
        assert (answer.headers["x-correlation-id"] == given) is kept
    twice = gateway.client.get("/v1/jwks", headers=[("x-correlation-id", "a"), ("x-correlation-id", "b")])
    assert len(twice.headers["x-correlation-id"]) == 36
    logged = eventually(lambda: [line for line in gateway.logged() if line.get("correlation_id") == "order-7"])
    assert {line["route"] for line in logged} == {REVOKE}


def test_head_is_get_without_the_body(gateway: Running) -> None:
    got, head = gateway.client.get("/v1/jwks"), gateway.client.head("/v1/jwks")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", got.headers["content-length"])
    assert got.json()["keys"][0]["kid"] == "signing-1"


def test_logs_and_metrics_know_templates_and_no_ids(gateway: Running) -> None:
    gateway.client.get("/v1/merchantGateways/g/merchants/m/tokens/seldom-seen?pageToken=seldom-seen")
    gateway.client.get("/v1/nothing/seldom-seen")
    template = "/v1/merchantGateways/*/merchants/*/tokens/*"
    eventually(lambda: [line for line in gateway.logged() if line.get("route") == template])
    assert "seldom-seen" not in gateway.log.read_text()
    metrics = gateway.admin("/metrics").text
    assert f'route="{template}"' in metrics
    assert 'route="/v1/"' in metrics
    assert "seldom-seen" not in metrics


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "null"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_origin_needs_an_access_token(gateway: Running, headers: dict[str, str]) -> None:
    check(revoke(gateway, {"accessToken": "x"}, **headers), 403, "ORIGIN_REFUSED")
    check(gateway.client.get("/v1/events", headers={"accept": "text/event-stream", **headers}), 403, "ORIGIN_REFUSED")
    assert gateway.core.callers == []
    assert revoke(gateway, {"accessToken": "x"}, authorization="Bearer mine", **headers).status_code == 200


def test_our_own_pages_and_what_is_no_page(gateway: Running) -> None:
    ours = {"origin": f"http://127.0.0.1:{gateway.port}", "sec-fetch-site": "same-origin"}
    for headers in (ours, {"sec-fetch-site": "none"}, {}):
        assert revoke(gateway, {"accessToken": "x"}, **headers).status_code == 200


def test_development_serves_its_own_names_only(start: Callable[..., Running]) -> None:
    gateway = start(MINTMARK_DEVELOPMENT="1")
    check(gateway.client.get("/v1/jwks", headers={"host": "evil.example"}), 421, "HOST_WRONG")
    assert gateway.client.get("/docs", headers={"host": "evil.example"}).status_code == 421
    assert gateway.client.get("/v1/jwks").status_code == 200


def test_without_a_core(start: Callable[..., Running]) -> None:
    gateway = start()
    gateway.core.stop()
    problem = check(gateway.client.get("/v1/jwks"), 503, "CORE_UNAVAILABLE")
    assert "unix:" not in json.dumps(problem)
    assert gateway.client.get("/v1/jwks").headers["retry-after"] == "1"
    check(gateway.client.get("/v1/events", headers={"accept": "text/event-stream"}), 503, "CORE_UNAVAILABLE")


def test_rest_is_shed_before_partners(start: Callable[..., Running]) -> None:
    gateway = start(MINTMARK_HTTP_REQUEST_LIMIT="2")
    gateway.core.free.clear()
    with gateway.open() as waiting:
        head = f"POST {NOTIFY_UPDATE} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {gateway.core.sign()}\r\n"
        waiting.sendall(
            f"{head}Content-Type: application/json\r\nContent-Length: 18\r\n\r\n".encode() + b'{"updateType":"X"}'
        )
        eventually(lambda: gateway.core.batches)
        answer = gateway.client.get("/v1/jwks")
        check(answer, 503, "GATEWAY_UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"
        assert gateway.client.get("/.well-known/jwks.json").status_code == 200
        gateway.core.free.set()


def test_everything_that_the_gateway_says_no_with_is_a_problem_here() -> None:
    request = Headed(ROUTES["ClientsService.GetClient"], "/v1/clients/c", "", {}).request()
    for answer in (
        problems.stopping(),
        problems.crowded(tsh=False),
        problems.overloaded(tsh=False),
        problems.unavailable(),
    ):
        reshaped = reshape(answer, request)
        assert (reshaped.status, json.loads(reshaped.body)["reason"]) == (503, "GATEWAY_UNAVAILABLE")
        assert (b"retry-after", b"1") in reshaped.headers
    assert problems.CLOSE in reshape(problems.stopping(), request).headers
