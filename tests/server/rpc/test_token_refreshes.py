"""Tokens read again at D1: wanted by notifications, by hand and by accounts; claimed with what asks D1; recorded in any
order."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from mintmark.v1 import accounts_pb2 as ap
from mintmark.v1 import tasks_pb2 as tp
from mintmark.v1 import tokens_pb2 as pb

from server.keys import base64url
from tests.server.rpc.refreshing import CARD, NOT_SENT, UNKNOWN, Gateway, life, made_key, open_gateway, pem
from tests.server.rpc.running import RunningCore, refused, request_id
from tests.waiting import eventually

HOUR_S = 3600


@pytest.fixture
def gateway(moving: RunningCore) -> Gateway:
    return open_gateway(moving)


def claims_of(assertion: str, gateway: Gateway) -> tuple[dict[str, str], dict[str, str | int]]:
    """Header and claims of an assertion that the gateway's key has signed."""
    header, payload, signature = assertion.split(".")
    raw = base64url.decode(signature)
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    gateway.key.public_key().verify(encode_dss_signature(r, s), f"{header}.{payload}".encode(), ec.ECDSA(SHA256()))
    return json.loads(base64url.decode(header)), json.loads(base64url.decode(payload))


def test_a_notification_has_its_token_read_and_the_reading_is_shown(gateway: Gateway) -> None:
    gateway.notify(correlation_id="from-d1")
    task = gateway.claim_one()
    wanted = task.token_refresh
    assert (task.correlation_id, wanted.token, wanted.generation) == ("from-d1", gateway.name("t-1"), 1)
    assert (wanted.merchant_gateway_id, wanted.merchant_id, wanted.token_id) == (
        gateway.gateway,
        "10610027312",
        "t-1",
    )
    assert wanted.path_template == "/merchant-gateways/{merchantGatewayId}/merchants/{merchantId}/tokens/{tokenId}"
    assert (wanted.names.state, wanted.names.card_bin) == ("tokenState", "cardBin")
    cursor = gateway.core.admin.head()
    gateway.tell(task)
    token = gateway.token()
    assert (token.card.bin, token.card.last_digits, token.card.expiry) == ("453421", "9999", "0431")
    assert (token.state, token.state_text) == (pb.TOKEN_STATE_ACTIVE, "ACTIVE")
    assert (token.refresh_generation, token.refreshed_generation, token.refresh_error) == (1, 1, "")
    assert token.HasField("refresh_time")
    (event,) = gateway.core.admin.events_after(cursor, resource=token.name)
    assert (event.correlation_id, event.token, dict(event.details)) == ("from-d1", token, {"refresh_generation": "1"})
    assert gateway.claim() == []


def test_the_core_signs_who_we_are(gateway: Gateway) -> None:
    gateway.state(subject="sub-1", audience="https://d1.example", issuer="iss-1", assertion_life_seconds=600)
    gateway.notify()
    endpoint = gateway.claim_one().token_refresh.endpoint
    assert endpoint.token_url == "https://d1.example/authz/v1/oauth2/token"
    told = [claims_of(assertion, gateway) for assertion in endpoint.assertions]
    assert len({claims["jti"] for _, claims in told}) == len(told) == 2
    for header, claims in told:
        assert header == {"alg": "ES256", "typ": "JWT", "kid": "our-key"}
        assert (claims["iss"], claims["sub"], claims["aud"]) == ("iss-1", "sub-1", "https://d1.example")
        assert int(claims["exp"]) - int(claims["iat"]) == 600


def test_by_default_the_gateway_is_the_issuer(gateway: Gateway) -> None:
    gateway.notify()
    _, claims = claims_of(gateway.claim_one().token_refresh.endpoint.assertions[0], gateway)
    assert set(claims) == {"iss", "iat", "exp", "jti"}
    assert claims["iss"] == gateway.gateway


