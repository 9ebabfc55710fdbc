"""Rows from dataclasses and back: columns are named as fields, enums are their words, tuples and maps are JSON."""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import StrEnum
from operator import attrgetter
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from server.domain.accounts import Account
from server.domain.acquirer_transactions import AcquirerTransaction
from server.domain.acquirer_transactions import Report as AcquirerReport
from server.domain.api_keys import ApiKey
from server.domain.bindings import Binding
from server.domain.card_accesses import CardAccess
from server.domain.card_keys import CardHashKey, CardKey
from server.domain.cards import Card
from server.domain.clients import Client
from server.domain.consumers import Consumer
from server.domain.digital_cards import DigitalCard
from server.domain.events import Event
from server.domain.issuer_operations import IssuerOperation
from server.domain.merchants import Merchant
from server.domain.notifications import Notification
from server.domain.payment_evidence import Attempt, Evidence
from server.domain.payment_exports import UnknownCharge
from server.domain.payment_operations import Operation
from server.domain.payment_subscriptions import PaymentSubscription
from server.domain.payments import Payment
from server.domain.principals import RevokedAccessToken
from server.domain.replays import Replay, ReplayResult
from server.domain.subscriptions import Delivery, Subscription
from server.domain.tasks import Task
from server.domain.tokens import Token
from server.domain.unmanaged_webhooks import UnmanagedWebhook
from server.domain.unreadable_notifications import UnreadableNotification, UnreadableTally
from server.domain.webhook_configs import WebhookConfig
from server.domain.webhook_keys import WebhookKey

T = TypeVar("T")
Convert = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _optional(convert: Convert) -> Convert:
    return convert if convert is _same else lambda value: None if value is None else convert(value)


def _plain(value: Any) -> Any:
    """What JSON can hold of a value."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value


def _write_json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def _from_plain(hint: Any) -> Convert:
    """How a value of this type is read from what JSON holds of it, as deep as it goes."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        (inner,) = (each for each in get_args(hint) if each is not type(None))
        return _optional(_from_plain(inner))
    if origin is tuple:
        read_item = _from_plain(get_args(hint)[0])
        return lambda items: tuple(read_item(each) for each in items)
    if isinstance(hint, type) and is_dataclass(hint):
        readers = {name: _from_plain(of) for name, of in get_type_hints(hint).items()}
        return lambda plain: hint(**{name: read(plain[name]) for name, read in readers.items()})
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return _same


