"""Access tokens for the acquirer: fetched once, refreshed early, dropped where they are refused."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from mintmark.v1 import tasks_pb2 as pb

from adapters.outbound import access_tokens as module
from adapters.outbound.access_tokens import NoAccessToken
from adapters.outbound.outcomes import Answered
from tests.adapters.outbound.acquiring import STATIC, Dispatching, Wishes, operation, outcome, run
from tests.adapters.sandbox.sibs.caller import Caller, caller_of
from tests.waiting import eventually


@pytest.fixture
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Of one's own: what it has issued is counted."""
    with caller_of(tmp_path_factory.mktemp("twin")) as made:
        yield made


def issued(twin: Caller) -> int:
    return int(twin.control("GET", "/access-tokens")["issued"])


async def fetching_over(dispatcher: Dispatching) -> None:
    """Returns when nothing is fetched any more."""
    under_way = [kept.fetching for kept in dispatcher.access_tokens._kept.values() if kept.fetching]
    await asyncio.gather(*under_way, return_exceptions=True)


async def refused(dispatcher: Dispatching, endpoint: pb.AcquirerEndpoint) -> NoAccessToken:
    with pytest.raises(NoAccessToken) as caught:
        await dispatcher.access_tokens.get(endpoint)
    return caught.value


def test_a_static_one_is_used_as_it_is(twin: Caller) -> None:
    endpoint = Wishes(twin).endpoint()

    async def work(dispatcher: Dispatching) -> None:
        assert await dispatcher.access_tokens.get(endpoint) == STATIC
        assert not dispatcher.access_tokens.refused(endpoint, STATIC)

    run(work)
    assert issued(twin) == 0


def test_many_at_once_cause_one_fetch(twin: Caller) -> None:
    wishes = Wishes(twin)
    endpoint = wishes.fetched()

    async def work(dispatcher: Dispatching) -> None:
        got = await asyncio.gather(*(dispatcher.access_tokens.get(endpoint) for _ in range(50)))
        assert len(set(got)) == 1
        assert await dispatcher.access_tokens.get(endpoint) == got[0]
        told = await asyncio.gather(*(dispatcher.do(wishes.listing(endpoint)) for _ in range(10)))
        assert {outcome(each.call) for each in told} == {"ACCEPTED"}
        assert dispatcher.counted("access_token", "issued") == 1

    run(work)
    assert issued(twin) == 1


