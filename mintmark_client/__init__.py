"""The Python client of Mintmark's public gRPC API, for internal services.

    with Client("127.0.0.1:50051", credentials_file="orders.json") as client:
        for token in client.tokens.list(refresh_due=True):
            ...
        with client.events.stream(cursor) as events:
            for event in events:
                ...

It imports nothing of Mintmark but the generated schema, `mintmark.v1`.
"""

from mintmark_client.card_contents import CardData
from mintmark_client.channels import Tls
from mintmark_client.client import Client
from mintmark_client.errors import (
    AlreadyExists,
    CredentialsUnreadable,
    CursorOutOfRange,
    Fault,
    Forbidden,
    InvalidRequest,
    MintmarkError,
    NotFound,
    PreconditionFailed,
    Refused,
    Unauthenticated,
    Unavailable,
    Violation,
)
from mintmark_client.event_follower import EventFollower
from mintmark_client.event_stream import EventStream
from mintmark_client.pacing import Pacing
from mintmark_client.services import Services

__all__ = [
    "AlreadyExists",
    "CardData",
    "Client",
    "CredentialsUnreadable",
    "CursorOutOfRange",
    "EventFollower",
    "EventStream",
    "Fault",
    "Forbidden",
    "InvalidRequest",
    "MintmarkError",
    "NotFound",
    "Pacing",
    "PreconditionFailed",
    "Refused",
    "Services",
    "Tls",
    "Unauthenticated",
    "Unavailable",
    "Violation",
]