def test_the_revision_changes_with_what_access_tokens_are_had_for(gateway: Gateway) -> None:
    seen: list[str] = []
    other: list[dict[str, str]] = [{"key_id": "other"}, {"signing_key": pem(made_key())}, {"audience": "a"}]
    for fields in ({}, {}, *other):
        account = gateway.stated(**fields)
        account.display_name = f"{len(seen)}"
        gateway.apply(account)
        gateway.refresh() if seen else gateway.notify()
        task = gateway.claim_one()
        seen.append(task.token_refresh.endpoint.revision)
        gateway.tell(task)
    assert seen[0] == seen[1]
    assert len(set(seen)) == 4


def test_what_d1_does_not_say_stays(gateway: Gateway) -> None:
    gateway.notify()
    gateway.tell(gateway.claim_one())
    gateway.notify()
    gateway.tell(gateway.claim_one(), details=tp.TokenDetails(card_expiry="1233", payment_account_reference="PAR1"))
    token = gateway.token()
    assert (token.card.bin, token.card.expiry, token.payment_account_reference) == ("453421", "1233", "PAR1")
    assert token.state_text == "ACTIVE"


def test_a_reading_that_changes_nothing_is_no_news(gateway: Gateway) -> None:
    gateway.notify()
    gateway.tell(gateway.claim_one())
    first = gateway.token()
    gateway.core.advance(60)
    cursor = gateway.core.admin.head()
    gateway.notify()
    gateway.tell(gateway.claim_one())
    assert gateway.kinds(cursor) == ["TOKEN_REFRESH_REQUESTED"]
    assert gateway.token().refresh_time.seconds > first.refresh_time.seconds
    assert gateway.token().refreshed_generation == 2


def test_a_token_has_one_task_however_often_it_changes(gateway: Gateway) -> None:
    for _ in range(3):
        gateway.notify()
    gateway.refresh()
    task = gateway.claim_one()
    assert task.token_refresh.generation == 4
    gateway.tell(task)
    assert gateway.claim() == []


def test_a_reading_clears_only_the_generation_that_it_began_with(gateway: Gateway) -> None:
    gateway.notify()
    first = gateway.claim_one()
    gateway.notify()
    assert gateway.claim() == []
    gateway.tell(first)
    token = gateway.token()
    assert (token.refresh_generation, token.refreshed_generation) == (2, 1)
    second = gateway.claim_one()
    assert second.token_refresh.generation == 2
    gateway.tell(second, details=tp.TokenDetails(**{**CARD, "card_last_digits": "0002"}))
    # Told once more, and late: what began earlier says nothing any more.
    gateway.tell(first)
    gateway.tell(second)
    token = gateway.token()
    assert (token.refreshed_generation, token.card.last_digits) == (2, "0002")
    assert gateway.claim() == []


def test_a_late_reading_counts_and_a_late_failure_does_not(gateway: Gateway) -> None:
    gateway.notify()
    late = gateway.claim_one()
    gateway.core.advance(120)
    again = gateway.claim_one()
    assert again.fence > late.fence
    gateway.tell(late, http_status=403)
    assert gateway.token().refresh_error == ""
    gateway.tell(late)
    assert gateway.token().refreshed_generation == 1
    gateway.tell(again, outcome=UNKNOWN, trouble="read_timeout")
    assert gateway.claim() == []
    gateway.core.advance(HOUR_S)
    assert gateway.claim() == []


def test_a_token_that_d1_does_not_know_is_not_asked_for_until_something_changes(gateway: Gateway) -> None:
    gateway.notify()
    cursor = gateway.core.admin.head()
    gateway.tell(gateway.claim_one(), http_status=404)
    token = gateway.token()
    assert token.refresh_error == "D1 answers HTTP 404: it does not know the token"
    assert token.refreshed_generation == 0
    assert gateway.kinds(cursor) == ["TOKEN_UPDATED"]
    gateway.core.advance(30 * 24 * HOUR_S)
    assert gateway.claim() == []
    gateway.notify()
    gateway.tell(gateway.claim_one(), http_status=404)
    gateway.refresh()
    gateway.tell(gateway.claim_one())
    assert gateway.token().refresh_error == ""


