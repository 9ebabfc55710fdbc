"""Cardholders of card issuers: what D1 is told of them when it asks."""

from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from server.domain import card_numbers
from server.domain.refusals import ConsumerStateUnfit, ResourceExists
from server.domain.violations import FieldsInvalid

FIELD = "personal_data"
# Where the day is the farthest ahead of UTC.
FARTHEST_EAST = timedelta(hours=14)


class ConsumerState(StrEnum):
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class PostalAddress:
    line1: str = ""
    line2: str = ""
    city: str = ""
    state: str = ""
    zip_code: str = ""
    country_code: str = ""


@dataclass(frozen=True, slots=True)
class PersonalData:
    """What is known of a consumer as a person; empty where nothing is."""

    language: str = ""
    title: str = ""
    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""
    email: str = ""
    date_of_birth: str = ""
    mobile_phone_country_code: str = ""
    mobile_phone_number: str = ""
    residency_address: PostalAddress = PostalAddress()


NOTHING = PersonalData()
# Digits by their nature: any that are long enough may look like a card number.
NUMBERS = frozenset({"mobile_phone_number"})


@dataclass(frozen=True, slots=True)
class Consumer:
    """Times are microseconds. The personal data is apart, sealed; empty where there is none."""

    name: str
    issuer_id: str
    consumer_id: str
    create_time: int
    update_time: int
    state: ConsumerState = ConsumerState.ACTIVE
    revision: int = 1
    sealed_personal_data: bytes = b""


def check(personal: PersonalData, now: int) -> None:
    """Raises FieldsInvalid, which names every field that is wrong and shows none."""
    wrong = [
        *_unfit(personal, FIELD),
        *_unfit(personal.residency_address, f"{FIELD}.residency_address"),
    ]
    if personal.date_of_birth and not _was(personal.date_of_birth, now):
        wrong.append((f"{FIELD}.date_of_birth", "must be a day that has been", "date"))
    if bool(personal.mobile_phone_number) != bool(personal.mobile_phone_country_code):
        missing = "mobile_phone_number" if personal.mobile_phone_country_code else "mobile_phone_country_code"
        wrong.append((f"{FIELD}.{missing}", "a phone number and its country code go together", "required"))
    if wrong:
        raise FieldsInvalid(wrong)


def _unfit(of: PersonalData | PostalAddress, path: str) -> list[tuple[str, str, str]]:
    found = []
    for field in fields(of):
        value = getattr(of, field.name)
        if not isinstance(value, str):
            continue
        if "\0" in value:
            found.append((f"{path}.{field.name}", "must not contain U+0000", "string.nul"))
        elif field.name not in NUMBERS and card_numbers.holds_one(value):
            found.append((f"{path}.{field.name}", "must not contain a card number", "string.card_number"))
    return found


def _was(day: str, now: int) -> bool:
    """Whether the day has begun anywhere on Earth."""
    try:
        return date.fromisoformat(day) <= (datetime.fromtimestamp(now / 1_000_000, UTC) + FARTHEST_EAST).date()
    except ValueError:
        return False


def differing(before: PersonalData, after: PersonalData) -> tuple[str, ...]:
    """The names of the fields that differ."""
    names = (field.name for field in fields(PersonalData))
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


def registered(held: Consumer | None, new: Consumer) -> Consumer:
    """The consumer once it is registered; in place of a deleted one where there is one. Raises ResourceExists."""
    if held is None:
        return new
    if held.state is not ConsumerState.DELETED:
        raise ResourceExists(held.name)
    return replace(new, revision=held.revision + 1)


def check_present(consumer: Consumer) -> None:
    """Raises ConsumerStateUnfit for a deleted one."""
    if consumer.state is ConsumerState.DELETED:
        raise ConsumerStateUnfit(consumer.name, consumer.state)


def with_personal_data(consumer: Consumer, sealed: bytes, now: int) -> Consumer:
    """Raises ConsumerStateUnfit."""
    check_present(consumer)
    return replace(consumer, sealed_personal_data=sealed, update_time=now, revision=consumer.revision + 1)


def in_state(consumer: Consumer, state: ConsumerState, now: int) -> Consumer:
    """The consumer in use or out of it; as it is where it was already. Raises ConsumerStateUnfit."""
    check_present(consumer)
    return _moved(consumer, state, now)


def deleted(consumer: Consumer, now: int) -> Consumer:
    """The consumer without its personal data, for good; as it is where it was already."""
    if consumer.state is ConsumerState.DELETED:
        return consumer
    return replace(_moved(consumer, ConsumerState.DELETED, now), sealed_personal_data=b"")


def _moved(consumer: Consumer, state: ConsumerState, now: int) -> Consumer:
    if consumer.state is state:
        return consumer
    return replace(consumer, state=state, update_time=now, revision=consumer.revision + 1)
