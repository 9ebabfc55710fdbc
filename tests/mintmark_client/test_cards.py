"""client.cards, .card_keys and .card_data_accesses, against a real core and keys that a gateway would have."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from mintmark.v1 import cards_pb2 as pb

from mintmark_client import AlreadyExists, CardData, Client, InvalidRequest, NotFound, PreconditionFailed, Unavailable
from tests.house.tree import ROOT
from tests.server.rpc import carding
from tests.server.rpc.card_opening import Keys
from tests.server.rpc.running import RunningCore, request_id, running_core

SCOPES = ("cards.read", "cards.write", "card_data_accesses.read")
State = pb.CardState
_ISSUERS = count(1)


@pytest.fixture(scope="module")
def core() -> Iterator[RunningCore]:
    with running_core(clock=True) as running:
        yield running


@pytest.fixture(scope="module")
def keys(core: RunningCore) -> Keys:
    made = Keys("k 1")
    made.publish(core)
    return made


@pytest.fixture
def issuer() -> str:
    return f"CLIENT{next(_ISSUERS):04}"


@pytest.fixture
def client(core: RunningCore, keys: Keys, issuer: str) -> Iterator[Client]:
    carding.account(core, issuer, store_security_codes=True)
    with _client(core, issuer) as made:
        yield made


def _client(core: RunningCore, issuer: str) -> Client:
    made = core.create(SCOPES, issuers=[issuer])
    return Client(core.settings.grpc_address, client_id=made.client.client_id, client_secret=made.client_secret)


def card_data(**more: Any) -> CardData:
    return CardData(carding.number(), "1239", **more)


def test_a_card_is_encrypted_registered_and_lives(client: Client, core: RunningCore, keys: Keys, issuer: str) -> None:
    card = client.cards.register(issuer, "c-1", "u-1", card_data(security_code="987"), account_id="a-1")
    assert (card.state, card.consumer_id, card.account_id) == (State.CARD_STATE_PENDING, "u-1", "a-1")
    (seen,) = keys.look(core)
    assert (seen["exp"], seen["cvv"]) == ("1239", "987")
    card = client.cards.get(card.name)
    assert (card.state, card.last_digits) == (State.CARD_STATE_ACTIVE, seen["pan"][-4:])
    suspended = client.cards.suspend(card.name, pb.CARD_SUSPENSION_REASON_LOST, text="told by phone")
    assert (suspended.state, suspended.suspension_text) == (State.CARD_STATE_SUSPENDED, "told by phone")
    assert client.cards.resume(card.name).state == State.CARD_STATE_ACTIVE
    assert client.cards.reset_verification_attempts(card.name).verification_attempts == 0
    assert client.cards.replace(card.name, card_data()).replacement_pending
    keys.look(core)
    replaced = client.cards.get(card.name)
    assert (replaced.replacement_pending, replaced.last_digits) != (True, card.last_digits)
    assert client.cards.delete(card.name).state == State.CARD_STATE_DELETED
    with pytest.raises(PreconditionFailed, match="CARD_STATE_UNFIT"):
        client.cards.resume(card.name)
    with pytest.raises(NotFound):
        client.cards.get(f"issuers/{issuer}/cards/none")


def test_a_write_counts_once_with_its_request_id(client: Client, issuer: str) -> None:
    own = request_id()
    first = client.cards.register(issuer, "c-1", "u-1", card_data(), request_id=own)
    assert client.cards.register(issuer, "c-1", "u-1", card_data(), request_id=own) == first
    with pytest.raises(AlreadyExists):
        client.cards.register(issuer, "c-1", "u-1", card_data())


def test_a_jwe_made_elsewhere_is_sent_as_it_is(client: Client, core: RunningCore, keys: Keys, issuer: str) -> None:
    compact = card_data(name="elsewhere").encrypted(client.card_keys.get()[0])
    client.cards.register(issuer, "c-1", "u-1", compact)
    assert [seen["name"] for seen in keys.look(core) if "name" in seen] == ["elsewhere"]
    with pytest.raises(InvalidRequest, match="CARD_KEY_UNKNOWN"):
        client.cards.register(issuer, "c-2", "u-1", carding.jwe("nobody's"))
    with pytest.raises(InvalidRequest, match="CARD_KEY_UNKNOWN"):
        client.cards.register(issuer, "c-2", "u-1", "no JWE")


def test_cards_of_all_pages_are_listed(client: Client, issuer: str) -> None:
    for number in range(3):
        client.cards.register(issuer, f"c-{number}", f"u-{number % 2}", card_data())
    assert [card.card_id for card in client.cards.list(page_size=2)] == ["c-0", "c-1", "c-2"]
    assert [card.card_id for card in client.cards.list(issuer_id=issuer, consumer_id="u-1")] == ["c-1"]
    assert list(client.cards.list(states=[State.CARD_STATE_DELETED])) == []


def test_accesses_are_listed(client: Client, core: RunningCore, keys: Keys, issuer: str) -> None:
    card = client.cards.register(issuer, "c-1", "u-1", card_data())
    keys.look(core)
    (access,) = client.card_data_accesses.list(issuer_id=issuer)
    assert (access.card, access.sender) == (card.name, "clients/role.gateway")


def test_the_readmes_examples_register_cards(client: Client, core: RunningCore, keys: Keys, issuer: str) -> None:
    section = (ROOT / "README.md").read_text().partition("\n## Issuers' cards\n")[2].partition("\n## ")[0]
    ours, others = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    defined: dict[str, Any] = {}
    exec(ours, defined)  # noqa: S102  the README's own words
    exec(others, defined)  # noqa: S102  the README's own words
    name = defined["register"](client, issuer, "c-1", "u-1", carding.number(), "1239")
    card = {"pan": carding.number(), "exp": "0140"}
    client.cards.register(issuer, "c-2", "u-1", defined["encrypted"](client, card))
    assert {"pan": card["pan"], "exp": "0140"} in keys.look(core)
    defined["stolen"](client, name)
    assert client.cards.get(name).suspension_reason == pb.CARD_SUSPENSION_REASON_STOLEN


def test_the_key_is_asked_for_once_and_again_when_it_is_gone(core: RunningCore, keys: Keys, issuer: str) -> None:
    """The last test here: it moves the clock past the keys of the others."""
    with _client(core, issuer) as client:
        first = client.cards.register(issuer, "c-1", "u-1", card_data())
        newer = Keys("k 2")
        newer.publish(core)
        assert client.card_keys.get()[0].kid == "k 2"
        # The old one is good as long as a gateway has it.
        assert client.cards.register(issuer, "c-2", "u-1", card_data()).card_key_id == first.card_key_id == "k 1"
        core.advance(3601)
        newer.publish(core)
        own = request_id()
        card = client.cards.register(issuer, "c-3", "u-1", card_data(), request_id=own)
        assert card.card_key_id == "k 2"
        assert client.cards.register(issuer, "c-3", "u-1", card_data(), request_id=own) == card
        core.advance(3601)
        with pytest.raises(Unavailable, match="no gateway has published"):
            client.cards.replace(card.name, card_data())
    with _client(core, issuer) as client, pytest.raises(Unavailable, match="no gateway has published"):
        client.cards.register(issuer, "c-4", "u-1", card_data())
