"""Who knows the id of a client whose secret is not of ours can have the core hash: a little, and shut nobody out."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import access_tokens_pb2, clients_pb2

from server.keys import hashing
from server.rpc.calls import UNARY_LIMIT
from server.services import slow_secrets
from server.services.slow_secrets import MOST_OF_ONE_CLIENT, MOST_RUNNING
from tests.server.rpc.running import RunningCore, Session, refused, request_id, running_core
from tests.waiting import eventually

SECRET = "taken over from elsewhere"


class CountedScrypt:
    """The real scrypt, counted, and held back where it is told to."""

    def __init__(self) -> None:
        self.calls = self.running = self.most_running = 0
        self.let = threading.Event()
        self.let.set()
        self._lock = threading.Lock()
        self._scrypt = hashing.scrypt

    def __call__(self, content: bytes, key: bytes) -> bytes:
        with self._lock:
            self.calls += 1
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        assert self.let.wait(30)
        try:
            return self._scrypt(content, key)
        finally:
            with self._lock:
                self.running -= 1


@pytest.fixture(scope="module")
def core() -> Iterator[RunningCore]:
    with running_core() as running:
        yield running


@pytest.fixture
def scrypt(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountedScrypt]:
    counted = CountedScrypt()
    monkeypatch.setattr(hashing, "scrypt", counted)
    yield counted
    counted.let.set()


def client(core: RunningCore, secret: str = SECRET) -> str:
    """The id of a client with a secret that we did not make."""
    request = clients_pb2.CreateClientRequest(
        request_id=request_id(), client_id=f"old-{request_id()}", scopes=["tokens.read"], taken_over_secret=secret
    )
    return core.admin.clients.CreateClient(request).client.client_id


def asked(session: Session, client_id: str, secret: str, timeout: float = 20) -> str:
    """The code that asking for an access token ends with."""
    request = access_tokens_pb2.IssueAccessTokenRequest(client_id=client_id, client_secret=secret)
    try:
        session.access_tokens.IssueAccessToken(request, timeout=timeout)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def test_a_secret_is_hashed_once(core: RunningCore, scrypt: CountedScrypt) -> None:
    client_id = client(core)
    made = scrypt.calls
    for secret, code in ((SECRET, "OK"), ("wrong", "UNAUTHENTICATED")) * 3:
        assert asked(core.anonymous, client_id, secret) == code
    assert scrypt.calls == made + 2


def test_a_flood_is_shed_and_keeps_nobody_out(
    core: RunningCore, scrypt: CountedScrypt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_secrets, "KEPT", 4)
    flooded, other = client(core), client(core)
    assert asked(core.anonymous, flooded, SECRET) == "OK"
    # More wrong ones than are remembered: they displace each other.
    for number in range(5):
        assert asked(core.anonymous, flooded, f"wrong {number}") == "UNAUTHENTICATED"
    scrypt.let.clear()
    made = scrypt.calls
    callers = 3 * MOST_OF_ONE_CLIENT
    with ThreadPoolExecutor(callers + 1) as pool:
        guesses = [pool.submit(asked, core.anonymous, flooded, f"guess {number}") for number in range(callers)]
        # Those that find no place are told so at once, while none of the others has ended.
        eventually(lambda: sum(each.done() for each in guesses) == callers - MOST_OF_ONE_CLIENT)
        assert scrypt.calls - made <= MOST_RUNNING
        # The right secret was seen before: it is let in past all of them. So are clients whose secrets we made.
        assert asked(core.anonymous, flooded, SECRET) == "OK"
        ours = core.create(["tokens.read"])
        assert asked(core.anonymous, ours.client.client_id, ours.client_secret) == "OK"
        with refused("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS") as told:
            core.issue(flooded, "one guess more")
        assert told.metadata == {"class": "secret"}
        # Another client's first one waits for its turn, and gets it.
        first = pool.submit(asked, core.anonymous, other, SECRET)
        scrypt.let.set()
        assert first.result(30) == "OK"
        codes = [each.result(30) for each in guesses]
    assert codes.count("RESOURCE_EXHAUSTED") == callers - MOST_OF_ONE_CLIENT
    assert codes.count("UNAUTHENTICATED") == MOST_OF_ONE_CLIENT
    assert scrypt.most_running <= MOST_RUNNING
    assert scrypt.calls - made == MOST_OF_ONE_CLIENT + 1


def test_one_guess_many_times_over_takes_no_more_places_than_many_guesses(
    core: RunningCore, scrypt: CountedScrypt
) -> None:
    """Each place is a thread that other calls need."""
    flooded = client(core)
    scrypt.let.clear()
    callers = 2 * UNARY_LIMIT
    with ThreadPoolExecutor(callers) as pool:
        guesses = [pool.submit(asked, core.anonymous, flooded, "the same guess") for _ in range(callers)]
        eventually(lambda: sum(each.done() for each in guesses) == callers - MOST_OF_ONE_CLIENT)
        scrypt.let.set()
        codes = [each.result(30) for each in guesses]
    assert codes.count("UNAUTHENTICATED") == MOST_OF_ONE_CLIENT
    assert codes.count("RESOURCE_EXHAUSTED") == callers - MOST_OF_ONE_CLIENT


def test_a_secret_that_was_replaced_is_not_remembered_as_right(core: RunningCore) -> None:
    client_id = client(core)
    assert asked(core.anonymous, client_id, SECRET) == "OK"
    rotated = clients_pb2.RotateClientSecretRequest(
        request_id=request_id(),
        name=f"clients/{client_id}",
        taken_over_secret="another one of before",
        old_secret_lifetime=Duration(),
    )
    core.admin.clients.RotateClientSecret(rotated)
    assert asked(core.anonymous, client_id, SECRET) == "UNAUTHENTICATED"
    assert asked(core.anonymous, client_id, "another one of before") == "OK"
