"""The two gRPC listeners: the public API, and the internal one for our own roles."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from server.domain.refusals import TooManyCalls
from server.rpc.calls import THREADS, Calls
from server.rpc.policies import policy_of

MESSAGE_LIMIT = 1024 * 1024
INTERNAL_MESSAGE_LIMIT = 4 * 1024 * 1024
# An envelope needs room: a message of just the limit is a little larger on the wire.
ENVELOPE = 64 * 1024
STREAMS_PER_CONNECTION = 100
SHORTEST_PING_INTERVAL_MS = 60_000
# What a stream has to say goodbye.
LAST_WORDS_S = 0.5

# Our servicers by the names of their services, such as `TokensService`.
Servicers = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files for a listener; with `client_ca`, callers need a certificate from it (mutual TLS)."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        pair = (self.key.read_bytes(), self.certificate.read_bytes())
        authority = self.client_ca.read_bytes() if self.client_ca else None
        return grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None)


def descriptor_of(name: str) -> ServiceDescriptor:
    return descriptor_pool.Default().FindServiceByName(f"mintmark.v1.{name}")


class AddressInUse(Exception):
    """A listener could not be bound. The text names the address."""


class Listener:
    """One gRPC server with its services and its health."""

    def __init__(self, address: str, servicers: Servicers, calls: Calls, message_limit: int) -> None:
        self.address = address
        self._calls = calls
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="rpc")
        self.server = grpc.server(
            self._pool,
            options=(
                ("grpc.max_receive_message_length", message_limit + ENVELOPE),
                ("grpc.max_send_message_length", INTERNAL_MESSAGE_LIMIT + ENVELOPE),
                ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", SHORTEST_PING_INTERVAL_MS),
                ("grpc.so_reuseport", 0),
            ),
        )
        self.server.add_generic_rpc_handlers(
            tuple(calls.handler(servicer, descriptor_of(name)) for name, servicer in servicers.items())
        )
        self._lock: int | None = None
        self.health = health.HealthServicer(experimental_non_blocking=True)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)

    def start(self, tls: "Tls | None") -> None:
        """Raises AddressInUse, or OSError where a file of `tls` cannot be read."""
        credentials = tls.credentials() if tls else None
        self._lock_path()
        mask = os.umask(0o177) if self.address.startswith("unix:") else None
        try:
            if credentials is None:
                self.server.add_insecure_port(self.address)
            else:
                self.server.add_secure_port(self.address, credentials)
        except RuntimeError:
            raise AddressInUse(f"cannot listen on {self.address}: is it in use?") from None
        finally:
            if mask is not None:
                os.umask(mask)
        self.server.start()
        self.health.set("", health_pb2.HealthCheckResponse.SERVING)

    def _lock_path(self) -> None:
        """Keeps others off our unix socket: gRPC unlinks one that is there to bind its own. The lock ends with us."""
        if not self.address.startswith("unix:"):
            return
        try:
            lock = os.open(f"{self.address.removeprefix('unix:')}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise AddressInUse(f"cannot listen on {self.address}: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise AddressInUse(f"cannot listen on {self.address}: another process does") from None
        self._lock = lock

    def stop(self, seconds: float) -> None:
        """Takes nothing new, finishes the unary calls in flight within the time, then ends the streams."""
        self.health.enter_graceful_shutdown()
        stopped = self.server.stop(seconds)
        self._calls.wait_idle(seconds)
        self.server.stop(LAST_WORDS_S)
        stopped.wait(seconds + LAST_WORDS_S)
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self.address.startswith("unix:"):
            Path(self.address.removeprefix("unix:")).unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class Reflection(reflection.ReflectionServicer):  # type: ignore[misc]  # the package has no types
    """Reflection in a room of its own: whoever keeps one open holds a thread, and needs no access token for it."""

    def __init__(self, names: Sequence[str], pool: descriptor_pool.DescriptorPool, calls: Calls) -> None:
        super().__init__(names, pool)
        self._calls = calls

    def ServerReflectionInfo(
        self, request_iterator: Iterator[object], context: grpc.ServicerContext
    ) -> Iterator[object]:
        try:
            with self._calls.room("reflection"):
                yield from super().ServerReflectionInfo(request_iterator, context)
        except TooManyCalls as refusal:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, refusal.text)


def reflect(listener: Listener, service_names: Sequence[str], calls: Calls) -> None:
    """Shows the public API, and nothing of the internal one, to clients that know no protos."""
    pool = descriptor_pool.DescriptorPool()
    added: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name in added:
            return
        added.add(file.name)
        for dependency in file.dependencies:
            add(dependency)
        shown = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(shown)
        public = [
            service
            for service in shown.service
            if not all(policy_of(m).internal for m in file.services_by_name[service.name].methods)
        ]
        del shown.service[:]
        shown.service.extend(public)
        pool.Add(shown)

    services = [descriptor_of(name) for name in service_names]
    for service in services:
        add(service.file)
    add(health_pb2.DESCRIPTOR)
    add(reflection_pb2.DESCRIPTOR)
    names = (*(service.full_name for service in services), health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(Reflection(names, pool, calls), listener.server)
