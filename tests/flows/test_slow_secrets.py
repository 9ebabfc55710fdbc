"""A client whose secret was taken over gets in past a flood of guesses at it, however it spells its secret: a real
gateway in front of a real core."""

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote_plus

import grpc
import pytest
from mintmark.v1 import access_tokens_pb2, clients_pb2

from server.keys import hashing
from server.services import slow_secrets
from server.services.slow_secrets import MOST_OF_ONE_CLIENT
from tests.flows.gateway_process import Gateway, gateway_of
from tests.server.rpc.running import RunningCore, request_id, running_core
from tests.waiting import eventually

SECRET = "taken over + from elsewhere"


def guess(core: RunningCore, client_id: str, secret: str) -> str:
    request = access_tokens_pb2.IssueAccessTokenRequest(client_id=client_id, client_secret=secret)
    with pytest.raises(grpc.RpcError) as told:
        core.anonymous.access_tokens.IssueAccessToken(request, timeout=30)
    return str(told.value.code().name)


def test_a_right_secret_that_is_form_encoded_passes_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 6749, section 2.3.1: it is tried as it came first, which is wrong and finds no place."""
    monkeypatch.setattr(slow_secrets, "KEPT", 4)
    let, real = threading.Event(), hashing.scrypt
    let.set()

    def held_back(content: bytes, key: bytes) -> bytes:
        assert let.wait(30)
        return real(content, key)

    monkeypatch.setattr(hashing, "scrypt", held_back)
    with running_core() as core, gateway_of(core, Gateway) as gateway:
        made = clients_pb2.CreateClientRequest(
            request_id=request_id(), client_id="old", scopes=["tokens.read"], taken_over_secret=SECRET
        )
        core.admin.clients.CreateClient(made)
        login = base64.b64encode(f"old:{quote_plus(SECRET)}".encode()).decode()

        def status() -> int:
            headers, form = {"authorization": f"Basic {login}"}, {"grant_type": "client_credentials"}
            return gateway.client.post("/oauth2/token", headers=headers, data=form).status_code

        eventually(lambda: status() == 200, 20, "a client that the gateway knows")
        # More wrong ones than are remembered: the other spelling of the right one is forgotten.
        assert {guess(core, "old", f"wrong {number}") for number in range(5)} == {"UNAUTHENTICATED"}
        let.clear()
        with ThreadPoolExecutor(MOST_OF_ONE_CLIENT + 1) as pool:
            guesses = [pool.submit(guess, core, "old", f"guess {number}") for number in range(MOST_OF_ONE_CLIENT + 1)]
            eventually(lambda: any(each.done() for each in guesses), 20, "the one that finds no place")
            found = status()
            let.set()
            codes = [each.result(30) for each in guesses]
        assert sorted(codes) == ["RESOURCE_EXHAUSTED"] + ["UNAUTHENTICATED"] * MOST_OF_ONE_CLIENT
        assert found == 200
