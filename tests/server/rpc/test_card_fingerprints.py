"""What gateways see in card data: who gets it, when it comes again, what is refused, and rotations of keys."""

import threading
from itertools import count

import pytest
from mintmark.v1 import card_fingerprints_pb2, cards_pb2, events_pb2, tasks_pb2

from tests.server.rpc import carding
from tests.server.rpc.carding import (
    account,
    active,
    claim,
    fingerprint,
    number,
    publish,
    read,
    record,
    register,
    results,
)
from tests.server.rpc.running import RunningCore, refused

_NUMBERS = count(1)
State = cards_pb2.CardState
Rejection = cards_pb2.CardRejection
LEASE = 60


@pytest.fixture
def core(moving: RunningCore) -> RunningCore:
    """A core on each database that has forgotten the keys of the tests before."""
    moving.advance(2 * 3600)
    return moving


@pytest.fixture
def keys() -> tuple[str, str]:
    """Two keys of the test's own, so that nobody else's cards are claimed with them."""
    return f"k{next(_NUMBERS)}", f"k{next(_NUMBERS)}"


@pytest.fixture
def place() -> str:
    """An issuer of the test's own."""
    return f"LOOKS{next(_NUMBERS):05}"


def names(tasks: list[card_fingerprints_pb2.CardFingerprintTask]) -> list[str]:
    return [task.card.rpartition("/")[2] for task in tasks]


def test_card_data_is_leased_with_all_that_is_needed_to_look(
    core: RunningCore, place: str, keys: tuple[str, str]
) -> None:
    publish(core, *keys)
    given = carding.jwe(keys[0])
    card = register(core.admin, place, "c-1", encrypted_card=given)
    (task,) = claim(core, *keys)
    assert (task.card, task.issuer_id, task.generation, task.encrypted_card) == (card.name, place, 1, given)
    assert (task.key_rotation, task.store_security_codes) == (False, False)
    assert 0 < task.lease.ToTimedelta().total_seconds() <= LEASE
    account(core, place, store_security_codes=True, card_verification="CARD_VERIFICATION_MODE_WITH_SECURITY_CODE")
    register(core.admin, place, "c-2", keys[0])
    (second,) = claim(core, *keys)
    assert second.store_security_codes
    assert results(core.admin, issuer_id=place) == [("FINGERPRINT", "UNSPECIFIED")] * 2


def test_only_card_data_that_the_gateway_can_open_is_given(
    core: RunningCore, place: str, keys: tuple[str, str]
) -> None:
    publish(core, *keys)
    register(core.admin, place, "c-1", keys[0])
    register(core.admin, place, "c-2", keys[1])
    assert names(claim(core, keys[1])) == ["c-2"]
    assert names(claim(core, keys[0])) == ["c-1"]
    assert claim(core, *keys) == []


def test_dispatchers_never_get_card_data(core: RunningCore, place: str, keys: tuple[str, str]) -> None:
    publish(core, *keys)
    register(core.admin, place, "c-1", keys[0])
    assert not core.dispatcher.tasks.ClaimTasks(tasks_pb2.ClaimTasksRequest(max_tasks=64)).tasks
    assert names(claim(core, keys[0])) == ["c-1"]


def test_what_is_leased_is_given_again_when_nobody_answers(
    core: RunningCore, place: str, keys: tuple[str, str]
) -> None:
    publish(core, *keys)
    register(core.admin, place, "c-1", keys[0])
    assert names(claim(core, keys[0])) == ["c-1"]
    assert claim(core, keys[0]) == []
    core.advance(LEASE + 1)
    assert names(claim(core, keys[0])) == ["c-1"]
    # Later and later: after the longest pause it is there for certain.
    core.advance(LEASE + 301)
    assert names(claim(core, keys[0])) == ["c-1"]
    assert record(core, f"issuers/{place}/cards/c-1", 1, fingerprint=fingerprint(place, number()))
    core.advance(LEASE + 301)
    assert claim(core, keys[0]) == []
    # The one who answered is taken to be the last who was asked.
    told = results(core.admin, issuer_id=place)
    assert told == [("FINGERPRINT", "SUCCEEDED"), ("FINGERPRINT", "UNSPECIFIED"), ("FINGERPRINT", "UNSPECIFIED")]


def test_a_claim_that_waits_wakes_when_a_card_is_registered(
    core: RunningCore, place: str, keys: tuple[str, str]
) -> None:
    publish(core, *keys)
    found: list[str] = []
    waiting = threading.Thread(target=lambda: found.extend(names(claim(core, keys[0], wait=5))))
    waiting.start()
    register(core.admin, place, "c-1", keys[0])
    waiting.join(10)
    assert found == ["c-1"]


