"""Any interleaving of issuers, gateways, D1, time and new keys leaves the cards as a model of a few lines says."""

from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from mintmark.v1 import card_fingerprints_pb2, cards_pb2

from server.keys import keyring
from tests.server.rpc import carding
from tests.server.rpc.carding import account, begin, claim, fingerprint, finish, hashed, jwe, publish, read, record
from tests.server.rpc.running import RunningCore, code_of, request_id, running_core

_ISSUERS = count(1)
_KEYS = count(1)
CARDS = ("c-0", "c-1", "c-2")
NUMBERS = tuple(str(4_500_000_000_000_000 + each) for each in range(3))
LEASE = 60
# After a lease that nobody answered a card is there again after so long for certain.
LONGEST = LEASE + 301
WITH = "CARD_VERIFICATION_MODE_WITH_SECURITY_CODE"
Task = card_fingerprints_pb2.CardFingerprintTask


@dataclass(frozen=True)
class Content:
    """What a gateway finds in card data. `good` is whether it is as it should be."""

    number: str
    expiry: str
    good: bool = True


@dataclass(frozen=True)
class Held:
    """A card as the model knows it."""

    state: str
    generation: int
    pending: Content | None
    live: Content | None = None
    live_generation: int = 0
    lost: bool = False
    attempts: int = 0


