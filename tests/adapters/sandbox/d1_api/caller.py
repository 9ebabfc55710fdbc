"""A caller of D1's own API at the twin: has a key, makes assertions, asks over a real socket."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from adapters.settings import Settings
from tests.adapters.sandbox.running import running

CONTROL = "/d1-api/control"
TOKEN_PATH = "/authz/v1/oauth2/token"
GATEWAY, MERCHANT = "MGW_000001", "10610027312"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
KEY_ID = "our-key"
# Nobody listens there.
NOWHERE = "http://127.0.0.1:9"


class Caller:
    """`client` reaches the sandbox. The twin was given the public part of `key`."""

    def __init__(self, client: httpx.Client, folder: Path, key: ECKey | None) -> None:
        self.client = client
        self.folder = folder
        self.key = key or ECKey.generate_key("P-256")
        if key is None:
            self.give_key()

    @property
    def base_url(self) -> str:
        return str(self.client.base_url).rstrip("/")

    @property
    def private_jwk(self) -> str:
        return json.dumps(self.key.as_dict(private=True))

    def give_key(self, issuer: str = GATEWAY, key_id: str = KEY_ID) -> None:
        public = json.dumps(self.key.as_dict(private=False))
        self.control("PUT", "/keys", {"issuer": issuer, "keyId": key_id, "publicKey": public})

    def control(self, method: str, path: str, document: Any = None) -> Any:
        answer = self.client.request(method, f"{CONTROL}{path}", json=document)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def calls(self, call: str = "") -> list[dict[str, Any]]:
        """What was answered so far."""
        lines = self.client.get(f"{CONTROL}/requests").text.splitlines()
        return [each for each in map(json.loads, lines) if not call or each["call"] == call]

    def assertion(self, header: dict[str, Any] | None = None, key: ECKey | None = None, **claims: Any) -> str:
        """A good one, but for what is given; None leaves a claim or a header out."""
        now = int(time.time())
        told = {"iss": GATEWAY, "iat": now, "exp": now + 300, "jti": str(uuid.uuid4()), **claims}
        head = {"alg": "ES256", "typ": "JWT", "kid": KEY_ID, **(header or {})}
        return jwt.encode(
            {name: value for name, value in head.items() if value is not None},
            {name: value for name, value in told.items() if value is not None},
            key or self.key,
            algorithms=["ES256", "HS256"],
        )

    def ask_token(self, assertion: str | None = None, **changes: Any) -> httpx.Response:
        body = {"grant_type": GRANT, "assertion": self.assertion() if assertion is None else assertion}
        headers = {"x-correlation-id": "c-1", **changes.pop("headers", {})}
        given = {name: value for name, value in {**body, **changes}.items() if value is not None}
        return self.client.post(TOKEN_PATH, json=given, headers={k: v for k, v in headers.items() if v is not None})

    def access_token(self) -> str:
        return str(self.ask_token().json()["access_token"])

    def details(self, token: str, access_token: str, gateway: str = GATEWAY) -> httpx.Response:
        headers = {"authorization": f"Bearer {access_token}", "x-correlation-id": "c-2"}
        path = f"/merchant-gateways/{gateway}/merchants/{MERCHANT}/tokens/{token}"
        return self.client.get(path, headers=headers)

    def place(self, token: str, gateway: str = GATEWAY) -> str:
        return f"/tokens/{gateway}/{MERCHANT}/{token}"

    def change(self, token: str, **fields: str) -> dict[str, Any]:
        """Without a notification."""
        answer = self.control("POST", f"{self.place(token)}/change-card", {"fields": fields, "notify": False})
        return dict(answer["card"])

    def fault(self, call: str, fault: str, **more: Any) -> None:
        self.control("POST", "/faults", {"call": call, "fault": fault, **more})


@contextmanager
def caller_of(folder: Path, key: ECKey | None = None, **settings: Any) -> Iterator[Caller]:
    """A caller of a twin whose files are in `folder`; its notifications reach nobody, unless it is told a target. With
    a `key` the twin was given it by an earlier caller."""
    given = {"data_dir": folder, "sandbox_target": NOWHERE, "sandbox_speed": 1000, **settings}
    with running(Settings(**given)) as client:
        yield Caller(client, folder, key)
