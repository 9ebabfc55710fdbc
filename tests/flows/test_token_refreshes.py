"""A card changes at D1: D1 tells us, we read the token again, and everybody sees the new card. A real gateway, core and
dispatcher around D1's twin, over real sockets."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from mintmark.v1 import accounts_pb2 as ap
from mintmark.v1 import events_pb2 as ev
from mintmark.v1 import tokens_pb2 as pb

from tests.adapters.outbound.running import LIMITS, DispatcherProcess
from tests.adapters.sandbox.d1_api.caller import GATEWAY, KEY_ID, MERCHANT, Caller, caller_of
from tests.flows.gateway_process import Gateway, gateway_of
from tests.server.rpc.running import RunningCore, request_id, running_core
from tests.waiting import eventually

_NUMBERS = count(1)
ACCOUNT = "d1-flow"
# Of every assertion.
BEGINNING = base64.urlsafe_b64encode(b'{"alg":"ES256","typ":"JWT","kid":').rstrip(b"=")[:-2]


@dataclass
class House:
    """A merchant gateway that D1's twin has the tokens of."""

    core: RunningCore
    gateway: Gateway
    twin: Caller
    dispatcher: DispatcherProcess

    def state(self, **changes: Any) -> None:
        """The account, with what is given."""
        api = {"base_url": self.twin.base_url, "key_id": KEY_ID, "signing_key": self.twin.private_jwk, **changes}
        account = ap.Account(
            account_id=ACCOUNT,
            provider=ap.ACCOUNT_PROVIDER_D1_ECOM,
            merchant_gateway_id=GATEWAY,
            d1_api=ap.D1Api(**api),
        )
        request = ap.ApplyAccountsRequest(request_id=request_id(), accounts=[account])
        self.core.admin.accounts.ApplyAccounts(request)

    def new_token(self) -> str:
        return f"flow-{next(_NUMBERS)}"

    def change_card(self, token: str, **fields: str) -> dict[str, Any]:
        """D1 replaces the card behind a token, and tells us. The card as it is then."""
        order = {"fields": fields, "notify": True}
        answer = self.twin.control("POST", f"{self.twin.place(token)}/change-card", order)
        assert [each["acknowledged"] for each in answer["deliveries"]] == [True]
        return dict(answer["card"])

    def name(self, token: str) -> str:
        return f"merchantGateways/{GATEWAY}/merchants/{MERCHANT}/tokens/{token}"

    def token(self, token: str) -> pb.Token:
        return self.core.admin.tokens.GetToken(pb.GetTokenRequest(name=self.name(token))).token

    def read_again(self, token: str, seconds: float = 30) -> pb.Token:
        """The token, once what D1 has told was read."""

        def fresh() -> bool:
            found = self.token(token)
            return found.refreshed_generation == found.refresh_generation

        eventually(fresh, seconds, f"{token} being read again")
        return self.token(token)

    def shows(self, token: str, error: str) -> None:
        eventually(lambda: error in self.token(token).refresh_error, 30, f"{token} with {error}")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with running_core(**LIMITS) as core, gateway_of(core, Gateway) as gateway:
        client = core.create(["d1-notify"], [GATEWAY])
        pair = {"client_id": client.client.client_id, "client_secret": client.client_secret}
        credentials = folder / "d1.json"
        credentials.write_text(json.dumps(pair))
        known: dict[str, Any] = {"auth": tuple(pair.values()), "data": {"grant_type": "client_credentials"}}
        eventually(
            lambda: gateway.client.post("/oauth2/token", **known).status_code == 200, 20, "a client that is known"
        )
        with caller_of(folder / "twin", sandbox_target=gateway.url, sandbox_client_file=credentials) as twin:
            made = House(core, gateway, twin, DispatcherProcess(core, folder / "dispatcher"))
            made.state()
            try:
                made.dispatcher.start()
                yield made
            finally:
                made.dispatcher.kill()


