"""What the schema says about each RPC: the services with their policies are the authorization table."""

from dataclasses import dataclass

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from mintmark.v1 import options_pb2


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of one method, its full name as gRPC writes it, and the class of its answers."""

    method: str
    answer: type[Message]
    scope: str
    anonymous: bool
    any_client: bool
    internal: bool
    naturally_idempotent: bool
    waiting: bool


def policy_of(method: MethodDescriptor) -> Policy:
    stated = method.GetOptions().Extensions[options_pb2.policy]
    return Policy(
        method=f"/{method.containing_service.full_name}/{method.name}",
        answer=message_factory.GetMessageClass(method.output_type),
        scope=stated.scope,
        anonymous=stated.anonymous,
        any_client=stated.any_client,
        internal=stated.internal,
        naturally_idempotent=stated.naturally_idempotent,
        waiting=stated.waiting,
    )
