"""Two cores on one database: a number belongs to one card, and a security code is compared three times."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import TypeVar

import pytest
from mintmark.v1 import cards_pb2, events_pb2

from tests.postgres import Postgres
from tests.server.rpc import carding
from tests.server.rpc.carding import (
    account,
    active,
    begin,
    claim,
    fingerprint,
    hashed,
    number,
    publish,
    read,
    record,
    register,
)
from tests.server.rpc.running import RunningCore, code_of
from tests.server.rpc.two_cores import two_cores
from tests.waiting import eventually

_NUMBERS = count(1)
T = TypeVar("T")
EXCEEDED = events_pb2.EVENT_KIND_CARD_VERIFICATION_ATTEMPTS_EXCEEDED
WITH = "CARD_VERIFICATION_MODE_WITH_SECURITY_CODE"


@pytest.fixture(scope="module")
def cores(postgres: Postgres, postgres_template: str) -> Iterator[tuple[RunningCore, RunningCore]]:
    postgres.execute(f"CREATE DATABASE card_cores TEMPLATE {postgres_template}")
    with two_cores(postgres.url("card_cores"), "") as both:
        publish(both[0], "k1", "k2")
        yield both


@pytest.fixture
def place() -> str:
    return f"CORES{next(_NUMBERS):05}"


def at_once(runs: Sequence[Callable[[], T]]) -> list[T]:
    with ThreadPoolExecutor(len(runs)) as pool:
        return [each.result() for each in [pool.submit(run) for run in runs]]


def test_one_of_two_cards_with_a_number_wins(cores: tuple[RunningCore, RunningCore], place: str) -> None:
    for _ in range(8):
        pan = number()
        names = [register(cores[0].admin, place, f"c-{next(_NUMBERS)}").name for _ in cores]
        seen = fingerprint(place, pan)
        runs = [partial(record, core, name, 1, fingerprint=seen) for core, name in zip(cores, names, strict=True)]
        assert at_once(runs) == [True, True]
        cards = [read(cores[1].admin, name) for name in names]
        states = sorted(cards_pb2.CardState.Name(card.state) for card in cards)
        assert states == ["CARD_STATE_ACTIVE", "CARD_STATE_REJECTED"]
        assert sum(card.rejection == cards_pb2.CARD_REJECTION_CARD_NUMBER_TAKEN for card in cards) == 1


def test_one_of_two_registrations_of_an_id_wins(cores: tuple[RunningCore, RunningCore], place: str) -> None:
    for _ in range(5):
        card_id = f"c-{next(_NUMBERS)}"
        codes = at_once([partial(code_of, partial(register, core.admin, place, card_id)) for core in cores])
        assert sorted(codes) == ["ALREADY_EXISTS", "OK"]


def test_no_more_than_three_wrong_codes_are_ever_compared(cores: tuple[RunningCore, RunningCore], place: str) -> None:
    """However many are tried at once, and through however many cores."""
    sender = account(cores[0], place, card_verification=WITH, store_security_codes=True)
    eventually(lambda: code_of(lambda: begin(cores[1], sender, place, number())) == "OK")
    pan = number()
    name = active(cores[0], place, "c-1", pan, has_security_code=True).name
    begun = at_once([partial(begin, core, sender, place, pan) for core in cores * 8])
    compared = [each for each in begun if not each.comparison.leave_out_security_code]
    assert len(compared) == 3
    at_once([partial(carding.finish, cores[1], one.card_data_access, "EQUAL", "DIFFERENT") for one in compared])
    assert read(cores[0].admin, name).verification_attempts == 16
    told = [event for event in cores[0].admin.events_after("0", issuer_id=place) if event.kind == EXCEEDED]
    assert len(told) == 1


def test_no_card_data_is_leased_twice_at_once(cores: tuple[RunningCore, RunningCore], place: str) -> None:
    names = {register(cores[0].admin, place, f"c-{each}", "k2").name for each in range(12)}
    given = at_once([partial(claim, core, "k2", most=5) for core in cores * 4])
    leased = [task.card for tasks in given for task in tasks]
    while rest := [task.card for core in cores for task in claim(core, "k2")]:
        leased += rest
    assert sorted(leased) == sorted(names)


def test_no_card_is_rotated_twice_at_once(cores: tuple[RunningCore, RunningCore], place: str) -> None:
    names = set()
    for each in range(12):
        name = register(cores[0].admin, place, f"c-{each}", "k1").name
        record(cores[each % 2], name, 1, fingerprint=fingerprint(place, number(), "only-these"))
        names.add(name)
    publish(cores[0], "k3", "k1", hash_key_id="new-hash")
    given = at_once([partial(claim, core, "k1", "k3", hash_key_id="new-hash", most=5) for core in cores * 4])
    leased = [task.card for tasks in given for task in tasks]
    while rest := [task.card for core in cores for task in claim(core, "k1", "k3", hash_key_id="new-hash")]:
        leased += rest
    assert len(leased) == len(set(leased))
    assert names <= set(leased)


def test_one_of_two_cards_with_a_number_wins_while_the_hash_key_changes(
    cores: tuple[RunningCore, RunningCore], place: str
) -> None:
    """One gateway has heard that another key is current now, the other has not: their hashes of one number differ."""
    keys = (carding.HASH_KEY, f"next-{next(_NUMBERS)}")
    publish(cores[0], "k1", "k2", hash_key_id=keys[0])
    publish(cores[0], "k1", "k2", hash_key_id=keys[1])
    for _ in range(8):
        pan = number()
        names = [register(cores[0].admin, place, f"c-{next(_NUMBERS)}").name for _ in cores]
        runs = []
        for core, name, (own, other) in zip(cores, names, (keys, keys[::-1]), strict=True):
            seen = fingerprint(place, pan, own, former_hashes=[hashed(place, pan, other)])
            runs.append(partial(record, core, name, 1, fingerprint=seen))
        assert at_once(runs) == [True, True]
        states = sorted(cards_pb2.CardState.Name(read(cores[1].admin, name).state) for name in names)
        assert states == ["CARD_STATE_ACTIVE", "CARD_STATE_REJECTED"]