def test_one_who_goes_away_takes_it_from_nobody(twin: Caller) -> None:
    endpoint = Wishes(twin).fetched()

    async def work(dispatcher: Dispatching) -> None:
        waiting = [asyncio.create_task(dispatcher.access_tokens.get(endpoint)) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        assert await waiting[1]

    run(work)
    assert issued(twin) == 1


def test_another_account_or_secret_has_another(twin: Caller) -> None:
    wishes = Wishes(twin)
    other = wishes.fetched()
    other.account = "partnerAccounts/other"

    async def work(dispatcher: Dispatching) -> None:
        got = [await dispatcher.access_tokens.get(each) for each in (wishes.fetched(), other, wishes.fetched())]
        assert len(set(got)) == 2
        assert (await refused(dispatcher, wishes.fetched(client_secret="another"))).trouble == "access_token_refused"

    run(work)
    assert issued(twin) == 2


def test_it_is_refreshed_early_and_nobody_waits_for_that(twin: Caller) -> None:
    endpoint = Wishes(twin).fetched()

    async def work(dispatcher: Dispatching) -> None:
        tokens = dispatcher.access_tokens
        first = await tokens.get(endpoint)
        dispatcher.ahead = 0.79 * 3600
        assert await tokens.get(endpoint) == first
        assert issued(twin) == 1
        dispatcher.ahead = 0.81 * 3600
        assert [await tokens.get(endpoint) for _ in range(5)] == [first] * 5
        await fetching_over(dispatcher)
        assert await tokens.get(endpoint) != first
        assert issued(twin) == 2

    run(work)


def test_the_old_one_serves_while_a_refresh_fails_and_it_lives(twin: Caller) -> None:
    endpoint = Wishes(twin).fetched()

    async def work(dispatcher: Dispatching) -> None:
        tokens = dispatcher.access_tokens
        first = await tokens.get(endpoint)
        twin.fault("status", endpoint="access-token", status=503, times=0)
        for tried, ahead in ((1, 0.81 * 3600), (1, 0.81 * 3600 + 1), (2, 0.81 * 3600 + 6), (3, 3599)):
            dispatcher.ahead = ahead
            assert await tokens.get(endpoint) == first
            await fetching_over(dispatcher)
            # Not at every call: five seconds apart.
            assert dispatcher.counted("access_token", "failed") == tried
        dispatcher.ahead = 3601
        assert (await refused(dispatcher, endpoint)).trouble == "access_token_http_503"
        twin.control("DELETE", "/faults")
        assert await tokens.get(endpoint) != first

    run(work)


def test_one_that_is_not_taken_is_dropped_and_the_call_made_again_once(twin: Caller) -> None:
    wishes = Wishes(twin)
    endpoint = wishes.fetched()

    async def work(dispatcher: Dispatching) -> None:
        await dispatcher.do(wishes.listing(endpoint))
        twin.control("POST", "/access-tokens/revoke", {"static": False})
        told = await dispatcher.do(wishes.application(endpoint=endpoint))
        assert [(operation(call), outcome(call)) for call in told.calls] == [
            ("CREATE", "UNAUTHENTICATED"),
            ("CREATE", "ACCEPTED"),
        ]
        assert told.calls[0].tpp_request_id != told.calls[1].tpp_request_id
        assert issued(twin) == 2
        # All that come at once share the one after it.
        twin.control("POST", "/access-tokens/revoke", {"static": False})
        many = await asyncio.gather(*(dispatcher.do(wishes.listing(endpoint)) for _ in range(10)))
        assert {outcome(each.call) for each in many} == {"ACCEPTED"}
        assert issued(twin) == 3
        # An acquirer that takes none is asked twice, not for ever.
        twin.fault("status", endpoint="create", status=401, times=0)
        told = await dispatcher.do(wishes.application(endpoint=endpoint))
        assert [outcome(call) for call in told.calls] == ["UNAUTHENTICATED"] * 2
        assert issued(twin) == 4

    run(work)


def test_a_static_one_that_is_not_taken_is_not_tried_again(twin: Caller) -> None:
    wishes = Wishes(twin)

    async def work(dispatcher: Dispatching) -> None:
        twin.control("POST", "/access-tokens/revoke", {"static": True})
        told = await dispatcher.do(wishes.application())
        assert [(outcome(call), call.http_status) for call in told.calls] == [("UNAUTHENTICATED", 401)]

    run(work)


TROUBLES: list[tuple[dict[str, Any], str]] = [
    ({"fault": "status", "status": 500}, "access_token_http_500"),
    ({"fault": "status", "status": 429}, "access_token_http_429"),
    ({"fault": "status", "status": 401}, "access_token_refused"),
    ({"fault": "status", "status": 400}, "access_token_refused"),
    ({"fault": "redirect"}, "access_token_http_307"),
    ({"fault": "html"}, "access_token_unreadable"),
    ({"fault": "empty"}, "access_token_unreadable"),
    ({"fault": "cut-json"}, "access_token_unreadable"),
    ({"fault": "huge"}, "access_token_unreadable"),
    ({"fault": "reset"}, "access_token_read"),
    ({"fault": "close"}, "access_token_remote_protocol"),
]


def test_without_one_nothing_is_sent(twin: Caller) -> None:
    wishes = Wishes(twin)
    endpoint = wishes.fetched()

    async def work(dispatcher: Dispatching) -> None:
        for fault, trouble in TROUBLES:
            twin.fault(endpoint="access-token", retryAfter="9", **fault)
            told = await dispatcher.do(wishes.listing(endpoint))
            assert (outcome(told.call), told.call.trouble, told.call.tpp_request_id) == ("NOT_SENT", trouble, "")
            assert told.retry_after.seconds == (9 if fault["fault"] == "status" else 0), fault
        nowhere = wishes.fetched(token_url="http://127.0.0.1:9/oauth2/token")
        told = await dispatcher.do(wishes.application(endpoint=nowhere))
        assert [(outcome(call), call.trouble) for call in told.calls] == [("NOT_SENT", "access_token_connect")]
        # Many failures in a row: of this account nothing is claimed for a while.
        assert dispatcher.breaker.paused()

    run(work)
    assert {each["endpoint"] for each in twin.lines("/requests")} == {"access-token"}


def test_a_token_endpoint_that_hangs_is_given_up(twin: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCH_S", 0.3)
    endpoint = Wishes(twin).fetched()
    twin.fault("hang", endpoint="access-token")

    async def work(dispatcher: Dispatching) -> None:
        assert (await refused(dispatcher, endpoint)).trouble == "access_token_timeout"
        assert await dispatcher.access_tokens.get(endpoint)

    run(work)
    twin.control("POST", "/faults/release")
    eventually(lambda: issued(twin) == 2, 10)


@pytest.mark.parametrize(
    ("body", "life"),
    [
        (b'{"access_token":"t","token_type":"bearer","expires_in":60}', 60),
        (b'{"access_token":"t","expires_in":"60"}', 60),
        (b'{"access_token":"t","expires_in":60.5}', 60.5),
        (b'{"access_token":"t","expires_in":0}', 1),
        (b'{"access_token":"t","expires_in":99999999999}', module.UNTOLD_LIFE_S),
        (b'{"access_token":"t","expires_in":9999999999}', module.LONGEST_LIFE_S),
        (b'{"access_token":"t","expires_in":-5}', module.UNTOLD_LIFE_S),
        (b'{"access_token":"t","expires_in":null}', module.UNTOLD_LIFE_S),
        (b'{"access_token":"t"}', module.UNTOLD_LIFE_S),
        (b'{"access_token":"","expires_in":60}', None),
        (b'{"access_token":7,"expires_in":60}', None),
        (b'{"access_token":"a\\r\\nx-more: 1","expires_in":60}', None),
        (b'{"access_token":"t","token_type":"mac","expires_in":60}', None),
        (b"[]", None),
    ],
)
def test_answers_of_token_endpoints(body: bytes, life: float | None) -> None:
    answered = Answered(200, body)
    if life is None:
        with pytest.raises(NoAccessToken, match="unreadable"):
            module._read(answered)
    else:
        assert module._read(answered) == ("t", life)
