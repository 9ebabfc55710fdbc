"""What every call goes through."""

import uuid

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from mintmark.v1 import tokens_pb2, tokens_pb2_grpc

from mintmark_client import Client, Fault, NotFound, Pacing, Unavailable
from tests.adapters.cli.fake_core import SECRET
from tests.mintmark_client.fake_core import Failure, UnsteadyCore
from tests.mintmark_client.fake_time import FakeTime

PASSING = [
    Failure("UNAVAILABLE", "SHUTTING_DOWN"),
    Failure("UNAVAILABLE"),
    Failure("ABORTED", "REQUEST_IN_PROGRESS"),
    Failure("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS"),
    Failure("DEADLINE_EXCEEDED", "DEADLINE_PASSED"),
]
NEW = [tokens_pb2.TokenImport(token_id="t")]


def test_what_passes_is_tried_again_with_the_same_request_id(
    unsteady: UnsteadyCore, caller: Client, fake_time: FakeTime
) -> None:
    unsteady.failures = list(PASSING)
    assert caller.tokens.import_(NEW).created_count == 1
    assert len(unsteady.requests) == len(PASSING) + 1
    # Each try happened, and all of them are one.
    assert list(unsteady.imported) == [unsteady.requests[-1].request_id]
    uuid.UUID(unsteady.requests[-1].request_id)
    assert len({seen["x-correlation-id"] for seen in unsteady.metadata}) == 1
    assert len(fake_time.pauses) == len(PASSING)


def test_each_write_has_a_request_id_of_its_own(unsteady: UnsteadyCore, caller: Client) -> None:
    caller.tokens.import_(NEW)
    caller.tokens.import_(NEW)
    caller.tokens.import_(NEW, request_id="mine")
    given = tokens_pb2.ImportTokensRequest(tokens=NEW)
    caller.stub(tokens_pb2_grpc.TokensServiceStub).ImportTokens(given)
    assert len(unsteady.imported) == 4
    assert "mine" in unsteady.imported
    assert given.request_id == ""


@pytest.mark.parametrize("failure", [Failure("NOT_FOUND", "RESOURCE_NOT_FOUND"), Failure("INTERNAL", "INTERNAL")])
def test_a_definite_answer_is_not_asked_for_again(failure: Failure, unsteady: UnsteadyCore, caller: Client) -> None:
    unsteady.failures = [failure]
    with pytest.raises((NotFound, Fault)):
        caller.tokens.get("x")
    assert len(unsteady.requests) == 1


def test_tries_end_with_the_callers_time(unsteady: UnsteadyCore, caller: Client, fake_time: FakeTime) -> None:
    unsteady.failures = [Failure("UNAVAILABLE")] * 1000
    with pytest.raises(Unavailable) as caught:
        caller.using(timeout=60).tokens.import_(NEW)
    assert list(unsteady.imported) == [caught.value.request_id]
    assert 20 < sum(fake_time.pauses) < 60
    ceilings = [min(5.0, 0.1 * 2**number) for number in range(len(fake_time.pauses))]
    assert all(0 <= pause <= ceiling for pause, ceiling in zip(fake_time.pauses, ceilings, strict=True))
    assert max(fake_time.pauses) > 2.5


def test_a_try_that_hangs_leaves_time_for_another(unsteady: UnsteadyCore) -> None:
    unsteady.hanging = 1
    pacing = Pacing(attempt=0.3, first=0.01)
    with Client(unsteady.address, client_id="orders", client_secret=SECRET, pacing=pacing) as client:
        assert client.tokens.get("x").name == "x"
    assert len(unsteady.requests) == 2


def test_only_what_the_schema_makes_safe_is_repeated(unsteady: UnsteadyCore, fake_time: FakeTime) -> None:
    unsteady.stop()
    with Client(unsteady.address, pacing=fake_time.pacing()) as anonymous:
        with pytest.raises(Unavailable):
            anonymous.stub(health_pb2_grpc.HealthStub).Check(health_pb2.HealthCheckRequest())
        assert fake_time.pauses == []
        with pytest.raises(Unavailable):
            anonymous.tokens.get("x")
        assert fake_time.pauses != []


def test_correlation_ids_are_the_callers_or_made(unsteady: UnsteadyCore, caller: Client) -> None:
    caller.tokens.get("x")
    caller.tokens.get("x")
    caller.using(correlation_id="order-7").tokens.get("x")
    stub = caller.stub(tokens_pb2_grpc.TokensServiceStub)
    stub.GetToken(tokens_pb2.GetTokenRequest(name="x"), metadata=(("x-correlation-id", "order-8"), ("other", "1")))
    first, second, *given = [seen["x-correlation-id"] for seen in unsteady.metadata]
    assert first != second
    assert given == ["order-7", "order-8"]
    assert unsteady.metadata[-1]["other"] == "1"
