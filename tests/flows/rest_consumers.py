"""Consumers of an issuer, over REST and over gRPC alike."""

from collections.abc import Iterator

from google.protobuf.message import Message
from mintmark.v1 import consumers_pb2 as pb

from tests.server.rpc.running import request_id as key
from tests.stack import Stack

Case = tuple[str, Message, str]
SERVICE = "ConsumersService"
ISSUER = "ISSUERWALK"
NAME = f"issuers/{ISSUER}/consumers/walked"
PERSON = pb.PersonalData(first_name="Inês", residency_address=pb.PostalAddress(city="Lisboa", country_code="PT"))
# What these answer the first time is not in the answer to a repeat.
TOLD_ONCE = frozenset({"RegisterConsumerResponse", "ReplaceConsumerResponse"})


def open_consumers(stack: Stack) -> None:
    """Registers the consumer that is read."""
    body = {"issuerId": ISSUER, "consumerId": "walked", "personalData": {"firstName": "Inês"}}
    stack.http.post("/v1/consumers", json=body, headers={"Idempotency-Key": key()}).raise_for_status()


def reads() -> Iterator[Case]:
    yield f"{SERVICE}.GetConsumer", pb.GetConsumerRequest(name=NAME), ""
    yield f"{SERVICE}.GetConsumer", pb.GetConsumerRequest(name=f"{NAME}-not"), "RESOURCE_NOT_FOUND"
    wanted = pb.ListConsumersRequest(issuer_id=ISSUER, states=[pb.CONSUMER_STATE_ACTIVE], page_size=2)
    yield f"{SERVICE}.ListConsumers", wanted, ""
    yield f"{SERVICE}.ListConsumers", pb.ListConsumersRequest(page_size=1001), "FIELD_INVALID"


def writes() -> Iterator[Case]:
    register = pb.RegisterConsumerRequest(
        request_id=key(), issuer_id=ISSUER, consumer_id=f"new-{key()}", personal_data=PERSON
    )
    yield f"{SERVICE}.RegisterConsumer", register, ""
    taken = pb.RegisterConsumerRequest(request_id=key(), issuer_id=ISSUER, consumer_id="walked")
    yield f"{SERVICE}.RegisterConsumer", taken, "RESOURCE_EXISTS"
    odd = pb.RegisterConsumerRequest(request_id=key(), issuer_id=ISSUER, consumer_id="odd")
    odd.personal_data.date_of_birth = "1990-02-30"
    yield f"{SERVICE}.RegisterConsumer", odd, "FIELD_INVALID"
    name = f"issuers/{ISSUER}/consumers/{register.consumer_id}"
    replace = pb.ReplaceConsumerRequest(request_id=key(), name=name, personal_data=pb.PersonalData(first_name="Ana"))
    yield f"{SERVICE}.ReplaceConsumer", replace, ""
    yield f"{SERVICE}.SuspendConsumer", pb.SuspendConsumerRequest(request_id=key(), name=name), ""
    yield f"{SERVICE}.ResumeConsumer", pb.ResumeConsumerRequest(request_id=key(), name=name), ""
    yield f"{SERVICE}.DeleteConsumer", pb.DeleteConsumerRequest(request_id=key(), name=name), ""
    yield f"{SERVICE}.ResumeConsumer", pb.ResumeConsumerRequest(request_id=key(), name=name), "CONSUMER_STATE_UNFIT"
