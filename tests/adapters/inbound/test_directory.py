"""The way to an issuer's own system: deadline, breaker, changes, and what its failures are told as."""

import asyncio
import json

import grpc
import pytest
from mintmark.directory.v1 import card_directory_pb2 as pb

from adapters.breaker import FAILURES, REST_S
from adapters.inbound import directory_channel
from adapters.inbound.directory_failures import (
    DirectoryFailure,
    DirectoryForbids,
    DirectoryNotFound,
    DirectoryUnavailable,
)
from tests.adapters.inbound.asking import BY, CARD, ISSUER, Asking
from tests.adapters.inbound.fake_directory import FakeDirectory


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        (grpc.StatusCode.NOT_FOUND, DirectoryNotFound, 404),
        (grpc.StatusCode.PERMISSION_DENIED, DirectoryForbids, 403),
        (grpc.StatusCode.INVALID_ARGUMENT, DirectoryUnavailable, 503),
        (grpc.StatusCode.UNAUTHENTICATED, DirectoryUnavailable, 503),
        (grpc.StatusCode.UNIMPLEMENTED, DirectoryUnavailable, 503),
        (grpc.StatusCode.UNKNOWN, DirectoryUnavailable, 503),
        (grpc.StatusCode.UNAVAILABLE, DirectoryUnavailable, 503),
    ],
)
def test_what_a_failure_is_told_as(
    asking: Asking, code: grpc.StatusCode, kind: type[DirectoryFailure], status: int
) -> None:
    asking.directory.answers["GetConsumerInformation"] = code
    answer = asking.fails(kind).answer
    assert (answer.status, list(json.loads(answer.body))) == (status, ["error"])
    assert b"4111" not in answer.body
    assert len(asking.directory.asked) == 1, "no call is made twice"


def test_the_deadline_is_the_accounts(asking: Asking, directory: FakeDirectory) -> None:
    asking.state(directory.account(ISSUER, timeout_milliseconds=50))
    directory.free.clear()
    asking.fails()
    assert asking.counted("GetConsumerInformation", "deadline_exceeded") == 1


def test_the_breaker_opens_probes_and_closes(asking: Asking, directory: FakeDirectory) -> None:
    directory.answers["GetConsumerInformation"] = grpc.StatusCode.UNAVAILABLE
    for _ in range(FAILURES):
        asking.fails()
    assert asking.resting() == 1
    asking.fails()
    assert len(directory.asked) == FAILURES, "it is left alone"
    assert asking.counted("GetConsumerInformation", "not_asked") == 1
    asking.now += REST_S
    asking.fails()
    asking.fails()
    assert len(directory.asked) == FAILURES + 1, "one probe"
    directory.as_before()
    asking.now += REST_S
    asking.verify()
    asking.verify()
    assert asking.resting() == 0


def test_one_call_at_a_time_shows_how_the_system_is(asking: Asking, directory: FakeDirectory) -> None:
    directory.answers["GetConsumerInformation"] = grpc.StatusCode.UNAVAILABLE
    for _ in range(FAILURES):
        asking.fails()
    asking.now += REST_S
    directory.as_before()
    directory.free.clear()

    async def two() -> None:
        probe = asyncio.ensure_future(asking.directories.consumer(BY, "c", ""))
        while not directory.asked:
            await asyncio.sleep(0)
        with pytest.raises(DirectoryUnavailable):
            await asking.directories.consumer(BY, "c", "")
        directory.free.set()
        await probe

    asking.run(two())
    assert len(directory.asked) == 1
    assert asking.resting() == 0


def test_an_answer_that_is_too_long_is_not_taken_in(asking: Asking, directory: FakeDirectory) -> None:
    directory.answers["Authenticate"] = pb.AuthenticateResponse(answer_json="x" * directory_channel.LONGEST_MESSAGE)
    with pytest.raises(DirectoryUnavailable):
        asking.run(asking.directories.authenticate(BY, {}, "{}"))
    assert asking.counted("Authenticate", "resource_exhausted") == 1


