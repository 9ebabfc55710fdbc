"""Cards over the public API: their lives, who sees them, and what is told of them."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from mintmark.v1 import cards_pb2 as pb
from mintmark.v1 import events_pb2
from sqlalchemy import select

from server.store.schema import metadata
from tests.server.rpc import carding
from tests.server.rpc.carding import active, claim, fingerprint, jwe, publish, read, record, register
from tests.server.rpc.running import RunningCore, Session, refused, request_id

_NUMBERS = count(1)
State = pb.CardState
Kind = events_pb2.EventKind
TWICE = b'{"alg":"ECDH-ES","alg":"ECDH-ES"}'


@pytest.fixture(scope="module")
def keyed(moving: RunningCore) -> RunningCore:
    """A core on each database that knows the gateways' keys."""
    publish(moving, "k1", "k2")
    return moving


@pytest.fixture
def core(keyed: RunningCore) -> RunningCore:
    return keyed


@pytest.fixture
def place() -> str:
    """An issuer of the test's own."""
    return f"CARDS{next(_NUMBERS):05}"


def listed(session: Session, **wanted: Any) -> list[str]:
    return [each.card_id for each in session.cards.ListCards(pb.ListCardsRequest(**wanted)).cards]


def kinds(core: RunningCore, name: str) -> list[str]:
    asked = events_pb2.ListEventsRequest(cursor="0", filter=events_pb2.EventFilter(resource=name), page_size=1000)
    return [Kind.Name(each.kind).removeprefix("EVENT_KIND_") for each in core.admin.events.ListEvents(asked).events]


def last_event(core: RunningCore, name: str) -> events_pb2.Event:
    asked = events_pb2.ListEventsRequest(cursor="0", filter=events_pb2.EventFilter(resource=name), page_size=1000)
    return core.admin.events.ListEvents(asked).events[-1]


def test_a_card_is_known_once_a_gateway_has_looked_at_it(core: RunningCore, place: str) -> None:
    card = register(core.admin, place, "c-1", consumer_id="u-7", account_id="a-7")
    assert card.name == f"issuers/{place}/cards/c-1"
    assert (card.state, card.bin, card.last_digits, card.expiry) == (State.CARD_STATE_PENDING, "", "", "")
    assert (card.issuer_id, card.card_id, card.consumer_id, card.account_id) == (place, "c-1", "u-7", "a-7")
    assert (card.card_key_id, card.replacement_pending) == ("k1", False)
    pan = carding.number()
    assert record(core, card.name, 1, fingerprint=fingerprint(place, pan))
    known = read(core.admin, card.name)
    assert known.state == State.CARD_STATE_ACTIVE
    assert (known.bin, known.last_digits, known.expiry) == (pan[:8], pan[-4:], carding.EXPIRY)
    assert (known.create_time, known.card_key_id) == (card.create_time, "k1")
    assert known.etag != card.etag
    assert kinds(core, card.name) == ["CARD_REGISTERED", "CARD_UPDATED"]
    told = last_event(core, card.name)
    assert (told.card, told.issuer_id) == (known, place)
    assert dict(told.details) == {"state": "ACTIVE", "state_before": "PENDING"}


def test_an_id_is_free_again_only_when_its_card_is_gone(core: RunningCore, place: str) -> None:
    first = active(core, place, "c-1")
    with refused("ALREADY_EXISTS", "RESOURCE_EXISTS"):
        register(core.admin, place, "c-1")
    carding.delete(core.admin, first.name)
    again = register(core.admin, place, "c-1")
    assert (again.state, again.last_digits) == (State.CARD_STATE_PENDING, "")
    # What a gateway saw of the first card data does not count for the second.
    assert not record(core, first.name, 1, fingerprint=fingerprint(place, carding.number()))
    assert record(core, first.name, 2, fingerprint=fingerprint(place, carding.number()))
    assert read(core.admin, first.name).state == State.CARD_STATE_ACTIVE


def test_the_same_request_with_card_data_encrypted_anew_is_one_request(core: RunningCore, place: str) -> None:
    """A JWE is another one each time that the same card data is encrypted."""
    said = request_id()
    first = register(core.admin, place, "c-1", request_id=said)
    assert register(core.admin, place, "c-1", request_id=said) == first
    with refused("FAILED_PRECONDITION", "REQUEST_ID_REUSED"):
        register(core.admin, place, "c-1", request_id=said, consumer_id="u-2")
    replacing = pb.ReplaceCardRequest(request_id=request_id(), name=first.name, encrypted_card=jwe("k1"))
    core.admin.cards.ReplaceCard(replacing)
    replacing.encrypted_card = jwe("k2")
    core.admin.cards.ReplaceCard(replacing)
    assert kinds(core, first.name) == ["CARD_REGISTERED", "CARD_UPDATED"]


