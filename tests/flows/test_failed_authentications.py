"""The limit on failed authentications of a whole Mintmark, at the default setting and on every kind of path."""

import base64
import json
import uuid
from collections.abc import Iterator

import httpx
import pytest

from tests.plain import PLAIN
from tests.stack import Stack
from tests.waiting import eventually

LIMIT = 10
TOKEN_PATHS = ("/oauth2/token", "/authz/d1/v1/oauth2/token")
GRANT = {"grant_type": "client_credentials"}
D1 = "/merchant-gateways/MGW_000001/merchants/10610027312/tokens/t-1/notify-update"
TSH = "/notify-merchant-update"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One whose limit is the default, and which lets nobody in without an access token."""
    made = Stack(MINTMARK_HTTP_FAILED_AUTHENTICATION_LIMIT="10")
    try:
        yield made.start()
    finally:
        made.remove()


def client(stack: Stack, *scopes: str) -> tuple[str, str]:
    """A new client's id and secret."""
    client_id = f"limited-{uuid.uuid4()}"
    [made] = stack.lines("clients", "create", client_id, *[part for each in scopes for part in ("--scope", each)])
    return client_id, made["client_secret"]


def ask(stack: Stack, client_id: str, secret: str, path: str = TOKEN_PATHS[0]) -> httpx.Response:
    return stack.http.post(path, data=GRANT, auth=(client_id, secret))


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def limited(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert "www-authenticate" not in answer.headers


def test_the_eleventh_wrong_secret_is_503_and_the_right_one_always_gets_in(stack: Stack) -> None:
    client_id, secret = client(stack, "tokens.read")
    for number in range(LIMIT):
        answer = ask(stack, client_id, f"wrong {number}")
        assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
        assert ask(stack, client_id, secret).status_code == 200
    for path in TOKEN_PATHS:
        answer = ask(stack, client_id, "wrong", path)
        limited(answer, 503)
        assert (answer.json(), answer.headers["cache-control"]) == ({"error": "temporarily_unavailable"}, "no-store")
        assert ask(stack, client_id, secret, path).status_code == 200
    # However it is claimed: it is one client.
    fields = {**GRANT, "client_id": client_id, "client_secret": "wrong"}
    limited(stack.http.post(TOKEN_PATHS[0], data=fields), 503)
    limited(stack.http.post("/oauth2/introspect", data={"token": "t"}, auth=(client_id, "wrong")), 503)
    spelled = base64.b64encode(f"{client_id.replace('-', '%2D')}:wrong".encode()).decode()
    limited(stack.http.post(TOKEN_PATHS[0], data=GRANT, headers={"authorization": f"Basic {spelled}"}), 503)
    problem = stack.http.post("/v1/accessTokens:issue", json={"clientId": client_id, "clientSecret": "wrong"})
    limited(problem, 429)
    assert problem.json()["reason"] == "AUTHENTICATION_LIMITED"
    right = {"clientId": client_id, "clientSecret": secret}
    assert stack.http.post("/v1/accessTokens:issue", json=right).status_code == 200
    # Whoever else claims to be somebody is asked as before, and so is who asks first what is wanted.
    assert ask(stack, "somebody.else", "wrong").status_code == 401
    for _ in range(LIMIT + 1):
        assert stack.http.post(TOKEN_PATHS[0], data=GRANT).headers["www-authenticate"].startswith("Basic")


def test_tokens_and_keys_that_are_nobodys_share_a_limit_and_each_path_says_so_in_its_shape(stack: Stack) -> None:
    client_id, secret = client(stack, "tokens.read")
    good, worn_out = (ask(stack, client_id, secret).json()["access_token"] for _ in range(2))
    assert stack.http.get("/v1/tokens", headers=bearer(worn_out)).status_code == 200
    assert stack.http.post("/oauth2/revoke", data={"token": worn_out}, headers=bearer(worn_out)).status_code == 200
    [key] = stack.lines("api-keys", "create", "limited", "--merchant-gateway", "MGW_000003")
    wrong = ((D1, "Bearer wrong"), (TSH, "APIKEY wrong"), ("/v1/tokens", "Bearer wrong"), (D1, ""))
    for number in range(LIMIT):
        path, authorization = wrong[number % len(wrong)]
        method = "GET" if path.startswith("/v1") else "POST"
        headers = {"authorization": authorization} if authorization else {}
        assert stack.http.request(method, path, headers=headers).status_code == 401

    forwarded = {"x-forwarded-for": "192.0.2.1", "x-real-ip": "192.0.2.1", "forwarded": "for=192.0.2.1"}
    answer = stack.http.post(D1, headers=bearer("wrong") | forwarded)
    limited(answer, 503)
    assert list(answer.json()) == ["error"]
    answer = stack.http.post(TSH, headers={"authorization": "APIKEY wrong"} | forwarded)
    limited(answer, 429)
    assert list(answer.json()) == ["error"]
    for path in ("/v1/tokens", "/v1/events"):
        answer = stack.http.get(path, headers=bearer("wrong") | {"accept": "text/event-stream"})
        limited(answer, 429)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["reason"] == "AUTHENTICATION_LIMITED"

    # What is valid gets in, and what was once valid is told that it is not any more.
    eventually(lambda: stack.http.get("/v1/tokens", headers=bearer(worn_out)).status_code == 401)
    assert stack.http.get("/v1/tokens", headers=bearer(good)).status_code == 200
    body = {"merchantId": "m", "scheme": "VISA"}
    known = {"authorization": f"APIKEY {key['api_key']}"}
    eventually(lambda: stack.http.post(TSH, json=body, headers=known).status_code == 204)


def test_the_log_and_the_metrics_tell_of_it(stack: Stack) -> None:
    for _ in range(LIMIT + 1):
        ask(stack, "nobody", "wrong")
        ask(stack, "nobody", "wrong", TOKEN_PATHS[1])
        stack.http.post(TSH, headers=bearer("wrong"))
        stack.http.get("/v1/tokens", headers=bearer("wrong"))
    lines = [json.loads(line) for line in stack.log.read_text().splitlines() if line.startswith("{")]
    told = [line for line in lines if line.get("source") == "loopback"]
    assert told
    assert all(line["alert"] for line in told)
    metrics = httpx.get(f"{stack.admin_url}/metrics", timeout=5, verify=PLAIN).text
    for route in (*TOKEN_PATHS, TSH, "/v1/tokens"):
        assert f'mintmark_limited_authentications_total{{role="gateway",route="{route}"}}' in metrics