def test_a_no_is_shown_and_asked_again_in_an_hour_at_most(gateway: Gateway) -> None:
    gateway.notify()
    for delay in (60, 600, HOUR_S, HOUR_S):
        gateway.tell(gateway.claim_one(), http_status=403, error_code="NOT_ALLOWED")
        assert gateway.token().refresh_error == "D1 answers HTTP 403 NOT_ALLOWED"
        gateway.core.advance(delay - 10)
        assert gateway.claim() == []
        gateway.core.advance(11)
    gateway.tell(gateway.claim_one())
    assert gateway.token().refresh_error == ""


def test_a_no_that_a_new_key_may_cure_is_asked_again_at_once(gateway: Gateway) -> None:
    gateway.notify()
    gateway.notify("t-2")
    first, second = gateway.claim()
    gateway.tell(first, outcome=NOT_SENT, trouble="access_token_refused", error_code="INVALID_FIELD")
    gateway.tell(second, http_status=404)
    told = {gateway.token(each).refresh_error for each in ("t-1", "t-2")}
    assert told == {
        "D1 refuses us an access token (INVALID_FIELD)",
        "D1 answers HTTP 404: it does not know the token",
    }
    assert gateway.claim() == []
    gateway.key = made_key()
    assert gateway.state() == ["d1_api.signing_key"]
    for task in gateway.claim():
        gateway.tell(task)
    assert {gateway.token(each).refresh_error for each in ("t-1", "t-2")} == {""}


def test_what_passes_is_tried_again_and_shown_when_it_does_not_pass(gateway: Gateway) -> None:
    gateway.notify()
    told = []
    for _ in range(6):
        gateway.tell(gateway.claim_one(), http_status=503)
        told.append(gateway.token().refresh_error)
        gateway.core.advance(301)
    assert told == [""] * 4 + ["D1 answers HTTP 503"] * 2
    gateway.tell(gateway.claim_one())
    assert gateway.token().refresh_error == ""


def test_d1_is_left_alone_for_as_long_as_it_asks(gateway: Gateway) -> None:
    gateway.notify()
    gateway.tell(gateway.claim_one(), http_status=429, retry_after=life(900))
    gateway.core.advance(890)
    assert gateway.claim() == []
    gateway.core.advance(11)
    assert gateway.claim_one()


def test_a_slow_d1_gets_a_part_of_the_dispatchers_only(gateway: Gateway) -> None:
    for number in range(20):
        gateway.notify(f"t-{number}")
    assert len(gateway.claim()) == 16
    assert gateway.claim() == []


def test_without_an_account_that_calls_d1_nothing_is_asked(moving: RunningCore) -> None:
    gateway = open_gateway(moving, account=False)
    gateway.notify()
    plain = gateway.stated()
    plain.ClearField("d1_api")
    gateway.apply(plain)
    gateway.notify()
    assert gateway.claim() == []
    with refused("FAILED_PRECONDITION", "REFRESH_NOT_POSSIBLE") as told:
        gateway.refresh()
    assert told.metadata == {"token": gateway.name("t-1"), "why": "account"}
    # What was due before is asked for once the account says how.
    gateway.state()
    (task,) = eventually(gateway.claim, 20, "the tokens that were due")
    assert task.token_refresh.generation == 2
    gateway.tell(task)


def test_an_account_that_stops_calling_d1_takes_its_tasks_along(gateway: Gateway) -> None:
    gateway.notify()
    plain = gateway.stated()
    plain.ClearField("d1_api")
    assert set(gateway.apply(plain)) == {"d1_api", "d1_api.signing_key"}
    assert gateway.claim() == []
    gateway.state()
    eventually(gateway.claim, 20, "the task")


