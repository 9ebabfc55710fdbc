"""Who calls by REST: the caller's own access token goes on to the core as it came, and nobody's else."""

import base64
import json
from urllib.parse import urlsplit

from google.protobuf.message import Message
from mintmark.v1 import access_tokens_pb2

from adapters.inbound.failed_authentications import Claim
from adapters.inbound.request import Request
from adapters.inbound.rest import correlation, refusals
from adapters.inbound.rest.problems import Trouble, Troubled, trouble
from adapters.inbound.rest.reasons import ORIGIN_REFUSED

# What fits into gRPC's metadata with room for the rest; an access token of ours has under 1 KiB.
LONGEST_AUTHORIZATION = 4096
# What the core says of an access token that is a real one all the same.
WHY_WORN_OUT = frozenset({"expired", "revoked", "its client is disabled or gone"})
FOREIGN = (b"cross-site", b"same-site")

Metadata = tuple[tuple[str, str], ...]


def metadata(request: Request) -> Metadata:
    """The metadata to call the core with. Raises Troubled for what cannot be sent on, and for foreign web pages."""
    told = (("x-correlation-id", correlation.of(request)),)
    raw = request.header(b"authorization")
    if not request.times(b"authorization"):
        _check_origin(request)
        return told
    if request.times(b"authorization") > 1:
        raise Troubled(refusals.access_token_invalid("several were sent"))
    text = raw.decode("latin-1")
    if not (text.strip() and text.isascii() and text.isprintable() and len(text) <= LONGEST_AUTHORIZATION):
        raise Troubled(refusals.access_token_invalid("the authorization is not of the form `Bearer <token>`"))
    return (("authorization", text), *told)


def claimed(message: Message) -> Claim | None:
    """The client that a message asks an access token for, with a secret that may be wrong."""
    return Claim(message.client_id) if isinstance(message, access_tokens_pb2.IssueAccessTokenRequest) else None


def owner(request: Request, wrong: Trouble) -> Claim | None:
    """The client that an access token was made for which the core has found to be worn out. Anybody else's failures
    must not keep it from being told so."""
    if wrong.reason != "ACCESS_TOKEN_INVALID" or wrong.metadata.get("why") not in WHY_WORN_OUT:
        return None
    # The core has verified it; what it reads in another way than we do has no owner here.
    try:
        payload = request.authorization[1].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return Claim(f"clients/{claims['client_id']}", certain=True)
    except (LookupError, ValueError, TypeError):
        return None


def _check_origin(request: Request) -> None:
    """Keeps web pages of others out: in development whoever reaches us may call without an access token.

    A page can read no answer of ours in any case, as we allow no other origin, but it could write.
    """
    origin = request.header(b"origin").decode("latin-1")
    ours = not origin or _place(origin) == request.header(b"host").decode("latin-1").lower()
    if not ours or request.header(b"sec-fetch-site") in FOREIGN:
        text = "a web page of another origin may not call without an access token"
        raise Troubled(trouble(ORIGIN_REFUSED, text))


def _place(origin: str) -> str:
    """Host and port of an origin; empty where it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