def test_answers_that_say_no_and_lies_open_no_breaker(asking: Asking, directory: FakeDirectory) -> None:
    for answer in (
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
        pb.GetConsumerInformationResponse(),
    ):
        directory.answers["GetConsumerInformation"] = answer
        for _ in range(FAILURES + 1):
            with pytest.raises(DirectoryFailure):
                asking.run(asking.directories.consumer(BY, "c", ""))
    assert len(directory.asked) == 4 * (FAILURES + 1)


def test_one_issuers_trouble_is_not_anothers(asking: Asking, directory: FakeDirectory) -> None:
    dead = directory.account("ISSUER0002")
    dead.d1_issuer.directory.address = "127.0.0.1:1"
    asking.state(directory.account(ISSUER), dead)
    for _ in range(FAILURES + 1):
        asking.fails(issuer_id="ISSUER0002")
    assert asking.resting() == 1
    assert asking.verify().card_id == "card-7"


def test_a_slow_system_takes_no_more_than_its_share(
    asking: Asking, directory: FakeDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_channel, "MOST_IN_FLIGHT", 2)
    directory.free.clear()

    async def three() -> list[bool]:
        calls = [asyncio.ensure_future(asking.directories.consumer(BY, "c", "")) for _ in range(3)]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert done == {calls[2]}
        directory.free.set()
        return [isinstance(each, Exception) for each in await asyncio.gather(*calls, return_exceptions=True)]

    assert asking.run(three()) == [False, False, True]
    assert asking.verify().card_id == "card-7", "there is room again"


def test_a_call_that_is_given_up_leaves_room_for_a_probe(asking: Asking, directory: FakeDirectory) -> None:
    directory.answers["GetConsumerInformation"] = grpc.StatusCode.UNAVAILABLE
    for _ in range(FAILURES):
        asking.fails()
    asking.now += REST_S
    directory.as_before()
    directory.free.clear()

    async def given_up() -> None:
        call = asyncio.ensure_future(asking.directories.consumer(BY, "c", ""))
        while not directory.asked:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asking.run(given_up())
    directory.free.set()
    assert asking.verify().card_id == "card-7"


def test_a_changed_account_counts_at_once_and_calls_under_way_end_where_they_began(
    asking: Asking, directory: FakeDirectory
) -> None:
    other = FakeDirectory().start()
    directory.free.clear()

    async def moved() -> tuple[str, str]:
        first = asyncio.ensure_future(asking.directories.verify_card(BY, "", "411111", CARD))
        while not directory.asked:
            await asyncio.sleep(0)
        other.answers["VerifyCard"] = pb.VerifyCardResponse(card_id="there", consumer_id="c")
        asking.state(other.account(ISSUER))
        second = await asking.directories.verify_card(BY, "", "411111", CARD)
        directory.free.set()
        return (await first).card_id, second.card_id

    try:
        assert asking.run(moved()) == ("card-7", "there")
        assert other.cards == [CARD], "for the other one's key"
    finally:
        asking.run(asking.directories.close())
        other.stop()


def test_without_a_directory_nobody_is_asked(asking: Asking, directory: FakeDirectory) -> None:
    asking.verify()
    account = directory.account(ISSUER)
    account.d1_issuer.ClearField("directory")
    asking.state(account)
    asking.fails()
    asking.state()
    asking.fails()
    asking.fails(issuer_id="ISSUER0009")
    assert len(directory.asked) == 1


def test_a_system_that_comes_back_is_found_again(asking: Asking) -> None:
    directory = FakeDirectory().start()
    asking.state(directory.account(ISSUER))
    assert asking.verify().card_id == "card-7"
    directory.stop()
    for _ in range(FAILURES):
        asking.fails()
    assert asking.resting() == 1
    directory.start()
    asking.now += REST_S
    assert asking.verify().card_id == "card-7"
    asking.run(asking.directories.close())
    directory.stop()