def test_what_was_seen_is_recorded_once_and_late(core: RunningCore, place: str, keys: tuple[str, str]) -> None:
    publish(core, *keys)
    name = register(core.admin, place, "c-1", keys[0]).name
    claim(core, keys[0])
    core.advance(24 * 3600)
    seen = fingerprint(place, number())
    assert record(core, name, 1, fingerprint=seen)
    assert not record(core, name, 1, fingerprint=seen)
    assert not record(core, name, 2, fingerprint=seen)
    assert not record(core, f"issuers/{place}/cards/none", 1, fingerprint=seen)
    events = core.admin.events.ListEvents(
        events_pb2.ListEventsRequest(cursor="0", filter=events_pb2.EventFilter(resource=name))
    ).events
    assert len(events) == 2


@pytest.mark.parametrize(
    ("refusal", "rejection", "result"),
    [
        ("UNREADABLE", "UNREADABLE", "UNREADABLE"),
        ("FIELDS_INVALID", "FIELDS_INVALID", "REJECTED"),
        ("CARD_NUMBER_INVALID", "CARD_NUMBER_INVALID", "REJECTED"),
        ("SECURITY_CODE_NOT_ALLOWED", "SECURITY_CODE_NOT_ALLOWED", "REJECTED"),
    ],
)
def test_card_data_that_is_refused_is_erased(
    core: RunningCore, place: str, keys: tuple[str, str], refusal: str, rejection: str, result: str
) -> None:
    publish(core, *keys)
    card = register(core.admin, place, "c-1", keys[0])
    claim(core, keys[0])
    assert record(core, card.name, 1, refusal=f"CARD_FINGERPRINT_REFUSAL_{refusal}")
    after = read(core.admin, card.name)
    assert (after.state, after.rejection) == (
        State.CARD_STATE_REJECTED,
        Rejection.Value(f"CARD_REJECTION_{rejection}"),
    )
    assert kept(core, card.name) == ("", "", None)
    assert results(core.admin, issuer_id=place) == [("FINGERPRINT", result)]
    last = core.admin.events.ListEvents(
        events_pb2.ListEventsRequest(cursor="0", filter=events_pb2.EventFilter(resource=card.name))
    ).events[-1]
    assert last.kind == events_pb2.EVENT_KIND_CARD_REJECTED
    assert last.card == after
    assert register(core.admin, place, "c-1", keys[0]).rejection == 0


def kept(core: RunningCore, name: str) -> tuple[str, str, bytes | None]:
    """What of a card is encrypted or hashed at rest."""
    card = core.core.store.view.cards.card(name)
    assert card is not None
    return card.pending_card, card.encrypted_card, card.number_hash


def test_a_deleted_card_leaves_nothing_that_could_be_opened(
    core: RunningCore, place: str, keys: tuple[str, str]
) -> None:
    publish(core, *keys)
    card = register(core.admin, place, "c-1", keys[0])
    record(core, card.name, 1, fingerprint=fingerprint(place, number()))
    carding.replace(core.admin, card.name, keys[0])
    assert all(kept(core, card.name))
    carding.delete(core.admin, card.name)
    assert kept(core, card.name) == ("", "", None)
    assert claim(core, *keys) == []
    assert not record(core, card.name, 2, fingerprint=fingerprint(place, number()))


def test_a_security_code_is_not_kept_where_the_account_does_not_say_so(
    core: RunningCore, place: str, keys: tuple[str, str]
) -> None:
    """The gateway looks too; but the account may have changed since it was asked."""
    publish(core, *keys)
    card = register(core.admin, place, "c-1", keys[0])
    record(core, card.name, 1, fingerprint=fingerprint(place, number(), has_security_code=True))
    after = read(core.admin, card.name)
    assert after.rejection == Rejection.CARD_REJECTION_SECURITY_CODE_NOT_ALLOWED
    assert kept(core, card.name) == ("", "", None)


def test_a_number_belongs_to_one_card_of_an_issuer(core: RunningCore, place: str, keys: tuple[str, str]) -> None:
    publish(core, "k1", *keys)
    pan = number()
    first = active(core, place, "c-1", pan)
    second = register(core.admin, place, "c-2", keys[0])
    assert record(core, second.name, 1, fingerprint=fingerprint(place, pan))
    assert read(core.admin, second.name).rejection == Rejection.CARD_REJECTION_CARD_NUMBER_TAKEN
    other = f"LOOKS{next(_NUMBERS):05}"
    assert active(core, other, "c-1", pan).state == State.CARD_STATE_ACTIVE
    carding.suspend(core.admin, first.name)
    third = register(core.admin, place, "c-3", keys[0])
    record(core, third.name, 1, fingerprint=fingerprint(place, pan))
    assert read(core.admin, third.name).state == State.CARD_STATE_REJECTED
    carding.delete(core.admin, first.name)
    assert active(core, place, "c-4", pan).state == State.CARD_STATE_ACTIVE


