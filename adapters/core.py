"""Channels to the core, and the access token that a role or the command calls it with."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
from mintmark.v1 import access_tokens_pb2, access_tokens_pb2_grpc

OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", 4 * 1024 * 1024 + 65536),
    ("grpc.max_send_message_length", 4 * 1024 * 1024 + 65536),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # The time that one attempt to connect may take, TLS over a network included.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
# Streams and waits share no connection with unary calls: a full connection starves them.
STREAM_OPTIONS = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1))


@dataclass(frozen=True, slots=True)
class Tls:
    """The files for TLS towards the core, as PEM. Without an authority the channel is plain."""

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials | None:
        if self.authority is None:
            return None
        return grpc.ssl_channel_credentials(
            root_certificates=self.authority.read_bytes(),
            private_key=self.key.read_bytes() if self.key else None,
            certificate_chain=self.certificate.read_bytes() if self.certificate else None,
        )


def channel(address: str, tls: Tls, *, streams: bool = False) -> grpc.Channel:
    """A channel for threads. Use one with `streams` for streams and long polls, another for everything else."""
    options = STREAM_OPTIONS if streams else OPTIONS
    credentials = tls.credentials()
    if credentials is None:
        return grpc.insecure_channel(address, options)
    return grpc.secure_channel(address, credentials, options)


def aio_channel(
    address: str, tls: Tls, *, streams: bool = False, interceptors: Sequence[grpc.aio.ClientInterceptor] = ()
) -> grpc.aio.Channel:
    """The same for asyncio."""
    options = STREAM_OPTIONS if streams else OPTIONS
    credentials = tls.credentials()
    if credentials is None:
        return grpc.aio.insecure_channel(address, options, interceptors=interceptors)
    return grpc.aio.secure_channel(address, credentials, options, interceptors=interceptors)


class CredentialsMissing(Exception):
    """The credentials file is not there or not readable. The text says what to do."""


def read_credentials(path: Path) -> tuple[str, str]:
    """Client id and secret from a credentials file. Raises CredentialsMissing."""
    try:
        document = json.loads(path.read_text())
        return str(document["client_id"]), str(document["client_secret"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CredentialsMissing(
            f"cannot read the credentials in {path} ({type(error).__name__}); the core writes them at its first start, "
            "or MINTMARK_CREDENTIALS_FILE names another file"
        ) from None


class AccessToken:
    """The caller's own access token: fetched when first needed, again at 80 % of its life. Safe for threads."""

    def __init__(
        self, channel: grpc.Channel, credentials: Path, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._stub = access_tokens_pb2_grpc.AccessTokensServiceStub(channel)
        self._credentials = credentials
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._text = ""
        self._renew_at = 0.0

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata to call with. Raises CredentialsMissing or grpc.RpcError."""
        with self._lock:
            if not self._text or self._monotonic() >= self._renew_at:
                client_id, client_secret = read_credentials(self._credentials)
                began = self._monotonic()
                answer = self._stub.IssueAccessToken(
                    access_tokens_pb2.IssueAccessTokenRequest(client_id=client_id, client_secret=client_secret),
                    timeout=10,
                )
                self._text = answer.access_token
                self._renew_at = began + 0.8 * answer.expires_in
            return (("authorization", f"Bearer {self._text}"),)

    def forget(self) -> None:
        """Drops the token, so that the next call fetches a new one: call it after UNAUTHENTICATED."""
        with self._lock:
            self._text = ""


class AioAccessToken:
    """The same for asyncio."""

    def __init__(
        self, channel: grpc.aio.Channel, credentials: Path, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._stub = access_tokens_pb2_grpc.AccessTokensServiceStub(channel)
        self._credentials = credentials
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._text = ""
        self._renew_at = 0.0

    async def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata to call with. Raises CredentialsMissing or grpc.RpcError."""
        async with self._lock:
            if not self._text or self._monotonic() >= self._renew_at:
                client_id, client_secret = read_credentials(self._credentials)
                began = self._monotonic()
                answer = await self._stub.IssueAccessToken(
                    access_tokens_pb2.IssueAccessTokenRequest(client_id=client_id, client_secret=client_secret),
                    timeout=10,
                )
                self._text = answer.access_token
                self._renew_at = began + 0.8 * answer.expires_in
            return (("authorization", f"Bearer {self._text}"),)

    def forget(self) -> None:
        """Drops the token, so that the next call fetches a new one: call it after UNAUTHENTICATED."""
        self._text = ""


def reason(error: grpc.aio.AioRpcError) -> str:
    """The ErrorReason that the core gave, without its prefix; empty where it gave none."""
    from google.rpc import error_details_pb2, status_pb2

    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                about = error_details_pb2.ErrorInfo()
                if detail.Unpack(about) and about.domain == "mintmark":
                    return str(about.reason)
    return ""
