"""The OAuth endpoints, as clients and partners use them."""

import base64
import json
from typing import Any

import grpc
import httpx
import pytest

from tests.adapters.inbound.running import Running
from tests.vectors import contract_example

ECOM = "/oauth2/token"
ISSUER = "/authz/d1/v1/oauth2/token"
GRANT = {"grant_type": "client_credentials"}


def basic(pair: str, encoding: str = "utf-8") -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(pair.encode(encoding)).decode()}"}


def token(gateway: Running, path: str = ECOM, fields: Any = GRANT, **headers: str) -> httpx.Response:
    sent = headers or basic("d1.partner:s3cret")
    return gateway.client.post(path, data=fields, headers=sent)


def posted(gateway: Running, body: bytes, **headers: str) -> httpx.Response:
    content_type = {"content-type": "application/x-www-form-urlencoded"}
    return gateway.client.post(ECOM, content=body, headers=content_type | headers)


def test_the_example_of_the_contract(gateway: Running) -> None:
    gateway.core.secrets["is_tbank01"] = "123"
    sent = contract_example("d1-ecom-token.request.http").read_text().strip("\n").replace("\n", "\r\n")
    answer = gateway.raw(sent.replace("Host:", "Connection: close\r\nHost:").encode())
    assert answer.startswith(b"HTTP/1.1 200 OK")
    given = json.loads(answer.partition(b"\r\n\r\n")[2])
    printed = json.loads(contract_example("d1-ecom-token.response.json").read_text())
    assert {name: type(value) for name, value in printed.items()}.items() <= {
        name: type(value) for name, value in given.items()
    }.items()
    issuer = json.loads(contract_example("d1-issuer-token.response.json").read_text())
    assert token(gateway, ISSUER).json()["expires_in"] == issuer["expires_in"]


def test_all_five_fields(gateway: Running) -> None:
    answer = token(gateway)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "access_token": answer.json()["access_token"],
        "expires_in": 900,
        "token_type": "Bearer",
        "scope": "d1-notify",
        "expires_at": "2023-06-06T05:05:59.711Z",
    }
    assert token(gateway, ISSUER).json()["expires_in"] == "900"
    assert gateway.d1(authorization=f"Bearer {answer.json()['access_token']}").status_code == 204


@pytest.mark.parametrize(
    ("secret", "sent"),
    [
        ("a:b", "d1.partner:a:b"),
        ("%41", "d1.partner:%41"),
        ("ü€", "d1.partner:%C3%BC%E2%82%AC"),
        ("a b", "d1%2Epartner:a+b"),
        ("ü", "d1.partner:ü"),
    ],
)
def test_secrets_match_raw_or_form_encoded(gateway: Running, secret: str, sent: str) -> None:
    gateway.core.secrets["d1.partner"] = secret
    try:
        assert token(gateway, **basic(sent)).status_code == 200
        unpadded = base64.urlsafe_b64encode(sent.encode()).decode().rstrip("=")
        assert token(gateway, authorization=f"basic {unpadded}").status_code == 200
        if secret == "ü":
            assert token(gateway, **basic(sent, "latin-1")).status_code == 200
    finally:
        gateway.core.secrets["d1.partner"] = "s3cret"


def test_credentials_in_the_body(gateway: Running) -> None:
    fields = {**GRANT, "client_id": "d1.partner", "client_secret": "s3cret", "scope": ""}
    assert gateway.client.post(ECOM, data=fields).status_code == 200
    both = gateway.client.post(ECOM, data=fields, headers=basic("d1.partner:s3cret"))
    assert (both.status_code, both.json()) == (400, {"error": "invalid_request"})
    wrong = gateway.client.post(ECOM, data={**fields, "client_secret": "x"})
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic x", "Basic OnM=", "Bearer x", "Basic " + base64.b64encode(b"d1.partner:wrong").decode()],
)
def test_a_client_that_is_not_recognized(gateway: Running, header: str) -> None:
    answer = token(gateway, authorization=header)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "invalid_request"),
        (b"grant_type=", "invalid_request"),
        (b"scope=x", "invalid_request"),
        (b"grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        (b"grant_type=client_credentials&x=1&x=2", "invalid_request"),
        (b"grant_type=password", "unsupported_grant_type"),
        (b"grant_type=%FF%00", "unsupported_grant_type"),
        (b"grant_type=client_credentials&scope=forbidden", "invalid_scope"),
    ],
)
def test_errors_of_rfc_6749(gateway: Running, body: bytes, error: str) -> None:
    answer = posted(gateway, body, **basic("d1.partner:s3cret"))
    assert (answer.status_code, answer.json()) == (400, {"error": error})
    assert answer.headers["cache-control"] == "no-store"


