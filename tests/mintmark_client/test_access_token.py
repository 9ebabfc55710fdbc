"""The access token: one for many calls, renewed in time, and replaced when it is refused."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mintmark_client import Client, CredentialsUnreadable, MintmarkError, Unauthenticated
from tests.adapters.cli.fake_core import SECRET
from tests.mintmark_client.fake_core import Failure, UnsteadyCore
from tests.mintmark_client.fake_time import FakeTime


def test_one_serves_many_calls_and_is_renewed_at_80_percent_of_its_life(
    unsteady: UnsteadyCore, caller: Client, fake_time: FakeTime
) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(caller.tokens.get, ["x"] * 40))
    assert unsteady.issued == ["access-1"]
    fake_time.now += 0.8 * 900 - 1
    caller.tokens.get("x")
    assert unsteady.issued == ["access-1"]
    fake_time.now += 1
    caller.tokens.get("x")
    assert unsteady.issued == ["access-1", "access-2"]
    assert unsteady.metadata[-1]["authorization"] == "Bearer access-2"


def test_a_renewal_that_fails_is_left_for_later(unsteady: UnsteadyCore, caller: Client, fake_time: FakeTime) -> None:
    caller.tokens.get("x")
    fake_time.now += 800
    unsteady.issue_failures = [Failure("UNAVAILABLE", "STORE_UNAVAILABLE")]
    caller.tokens.get("x")
    caller.tokens.get("x")
    assert (unsteady.issued, fake_time.pauses) == (["access-1"], [])
    fake_time.now += 5
    caller.tokens.get("x")
    assert unsteady.issued == ["access-1", "access-2"]


def test_none_to_be_had_is_tried_again_like_a_call(unsteady: UnsteadyCore, caller: Client, fake_time: FakeTime) -> None:
    unsteady.issue_failures = [Failure("UNAVAILABLE"), Failure("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS")]
    caller.tokens.get("x")
    assert (len(unsteady.requests), len(fake_time.pauses)) == (1, 2)


def test_a_refused_one_is_replaced_once(unsteady: UnsteadyCore, caller: Client) -> None:
    caller.tokens.get("x")
    unsteady.revoked = {"access-1"}
    caller.tokens.get("x")
    assert unsteady.issued == ["access-1", "access-2"]
    unsteady.revoked = {f"access-{number}" for number in range(10)}
    with pytest.raises(Unauthenticated) as caught:
        caller.tokens.get("x")
    assert (caught.value.reason, len(unsteady.issued)) == ("ACCESS_TOKEN_INVALID", 3)


def test_wrong_credentials_are_not_tried_again(unsteady: UnsteadyCore, caller: Client, fake_time: FakeTime) -> None:
    unsteady.secret = "another"
    with pytest.raises(Unauthenticated) as caught:
        caller.tokens.get("x")
    assert (caught.value.reason, fake_time.pauses) == ("CLIENT_CREDENTIALS_INVALID", [])


def test_a_file_is_read_again_for_each(unsteady: UnsteadyCore, tmp_path: Path) -> None:
    path = tmp_path / "orders.json"
    with Client(unsteady.address, credentials_file=path) as client:
        with pytest.raises(CredentialsUnreadable, match=r"orders\.json"):
            client.tokens.get("x")
        path.write_text("{}")
        with pytest.raises(CredentialsUnreadable):
            client.tokens.get("x")
        path.write_text(json.dumps({"client_id": "orders", "client_secret": SECRET}))
        client.tokens.get("x")
        unsteady.revoked, unsteady.secret = {"access-1"}, "rotated"
        path.write_text(json.dumps({"client_id": "orders", "client_secret": "rotated"}))
        client.tokens.get("x")
    assert unsteady.issued == ["access-1", "access-2"]


def test_credentials_are_given_in_one_way() -> None:
    with pytest.raises(ValueError, match="belong together"):
        Client("127.0.0.1:1", client_id="orders")
    with pytest.raises(ValueError, match="either"):
        Client("127.0.0.1:1", client_id="orders", client_secret="s", credentials_file="f")


def test_a_core_that_wants_one_refuses_a_client_without(unsteady: UnsteadyCore) -> None:
    with Client(unsteady.address) as anonymous, pytest.raises(MintmarkError) as caught:
        anonymous.tokens.get("x")
    assert isinstance(caught.value, Unauthenticated)
    assert len(unsteady.requests) == 1