class Issuing(RuleBasedStateMachine):
    core: RunningCore

    @initialize()
    def open(self) -> None:
        self.issuer = f"MODEL{next(_ISSUERS):05}"
        self.keys = [self._fresh()]
        self.hash_keys = [self._fresh()]
        self._publish()
        self.sender = account(self.core, self.issuer, card_verification=WITH, store_security_codes=True)
        self.cards: dict[str, Held] = {}
        self.contents: dict[str, Content] = {}
        self.leased: list[Task] = []

    @staticmethod
    def _fresh() -> str:
        return f"key-{next(_KEYS)}"

    def _publish(self) -> None:
        publish(self.core, *self.keys, hash_key_id=self.hash_keys[0])

    def _name(self, card_id: str) -> str:
        return f"issuers/{self.issuer}/cards/{card_id}"

    def _encrypted(self, content: Content, key: str) -> str:
        made = jwe(key)
        self.contents[made] = content
        return made

    def _fingerprint(self, content: Content, **more: Any) -> card_fingerprints_pb2.CardFingerprint:
        current, *former = self.hash_keys
        told = [hashed(self.issuer, content.number, key) for key in former]
        seen = {"expiry": content.expiry, "has_security_code": True, "former_hashes": told, **more}
        return fingerprint(self.issuer, content.number, current, **seen)

    @rule(
        card_id=st.sampled_from(CARDS),
        number=st.sampled_from(NUMBERS),
        month=st.integers(1, 12),
        good=st.sampled_from([True, True, True, False]),
        data=st.data(),
    )
    def card_data_is_given(self, card_id: str, number: str, month: int, good: bool, data: st.DataObject) -> None:
        content = Content(number, f"{month:02}39", good)
        encrypted = self._encrypted(content, data.draw(st.sampled_from(self.keys)))
        held = self.cards.get(card_id)
        if held is None or held.state in ("DELETED", "REJECTED"):
            carding.register(self.core.admin, self.issuer, card_id, encrypted_card=encrypted)
            self.cards[card_id] = Held("PENDING", held.generation + 1 if held else 1, content)
        else:
            request = cards_pb2.ReplaceCardRequest(
                request_id=request_id(), name=self._name(card_id), encrypted_card=encrypted
            )
            self.core.admin.cards.ReplaceCard(request)
            self.cards[card_id] = replace(held, generation=held.generation + 1, pending=content)
        self._check()

    @rule(card_id=st.sampled_from(CARDS), change=st.sampled_from(["suspend", "resume", "delete", "reset"]))
    def the_issuer_changes_a_card(self, card_id: str, change: str) -> None:
        held = self.cards.get(card_id)
        code = code_of(lambda: getattr(carding, change)(self.core.admin, self._name(card_id)))
        state = held.state if held else "NONE"
        allowed = {
            "suspend": {"ACTIVE", "SUSPENDED"},
            "resume": {"ACTIVE", "SUSPENDED"},
            "delete": {"PENDING", "ACTIVE", "SUSPENDED", "DELETED"},
            "reset": {"PENDING", "ACTIVE", "SUSPENDED"},
        }[change]
        assert code == ("NOT_FOUND" if held is None else "OK" if state in allowed else "FAILED_PRECONDITION")
        if held is None or code != "OK":
            return
        if change == "reset":
            self.cards[card_id] = replace(held, attempts=0)
        elif change == "delete":
            self.cards[card_id] = replace(held, state="DELETED", pending=None)
        else:
            self.cards[card_id] = replace(held, state="SUSPENDED" if change == "suspend" else "ACTIVE")
        self._check()

    @rule(most=st.integers(1, 4))
    def a_gateway_claims(self, most: int) -> None:
        self._claim(most)

    def _claim(self, most: int) -> int:
        given = claim(self.core, *self.keys, hash_key_id=self.hash_keys[0], most=most)
        mine = [task for task in given if task.issuer_id == self.issuer]
        for task in mine:
            held = self.cards[task.card.rpartition("/")[2]]
            assert task.key_rotation is (held.pending is None)
            assert task.generation == (held.live_generation if task.key_rotation else held.generation)
            assert self.contents[task.encrypted_card] == (held.live if task.key_rotation else held.pending)
        self.leased += mine
        return len(mine)

    @rule(data=st.data())
    def a_gateway_reports(self, data: st.DataObject) -> None:
        """On anything that it was ever given, however late."""
        if self.leased:
            place = data.draw(st.integers(0, len(self.leased) - 1))
            self._report(self.leased[place] if data.draw(st.booleans()) else self.leased.pop(place))

    def _report(self, task: Task) -> None:
        card_id = task.card.rpartition("/")[2]
        held, content = self.cards[card_id], self.contents[task.encrypted_card]
        if content.good:
            told: dict[str, Any] = {"fingerprint": self._fingerprint(content)}
            if task.key_rotation:
                told["fingerprint"].encrypted_card = self._encrypted(content, self.keys[0])
        else:
            told = {"refusal": "CARD_FINGERPRINT_REFUSAL_CARD_NUMBER_INVALID"}
        recorded = record(self.core, task.card, task.generation, **told)
        if held.pending is not None and task.generation == held.generation:
            assert recorded
            self.cards[card_id] = self._settled(card_id, held, held.pending)
        elif not (held.state in ("ACTIVE", "SUSPENDED") and task.generation == held.live_generation):
            assert not recorded
        self._check()

    def _settled(self, card_id: str, held: Held, content: Content) -> Held:
        taken = any(
            other.live is not None and other.live.number == content.number
            for each, other in self.cards.items()
            if each != card_id and other.state in ("ACTIVE", "SUSPENDED")
        )
        if taken or not content.good:
            return replace(held, pending=None, state="REJECTED" if held.state == "PENDING" else held.state)
        state = "ACTIVE" if held.state == "PENDING" else held.state
        return replace(held, state=state, pending=None, live=content, live_generation=held.generation, attempts=0)

    @rule(number=st.sampled_from(NUMBERS), right=st.booleans())
    def d1_asks(self, number: str, right: bool) -> None:
        begun = begin(self.core, self.sender, self.issuer, number, keys=tuple(self.hash_keys))
        found = [
            (card_id, held)
            for card_id, held in self.cards.items()
            if held.state in ("ACTIVE", "SUSPENDED") and held.live is not None and held.live.number == number
        ]
        if not found:
            assert (begun.answer.card_id, begun.answer.card_invalid) == ("", True)
            return
        ((card_id, held),) = found
        if held.state == "SUSPENDED":
            assert (begun.answer.card_id, begun.answer.card_invalid) == (card_id, True)
            return
        assert held.live == self.contents[begun.comparison.encrypted_card]
        exceeded = held.attempts >= 3
        assert begun.comparison.leave_out_security_code is exceeded
        answer = finish(self.core, begun.card_data_access, "EQUAL", "EQUAL" if right else "DIFFERENT")
        assert (answer.card_id, answer.card_invalid) == (card_id, False)
        assert answer.security_code_valid is (right and not exceeded)
        assert answer.verification_attempts_exceeded is exceeded
        self.cards[card_id] = replace(held, attempts=0 if answer.security_code_valid else held.attempts + 1)
        self._check()

    @rule(of=st.sampled_from(["card", "hash"]))
    def a_key_is_followed_by_another(self, of: str) -> None:
        keys = self.keys if of == "card" else self.hash_keys
        if len(keys) < 4:
            keys.insert(0, self._fresh())
            self._publish()

    @rule()
    def time_passes(self) -> None:
        self.core.advance(LONGEST)
        self._publish()

    def _check(self) -> None:
        for card_id, held in self.cards.items():
            shown = read(self.core.admin, self._name(card_id))
            assert cards_pb2.CardState.Name(shown.state) == f"CARD_STATE_{held.state}"
            assert shown.verification_attempts == held.attempts
            assert shown.replacement_pending is (held.pending is not None and held.state != "PENDING")
            if held.live is not None:
                assert (shown.last_digits, shown.expiry) == (held.live.number[-4:], held.live.expiry)

    def teardown(self) -> None:
        """In the end nothing waits, and everything is under the current keys."""
        if not hasattr(self, "leased"):
            return
        for _ in range(20):
            self.time_passes()
            self.leased.clear()
            if not self._claim(64):
                break
            for task in self.leased:
                self._report(task)
        for card_id, held in self.cards.items():
            assert held.pending is None
            if held.state in ("ACTIVE", "SUSPENDED"):
                kept = self.core.core.store.view.cards.card(self._name(card_id))
                assert kept is not None
                assert (kept.card_key_id, kept.hash_key_id) == (self.keys[0], self.hash_keys[0])


def run(core: RunningCore, examples: int, steps: int) -> None:
    Issuing.core = core
    # A failure is shown as it was found: to shrink it takes minutes.
    phases = (Phase.explicit, Phase.generate)
    Issuing.TestCase.settings = settings(max_examples=examples, stateful_step_count=steps, phases=phases)
    Issuing.TestCase().runTest()


@pytest.mark.parametrize("examples", [6, pytest.param(300, marks=[pytest.mark.campaign, pytest.mark.timeout(1800)])])
def test_cards_are_as_the_model_says(examples: int) -> None:
    with running_core(clock=True) as core:
        run(core, examples, 40)


@pytest.mark.parametrize("examples", [3, pytest.param(150, marks=[pytest.mark.campaign, pytest.mark.timeout(1800)])])
def test_cards_are_as_the_model_says_on_postgresql(postgres_database: str, tmp_path: Path, examples: int) -> None:
    keys = tmp_path / "keyring.json"
    keyring.create(keys)
    with running_core(clock=True, database_url=postgres_database, keyring_file=keys) as core:
        run(core, examples, 30)
