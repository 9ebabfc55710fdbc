"""Notifications that no key of their config opens: kept within bounds, told of coarsely, and tried again."""

from dataclasses import dataclass, replace

from server.domain import names, unreadable_notifications
from server.domain.callers import Caller
from server.domain.events import Event, EventKind
from server.domain.queries import Page, UnreadableNotificationQuery
from server.domain.refusals import ResourceNotFound
from server.domain.unreadable_notifications import UnreadableNotification, UnreadableTally
from server.domain.webhook_configs import WebhookConfig
from server.domain.webhook_keys import WebhookKey
from server.ports import Store, Transaction
from server.services.acquirer_desk import SENDER, AcquirerDesk
from server.services.webhook_keys import Opening, to_open_with_in

IV_BYTES = 12
TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class Envelope:
    """A notification as it came: nothing of it is known before a key opens it."""

    initialization_vector: bytes
    tag: bytes
    body: bytes


def to_open(transaction: Transaction, config_id: str) -> Opening | None:
    """What a config's notifications may be opened with, the config locked."""
    return to_open_with_in(transaction, config_id)


def opened(
    desk: AcquirerDesk, transaction: Transaction, config_id: str, envelope: Envelope
) -> tuple[Opening, tuple[WebhookKey, bytes] | None] | None:
    """The keys of a config as they are now, and what one of them makes of a message; None where there is no config."""
    opening = to_open(transaction, config_id)
    if opening is None:
        return None
    sealer, cipher = desk.house.sealer, desk.cipher
    return opening, opening.opened(sealer, cipher, envelope.initialization_vector, envelope.tag, envelope.body)


def keep(
    desk: AcquirerDesk, transaction: Transaction, opening: Opening, envelope: Envelope, correlation_id: str
) -> tuple[bool, int]:
    """Keeps a message that no key opens. Whether it is news, and how many of its config had to go for lack of room."""
    config, now, acquirer = opening.config, desk.now(transaction), transaction.acquirer
    newest = max(key.number for key in opening.keys)
    message = envelope.initialization_vector + envelope.tag + envelope.body
    digest = desk.digest("unreadable", config.name, message)
    held = acquirer.unreadable_with_digest(digest)
    if held is not None:
        acquirer.unreadable.update([unreadable_notifications.repeated(held, correlation_id, newest, now)])
        _tell(transaction, config, 0, now, correlation_id)
        return False, 0
    dropped = unreadable_notifications.to_drop(acquirer.unreadable_sizes(config.name), len(envelope.body))
    acquirer.unreadable.delete(dropped)
    unreadable_id = desk.house.ids.notification_id(now)
    name = names.unreadable_notification(config.name, unreadable_id)
    kept = UnreadableNotification(
        name=name,
        unreadable_id=unreadable_id,
        webhook_config=config.name,
        merchant_gateway_id=config.merchant_gateway_id,
        merchant_id=config.merchant_id,
        digest=digest,
        size=len(envelope.body),
        receive_time=now,
        last_delivery_time=now,
        correlation_id=correlation_id,
        tried_key=newest,
        sealed_message=desk.house.seal(message, name, "message"),
    )
    acquirer.unreadable.insert([kept])
    _tell(transaction, config, len(dropped), now, correlation_id)
    return True, len(dropped)


def _tell(transaction: Transaction, config: WebhookConfig, dropped: int, now: int, correlation_id: str) -> None:
    """Counts, and tells of it once an hour."""
    tallies = transaction.acquirer.tallies
    held = tallies.get(config.name)
    tally = held or UnreadableTally(config.name)
    tally = replace(tally, dropped_count=tally.dropped_count + dropped)
    if unreadable_notifications.is_to_be_told(tally, now):
        kept = len(transaction.acquirer.unreadable_sizes(config.name))
        transaction.append(
            Event(
                kind=EventKind.ACQUIRER_NOTIFICATION_UNREADABLE,
                resource=config.name,
                time=now,
                merchant_gateway_id=config.merchant_gateway_id,
                merchant_id=config.merchant_id,
                correlation_id=correlation_id,
                actor=SENDER,
                details={"kept": str(kept), "dropped": str(tally.dropped_count)},
            )
        )
        tally = UnreadableTally(config.name, 0, now)
    if tally != held:
        (tallies.insert if held is None else tallies.update)([tally])


def envelope(desk: AcquirerDesk, kept: UnreadableNotification) -> Envelope:
    """The message that is kept."""
    message = desk.house.open(kept.sealed_message, kept.name, "message")
    return Envelope(message[:IV_BYTES], message[IV_BYTES : IV_BYTES + TAG_BYTES], message[IV_BYTES + TAG_BYTES :])


def list_page(store: Store, query: UnreadableNotificationQuery, page: Page) -> list[UnreadableNotification]:
    return store.view.acquirer.unreadable_notifications(query, page)


def config_id_of(transaction: Transaction, caller: Caller, webhook_config: str) -> str:
    """The id of a config that the caller may see. Raises ResourceNotFound."""
    found = transaction.webhooks.configs.get(webhook_config)
    if found is None or not caller.reach.sees(found.merchant_gateway_id, found.merchant_id):
        raise ResourceNotFound(webhook_config)
    return found.webhook_config_id
