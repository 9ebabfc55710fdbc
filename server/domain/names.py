"""Resource names: segments outside `[A-Za-z0-9._~-]` are percent-encoded as UTF-8 (RFC 3986 section 2.1)."""

from functools import lru_cache
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


def notification(notification_id: str) -> str:
    return f"notifications/{notification_id}"


def notifications_from(micros: int) -> str:
    """A name that no notification stored at this microsecond or later is before; ids begin with the microsecond."""
    return notification(f"{max(0, micros):014x}")


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