def test_a_replacement_counts_once_it_was_looked_at(core: RunningCore, place: str, keys: tuple[str, str]) -> None:
    publish(core, "k1", *keys)
    pan, new = number(), number()
    card = active(core, place, "c-1", pan)
    waiting = carding.replace(core.admin, card.name, keys[0])
    assert (waiting.state, waiting.replacement_pending, waiting.last_digits) == (card.state, True, pan[-4:])
    (task,) = claim(core, keys[0])
    assert (task.generation, task.key_rotation) == (2, False)
    assert record(core, card.name, 2, fingerprint=fingerprint(place, new, expiry="0141"))
    after = read(core.admin, card.name)
    assert (after.replacement_pending, after.last_digits, after.expiry) == (False, new[-4:], "0141")
    assert after.card_key_id == keys[0]
    # A renewal: the same number.
    carding.replace(core.admin, card.name, keys[0])
    assert record(core, card.name, 3, fingerprint=fingerprint(place, new, expiry="0142"))
    assert read(core.admin, card.name).expiry == "0142"


def test_a_replacement_that_is_refused_leaves_the_card_as_it_was(
    core: RunningCore, place: str, keys: tuple[str, str]
) -> None:
    publish(core, "k1", *keys)
    taken = number()
    active(core, place, "c-1", taken)
    card = active(core, place, "c-2")
    before = kept(core, card.name)
    carding.replace(core.admin, card.name, keys[0])
    assert record(core, card.name, 2, fingerprint=fingerprint(place, taken))
    after = read(core.admin, card.name)
    assert (after.state, after.replacement_pending) == (State.CARD_STATE_ACTIVE, False)
    assert after.replacement_rejection == Rejection.CARD_REJECTION_CARD_NUMBER_TAKEN
    assert kept(core, card.name) == before
    carding.suspend(core.admin, card.name)
    again = carding.replace(core.admin, card.name, keys[0])
    assert again.replacement_rejection == 0
    assert not record(core, card.name, 2, fingerprint=fingerprint(place, number()))
    assert record(core, card.name, 3, fingerprint=fingerprint(place, number()))
    assert read(core.admin, card.name).state == State.CARD_STATE_SUSPENDED


def test_only_the_newest_of_several_replacements_counts(core: RunningCore, place: str, keys: tuple[str, str]) -> None:
    publish(core, "k1", *keys)
    card = active(core, place, "c-1")
    carding.replace(core.admin, card.name, keys[0])
    assert len(claim(core, keys[0])) == 1
    carding.replace(core.admin, card.name, keys[1])
    assert claim(core, keys[0]) == []
    (task,) = claim(core, keys[1])
    assert task.generation == 3
    assert not record(core, card.name, 2, fingerprint=fingerprint(place, number()))
    assert record(core, card.name, 3, fingerprint=fingerprint(place, number()))


def test_cards_are_rotated_by_a_gateway_that_has_the_current_keys(
    core: RunningCore, place: str, keys: tuple[str, str]
) -> None:
    old, new = keys
    publish(core, old, new, hash_key_id=f"{old}-hash")
    pan = number()
    name = register(core.admin, place, "c-1", old).name
    record(core, name, 1, fingerprint=fingerprint(place, pan, f"{old}-hash"))
    assert claim(core, old, new, hash_key_id=f"{old}-hash") == []
    publish(core, new, old, hash_key_id=f"{new}-hash")
    assert claim(core, old, hash_key_id=f"{new}-hash") == []
    assert claim(core, old, new, hash_key_id=f"{old}-hash") == []
    (task,) = claim(core, old, new, hash_key_id=f"{new}-hash")
    assert (task.card, task.generation, task.key_rotation) == (name, 1, True)
    assert claim(core, old, new, hash_key_id=f"{new}-hash") == []
    before = read(core.admin, name)
    fresh = carding.jwe(new)
    seen = fingerprint(place, pan, f"{new}-hash", encrypted_card=fresh)
    assert record(core, name, 1, fingerprint=seen)
    assert not record(core, name, 1, fingerprint=seen)
    after = read(core.admin, name)
    assert (after.state, after.card_key_id, after.last_digits) == (before.state, new, before.last_digits)
    assert kept(core, name) == ("", fresh, carding.hashed(place, pan, f"{new}-hash").hash)
    assert results(core.admin, issuer_id=place, card=name)[0] == ("KEY_ROTATION", "SUCCEEDED")
    core.advance(LEASE + 301)
    publish(core, new, old, hash_key_id=f"{new}-hash")
    assert claim(core, old, new, hash_key_id=f"{new}-hash") == []