@pytest.mark.parametrize(
    "broken",
    [
        "x",
        jwe("k1").replace("..", ".x."),
        jwe("unknown"),
        jwe(""),
        jwe("k1", alg="dir"),
        jwe("k1", enc="A128GCM"),
        jwe("k1", zip="DEF"),
        jwe("k1", crit=["exp"]),
        jwe("k1", jku="https://x.example"),
        jwe("k1", epk={"kty": "EC", "crv": "P-384"}),
        jwe("k1", epk={**carding.EPK, "d": carding.POINT}),
        jwe("k1", epk=None),
        jwe("k1")[:-1],
        f"{carding.encoded(b'[' * 1500)}..{'i' * 16}.aaaa.{'t' * 22}",
        f"{carding.encoded(TWICE)}..{'i' * 16}.aaaa.{'t' * 22}",
        f"{carding.encoded(bytes([255, 254]))}..{'i' * 16}.aaaa.{'t' * 22}",
    ],
)
def test_card_data_that_no_gateway_could_open_is_refused(core: RunningCore, place: str, broken: str) -> None:
    with refused("INVALID_ARGUMENT", "CARD_KEY_UNKNOWN") as told:
        register(core.admin, place, "c-1", encrypted_card=broken)
    assert told.metadata == {"field": "encrypted_card"}
    card = active(core, place, "c-2")
    with refused("INVALID_ARGUMENT", "CARD_KEY_UNKNOWN"):
        core.admin.cards.ReplaceCard(
            pb.ReplaceCardRequest(request_id=request_id(), name=card.name, encrypted_card=broken)
        )
    assert listed(core.admin, issuer_id=place) == ["c-2"]


def test_a_card_is_taken_out_of_use_and_into_use_again(core: RunningCore, place: str) -> None:
    card = active(core, place, "c-1")
    lost = carding.suspend(core.admin, card.name, "LOST", "found in a taxi")
    assert (lost.state, lost.suspension_text) == (State.CARD_STATE_SUSPENDED, "found in a taxi")
    stolen = carding.suspend(core.admin, card.name, "STOLEN")
    assert (stolen.suspension_reason, stolen.suspension_text) == (pb.CARD_SUSPENSION_REASON_STOLEN, "")
    assert carding.suspend(core.admin, card.name, "STOLEN").etag == stolen.etag
    back = carding.resume(core.admin, card.name)
    assert (back.state, back.suspension_reason) == (State.CARD_STATE_ACTIVE, 0)
    assert carding.resume(core.admin, card.name).etag == back.etag
    gone = carding.delete(core.admin, card.name)
    assert (gone.state, gone.bin, gone.last_digits) == (State.CARD_STATE_DELETED, card.bin, card.last_digits)
    assert carding.delete(core.admin, card.name) == gone
    told = kinds(core, card.name)
    assert told == ["CARD_REGISTERED", *["CARD_UPDATED"] * 4, "CARD_DELETED"]


CHANGES: dict[str, Callable[[Session, str], object]] = {
    "replace": carding.replace,
    "suspend": carding.suspend,
    "resume": carding.resume,
    "reset": carding.reset,
    "delete": carding.delete,
}


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        ("PENDING", {"replace", "reset", "delete"}),
        ("ACTIVE", {"replace", "suspend", "resume", "reset", "delete"}),
        ("SUSPENDED", {"replace", "suspend", "resume", "reset", "delete"}),
        ("DELETED", {"delete"}),
        ("REJECTED", set()),
    ],
)
def test_each_change_is_of_some_states_only(core: RunningCore, place: str, state: str, allowed: set[str]) -> None:
    for place_in_row, (word, change) in enumerate(CHANGES.items()):
        name = register(core.admin, place, f"c-{place_in_row}").name
        if state == "REJECTED":
            record(core, name, 1, refusal="CARD_FINGERPRINT_REFUSAL_UNREADABLE")
        elif state != "PENDING":
            record(core, name, 1, fingerprint=fingerprint(place, carding.number()))
        if state == "SUSPENDED":
            carding.suspend(core.admin, name)
        if state == "DELETED":
            carding.delete(core.admin, name)
        assert read(core.admin, name).state == State.Value(f"CARD_STATE_{state}")
        if word in allowed:
            change(core.admin, name)
        else:
            with refused("FAILED_PRECONDITION", "CARD_STATE_UNFIT") as told:
                change(core.admin, name)
            assert told.metadata == {"card": name, "state": state}