def test_limits_of_the_token_endpoint(gateway: Running) -> None:
    too_long = posted(gateway, b"a=" + b"x" * 8191)
    too_many = posted(gateway, b"&".join(b"f%d=1" % n for n in range(33)))
    no_form = posted(gateway, b"{}", **{"content-type": "application/json"})
    compressed = posted(gateway, b"grant_type=client_credentials", **{"content-encoding": "gzip"})
    assert [each.status_code for each in (too_long, too_many, no_form, compressed)] == [413, 413, 415, 415]
    for each in (too_long, too_many, no_form, compressed):
        assert each.json() == {"error": "invalid_request"}
        assert each.headers["cache-control"] == "no-store"


def test_a_text_that_is_no_scope_does_not_make_the_secret_wrong(gateway: Running) -> None:
    for scope in ("a%00b", "%22", "%C3%BC", "%FF", "x" * 300):
        answer = posted(gateway, f"grant_type=client_credentials&scope={scope}".encode(), **basic("d1.partner:s3cret"))
        assert answer.status_code == 200, scope
    asked = gateway.core.scopes
    assert asked[:4] == [["a%00b"], ["%22"], ["%C3%BC"], ["%C3%BF"]]
    assert asked[4] == ["x" * 256]


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED]
)
def test_trouble_of_the_core_is_503(gateway: Running, code: grpc.StatusCode) -> None:
    gateway.core.issue_failure = code
    answer = token(gateway)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json() == {"error": "temporarily_unavailable"}


def test_candidates_are_tried_only_while_the_core_says_no(gateway: Running) -> None:
    token(gateway, **basic("a%41:b"))
    assert gateway.core.asked == [("a%41", "b"), ("aA", "b")]
    gateway.core.asked.clear()
    gateway.core.issue_failure = grpc.StatusCode.UNAVAILABLE
    token(gateway, **basic("a%41:b"))
    assert gateway.core.asked == [("a%41", "b")]


def test_revocation(gateway: Running) -> None:
    answer = gateway.client.post(
        "/oauth2/revoke", data={"token": "t", "token_type_hint": "x"}, headers=basic("d1.partner:s3cret")
    )
    assert (answer.status_code, answer.content) == (200, b"")
    assert gateway.core.revoked == ["t"]
    assert gateway.core.callers[0].startswith("Bearer ey")
    assert gateway.client.post("/oauth2/revoke", data={"x": "1"}, headers=basic("d1.partner:s3cret")).status_code == 400
    assert gateway.client.post("/oauth2/revoke", data={"token": "t"}).status_code == 401
    long = gateway.client.post(
        "/oauth2/revoke",
        content=b"token=" + b"a" * 8000 + b"&client_id=x",
        headers=basic("d1.partner:s3cret") | {"content-type": "application/x-www-form-urlencoded"},
    )
    assert long.status_code == 200


def test_introspection(gateway: Running) -> None:
    mine = {"authorization": "Bearer mine"}
    answer = gateway.client.post("/oauth2/introspect", data={"token": "known"}, headers=mine)
    assert answer.status_code == 200
    assert answer.json() == {
        "active": True,
        "scope": "d1-notify",
        "client_id": "d1.partner",
        "sub": "d1.partner",
        "token_type": "Bearer",
        "exp": 1930,
        "iat": 1000,
        "iss": "http://issuer.test",
        "aud": "",
        "jti": "j",
    }
    assert gateway.core.callers == ["Bearer mine"]
    unknown = gateway.client.post("/oauth2/introspect", data={"token": "x"}, headers=basic("d1.partner:s3cret"))
    assert unknown.json() == {"active": False}
    refused = gateway.client.post(
        "/oauth2/introspect", data={"token": "x"}, headers={"authorization": "Bearer not-ours"}
    )
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_token"})
    assert "invalid_token" in refused.headers["www-authenticate"]


def test_keys_and_metadata(gateway: Running) -> None:
    [key] = gateway.client.get("/.well-known/jwks.json").json()["keys"]
    assert (key["kid"], key["kty"], key["crv"], key["alg"], key["use"]) == ("signing-1", "EC", "P-256", "ES256", "sig")
    metadata = gateway.client.get("/.well-known/oauth-authorization-server").json()
    issuer = f"http://127.0.0.1:{gateway.port}"
    assert metadata["issuer"] == issuer
    assert metadata["token_endpoint"] == f"{issuer}/oauth2/token"
    assert metadata["jwks_uri"] == f"{issuer}/.well-known/jwks.json"
    assert metadata["grant_types_supported"] == ["client_credentials"]
    assert gateway.client.head("/.well-known/jwks.json").status_code == 200
    assert gateway.client.post("/.well-known/jwks.json").headers["allow"] == "GET, HEAD"