def test_a_gateway_that_is_behind_leads_no_card_back_to_older_keys(
    core: RunningCore, place: str, keys: tuple[str, str]
) -> None:
    old, new = keys
    publish(core, old, new)
    pan = number()
    name = register(core.admin, place, "c-1", new).name
    publish(core, new, old)
    publish(core, old, new)
    record(core, name, 1, fingerprint=fingerprint(place, pan))
    back = fingerprint(place, pan, "older", encrypted_card=carding.jwe(old))
    assert not record(core, name, 1, fingerprint=back)
    assert read(core.admin, name).card_key_id == new


def test_a_rotation_that_saw_another_card_changes_nothing(core: RunningCore, place: str, keys: tuple[str, str]) -> None:
    old, new = keys
    publish(core, old, new)
    pan = number()
    name = register(core.admin, place, "c-1", old).name
    record(core, name, 1, fingerprint=fingerprint(place, pan))
    publish(core, new, old)
    (task,) = claim(core, old, new)
    before = kept(core, name)
    wrong = fingerprint(place, number(), encrypted_card=carding.jwe(new))
    assert not record(core, task.card, task.generation, fingerprint=wrong)
    assert not record(core, task.card, task.generation, refusal="CARD_FINGERPRINT_REFUSAL_UNREADABLE")
    assert kept(core, name) == before
    assert read(core.admin, name).state == State.CARD_STATE_ACTIVE
    # It is tried again, after a pause.
    core.advance(301)
    assert names(claim(core, old, new)) == ["c-1"]


def test_card_data_that_waits_comes_before_rotations(core: RunningCore, place: str, keys: tuple[str, str]) -> None:
    old, new = keys
    publish(core, old, new)
    for place_in_row in range(3):
        name = register(core.admin, place, f"old-{place_in_row}", old).name
        record(core, name, 1, fingerprint=fingerprint(place, number()))
    publish(core, new, old)
    # The first ones get tasks, and are let go again.
    assert len(claim(core, old, new, most=2)) == 2
    core.advance(LEASE + 301)
    for place_in_row in range(2):
        register(core.admin, place, f"waits-{place_in_row}", new)
    given = claim(core, old, new, most=3)
    assert names(given)[:2] == ["waits-0", "waits-1"]
    assert [task.key_rotation for task in given] == [False, False, True]


def test_a_number_is_found_that_was_hashed_before_the_key_changed(
    core: RunningCore, place: str, keys: tuple[str, str]
) -> None:
    publish(core, *keys, hash_key_id="before")
    pan = number()
    first = register(core.admin, place, "c-1", keys[0]).name
    record(core, first, 1, fingerprint=fingerprint(place, pan, "before"))
    publish(core, *keys, hash_key_id="after")
    second = register(core.admin, place, "c-2", keys[0]).name
    seen = fingerprint(place, pan, "after", former_hashes=[carding.hashed(place, pan, "before")])
    record(core, second, 1, fingerprint=seen)
    assert read(core.admin, second).rejection == Rejection.CARD_REJECTION_CARD_NUMBER_TAKEN


def test_two_cards_with_one_number_under_two_keys_stay_two(
    core: RunningCore, place: str, keys: tuple[str, str]
) -> None:
    """Where a gateway has lost the former key, the number comes in a second time. The older card keeps its hash."""
    old, new = keys
    publish(core, old, new, hash_key_id="lost")
    pan = number()
    first = register(core.admin, place, "c-1", old).name
    record(core, first, 1, fingerprint=fingerprint(place, pan, "lost"))
    publish(core, new, old, hash_key_id="found")
    second = register(core.admin, place, "c-2", new).name
    record(core, second, 1, fingerprint=fingerprint(place, pan, "found"))
    (task,) = claim(core, old, new, hash_key_id="found")
    seen = fingerprint(place, pan, "found", encrypted_card=carding.jwe(new))
    assert record(core, task.card, task.generation, fingerprint=seen)
    assert kept(core, first)[2] == carding.hashed(place, pan, "lost").hash
    assert read(core.admin, first).card_key_id == new
    assert read(core.admin, second).state == State.CARD_STATE_ACTIVE


def test_card_data_encrypted_anew_must_be_for_a_key_that_gateways_have(
    core: RunningCore, place: str, keys: tuple[str, str]
) -> None:
    publish(core, *keys)
    name = register(core.admin, place, "c-1", keys[0]).name
    seen = fingerprint(place, number(), encrypted_card=carding.jwe("nobody-has-it"))
    with refused("INVALID_ARGUMENT", "CARD_KEY_UNKNOWN") as told:
        record(core, name, 1, fingerprint=seen)
    assert told.metadata == {"field": "fingerprint.encrypted_card"}
    seen.encrypted_card = carding.jwe(keys[1])
    assert record(core, name, 1, fingerprint=seen)
    assert (kept(core, name)[1], read(core.admin, name).card_key_id) == (seen.encrypted_card, keys[1])
