"""A session with the core: the channel, who we are, and calls that end in an answer or in Refused."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from adapters.cli.refusals import Refused, translated

if TYPE_CHECKING:
    import grpc
    from google.protobuf.message import Message

    from adapters.core import AccessToken
    from adapters.settings import Settings

CALL_SECONDS = 10.0
PAGE = 1000

Request = TypeVar("Request", bound="Message")
Answer = TypeVar("Answer", bound="Message")


class PageRequest(Protocol):
    """A list request of AIP-158."""

    page_size: int
    page_token: str


class Session:
    """Calls to one core. Not for several threads."""

    def __init__(
        self, settings: "Settings", channel: "grpc.Channel", access_token: "AccessToken | None", *, address: str
    ) -> None:
        self.settings = settings
        self.channel = channel
        self.address = address
        self._access_token = access_token
        self.correlation_id = str(uuid.uuid4())

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata of a call. Raises Refused where we have no access token and get none."""
        from adapters.core import CredentialsMissing

        own = (("x-correlation-id", self.correlation_id),)
        if self._access_token is None:
            return own
        try:
            with translated(self.address):
                return own + self._access_token.metadata()
        except CredentialsMissing as missing:
            raise Refused(str(missing)) from None

    def forget_access_token(self) -> None:
        """The next call fetches a new one."""
        if self._access_token is not None:
            self._access_token.forget()

    def call(self, method: "grpc.UnaryUnaryMultiCallable[Request, Answer]", request: Request) -> Answer:
        """Calls `method` and returns the answer. Raises Refused."""
        metadata = self.metadata()
        with translated(self.address):
            return method(request, timeout=CALL_SECONDS, metadata=metadata)

    def pages(self, method: Any, request: PageRequest, items: Callable[[Any], Any], limit: int) -> Iterator[Any]:
        """All resources of a list, page by page, up to `limit` (0: all). Raises Refused."""
        left = limit
        while True:
            request.page_size = min(left, PAGE) if limit else PAGE
            answer = self.call(method, request)
            yield from items(answer)
            left -= len(items(answer))
            if not answer.next_page_token or (limit and left <= 0):
                return
            request.page_token = answer.next_page_token


@contextmanager
def connect(settings: "Settings | None" = None, *, streams: bool = False) -> Iterator[Session]:
    """A session with the core at MINTMARK_GRPC_ADDRESS.

    It authenticates with the admin's credentials file. In development mode it calls without an access token where
    that file is not there. Raises Refused, or SettingsInvalid.
    """
    from adapters import settings as all_settings

    settings = settings or all_settings.load()
    credentials = settings.credentials("admin")
    anonymous = settings.development and not credentials.is_file()
    if not anonymous and not credentials.is_file():
        raise Refused(
            f"there are no credentials for the core at {settings.grpc_address}: {credentials} is not there",
            "start the core, which writes them at its first start; or name its data folder in MINTMARK_DATA_DIR, or "
            "another file in MINTMARK_CREDENTIALS_FILE",
        )
    from adapters import core

    channel = core.channel(settings.grpc_address, core.Tls(authority=settings.grpc_ca), streams=streams)
    try:
        access_token = None if anonymous else core.AccessToken(channel, credentials)
        yield Session(settings, channel, access_token, address=settings.grpc_address)
    finally:
        channel.close()


def request_id() -> str:
    """A new id for a call that writes."""
    return str(uuid.uuid4())
