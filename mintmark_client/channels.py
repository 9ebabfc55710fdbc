"""Channels to the core."""

from dataclasses import dataclass
from pathlib import Path

import grpc

OPTIONS: tuple[tuple[str, int], ...] = (
    # A page of 1,000 may be longer than the 4 MiB that gRPC takes by default.
    ("grpc.max_receive_message_length", -1),
    # The server takes pings no closer than this.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # How long connecting may take: over a network, with TLS, that is several round trips.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
# Streams share no connection with other calls: a connection full of them starves the others.
STREAM_OPTIONS = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1))


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS towards the core; files as PEM. Without an authority, those that gRPC trusts by default.

    Certificate and key are for servers that ask for a client's certificate.
    """

    authority: Path | str | None = None
    certificate: Path | str | None = None
    key: Path | str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Raises OSError where a file cannot be read."""
        return grpc.ssl_channel_credentials(_read(self.authority), _read(self.key), _read(self.certificate))


def _read(path: Path | str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()


def channel(address: str, tls: Tls | None, *, streams: bool) -> grpc.Channel:
    """A channel of its own for streams, or one for everything else."""
    options = STREAM_OPTIONS if streams else OPTIONS
    if tls is None:
        return grpc.insecure_channel(address, options)
    return grpc.secure_channel(address, tls.credentials(), options)
