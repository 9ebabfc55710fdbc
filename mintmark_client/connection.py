"""What all calls of one client share."""

import threading
import uuid
import weakref
from typing import Protocol

import grpc

from mintmark_client import channels
from mintmark_client.access_token import AccessToken, Credentials
from mintmark_client.channels import Tls
from mintmark_client.pacing import Pacing

Metadata = tuple[tuple[str, str | bytes], ...]


class Closable(Protocol):
    """Something that ends with the connection."""

    def close(self) -> None: ...


class Connection:
    """The channel to one core for all calls but event streams, and the access token. Safe for threads."""

    def __init__(self, address: str, credentials: Credentials | None, tls: Tls | None, pacing: Pacing) -> None:
        self.pacing = pacing
        self._address = address
        self._tls = tls
        self.channel = channels.channel(address, tls, streams=False)
        self.access_token = AccessToken(self.channel, credentials, pacing)
        self._lock = threading.Lock()
        self._waiting: grpc.Channel | None = None
        self.closed = False
        self._open: weakref.WeakSet[Closable] = weakref.WeakSet()

    def stream_channel(self) -> grpc.Channel:
        """A new channel for one stream: what is broken goes away with it. Raises OSError where a TLS file is gone."""
        return channels.channel(self._address, self._tls, streams=True)

    def waiting_channel(self) -> grpc.Channel:
        """The channel of calls that wait: a connection full of them starves the others. Raises OSError where a TLS file
        is gone."""
        with self._lock:
            if self._waiting is None:
                self._waiting = channels.channel(self._address, self._tls, streams=True)
            return self._waiting

    def close_with(self, stream: Closable) -> None:
        """Has `stream` closed with everything else."""
        with self._lock:
            self._open.add(stream)

    def close(self) -> None:
        with self._lock:
            open_streams = list(self._open)
            waiting = self._waiting
        for stream in open_streams:
            stream.close()
        self.closed = True
        if waiting is not None:
            waiting.close()
        self.channel.close()


def metadata(access_token: str, correlation_id: str) -> Metadata:
    """The metadata of one call."""
    own = (("x-correlation-id", correlation_id),)
    return (*own, ("authorization", f"Bearer {access_token}")) if access_token else own


def new_id() -> str:
    """A new correlation id or request id."""
    return str(uuid.uuid4())
