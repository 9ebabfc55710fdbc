"""What every call goes through: repeats of requests, deadlines, limits, correlation ids, outages."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from mintmark.v1 import clients_pb2, events_pb2, tokens_pb2
from prometheus_client import REGISTRY

from tests.server.rpc.running import RunningCore, Session, code_of, refused, request_id, running_core
from tests.server.rpc.schema import methods, path, policy
from tests.waiting import eventually

TSH = tokens_pb2.TokenProvider.TOKEN_PROVIDER_TSH


def entry(place: str, token_id: str) -> tokens_pb2.TokenImport:
    return tokens_pb2.TokenImport(merchant_gateway_id=place, merchant_id="m", token_id=token_id, provider=TSH)


def importing(place: str, *token_ids: str, id_: str = "") -> tokens_pb2.ImportTokensRequest:
    return tokens_pb2.ImportTokensRequest(
        request_id=id_ or request_id(), tokens=[entry(place, each) for each in token_ids]
    )


def test_every_writing_method_takes_a_request_id_or_says_why_not() -> None:
    for method in methods():
        reads = method.name.startswith(("Get", "List", "Plan", "Stream", "Watch", "Introspect"))
        has_one = "request_id" in method.input_type.fields_by_name
        assert reads + has_one + policy(method).naturally_idempotent == 1, path(method)


def test_a_repeated_request_gets_the_first_answer(core: RunningCore, place: str) -> None:
    request = importing(place, "a", "b")
    first = core.admin.tokens.ImportTokens(request)
    assert first.created_count == 2
    core.admin.tokens.ImportTokens(importing(place, "c"))
    assert core.admin.tokens.ImportTokens(request) == first
    request.request_id = request.request_id.upper()
    assert core.admin.tokens.ImportTokens(request) == first
    assert len(core.admin.events_after("0", merchant_gateway_id=place)) == 3


def test_a_repeated_request_gets_the_first_answer_even_when_it_could_not_be_done_now(
    core: RunningCore, place: str
) -> None:
    core.admin.tokens.ImportTokens(importing(place, "t"))
    name = f"merchantGateways/{place}/merchants/m/tokens/t"
    etag = core.admin.tokens.GetToken(tokens_pb2.GetTokenRequest(name=name)).token.etag
    disable = tokens_pb2.DisableTokenRequest(request_id=request_id(), name=name, reason="x", etag=etag)
    first = core.admin.tokens.DisableToken(disable)
    core.admin.tokens.EnableToken(tokens_pb2.EnableTokenRequest(request_id=request_id(), name=name))
    assert core.admin.tokens.DisableToken(disable) == first
    assert not core.admin.tokens.GetToken(tokens_pb2.GetTokenRequest(name=name)).token.HasField("disable_time")


def test_a_request_id_with_other_content_is_refused(core: RunningCore, place: str) -> None:
    id_ = request_id()
    core.admin.tokens.ImportTokens(importing(place, "a", id_=id_))
    with refused("FAILED_PRECONDITION", "REQUEST_ID_REUSED") as told:
        core.admin.tokens.ImportTokens(importing(place, "b", id_=id_))
    assert told.metadata == {"request_id": id_}
    assert len(core.admin.events_after("0", merchant_gateway_id=place)) == 1


def test_a_request_id_belongs_to_its_client_and_method(core: RunningCore, place: str) -> None:
    id_ = request_id()
    other = core.client(["tokens.write"], ["*"])
    core.admin.tokens.ImportTokens(importing(place, "a", id_=id_))
    assert other.tokens.ImportTokens(importing(place, "b", id_=id_)).created_count == 1
    name = f"merchantGateways/{place}/merchants/m/tokens/a"
    core.admin.tokens.DisableToken(tokens_pb2.DisableTokenRequest(request_id=id_, name=name, reason="x"))


def test_a_refused_request_may_be_repeated_with_its_id(core: RunningCore, place: str) -> None:
    name = f"merchantGateways/{place}/merchants/m/tokens/t"
    disable = tokens_pb2.DisableTokenRequest(request_id=request_id(), name=name, reason="x")
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        core.admin.tokens.DisableToken(disable)
    core.admin.tokens.ImportTokens(importing(place, "t"))
    assert core.admin.tokens.DisableToken(disable).token.disable_reason == "x"


@pytest.mark.parametrize("id_", ["", "x", "00000000-0000-0000-0000-00000000000g"])
def test_a_request_id_must_be_a_uuid(core: RunningCore, place: str, id_: str) -> None:
    request = importing(place, "t")
    request.request_id = id_
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        core.admin.tokens.ImportTokens(request)
    assert told.metadata["field"] == "request_id"


@contextmanager
def held(core: RunningCore) -> Iterator[None]:
    """Holds up every write of the core."""
    begun, go = threading.Event(), threading.Event()

    def hold(_transaction: object) -> None:
        begun.set()
        assert go.wait(30)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(core.core.store.write, "", hold)
        try:
            assert begun.wait(30)
            yield
        finally:
            go.set()
        holding.result(10)


def test_a_request_in_progress_is_told_as_such(core: RunningCore, place: str) -> None:
    request = importing(place, "t")
    with ThreadPoolExecutor(2) as pool:
        with held(core):
            both = [pool.submit(core.admin.tokens.ImportTokens, request) for _ in range(2)]
            (second,) = eventually(lambda: [each for each in both if each.done()], 4, "the refusal of one of them")
            with refused("ABORTED", "REQUEST_IN_PROGRESS") as told:
                second.result()
            assert told.metadata == {"request_id": request.request_id}
        (first,) = (each for each in both if each is not second)
        assert first.result(10).created_count == 1
    assert core.admin.tokens.ImportTokens(request).created_count == 1


def test_reads_go_on_while_nobody_can_write(core: RunningCore) -> None:
    with held(core):
        core.admin.tokens.ListTokens(tokens_pb2.ListTokensRequest(page_size=1))


def test_one_of_many_equal_requests_at_once_does_the_work(core: RunningCore, place: str) -> None:
    request = importing(place, "t")

    def call(_: int) -> str:
        return code_of(lambda: core.admin.tokens.ImportTokens(request))

    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(call, range(32)))
    assert {"OK"} <= answers <= {"OK", "ABORTED"}
    assert len(core.admin.events_after("0", merchant_gateway_id=place)) == 1


def test_work_that_does_not_begin_in_time_is_not_done(core: RunningCore, place: str) -> None:
    with held(core):
        with pytest.raises(grpc.RpcError) as caught:
            core.admin.tokens.ImportTokens(importing(place, "late"), timeout=0.3)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    core.admin.tokens.ImportTokens(importing(place, "after"))
    wanted = tokens_pb2.ListTokensRequest(parent=f"merchantGateways/{place}/merchants/-")
    assert [token.token_id for token in core.admin.tokens.ListTokens(wanted).tokens] == ["after"]


def test_the_callers_correlation_id_is_in_the_event(core: RunningCore, place: str) -> None:
    for given, fit in (("corr-1", True), ("x" * 129, False), ("with blank", False), ("4111111111111111", False)):
        session = Session(core.public, (*core.admin.metadata, ("x-correlation-id", given)))
        session.tokens.ImportTokens(importing(place, f"t-{len(given)}"))
        event = core.admin.events_after("0", merchant_gateway_id=place)[-1]
        assert (event.correlation_id == given) is fit
        assert event.correlation_id


# Limits.


def test_a_message_over_a_megabyte_is_refused_and_one_of_a_megabyte_is_not(core: RunningCore) -> None:
    def answer(size: int) -> str:
        return code_of(lambda: core.admin.tokens.GetToken(tokens_pb2.GetTokenRequest(name="x" * size)))

    assert answer(1024 * 1024) == "INVALID_ARGUMENT"
    assert answer(1024 * 1024 + 128 * 1024) == "RESOURCE_EXHAUSTED"
    core.admin.tokens.ListTokens(tokens_pb2.ListTokensRequest(page_size=1))


def test_several_waves_past_the_limit_are_answered_and_leave_nothing_behind(core: RunningCore, place: str) -> None:
    """The pool holds 32 unary calls: of more, those that find no room are refused at once."""
    sessions = [Session(core.channel(), core.admin.metadata) for _ in range(4)]
    barrier = threading.Barrier(96)

    def call(number: int) -> str:
        barrier.wait(30)
        return code_of(lambda: sessions[number % 4].tokens.ImportTokens(importing(place, f"t-{number}")))

    with ThreadPoolExecutor(96) as pool:
        for _ in range(3):
            answers = list(pool.map(call, range(96)))
            assert set(answers) <= {"OK", "RESOURCE_EXHAUSTED"}
            assert answers.count("OK") >= 32
    with ThreadPoolExecutor(8) as pool:
        request = tokens_pb2.ListTokensRequest(page_size=1)
        assert len(list(pool.map(core.admin.tokens.ListTokens, [request] * 64))) == 64


def in_flight() -> float:
    return REGISTRY.get_sample_value("mintmark_grpc_in_flight", {"call_class": "unary"}) or 0


def test_calls_past_the_limit_are_refused_at_once(core: RunningCore, place: str) -> None:
    def call(number: int) -> str:
        return code_of(lambda: core.admin.tokens.ImportTokens(importing(place, f"t-{number}")))

    with ThreadPoolExecutor(32) as pool:
        with held(core):
            answers = [pool.submit(call, number) for number in range(32)]
            eventually(lambda: in_flight() == 32, 10, "32 calls in flight")
            with refused("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS") as told:
                core.admin.tokens.ListTokens(tokens_pb2.ListTokensRequest(page_size=1))
            assert told.metadata == {"class": "unary"}
        assert {answer.result(20) for answer in answers} == {"OK"}
    core.admin.tokens.ListTokens(tokens_pb2.ListTokensRequest(page_size=1))


class Streams:
    """Event streams that are open, each with its first message read."""

    def __init__(self, core: RunningCore) -> None:
        self._core = core
        self._channel = core.channel()
        self._session = Session(self._channel, core.admin.metadata)
        self.open: list[Any] = []

    def add(self) -> None:
        stream = self._session.events.StreamEvents(events_pb2.StreamEventsRequest())
        next(stream)
        self.open.append(stream)

    def tried(self) -> bool:
        return code_of(self.add) == "OK"

    def close(self) -> None:
        for stream in self.open:
            stream.cancel()
        self.open.clear()


@contextmanager
def streams(core: RunningCore) -> Iterator[Streams]:
    opened = Streams(core)
    try:
        yield opened
    finally:
        opened.close()


def test_64_streams_are_open_at_once_and_unary_calls_go_on(core: RunningCore, place: str) -> None:
    with streams(core) as opened:
        for _ in range(64):
            opened.add()
        with refused("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS") as told:
            opened.add()
        assert told.metadata == {"class": "stream"}
        for number in range(5):
            core.admin.tokens.ImportTokens(importing(place, f"t-{number}"), timeout=5)
        for stream in opened.open:
            seen = 0
            while seen < 5:
                seen += len(next(stream).events)
        # A cancelled stream gives its place back at once.
        for _ in range(3):
            opened.open.pop().cancel()
            eventually(opened.tried, 2.0, "a place for another stream")
        assert len(opened.open) == 64


# Outages and shutdown.


def test_a_store_that_is_gone_is_unavailable_and_works_again(place: str) -> None:
    with running_core() as core:
        file = core.folder / "data/mintmark.sqlite"
        away = file.with_name("away")
        file.rename(away)
        request = importing(place, "t")
        with refused("UNAVAILABLE", "STORE_UNAVAILABLE"):
            core.admin.tokens.ImportTokens(request)
        away.rename(file)
        assert eventually(lambda: core.admin.tokens.ImportTokens(request).created_count, 5) == 1


def test_a_stopping_core_lets_streams_go_and_keeps_what_it_said() -> None:
    core = RunningCore()
    try:
        created = core.create(["tokens.read"], ["*"])
        stream = core.admin.events.StreamEvents(events_pb2.StreamEventsRequest(cursor="0"))
        next(stream)
        stopping = threading.Thread(target=core.core.stop)
        stopping.start()
        with refused("UNAVAILABLE", "SHUTTING_DOWN"):
            for _ in stream:
                pass
        stopping.join(10)
        assert not stopping.is_alive()
        assert not (core.folder / "data/run/internal.sock").exists()
        core.start()
        kept = core.admin.clients.GetClient(clients_pb2.GetClientRequest(name=created.client.name)).client
        assert kept == created.client
        core.session(created.client.client_id, created.client_secret)
    finally:
        core.remove()
