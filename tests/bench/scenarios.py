"""What is measured: each scenario on a running Mintmark of its own."""

import itertools
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from mintmark.v1 import tokens_pb2, tokens_pb2_grpc

from tests.bench import load, verifications
from tests.bench.load import Sample
from tests.postgres import Postgres
from tests.stack import Stack
from tests.valkey import Valkey

GATEWAY, MERCHANT = "MGW_000001", "10610027312"
TOKENS = 1_000

Run = Callable[[float], Sample]


@dataclass(frozen=True)
class Scenario:
    """A way to put load on a stack: what one call is, where, and how it is made ready to run for some seconds."""

    name: str
    what: str
    place: str
    prepare: Callable[[Stack], Run]


@contextmanager
def stack(place: str) -> Iterator[Stack]:
    """A running Mintmark on `sqlite` or `postgresql`, with `+valkey` beside it where the place says so."""
    postgres, valkey = Postgres(), Valkey()
    settings: dict[str, str] = {}
    running: Stack | None = None
    try:
        if "valkey" in place:
            valkey.start()
            settings["MINTMARK_REDIS_URL"] = valkey.url
        if "postgresql" in place:
            postgres.start()
            postgres.execute("CREATE DATABASE bench")
            settings["MINTMARK_DATABASE_URL"] = postgres.url("bench")
        running = Stack(development=True).with_settings(settings)
        if "postgresql" in place:
            running.data.mkdir(parents=True)
            running.command("keyring", "create", str(running.data / "keyring.json"))
            running.command("migrate")
            # What `serve` makes by itself on SQLite.
            running.command("card-keys", "add")
            running.command("card-number-hash-keys", "add")
        yield running.start()
    finally:
        if running is not None:
            running.remove()
        postgres.remove()
        valkey.remove()


def notify(callers: int) -> Callable[[Stack], Run]:
    """D1 notify-update over HTTP, each a new one about one of a thousand tokens, answered when it is durable."""

    def prepare(running: Stack) -> Run:
        (made,) = running.lines(
            "clients", "create", f"bench-{uuid.uuid4()}", "--scope", "d1-notify", "--merchant-gateway", GATEWAY
        )
        answer = running.http.post(
            "/oauth2/token",
            auth=(made["client_id"], made["client_secret"]),
            data={"grant_type": "client_credentials"},
        )
        authorization = f"Bearer {answer.json()['access_token']}"
        url = urlsplit(running.http_url)
        assert url.hostname is not None
        assert url.port is not None
        address = (url.hostname, url.port)
        body = json.dumps({"updateType": "TOKEN_METADATA_UPDATED"}).encode()

        def requests() -> Iterator[bytes]:
            for number in itertools.count():
                path = f"/merchant-gateways/{GATEWAY}/merchants/{MERCHANT}/tokens/token-{number % TOKENS}/notify-update"
                yield (
                    f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: {authorization}\r\n"
                    f"x-correlation-id: {uuid.uuid4()}\r\ncontent-type: application/json\r\n"
                    f"content-length: {len(body)}\r\n\r\n"
                ).encode() + body

        return lambda seconds: load.connections(callers, seconds, address, requests())

    return prepare


def import_tokens(running: Stack) -> list[str]:
    """A thousand tokens, and their names."""
    wanted = [
        tokens_pb2.TokenImport(
            merchant_gateway_id=GATEWAY,
            merchant_id=MERCHANT,
            token_id=f"token-{number}",
            provider=tokens_pb2.TOKEN_PROVIDER_D1_ECOM,
            state_text="ACTIVE",
        )
        for number in range(TOKENS)
    ]
    stub = tokens_pb2_grpc.TokensServiceStub(running.channel)
    stub.ImportTokens(tokens_pb2.ImportTokensRequest(request_id=str(uuid.uuid4()), tokens=wanted), timeout=30)
    return [f"merchantGateways/{GATEWAY}/merchants/{MERCHANT}/tokens/{each.token_id}" for each in wanted]


def get_token(callers: int) -> Callable[[Stack], Run]:
    """GetToken over gRPC, one of a thousand tokens in turn."""

    def prepare(running: Stack) -> Run:
        requests = [tokens_pb2.GetTokenRequest(name=name) for name in import_tokens(running)]
        asked = itertools.cycle(requests)
        get = tokens_pb2_grpc.TokensServiceStub(running.channel).GetToken
        lock = threading.Lock()
        # What is read for the first time is in no cache.
        for each in requests:
            get(each, timeout=10)

        def call() -> object:
            with lock:
                request = next(asked)
            return get(request, timeout=10)

        return lambda seconds: load.threads(callers, seconds, call)

    return prepare


SCENARIOS = (
    Scenario("notify 1", "notify-update over HTTP, 1 connection", "sqlite", notify(1)),
    Scenario("notify 32", "notify-update over HTTP, 32 connections", "sqlite", notify(32)),
    Scenario("notify 32 pg", "the same on PostgreSQL", "postgresql", notify(32)),
    Scenario("get 8", "GetToken over gRPC, 8 callers", "sqlite", get_token(8)),
    Scenario("get 8 valkey", "the same with Valkey", "sqlite+valkey", get_token(8)),
    Scenario("get 8 pg", "the same on PostgreSQL", "postgresql", get_token(8)),
    Scenario("get 8 pg valkey", "the same on PostgreSQL with Valkey", "postgresql+valkey", get_token(8)),
    Scenario("verify 50/s", "Verify Card, 50 a second", "sqlite", verifications.paced(50)),
    Scenario("verify 50/s pg", "the same on PostgreSQL", "postgresql", verifications.paced(50)),
    Scenario("verify 16", "Verify Card, 16 connections", "sqlite", verifications.connected(16)),
)
