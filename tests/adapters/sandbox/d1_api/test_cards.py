"""The details of tokens at the twin: whose they are, what changes them, and what outlives a restart."""

from pathlib import Path

from tests.adapters.sandbox.d1_api.caller import GATEWAY, MERCHANT, caller_of
from tests.adapters.sandbox.gateway import Gateway, settings_for
from tests.adapters.sandbox.running import running


def test_a_card_changes_and_stays_changed(tmp_path: Path) -> None:
    with caller_of(tmp_path) as caller:
        access_token = caller.access_token()
        before = caller.details("t-1", access_token).json()
        assert caller.details("t-1", access_token).json() == before
        changed = caller.change("t-1", cardLastDigits="9999", tokenState="SUSPENDED")
        assert (changed["cardLastDigits"], changed["cardBin"]) == ("9999", before["cardBin"])
        caller.control("POST", f"{caller.place('t-2')}/forget")
        assert caller.details("t-2", access_token).status_code == 404
        key = caller.key
    # It knows the key from its files.
    with caller_of(tmp_path, key) as again:
        access_token = again.access_token()
        assert again.details("t-1", access_token).json()["tokenState"] == "SUSPENDED"
        assert again.details("t-2", access_token).status_code == 404
        renewed = again.change("t-2")
        assert again.details("t-2", access_token).json()["cardExpiryDate"] == renewed["cardExpiryDate"]


def test_a_caller_sees_its_own_gateways_tokens(tmp_path: Path) -> None:
    with caller_of(tmp_path) as caller:
        access_token = caller.access_token()
        assert caller.details("t-1", access_token, "MGW_000002").status_code == 403
        assert caller.details("t-1", "no").status_code == 401
        assert caller.details("t-1", "no").content == b""
        caller.control("POST", "/access-tokens/revoke")
        assert caller.details("t-1", access_token).status_code == 401


def test_a_change_is_told_as_d1_tells_it(tmp_path: Path) -> None:
    gateway = Gateway()
    try:
        with running(settings_for(gateway, tmp_path)) as client:
            place = f"/d1-api/control/tokens/{GATEWAY}/{MERCHANT}/t-1"
            answer = client.post(f"{place}/change-card", json={}).json()
            assert [each["acknowledged"] for each in answer["deliveries"]] == [True]
            assert answer["card"] == client.get(place).json()
            assert answer["card"]["version"] == 2
        assert (
            gateway.received[-1].path == f"/merchant-gateways/{GATEWAY}/merchants/{MERCHANT}/tokens/t-1/notify-update"
        )
    finally:
        gateway.close()


def test_faults_are_met_in_order_and_end(tmp_path: Path) -> None:
    with caller_of(tmp_path) as caller:
        access_token = caller.access_token()
        caller.fault("details", "status", status=503, times=2)
        caller.fault("details", "garbage")
        caller.fault("token", "status", status=500)
        seen = [caller.details("t-1", access_token) for _ in range(4)]
        assert [each.status_code for each in seen] == [503, 503, 200, 200]
        assert b"html" in seen[2].content
        assert caller.ask_token().status_code == 500
        assert caller.control("GET", "/state")["faults"] == []