def test_each_issuer_sees_its_own_cards_and_nothing_else(core: RunningCore, place: str) -> None:
    other = f"CARDS{next(_NUMBERS):05}"
    mine, theirs = (active(core, each, "c-1").name for each in (place, other))
    made = core.create(["cards.read", "cards.write", "card_data_accesses.read", "events.read"], issuers=[place])
    bound = core.session(made.client.client_id, made.client_secret)
    unbound = core.client(["cards.read", "cards.write", "card_data_accesses.read"], ["*"])
    assert read(bound, mine).name == mine
    assert listed(bound) == ["c-1"]
    assert listed(unbound) == []
    assert {each.issuer_id for each in bound.events_after("0")} == {place}
    calls: tuple[Callable[[Session, str], object], ...] = (read, *CHANGES.values())
    for session, name in ((bound, theirs), (unbound, mine), (bound, f"issuers/{place}/cards/none")):
        for run in calls:
            with refused("NOT_FOUND", "RESOURCE_NOT_FOUND") as told:
                run(session, name)
            assert told.metadata == {"resource": name}
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        register(bound, other, "c-2")
    register(bound, place, "c-2")


def test_lists_are_narrowed_and_paged(core: RunningCore, place: str) -> None:
    for card_id, consumer in (("c-1", "u-1"), ("c-2", "u-2"), ("c-3", "u-1")):
        register(core.admin, place, card_id, consumer_id=consumer)
    pan = carding.number()
    record(core, f"issuers/{place}/cards/c-2", 1, fingerprint=fingerprint(place, pan))
    assert listed(core.admin, issuer_id=place, consumer_id="u-1") == ["c-1", "c-3"]
    assert listed(core.admin, issuer_id=place, states=["CARD_STATE_ACTIVE"]) == ["c-2"]
    assert listed(core.admin, issuer_id=place, last_digits=pan[-4:]) == ["c-2"]
    page = core.admin.cards.ListCards(pb.ListCardsRequest(issuer_id=place, page_size=2))
    rest = pb.ListCardsRequest(issuer_id=place, page_size=2, page_token=page.next_page_token)
    assert [each.card_id for each in page.cards] == ["c-1", "c-2"]
    assert [each.card_id for each in core.admin.cards.ListCards(rest).cards] == ["c-3"]


def test_no_card_number_is_kept_in_a_text(core: RunningCore, place: str) -> None:
    card = active(core, place, "c-1")
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        carding.suspend(core.admin, card.name, text="it is 4111 1111 1111 1111")
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        register(core.admin, place, "4111111111111111")


def test_nothing_that_is_encrypted_or_hashed_leaves_in_answers_and_events(core: RunningCore, place: str) -> None:
    secret = jwe("k1")
    card = register(core.admin, place, "c-1", encrypted_card=secret)
    pan = carding.number()
    record(core, card.name, 1, fingerprint=fingerprint(place, pan))
    carding.replace(core.admin, card.name)
    asked = events_pb2.ListEventsRequest(cursor="0", filter=events_pb2.EventFilter(resource=card.name))
    shown = [read(core.admin, card.name), *core.admin.events.ListEvents(asked).events]
    digest = carding.hashed(place, pan).hash
    for message in shown:
        raw = message.SerializeToString()
        assert digest not in raw
        assert secret.encode() not in raw
    assert last_event(core, card.name).card.replacement_pending


def test_card_data_rests_in_its_own_table_only(
    core: RunningCore, place: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is remembered of requests, events, tasks and accesses holds none of it, and no log line does."""
    secret, second, pan = jwe("k1"), jwe("k1"), carding.number()
    card = register(core.admin, place, "c-1", encrypted_card=secret)
    claim(core, "k1")
    record(core, card.name, 1, fingerprint=fingerprint(place, pan))
    core.admin.cards.ReplaceCard(pb.ReplaceCardRequest(request_id=request_id(), name=card.name, encrypted_card=second))
    digest = carding.hashed(place, pan).hash
    wanted = (secret, second, secret[-200:], repr(digest), digest.hex())
    holding = set()
    with core.core.store.view.connection("search") as connection:
        for table in metadata.sorted_tables:
            rows = [repr(tuple(row)) for row in connection.execute(select(table))]
            holding |= {table.name for row in rows for each in wanted if each in row}
    assert holding == {"cards"}
    logged = "".join(capfd.readouterr())
    assert not [each for each in wanted if each in logged]
