"""Resource names: segments outside `[A-Za-z0-9._~-]` are percent-encoded as UTF-8 (RFC 3986 section 2.1)."""

from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote, unquote

from server.domain.refusals import FieldInvalid

# What fits into one resource name; an index entry of PostgreSQL ends at 2,704 bytes.
LONGEST_NAME = 1024
# A notification's names are asked for several times in a row.
REMEMBERED = 4096


@lru_cache(REMEMBERED)
def segment(text: str) -> str:
    return quote(text, safe="")


def merchant_gateway(gateway: str) -> str:
    return f"merchantGateways/{segment(gateway)}"


@lru_cache(REMEMBERED)
def merchant(gateway: str, merchant_id: str) -> str:
    return f"{merchant_gateway(gateway)}/merchants/{segment(merchant_id)}"


@lru_cache(REMEMBERED)
def token(gateway: str, merchant_id: str, token_id: str) -> str:
    return f"{merchant(gateway, merchant_id)}/tokens/{segment(token_id)}"


@lru_cache(REMEMBERED)
def binding(gateway: str, merchant_id: str, token_id: str, device_id: str) -> str:
    return f"{token(gateway, merchant_id, token_id)}/bindings/{segment(device_id)}"


def issuer(issuer_id: str) -> str:
    return f"issuers/{segment(issuer_id)}"


def issuer_resource(issuer_id: str, *parts: str) -> str:
    """Something below an issuer: collections and ids in turn."""
    path = "/".join(part if place % 2 == 0 else segment(part) for place, part in enumerate(parts))
    return f"{issuer(issuer_id)}/{path}"


def consumer(issuer_id: str, consumer_id: str) -> str:
    return issuer_resource(issuer_id, "consumers", consumer_id)


def card(issuer_id: str, card_id: str) -> str:
    return issuer_resource(issuer_id, "cards", card_id)


def fingerprint_task(card_name: str, generation: int) -> str:
    """Short, however long the card's id is: one task for each card data of a card."""
    return f"tasks/{sha256(card_name.encode()).hexdigest()[:40]}-fingerprint-{generation}"


def rotation_task(card_name: str, generation: int) -> str:
    return f"{fingerprint_task(card_name, generation)}-rotation"


def card_key(kid: str) -> str:
    return f"cardKeys/{segment(kid)}"


def card_hash_key(hash_key_id: str) -> str:
    return f"cardHashKeys/{segment(hash_key_id)}"


def card_access(access_id: str) -> str:
    return f"cardDataAccesses/{access_id}"


def notification(notification_id: str) -> str:
    return f"notifications/{notification_id}"


def notifications_from(micros: int) -> str:
    """A name that no notification stored at this microsecond or later is before; ids begin with the microsecond."""
    return notification(f"{max(0, micros):014x}")


def arrival_of(notification_name: str) -> int:
    """The microsecond that a notification's id begins with: its receipt or, where that was taken, a later one."""
    return int(notification_name.removeprefix("notifications/")[:14], 16)


def replay(replay_id: str) -> str:
    return f"replays/{replay_id}"


def client(client_id: str) -> str:
    return f"clients/{segment(client_id)}"


def subscription(client_name: str, subscription_id: str) -> str:
    return f"{client_name}/subscriptions/{segment(subscription_id)}"


def api_key(api_key_id: str) -> str:
    return f"apiKeys/{segment(api_key_id)}"


def account(account_id: str) -> str:
    return f"partnerAccounts/{segment(account_id)}"


_COLLECTIONS = {
    "merchantGateways": "merchant_gateway_id",
    "merchants": "merchant_id",
    "tokens": "token_id",
    "bindings": "device_id",
}