def _converters(hint: Any) -> tuple[Convert, Convert]:
    """How a field of this type is written to and read from its column."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        (inner,) = (each for each in get_args(hint) if each is not type(None))
        write, read = _converters(inner)
        return _optional(write), _optional(read)
    if origin is tuple:
        read_plain = _from_plain(hint)
        return _write_json, lambda text: read_plain(json.loads(text))
    if origin is dict:
        return _write_json, json.loads
    if isinstance(hint, type) and is_dataclass(hint):
        nested = Shape(hint)
        return lambda value: _write_json(nested.row(value)), lambda text: nested.read(json.loads(text))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return str, hint
    return _same, _same


class Shape(Generic[T]):
    """How one dataclass is written and read."""

    def __init__(self, of: Callable[..., T], without: frozenset[str] = frozenset()) -> None:
        hints = get_type_hints(of)
        self._of = of
        self.columns = tuple(name for name in hints if name not in without)
        converters = {name: _converters(hints[name]) for name in self.columns}
        # Most fields are stored as they are, so only the others are touched one by one.
        self._values = attrgetter(*self.columns)
        # What older versions have written lacks the newer fields.
        self.defaults = {
            field.name: converters[field.name][0](field.default)
            for field in fields(of)  # type: ignore[arg-type]  # all are dataclasses
            if field.name in converters and field.default is not MISSING
        }
        self._writers = tuple((name, write) for name, (write, _) in converters.items() if write is not _same)
        self._readers = tuple((name, read) for name, (_, read) in converters.items() if read is not _same)

    def row(self, item: T) -> dict[str, Any]:
        row = dict(zip(self.columns, self._values(item), strict=True))
        for name, write in self._writers:
            row[name] = write(row[name])
        return row

    def read(self, row: Mapping[Any, Any]) -> T:
        values = {name: row[name] for name in self.columns}
        for name, read in self._readers:
            values[name] = read(values[name])
        return self._of(**values)


TOKEN = Shape(Token)
BINDING = Shape(Binding)
MERCHANT = Shape(Merchant)
ISSUER_OPERATION = Shape(IssuerOperation)
DIGITAL_CARD = Shape(DigitalCard)
CONSUMER = Shape(Consumer)
NOTIFICATION = Shape(Notification, frozenset({"event_sequence"}))
CLIENT = Shape(Client)
API_KEY = Shape(ApiKey)
ACCOUNT = Shape(Account)
PAYMENT = Shape(Payment)
OPERATION = Shape(Operation)
ATTEMPT = Shape(Attempt)
EVIDENCE = Shape(Evidence)
TASK = Shape(Task)
PAYMENT_SUBSCRIPTION = Shape(PaymentSubscription)
UNKNOWN_CHARGE = Shape(UnknownCharge)
REVOKED = Shape(RevokedAccessToken)
SUBSCRIPTION = Shape(Subscription)
DELIVERY = Shape(Delivery)
REPLAY = Shape(Replay)
REPLAY_RESULT = Shape(ReplayResult)
WEBHOOK_CONFIG = Shape(WebhookConfig)
WEBHOOK_KEY = Shape(WebhookKey)
UNMANAGED_WEBHOOK = Shape(UnmanagedWebhook)
ACQUIRER_TRANSACTION = Shape(AcquirerTransaction)
ACQUIRER_REPORT = Shape(AcquirerReport)
UNREADABLE = Shape(UnreadableNotification)
UNREADABLE_TALLY = Shape(UnreadableTally)
CARD = Shape(Card)
CARD_KEY = Shape(CardKey)
CARD_HASH_KEY = Shape(CardHashKey)
CARD_ACCESS = Shape(CardAccess)

_EVENT = Shape(Event, frozenset({"snapshot"}))
# What an event shows of a payment: nothing that is sealed.
_PAYMENT_SNAPSHOT = Shape(Payment, frozenset({"sealed_details", "sealed_redirect_url"}))
# And of a card: nothing that is encrypted or hashed.
_CARD_SNAPSHOT = Shape(Card, frozenset({"pending_card", "encrypted_card", "number_hash"}))
# The same of a consumer: nobody is told more than that it is there.
_CONSUMER_SNAPSHOT = Shape(Consumer, frozenset({"sealed_personal_data"}))
_SNAPSHOTS: dict[str, Shape[Any]] = {
    "Token": TOKEN,
    "Binding": BINDING,
    "Merchant": MERCHANT,
    "IssuerOperation": ISSUER_OPERATION,
    "DigitalCard": DIGITAL_CARD,
    "Consumer": _CONSUMER_SNAPSHOT,
    "Payment": _PAYMENT_SNAPSHOT,
    "WebhookConfig": WEBHOOK_CONFIG,
    "AcquirerTransaction": ACQUIRER_TRANSACTION,
    "PaymentSubscription": PAYMENT_SUBSCRIPTION,
    "Card": _CARD_SNAPSHOT,
}


def event_row(event: Event, sequence: int) -> dict[str, Any]:
    row = _EVENT.row(event)
    row["sequence"] = sequence
    row["snapshot"] = ""
    if event.snapshot is not None:
        of = type(event.snapshot).__name__
        row["snapshot"] = json.dumps([of, _SNAPSHOTS[of].row(event.snapshot)], ensure_ascii=False)
    return row


def read_event(row: Mapping[Any, Any]) -> Event:
    snapshot = None
    if row["snapshot"]:
        of, fields_ = json.loads(row["snapshot"])
        shape = _SNAPSHOTS[of]
        snapshot = shape.read(shape.defaults | fields_)
    return replace(_EVENT.read(row), snapshot=snapshot)
