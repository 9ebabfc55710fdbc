"""Tokens read at D1's twin: what the core is told, whatever the twin answers."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import redis as redis_client
from mintmark.v1 import tasks_pb2 as pb

from adapters.cache import redis as wall
from adapters.cache.redis import Redis
from adapters.outbound.d1 import details_url
from adapters.outbound.shared_access_tokens import SharedAccessTokens
from tests.adapters.outbound.d1_reading import ACCOUNT, ANSWERED, NOT_SENT, UNKNOWN, Reading, done, reading, run, wish
from tests.adapters.sandbox.d1_api.caller import GATEWAY, Caller, caller_of
from tests.valkey import Valkey

CARD = "4111111111111111"


@pytest.fixture(scope="module")
def shared_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    with caller_of(tmp_path_factory.mktemp("twin")) as made:
        yield made


@pytest.fixture
def twin(shared_twin: Caller) -> Caller:
    """Without faults, and without an access token of earlier tests."""
    shared_twin.client.delete("/d1-api/control/faults")
    return shared_twin


def fetches(twin: Caller) -> int:
    return len(twin.calls("token"))


def test_a_token_is_read(twin: Caller) -> None:
    twin.change(
        "t-1", cardLastDigits="9999", cardExpiryDate="0431", paymentAccountReference="V0010013022298169667504231315"
    )
    told = done(wish(twin))
    assert (told.task, told.fence, told.generation) == ("tasks/1", 7, 3)
    assert (told.outcome, told.http_status, told.trouble) == (ANSWERED, 200, "")
    assert (told.details.card_bin, told.details.card_last_digits, told.details.card_expiry) == (
        "453421",
        "9999",
        "0431",
    )
    assert told.details.state_text == "ACTIVE"
    assert told.details.payment_account_reference == "V0010013022298169667504231315"
    assert {each["correlationId"] for each in twin.calls()[-2:]} == {"asked-1"}


def test_one_access_token_serves_many_tokens(twin: Caller) -> None:
    before = fetches(twin)

    async def work(dispatcher: Reading) -> None:
        told = await asyncio.gather(*(dispatcher.do(wish(twin, f"t-{number}")) for number in range(20)))
        assert {each.http_status for each in told} == {200}
        other = {"assertions": [twin.assertion(jti=None)], "revision": "2"}
        await dispatcher.do(wish(twin, endpoint=other))

    run(work)
    assert fetches(twin) == before + 2


@pytest.mark.parametrize("form", ["number", "text"])
def test_an_access_token_is_fetched_again_at_80_percent_of_its_life(twin: Caller, form: str) -> None:
    twin.control("PATCH", "/habits", {"expires_in": form})
    before = fetches(twin)

    async def work(dispatcher: Reading) -> None:
        await dispatcher.do(wish(twin))
        dispatcher.ahead = 700.0
        await dispatcher.do(wish(twin))
        assert fetches(twin) == before + 1
        dispatcher.ahead = 730.0
        await dispatcher.do(wish(twin))
        under_way = [kept.fetching for kept in dispatcher.access_tokens._kept.values() if kept.fetching]
        await asyncio.gather(*under_way)
        assert fetches(twin) == before + 2

    run(work)
    twin.control("PATCH", "/habits", {"expires_in": "number"})


def test_an_access_token_that_is_not_taken_is_replaced_once(twin: Caller) -> None:
    before = fetches(twin)

    async def work(dispatcher: Reading) -> pb.RecordTokenRefreshRequest:
        await dispatcher.do(wish(twin))
        twin.control("POST", "/access-tokens/revoke")
        return await dispatcher.do(wish(twin))

    assert run(work).http_status == 200
    assert fetches(twin) == before + 2


def test_where_none_is_taken_nobody_tries_for_ever(twin: Caller) -> None:
    twin.fault("details", "status", status=401, times=0)
    before = fetches(twin)
    told = done(wish(twin))
    assert (told.outcome, told.http_status) == (ANSWERED, 401)
    # Each with an assertion of its own: the twin takes none twice.
    assert fetches(twin) == before + 2
    assert [each["status"] for each in twin.calls("token")[-2:]] == [200, 200]


def test_a_token_that_is_not_known_is_told(twin: Caller) -> None:
    twin.control("POST", f"{twin.place('gone')}/forget")
    told = done(wish(twin, "gone"))
    assert (told.outcome, told.http_status, told.error_code) == (ANSWERED, 404, "TOKEN_NOT_FOUND")
    assert not told.HasField("details")


def test_an_assertion_that_is_refused_is_told_with_d1s_word(twin: Caller) -> None:
    async def work(dispatcher: Reading) -> pb.RecordTokenRefreshRequest:
        told = await dispatcher.do(wish(twin, endpoint={"assertions": [twin.assertion(iss="MGW_OTHERS")] * 2}))
        assert dispatcher.counted("access_token", "refused") == 1
        assert dispatcher.counted("token_details", "read") == 0
        return told

    told = run(work)
    assert (told.outcome, told.trouble, told.error_code) == (NOT_SENT, "access_token_refused", "INVALID_FIELD")


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ({"fault": "status", "status": 503, "retry_after": 7}, "access_token_http_503"),
        ({"fault": "garbage"}, "access_token_unreadable"),
    ],
)
def test_a_token_endpoint_in_trouble_is_told(twin: Caller, fault: dict[str, Any], trouble: str) -> None:
    twin.fault("token", **fault)
    told = done(wish(twin))
    assert (told.outcome, told.trouble) == (NOT_SENT, trouble)
    assert told.retry_after.seconds == fault.get("retry_after", 0)


def test_a_token_endpoint_that_is_down_is_told(twin: Caller) -> None:
    told = done(wish(twin, endpoint={"token_url": "http://127.0.0.1:9/token"}))
    assert (told.outcome, told.trouble) == (NOT_SENT, "access_token_connect")


@pytest.mark.parametrize("fault", ["garbage", "empty", "oversize"])
def test_what_cannot_be_read_is_told_as_that(twin: Caller, fault: str) -> None:
    twin.fault("details", fault)
    told = done(wish(twin))
    assert (told.outcome, told.http_status, told.trouble) == (ANSWERED, 200, "unreadable")
    assert not told.HasField("details")


def test_an_answer_that_is_slow_is_given_up_with_the_lease(twin: Caller) -> None:
    twin.fault("details", "hang", seconds=30)
    told = done(wish(twin), seconds=0.4)
    assert (told.outcome, told.trouble) == (UNKNOWN, "timeout")
    twin.client.delete("/d1-api/control/faults")


def test_nothing_is_asked_past_the_lease(twin: Caller) -> None:
    before = len(twin.calls("details"))
    told = done(wish(twin), seconds=-1)
    assert (told.outcome, told.trouble) == (NOT_SENT, "too_late")
    assert len(twin.calls("details")) == before


def test_d1_can_ask_to_be_left_alone(twin: Caller) -> None:
    twin.fault("details", "status", status=429, retry_after=120)

    async def work(dispatcher: Reading) -> pb.RecordTokenRefreshRequest:
        told = await dispatcher.do(wish(twin))
        assert dispatcher.breaker.paused() == [ACCOUNT]
        return told

    told = run(work)
    assert (told.http_status, told.retry_after.seconds) == (429, 120)


def test_a_d1_in_trouble_is_left_alone(twin: Caller) -> None:
    twin.fault("details", "status", status=500, times=5)

    async def work(dispatcher: Reading) -> None:
        for _ in range(5):
            assert dispatcher.breaker.paused() == []
            await dispatcher.do(wish(twin))
        assert dispatcher.breaker.paused() == [ACCOUNT]

    run(work)


@pytest.mark.parametrize(
    "ids",
    [
        {"token_id": ".."},
        {"token_id": ""},
        {"merchant_id": "."},
        {"token_id": "../../another/tokens/t-1"},
        {"token_id": "t-1?as=another"},
        {"token_id": "t-1\n"},
        {"merchant_id": "{tokenId}"},
        {"token_id": "%2e%2e"},
    ],
)
def test_an_id_that_leads_elsewhere_is_not_asked_for(twin: Caller, ids: dict[str, str]) -> None:
    before = len(twin.calls())
    told = done(wish(twin, **ids))
    assert (told.outcome, told.trouble) == (NOT_SENT, "invalid_id")
    assert len(twin.calls()) == before


def test_only_ids_that_the_path_names_have_to_fit(twin: Caller) -> None:
    wanted = wish(twin, merchant_id="a/b", token_id="t_1-x").token_refresh
    assert details_url(wanted) == ""
    wanted.path_template = "/t/{tokenId}/of/{merchantGatewayId}"
    assert details_url(wanted) == f"{twin.base_url}/t/t_1-x/of/{GATEWAY}"


def test_a_correlation_id_that_d1_does_not_take_is_another(twin: Caller) -> None:
    task = wish(twin)
    task.correlation_id = "not for D1: ü"
    assert done(task).http_status == 200
    assert "ü" not in twin.calls("details")[-1]["correlationId"]


def test_a_card_number_never_reaches_the_core(twin: Caller) -> None:
    twin.change(
        "pan", cardBin=CARD, cardLastDigits=CARD, tokenState=CARD, paymentAccountReference=CARD, tokenLastDigits=CARD
    )
    told = done(wish(twin, "pan"))
    assert CARD not in str(told)
    assert (told.details.card_bin, told.details.card_last_digits) == ("411111", "1111")
    assert (told.details.token_last_digits, told.details.payment_account_reference) == ("1111", "")
    assert told.details.state_text == "411111******1111"


def test_dispatchers_share_an_access_token_and_nobody_can_read_it(
    twin: Caller, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine a good Redis may be slow, too.
    monkeypatch.setattr(wall, "BUDGET_S", 1.5)
    before = fetches(twin)

    async def key() -> bytes | None:
        return bytes(range(32))

    async def work() -> None:
        clients = [Redis(valkey.url, lambda: None) for _ in range(2)]
        first, second = (SharedAccessTokens(each, key) for each in clients)
        async with reading(first) as one, reading(second) as other:
            told = [await dispatcher.do(wish(twin)) for dispatcher in (one, other)]
            assert [each.http_status for each in told] == [200, 200]
            (text,) = {kept.text for each in (one, other) for kept in each.access_tokens._kept.values()}
        for client in clients:
            await client.aclose()
        with redis_client.Redis.from_url(valkey.url) as seen:
            names = list(seen.scan_iter())
            assert names
            assert not [name for name in names if text.encode() in (seen.get(name) or b"")]

    asyncio.run(work())
    assert fetches(twin) == before + 1