def ids_of(name: str) -> dict[str, str]:
    """The ids in the name of a merchant gateway or of something below it, verbatim; nothing for other texts."""
    parts = name.split("/")
    fitting = len(parts) <= 2 * len(_COLLECTIONS) and len(parts) % 2 == 0
    if not fitting or tuple(parts[::2]) != tuple(_COLLECTIONS)[: len(parts) // 2]:
        return {}
    return {_COLLECTIONS[collection]: unquote(text) for collection, text in zip(parts[::2], parts[1::2], strict=True)}


def payment(payment_id: str) -> str:
    return f"payments/{payment_id}"


def operation(payment_name: str, number: int) -> str:
    return f"{payment_name}/operations/{number}"


def attempt(operation_name: str, number: int) -> str:
    return f"{operation_name}/attempts/{number}"


def evidence(payment_name: str, number: int) -> str:
    """Numbers of one length, so that the order of the names is theirs."""
    return f"{payment_name}/evidence/{number:08}"


def payment_of(name: str) -> str:
    """The name of the payment that an operation, an attempt or a line of evidence belongs to."""
    return "/".join(name.split("/")[:2])


def unknown_charge(account_name: str, partner_transaction_id: str) -> str:
    return f"{account_name}/unknownCharges/{segment(partner_transaction_id)}"


def submit_task(operation_name: str, attempt_number: int) -> str:
    """Each attempt has a task of its own: the fence of an earlier one is worth nothing."""
    return f"tasks/{_flat(operation_name)}-submit-{attempt_number}"


def query_task(operation_name: str, partner_transaction_id: str) -> str:
    return f"tasks/{_flat(operation_name)}-query-{partner_transaction_id}"


def payment_subscription(payment_name: str) -> str:
    """Of the payment that has its charges: the two share an id."""
    return f"paymentSubscriptions/{payment_name.removeprefix('payments/')}"


def payment_of_subscription(name: str) -> str:
    return payment(name.removeprefix("paymentSubscriptions/"))


def subscription_task(payment_name: str) -> str:
    return f"tasks/{payment_name.removeprefix('payments/')}-subscription"


def payment_of_task(name: str) -> str:
    """The name of the payment that a task is for."""
    return payment(name.removeprefix("tasks/").partition("-")[0])


def webhook_config(webhook_config_id: str) -> str:
    return f"webhookConfigs/{segment(webhook_config_id)}"


def webhook_key(webhook_config_name: str, number: int) -> str:
    return f"{webhook_config_name}/keys/{number}"


def apply_task(webhook_config_name: str, generation: int) -> str:
    """Each generation has a task of its own: the fence of an earlier one is worth nothing."""
    return f"tasks/{webhook_config_name.removeprefix('webhookConfigs/')}-apply-{generation}"


def webhook_scope(account_name: str, scope: tuple[str, str, str]) -> str:
    """What the acquirer is asked to list: a merchant, an acceptor, a terminal; digits, or nothing."""
    return f"{account_name}/webhookScopes/{'-'.join(scope)}"


def scope_of(webhook_scope_name: str) -> tuple[str, tuple[str, str, str]]:
    """The account and the merchant, acceptor and terminal of such a name."""
    account_name, _, scope = webhook_scope_name.partition("/webhookScopes/")
    merchant_id, acceptor_id, terminal_id = scope.split("-")
    return account_name, (merchant_id, acceptor_id, terminal_id)


def list_task(webhook_scope_name: str) -> str:
    account_name, scope = scope_of(webhook_scope_name)
    return f"tasks/{account_name.removeprefix('partnerAccounts/')}-list-{'-'.join(scope)}"


def unmanaged_webhook(account_name: str, code: str) -> str:
    return f"{account_name}/unmanagedWebhooks/{segment(code)}"


def acquirer_transaction(account_id: str, transaction_id: str) -> str:
    return f"acquirerTransactions/{segment(f'{account_id}~{transaction_id}')}"


def acquirer_report(acquirer_transaction_name: str, number: int) -> str:
    """Numbers of one length, so that the order of the names is theirs."""
    return f"{acquirer_transaction_name}/reports/{number:08}"


def acquirer_query_task(acquirer_transaction_name: str) -> str:
    """Short, however long the acquirer's id is: one task for each transaction."""
    return f"tasks/{sha256(acquirer_transaction_name.encode()).hexdigest()[:40]}-acquirer-query"


def refresh_task(token_name: str) -> str:
    """Short, however long the partner's ids are: one task for each token."""
    return f"tasks/{sha256(token_name.encode()).hexdigest()[:40]}-refresh"


def unreadable_notification(webhook_config_name: str, unreadable_id: str) -> str:
    return f"{webhook_config_name}/unreadableNotifications/{unreadable_id}"


def _flat(operation_name: str) -> str:
    _, payment_id, _, number = operation_name.split("/")
    return f"{payment_id}-{number}"


def parse_parent(parent: str, collections: tuple[str, ...]) -> dict[str, str]:
    """The ids that a `parent` fixes, by collection; `-` in place of an id fixes nothing.

    Raises FieldInvalid where the text is not `collection/id` pairs in the given order, all of them.
    """
    if not parent:
        return {}
    parts = parent.split("/")
    if len(parts) != 2 * len(collections) or tuple(parts[::2]) != collections or not all(parts[1::2]):
        pattern = "/".join(f"{collection}/{{id}}" for collection in collections)
        raise FieldInvalid("parent", f"must look like {pattern}, with - for any", "string.pattern")
    ids = [unquote(text) for text in parts[1::2]]
    if any("\0" in text for text in ids):
        raise FieldInvalid("parent", "must not contain U+0000", "string.nul")
    return {
        collection: each for collection, each, text in zip(collections, ids, parts[1::2], strict=True) if text != "-"
    }