def test_a_new_card_behind_a_token_is_shown_as_soon_as_d1_tells(house: House) -> None:
    token = house.new_token()
    cursor = house.core.admin.head()
    card = house.change_card(token, cardLastDigits="9999", cardExpiryDate="0431")
    found = house.read_again(token)
    assert (found.card.bin, found.card.last_digits, found.card.expiry) == (card["cardBin"], "9999", "0431")
    assert found.payment_account_reference == card["paymentAccountReference"]
    assert (found.state_text, found.refresh_error) == ("ACTIVE", "")
    assert found.HasField("refresh_time")
    events = house.core.admin.events_after(cursor, resource=found.name)
    kinds = [ev.EventKind.Name(event.kind).removeprefix("EVENT_KIND_") for event in events]
    assert kinds == ["TOKEN_REFRESH_REQUESTED", "TOKEN_UPDATED"]
    assert events[-1].token == found
    # One correlation id from D1's notification to our question.
    asked = [each for each in house.twin.calls("details") if each["token"] == token]
    assert {each["correlationId"] for each in asked} == {event.correlation_id for event in events}


def test_a_token_is_read_again_because_a_client_asks_for_it(house: House) -> None:
    token = house.new_token()
    house.change_card(token)
    house.read_again(token)
    house.twin.change(token, tokenState="SUSPENDED")
    url = f"/v1/{house.name(token)}:refresh"
    headers = {**dict(house.core.admin.metadata), "idempotency-key": request_id()}
    answer = house.gateway.client.post(url, headers=headers, json={})
    assert answer.status_code == 200
    assert answer.json()["token"]["refreshGeneration"] == "2"
    found = house.read_again(token)
    assert (found.state, found.refreshed_generation) == (pb.TOKEN_STATE_SUSPENDED, 2)


def test_many_changes_are_read_with_one_access_token(house: House) -> None:
    issued = house.twin.control("GET", "/state")["accessTokensIssued"]
    tokens = [house.new_token() for _ in range(20)]
    cards = {token: house.change_card(token) for token in tokens}
    for token in tokens:
        assert house.read_again(token).card.last_digits == cards[token]["cardLastDigits"]
    assert house.twin.control("GET", "/state")["accessTokensIssued"] <= max(issued, 1)


def test_trouble_at_d1_is_waited_out(house: House) -> None:
    house.twin.control("POST", "/access-tokens/revoke")
    house.twin.fault("details", "status", status=401)
    house.twin.fault("details", "status", status=503)
    house.twin.fault("token", "status", status=500)
    token = house.new_token()
    card = house.change_card(token)
    assert house.read_again(token, 60).card.last_digits == card["cardLastDigits"]


def test_what_d1_does_not_know_is_shown_and_cured(house: House) -> None:
    token = house.new_token()
    house.twin.control("POST", f"{house.twin.place(token)}/forget")
    order = {"merchantGatewayId": GATEWAY, "merchantId": MERCHANT, "tokenId": token}
    assert house.twin.client.post("/notifications/d1-token-update", json=order).status_code == 200
    house.shows(token, "HTTP 404 TOKEN_NOT_FOUND: it does not know the token")
    house.change_card(token)
    assert house.read_again(token).refresh_error == ""


def test_a_key_that_d1_does_not_know_is_shown_and_cured(house: House) -> None:
    house.state(key_id="unknown")
    token = house.new_token()
    house.change_card(token)
    house.shows(token, "D1 refuses us an access token (INVALID_FIELD)")
    house.state()
    assert house.read_again(token).refresh_error == ""


def test_the_key_is_written_nowhere(house: House) -> None:
    """Also not its assertions, whose beginning is always the same."""
    number = json.loads(house.twin.private_jwk)["d"]
    raw = base64.urlsafe_b64decode(number + "=")
    secrets = [number.encode(), raw, raw.hex().encode(), base64.b64encode(raw)]
    files = [path for folder in (house.core.folder, house.dispatcher.spool.parent) for path in folder.rglob("*")]
    read = {path: path.read_bytes() for path in files if path.is_file()}
    assert any(path.suffix == ".db" or "sqlite" in path.name for path in read), sorted(map(str, read))
    for path, content in read.items():
        for secret in (*secrets, BEGINNING):
            assert secret not in content, path.name
