"""Consumers: their states, and what may be said of a person."""

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from server.domain import consumers
from server.domain.consumers import Consumer, ConsumerState, PersonalData, PostalAddress
from server.domain.refusals import ConsumerStateUnfit, Refusal, ResourceExists
from server.domain.violations import FieldsInvalid

NOW = 1_700_000_000_000_000  # 2023-11-14T22:13:20Z
WHOLE = PersonalData(
    language="pt-PT",
    title="Dr.ª",
    first_name="Inês",
    middle_name="李",
    last_name="Ó Súilleabháin",
    email="ines@example.pt",
    date_of_birth="1990-02-28",
    mobile_phone_country_code="+351",
    mobile_phone_number="912345678",
    residency_address=PostalAddress("Rua 1", "2.º", "Lisboa", "Lisboa", "1000-001", "PT"),
)


def new(**more: object) -> Consumer:
    return replace(Consumer("issuers/I/consumers/c", "I", "c", NOW, NOW), **more)  # type: ignore[arg-type]


def wrong(personal: PersonalData) -> list[tuple[str, str]]:
    try:
        consumers.check(personal, NOW)
    except FieldsInvalid as invalid:
        return [(field, rule) for field, _, rule in invalid.violations]
    return []


@pytest.mark.parametrize("personal", [PersonalData(), WHOLE])
def test_what_is_well_formed_passes(personal: PersonalData) -> None:
    assert wrong(personal) == []


@pytest.mark.parametrize(
    ("changes", "field", "rule_id"),
    [
        ({"first_name": "a\0b"}, "first_name", "string.nul"),
        ({"last_name": "4111 1111 1111 1111"}, "last_name", "string.card_number"),
        ({"title": "4111111111111111"}, "title", "string.card_number"),
        (
            {"residency_address": PostalAddress(line2="4111-1111-1111-1111")},
            "residency_address.line2",
            "string.card_number",
        ),
        ({"residency_address": PostalAddress(city="\0")}, "residency_address.city", "string.nul"),
        ({"date_of_birth": "1990-02-30"}, "date_of_birth", "date"),
        ({"date_of_birth": "0000-01-01"}, "date_of_birth", "date"),
        ({"date_of_birth": "2023-11-16"}, "date_of_birth", "date"),
        ({"mobile_phone_number": ""}, "mobile_phone_number", "required"),
        ({"mobile_phone_country_code": ""}, "mobile_phone_country_code", "required"),
    ],
)
def test_what_is_not_is_refused_and_not_shown(changes: dict[str, object], field: str, rule_id: str) -> None:
    personal = replace(WHOLE, **changes)  # type: ignore[arg-type]
    assert wrong(personal) == [(f"personal_data.{field}", rule_id)]
    with pytest.raises(FieldsInvalid) as refused:
        consumers.check(personal, NOW)
    assert not any(text and str(text) in str(refused.value) for text in ("4111", "1990", "912345678"))


def test_everything_that_is_wrong_is_told_at_once() -> None:
    found = wrong(replace(WHOLE, first_name="\0", date_of_birth="1990-02-30", mobile_phone_number=""))
    assert [field.rpartition(".")[2] for field, _ in found] == ["first_name", "date_of_birth", "mobile_phone_number"]


def test_a_birthday_that_has_begun_somewhere_passes() -> None:
    """At 22:13 UTC it is the next day already in the east."""
    assert wrong(replace(WHOLE, date_of_birth="2023-11-15")) == []


def test_a_phone_number_may_look_like_a_card_number() -> None:
    assert wrong(replace(WHOLE, mobile_phone_number="411111111111116")) == []


def test_what_differs_is_named_by_field() -> None:
    assert consumers.differing(WHOLE, WHOLE) == ()
    other = replace(WHOLE, email="", residency_address=replace(WHOLE.residency_address, city="Porto"))
    assert consumers.differing(WHOLE, other) == ("email", "residency_address")


class Life(RuleBasedStateMachine):
    """A consumer against the plainest model of one: its state, its data, and how often it changed."""

    def __init__(self) -> None:
        super().__init__()
        self.consumer: Consumer | None = None
        self.state: ConsumerState | None = None
        self.sealed = b""
        self.changes = 0
        self.now = NOW

    def tick(self) -> int:
        self.now += 1
        return self.now

    def attempt(self, expected: type[Refusal] | None, run: object) -> bool:
        assert callable(run)
        before = self.consumer
        if expected is not None:
            with pytest.raises(expected):
                run()
            assert self.consumer is before
            return False
        self.consumer = run()
        return True

    @rule(sealed=st.binary(max_size=3))
    def register(self, sealed: bytes) -> None:
        now = self.tick()
        made = new(create_time=now, update_time=now, sealed_personal_data=sealed)
        taken = self.state in (ConsumerState.ACTIVE, ConsumerState.SUSPENDED)
        if self.attempt(ResourceExists if taken else None, lambda: consumers.registered(self.consumer, made)):
            self.state, self.sealed, self.changes = ConsumerState.ACTIVE, sealed, self.changes + 1
            assert self.consumer is not None
            assert self.consumer.create_time == now

    @rule(sealed=st.binary(max_size=3))
    def replace(self, sealed: bytes) -> None:
        held, now = self.consumer, self.tick()
        if held is None:
            return
        gone = self.state is ConsumerState.DELETED
        if self.attempt(ConsumerStateUnfit if gone else None, lambda: consumers.with_personal_data(held, sealed, now)):
            self.sealed, self.changes = sealed, self.changes + 1

    @rule(state=st.sampled_from([ConsumerState.ACTIVE, ConsumerState.SUSPENDED]))
    def move(self, state: ConsumerState) -> None:
        held, now = self.consumer, self.tick()
        if held is None:
            return
        gone = self.state is ConsumerState.DELETED
        if self.attempt(ConsumerStateUnfit if gone else None, lambda: consumers.in_state(held, state, now)):
            self.changes += self.state is not state
            assert (self.consumer is held) == (self.state is state)
            self.state = state

    @rule()
    def delete(self) -> None:
        held, now = self.consumer, self.tick()
        if held is None:
            return
        self.consumer = consumers.deleted(held, now)
        assert (self.consumer is held) == (self.state is ConsumerState.DELETED)
        self.changes += self.state is not ConsumerState.DELETED
        self.state, self.sealed = ConsumerState.DELETED, b""

    @invariant()
    def as_the_model_says(self) -> None:
        if self.consumer is not None:
            found = (self.consumer.state, self.consumer.sealed_personal_data, self.consumer.revision)
            assert found == (self.state, self.sealed, self.changes)


TestLife = Life.TestCase