@pytest.mark.parametrize("how", ["moved", "without", "deleted"])
def test_a_token_that_d1_did_not_know_is_asked_for_by_the_account_that_comes_next(gateway: Gateway, how: str) -> None:
    gateway.notify()
    gateway.tell(gateway.claim_one(), http_status=404)
    before = gateway.stated()
    if how == "without":
        before.ClearField("d1_api")
    if how == "deleted":
        listed = gateway.core.admin.accounts.ListAccounts(ap.ListAccountsRequest(page_size=1000))
        others = [account for account in listed.accounts if account.name != gateway.account]
        deleting = ap.ApplyAccountsRequest(request_id=request_id(), accounts=others, delete_missing=True)
        assert gateway.account in [each.account for each in gateway.core.admin.accounts.ApplyAccounts(deleting).changes]
    else:
        before.merchant_gateway_id = f"{gateway.gateway}-2"
        gateway.apply(before)
    after = gateway.stated()
    after.account_id = f"{gateway.gateway}-new"
    gateway.apply(after)
    eventually(lambda: gateway.claim(account=f"partnerAccounts/{after.account_id}"), 20, "the task")


def test_only_d1s_tokens_are_read_by_hand(gateway: Gateway) -> None:
    imported = pb.TokenImport(
        merchant_gateway_id=gateway.gateway,
        merchant_id="10610027312",
        token_id="tsh",
        provider=pb.TOKEN_PROVIDER_TSH,
    )
    gateway.core.admin.tokens.ImportTokens(pb.ImportTokensRequest(request_id=request_id(), tokens=[imported]))
    with refused("FAILED_PRECONDITION", "REFRESH_NOT_POSSIBLE") as told:
        gateway.refresh("tsh")
    assert told.metadata["why"] == "provider"
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        gateway.refresh("nobody")


def test_nobody_refreshes_what_it_may_not_see(gateway: Gateway) -> None:
    gateway.notify()
    stranger = gateway.core.client(["tokens.write"], ["MGW_OTHERS"])
    reader = gateway.core.client(["tokens.read"], [gateway.gateway])
    request = pb.RefreshTokenRequest(request_id=request_id(), name=gateway.name("t-1"))
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        stranger.tokens.RefreshToken(request)
    with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
        reader.tokens.RefreshToken(request)


def test_a_repeated_request_asks_once(gateway: Gateway) -> None:
    gateway.notify()
    request = pb.RefreshTokenRequest(request_id=request_id(), name=gateway.name("t-1"))
    first = gateway.core.admin.tokens.RefreshToken(request)
    assert gateway.core.admin.tokens.RefreshToken(request) == first
    assert gateway.token().refresh_generation == 2


def test_a_reading_of_an_unknown_token_is_refused(gateway: Gateway) -> None:
    gateway.notify()
    task = gateway.claim_one()
    task.token_refresh.token = gateway.name("nobody")
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        gateway.tell(task)


def test_a_card_number_that_an_adapter_overlooked_is_refused_or_cut(gateway: Gateway) -> None:
    gateway.notify()
    task = gateway.claim_one()
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        gateway.tell(task, details=tp.TokenDetails(card_bin="4111111111111111"))
    gateway.tell(task, details=tp.TokenDetails(state_text="4111111111111111"))
    assert gateway.token().state_text == "411111******1111"


@pytest.mark.parametrize("generation", [2, 99])
def test_a_reading_from_another_history_changes_nothing(gateway: Gateway, generation: int) -> None:
    gateway.notify()
    gateway.tell(gateway.claim_one(), generation=generation)
    assert gateway.token().refreshed_generation == 0
    assert not gateway.token().HasField("card")


def test_the_key_is_nowhere_but_sealed(gateway: Gateway) -> None:
    account = gateway.core.admin.accounts.GetAccount(ap.GetAccountRequest(name=gateway.account)).account
    assert account.d1_api.key_id == "our-key"
    assert account.d1_api.signing_key == ""
