"""A core killed around its commit: what another core shows of the change is what the database has."""

import signal
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from mintmark.v1 import tokens_pb2, tokens_pb2_grpc

from server.keys import keyring
from server.rpc import tokens
from tests.faults.core_process import CALL_SECONDS, CoreProcess
from tests.faults.killed_marker import shorten
from tests.server.rpc.running import RunningCore, request_id, running_core
from tests.valkey import Valkey

NAME = "merchantGateways/MGW_1/merchants/m-1/tokens/t-1"
TSH = tokens_pb2.TOKEN_PROVIDER_TSH
NOBODY = "unix:///nonexistent/redis.sock"


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    keyring.create(tmp_path / "keyring.json")
    return tmp_path / "keyring.json"


@pytest.fixture
def other(postgres_database: str, valkey: Valkey, ring: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningCore]:
    """The core that lives on, with the token in its cache."""
    shorten(monkeypatch.setattr)
    with running_core(database_url=postgres_database, redis_url=valkey.url, keyring_file=ring) as core:
        entry = tokens_pb2.TokenImport(merchant_gateway_id="MGW_1", merchant_id="m-1", token_id="t-1", provider=TSH)
        core.admin.tokens.ImportTokens(tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=[entry]))
        yield core


def killed(other: RunningCore, place: str, redis_url: str) -> CoreProcess:
    settings = other.settings
    core = CoreProcess(
        MINTMARK_DATABASE_URL=settings.database_url,
        MINTMARK_KEYRING_FILE=str(settings.keyring),
        MINTMARK_REDIS_URL=redis_url,
        MINTMARK_DATA_DIR=str(settings.data_dir),
    )
    core.data = settings.data_dir
    core.environment["MINTMARK_INTERNAL_ADDRESS"] = f"unix:{core.folder / 'internal.sock'}"
    return core.start(("-m", "tests.faults.killed_marker", place))


def shown(core: RunningCore) -> tokens_pb2.Token:
    return core.admin.tokens.GetToken(tokens_pb2.GetTokenRequest(name=NAME)).token


def stored(core: RunningCore) -> tokens_pb2.Token:
    token = core.core.store.view.token(NAME)
    assert token
    return tokens.to_proto(token)


@pytest.mark.parametrize(
    ("dead_redis", "place"),
    [
        *((False, place) for place in ("marked", "committed", "released")),
        # A core that reaches Redis does not pause anybody.
        *((True, place) for place in ("paused", "marked", "committed", "released")),
    ],
)
def test_what_the_killed_core_changed_is_right_at_the_other_one(
    other: RunningCore, valkey: Valkey, place: str, dead_redis: bool
) -> None:
    before = shown(other)
    assert shown(other) == before
    core = killed(other, place, NOBODY if dead_redis else valkey.url)
    try:
        metadata = core.metadata()
        request = tokens_pb2.DisableTokenRequest(request_id=request_id(), name=NAME, reason="lost")
        with pytest.raises(grpc.RpcError):
            tokens_pb2_grpc.TokensServiceStub(core.channel()).DisableToken(
                request, metadata=metadata, timeout=CALL_SECONDS
            )
        assert core.ended() == -signal.SIGKILL
    finally:
        core.remove()
    after = stored(other)
    assert after.HasField("disable_time") == (place in ("committed", "released"))
    for _ in range(20):
        assert shown(other) == after
    # When the pause is over, and the cache is used again, what was there before it must not be found.
    while other.core.store.view.cache_pause().left > -0.5 and other.core.store.view.cache_pause().epoch:
        assert shown(other) == after
    # The caller asks again, and elsewhere.
    assert other.admin.tokens.DisableToken(request).token == shown(other) == stored(other)
