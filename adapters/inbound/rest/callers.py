"""Who calls by REST: the caller's own access token goes on to the core as it came, and nobody's else."""

from urllib.parse import urlsplit

from adapters.inbound.request import Request
from adapters.inbound.rest import correlation, refusals
from adapters.inbound.rest.problems import Troubled, trouble
from adapters.inbound.rest.reasons import ORIGIN_REFUSED

# What fits into gRPC's metadata with room for the rest; an access token of ours has under 1 KiB.
LONGEST_AUTHORIZATION = 4096
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
