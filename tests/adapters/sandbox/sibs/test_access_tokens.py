"""The OAuth2 step."""

import base64
from pathlib import Path

import pytest

from tests.adapters.sandbox.sibs.caller import Caller, caller_of
from tests.waiting import eventually


def works(caller: Caller, access_token: str) -> bool:
    answer = caller.list(headers=caller.headers(Authorization=f"Bearer {access_token}"))
    assert answer.status_code in {200, 401}
    return answer.status_code == 200


def test_client_credentials_in_the_form_or_by_basic(caller: Caller) -> None:
    answer = caller.issue()
    document = answer.json()
    assert (answer.status_code, document["token_type"], document["expires_in"]) == (200, "Bearer", 3600)
    assert works(caller, document["access_token"])
    basic = base64.b64encode(f"{caller.client_id}:{caller.client_secret}".encode()).decode()
    answer = caller.client.post(
        "/sibs/oauth2/token",
        data={"grant_type": "client_credentials", "scope": "webhooks"},
        headers={"authorization": f"Basic {basic}"},
    )
    assert works(caller, answer.json()["access_token"])
    assert works(caller, caller.access_token)
    counts = caller.control("GET", "/access-tokens")
    assert counts == {"issued": 2, "live": 2, "revoked": 0, "staticRevoked": False}
    written = "".join(path.read_text() for path in (caller.folder / "sandbox" / "sibs").iterdir())
    assert document["access_token"] not in written


def test_their_life_is_a_habit_and_ends(caller: Caller) -> None:
    caller.habits(accessTokenSeconds=0.001)
    document = caller.issue().json()
    assert document["expires_in"] == 1
    eventually(lambda: not works(caller, document["access_token"]), what="the end of its life")
    caller.habits(accessTokenSeconds=120)
    assert caller.issue().json()["expires_in"] == 120


def test_revoked(tmp_path: Path) -> None:
    with caller_of(tmp_path) as caller:
        first = caller.issue().json()["access_token"]
        assert caller.control("POST", "/access-tokens/revoke")["revokedNow"] == 1
        assert not works(caller, first)
        assert works(caller, caller.access_token)
        second = caller.issue().json()["access_token"]
        assert caller.control("POST", "/access-tokens/revoke", {"static": True})["revokedNow"] == 2
        assert not works(caller, second)
        assert not works(caller, caller.access_token)
        third = caller.issue().json()["access_token"]
    with caller_of(tmp_path) as again:
        assert works(again, third)
        assert not works(again, second)
        assert not works(again, again.access_token)
        assert again.control("POST", "/access-tokens/reinstate")["staticRevoked"] is False
        assert works(again, again.access_token)
        assert again.control("GET", "/access-tokens")["issued"] == 3


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "unsupported_grant_type"),
        ({"client_id": "another"}, 401, "invalid_client"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
    ],
)
def test_refused(shared_caller: Caller, changes: dict[str, str], status: int, error: str) -> None:
    answer = shared_caller.issue(**changes)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"grant_type=client_credentials&grant_type=x", b"&".join([b"a=1"] * 99)]
)
def test_no_form(shared_caller: Caller, body: bytes) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = shared_caller.client.post("/sibs/oauth2/token", content=body, headers=form)
    assert answer.status_code in {400, 401}
    assert shared_caller.client.post("/sibs/oauth2/token", json={}).json() == {"error": "invalid_request"}


def test_the_endpoint_fails_on_command(caller: Caller) -> None:
    caller.fault("status", endpoint="access-token", status=503, retryAfter="30")
    answer = caller.issue()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    caller.fault("html", endpoint="access-token")
    assert caller.issue().headers["content-type"].startswith("text/html")
    assert caller.issue().status_code == 200
