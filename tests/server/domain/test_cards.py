"""The life of a card: every state, every change, and whatever order gateways and issuers come in."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from server.domain import cards
from server.domain.cards import (
    GONE,
    IN_BOOKS,
    Card,
    CardRejection,
    CardState,
    CardSuspensionReason,
    CurrentKeys,
    EncryptedCard,
    Fingerprint,
    NumberHash,
)
from server.domain.refusals import CardStateUnfit, ResourceExists

NOW = 1_800_000_000_000_000
CURRENT = CurrentKeys("k1", "h1")
KEYS = ("k1", "k2")
HASH_KEYS = ("h1", "h2")


def made(state: CardState = CardState.ACTIVE, **fields: Any) -> Card:
    card = cards.register(None, "I", "c", "u", "a", EncryptedCard("jwe-1", "k1"), NOW)
    if state is not CardState.PENDING:
        card = cards.accept(card, seen(), NOW)
    match state:
        case CardState.SUSPENDED:
            card = cards.suspend(card, CardSuspensionReason.LOST, "", NOW)
        case CardState.DELETED:
            card = cards.delete(card, NOW)
        case CardState.REJECTED:
            waiting = cards.register(None, "I", "c", "u", "a", EncryptedCard("jwe-1", "k1"), NOW)
            card = cards.reject(waiting, CardRejection.UNREADABLE, NOW)
        case _:
            pass
    return replace(card, **fields)


def seen(number: int = 1, hash_key: str = "h1", **more: Any) -> Fingerprint:
    told: dict[str, Any] = {"expiry": "1239", "has_security_code": True, **more}
    hashed = NumberHash(hash_key, f"{hash_key}/{number}".encode())
    return Fingerprint(hashed, "41111111", f"{number:04}", **told)


CHANGES: dict[str, Callable[[Card], Card]] = {
    "replace": lambda card: cards.replace_card(card, EncryptedCard("jwe-9", "k2"), NOW + 1),
    "suspend": lambda card: cards.suspend(card, CardSuspensionReason.STOLEN, "text", NOW + 1),
    "resume": lambda card: cards.resume(card, NOW + 1),
    "delete": lambda card: cards.delete(card, NOW + 1),
    "reset": cards.reset_attempts,
}
P, A, S, D, R = CardState.PENDING, CardState.ACTIVE, CardState.SUSPENDED, CardState.DELETED, CardState.REJECTED
TABLE: dict[tuple[CardState, str], CardState] = {
    (P, "replace"): P,
    (P, "delete"): D,
    (P, "reset"): P,
    (A, "replace"): A,
    (A, "suspend"): S,
    (A, "resume"): A,
    (A, "delete"): D,
    (A, "reset"): A,
    (S, "replace"): S,
    (S, "suspend"): S,
    (S, "resume"): A,
    (S, "delete"): D,
    (S, "reset"): S,
    (D, "delete"): D,
}


@pytest.mark.parametrize("state", CardState)
@pytest.mark.parametrize("change", sorted(CHANGES))
def test_the_whole_table(state: CardState, change: str) -> None:
    card = made(state)
    if (state, change) in TABLE:
        assert CHANGES[change](card).state is TABLE[state, change]
        return
    with pytest.raises(CardStateUnfit) as refused:
        CHANGES[change](card)
    assert refused.value.metadata == {"card": card.name, "state": state}


@pytest.mark.parametrize("state", CardState)
def test_an_id_is_free_again_when_its_card_is_gone(state: CardState) -> None:
    held = made(state)
    if state not in GONE:
        with pytest.raises(ResourceExists):
            cards.register(held, "I", "c", "u2", "", EncryptedCard("jwe-2", "k2"), NOW + 5)
        return
    again = cards.register(held, "I", "c", "u2", "", EncryptedCard("jwe-2", "k2"), NOW + 5)
    assert again.generation > held.generation
    assert again.revision > held.revision
    assert replace(again, generation=1, revision=1) == cards.register(
        None, "I", "c", "u2", "", EncryptedCard("jwe-2", "k2"), NOW + 5
    )


def test_nothing_of_the_card_data_shows_in_a_text() -> None:
    card = made(encrypted_card="JWE-SECRET", pending_card="JWE-SECRET", number_hash=b"HASH-SECRET")
    shown = repr((card, EncryptedCard("JWE-SECRET", "k"), NumberHash("h", b"HASH-SECRET"), seen()))
    assert "SECRET" not in shown
    assert "h1/1" not in shown


def test_a_rotation_goes_to_the_current_keys_only() -> None:
    card = made(card_key_id="k0", hash_key_id="h0")
    fresh = EncryptedCard("jwe-new", "k1")
    after = cards.rotate(card, seen(encrypted=fresh), CURRENT, NOW + 1)
    assert (after.card_key_id, after.encrypted_card, after.hash_key_id) == ("k1", "jwe-new", "h1")
    assert not cards.needs_rotation(after, CURRENT)
    assert (after.state, after.generation, after.live_generation) == (card.state, card.generation, 1)
    for stale in (seen(hash_key="h2"), seen(hash_key="h2", encrypted=EncryptedCard("jwe-old", "k2"))):
        assert cards.rotate(card, stale, CURRENT, NOW + 1) is card
    half = cards.rotate(card, seen(encrypted=fresh), CURRENT, NOW + 1, number_taken=True)
    assert (half.card_key_id, half.hash_key_id) == ("k1", "h0")
    assert cards.needs_rotation(half, CURRENT)


@pytest.mark.parametrize("other", [{"number": 2}, {"expiry": "0140"}, {"has_security_code": False}])
def test_a_rotation_of_other_card_data_changes_nothing(other: dict[str, Any]) -> None:
    card = made(card_key_id="k0", hash_key_id="h0")
    assert cards.rotate(card, seen(**other, encrypted=EncryptedCard("jwe", "k1")), CURRENT, NOW + 1) is card


class Life(RuleBasedStateMachine):
    """Issuers change a card in any order, and gateways tell what they saw of any card data that it ever had. What is
    in force must be the newest that was accepted, and nothing of what is gone may be left."""

    @initialize()
    def begin(self) -> None:
        self.now = NOW
        self.card = cards.register(None, "I", "c", "u", "a", EncryptedCard("jwe-1", "k1"), NOW)
        # What each card data holds: the number and the expiry date.
        self.contents = {1: (1, "0139")}
        self.accepted: int | None = None
        self.seen_revision = 0

    def _tick(self) -> int:
        self.now += 1
        return self.now

    @rule(number=st.integers(1, 3), month=st.integers(1, 12), key=st.sampled_from(KEYS))
    def give_card_data(self, number: int, month: int, key: str) -> None:
        encrypted = EncryptedCard(f"jwe-{self.card.generation + 1}", key)
        if self.card.state in GONE:
            self.card = cards.register(self.card, "I", "c", "u", "a", encrypted, self._tick())
            self.accepted = None
        else:
            self.card = cards.replace_card(self.card, encrypted, self._tick())
        self.contents[self.card.generation] = (number, f"{month:02}39")

    @precondition(lambda self: self.card.pending)
    @rule(data=st.data(), hash_key=st.sampled_from(HASH_KEYS))
    def a_gateway_accepts(self, data: st.DataObject, hash_key: str) -> None:
        generation = data.draw(st.sampled_from(sorted(self.contents)))
        if generation != self.card.generation:
            return
        number, expiry = self.contents[generation]
        self.card = cards.accept(self.card, seen(number, hash_key, expiry=expiry), self._tick())
        self.accepted = generation

    @precondition(lambda self: self.card.pending)
    @rule(why=st.sampled_from(sorted(CardRejection)))
    def a_gateway_refuses(self, why: CardRejection) -> None:
        first = self.card.state is CardState.PENDING
        self.card = cards.reject(self.card, why, self._tick())
        assert (self.card.rejection if first else self.card.replacement_rejection) is why

    @precondition(lambda self: self.card.state in IN_BOOKS)
    @rule(key=st.sampled_from(KEYS), hash_key=st.sampled_from(HASH_KEYS), current=st.sampled_from(KEYS))
    def a_gateway_rotates(self, key: str, hash_key: str, current: str) -> None:
        assert self.accepted is not None
        number, expiry = self.contents[self.accepted]
        keys = CurrentKeys(current, "h2")
        told = seen(number, hash_key, expiry=expiry, encrypted=EncryptedCard(f"jwe-{self.accepted}", key))
        before = self.card
        self.card = cards.rotate(before, told, keys, self._tick())
        assert self.card.card_key_id in (before.card_key_id, current)
        assert self.card.hash_key_id in (before.hash_key_id, "h2")

    @rule(change=st.sampled_from(sorted(set(CHANGES) - {"replace"})))
    def the_issuer_changes(self, change: str) -> None:
        try:
            after = CHANGES[change](self.card)
        except CardStateUnfit:
            assert (self.card.state, change) not in TABLE
            return
        assert after.state is TABLE[self.card.state, change]
        self.card = after

    @invariant()
    def what_is_gone_is_erased(self) -> None:
        card = self.card
        if card.state in GONE:
            assert (card.pending_card, card.encrypted_card, card.number_hash) == ("", "", None)
            assert (card.pending_key_id, card.card_key_id, card.hash_key_id) == ("", "", "")

    @invariant()
    def what_counts_is_the_newest_that_was_accepted(self) -> None:
        card = self.card
        if card.state in IN_BOOKS:
            assert self.accepted is not None
            number, expiry = self.contents[self.accepted]
            assert card.live_generation == self.accepted
            assert (card.last_digits, card.expiry) == (f"{number:04}", expiry)
            assert card.encrypted_card == f"jwe-{self.accepted}"
            assert card.number_hash == f"{card.hash_key_id}/{number}".encode()
        if card.state is CardState.PENDING:
            assert card.pending
            assert (card.encrypted_card, card.number_hash) == ("", None)

    @invariant()
    def what_waits_is_the_newest_that_was_given(self) -> None:
        if self.card.pending:
            assert self.card.pending_card == f"jwe-{self.card.generation}"

    @invariant()
    def its_revision_never_falls(self) -> None:
        assert self.card.revision >= self.seen_revision
        self.seen_revision = self.card.revision


TestLife = Life.TestCase
