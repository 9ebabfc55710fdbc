"""Page tokens (AIP-158): opaque, and good only for the list and the filters that they were made with."""

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, cast

from google.protobuf.message import Message

from server.domain.queries import Page
from server.domain.refusals import PageTokenInvalid
from server.ports import Hasher

DEFAULT_SIZE = 50
MAC_SIZE = 16
# A page stays well below the 4 MiB that gRPC clients accept by default: partners' texts can be long.
PAGE_BYTES = 1024 * 1024

T = TypeVar("T")


class Listing(Protocol):
    """A request of a List method."""

    page_size: int
    page_token: str


class Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)
M = TypeVar("M", bound=Message)


class PageTokens:
    """Makes page tokens and reads them."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher

    def list(
        self, request: Any, client: str, read: Callable[[Page], Sequence[N]], show: Callable[[N], M]
    ) -> tuple[list[M], str]:
        """The page that a request asks for and the token of the next. A page ends early where it gets too long for a
        message. Raises PageTokenInvalid."""
        listing = cast("Listing", request)
        size = listing.page_size or DEFAULT_SIZE
        asked = self._asked(request, client)
        after = self._read(listing.page_token, asked) if listing.page_token else ""
        # One more than asked for tells whether there is a next page.
        found = read(Page(after, size + 1))
        shown: list[M] = []
        room = PAGE_BYTES
        for each in found[:size]:
            message = show(each)
            room -= message.ByteSize()
            if shown and room < 0:
                break
            shown.append(message)
        return shown, self._make(asked, found[len(shown) - 1].name) if len(shown) < len(found) else ""

    @staticmethod
    def _asked(request: Message, client: str) -> bytes:
        bare = type(request)()
        bare.CopyFrom(request)
        bare.DiscardUnknownFields()
        bare.ClearField("page_token")
        bare.ClearField("page_size")
        name = request.DESCRIPTOR.full_name.encode()
        return b"\0".join((name, client.encode(), bare.SerializeToString(deterministic=True)))

    def _mac(self, asked: bytes, after: bytes) -> bytes:
        return self._hasher.identity_hash(b"page token", asked, after)[:MAC_SIZE]

    def _make(self, asked: bytes, after: str) -> str:
        return base64.urlsafe_b64encode(self._mac(asked, after.encode()) + after.encode()).decode()

    def _read(self, token: str, asked: bytes) -> str:
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
            mac, after = raw[:MAC_SIZE], raw[MAC_SIZE:]
            if not hmac.compare_digest(mac, self._mac(asked, after)):
                raise PageTokenInvalid
            return after.decode()
        except (binascii.Error, UnicodeError, ValueError):
            raise PageTokenInvalid from None
