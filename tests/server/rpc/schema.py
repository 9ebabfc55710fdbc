"""Every RPC that the schema has, and how to call any of them."""

from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from mintmark.v1 import options_pb2

FILES = (
    "access_tokens",
    "accounts",
    "acquirer_notifications",
    "acquirer_transactions",
    "api_keys",
    "bindings",
    "issuer_operations",
    "cache_keys",
    "card_data_accesses",
    "card_fingerprints",
    "card_keys",
    "card_verifications",
    "cards",
    "clients",
    "digital_cards",
    "consumers",
    "events",
    "merchants",
    "notifications",
    "payment_subscriptions",
    "payment_webhooks",
    "payments",
    "principals",
    "retention",
    "subscriptions",
    "replays",
    "tasks",
    "tokens",
    "webhook_configs",
)


def methods() -> list[MethodDescriptor]:
    files = (descriptor_pool.Default().FindFileByName(f"mintmark/v1/{name}.proto") for name in FILES)
    return [method for file in files for service in file.services_by_name.values() for method in service.methods]


def policy(method: MethodDescriptor) -> options_pb2.RpcPolicy:
    stated: options_pb2.RpcPolicy = method.GetOptions().Extensions[options_pb2.policy]
    return stated


def path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def call(
    channel: grpc.Channel, method: MethodDescriptor, metadata: tuple[tuple[str, str], ...] = (), timeout: float = 10
) -> Any:
    """Calls a method with an empty request; of a stream the first message."""
    request = message_factory.GetMessageClass(method.input_type)()
    answer = message_factory.GetMessageClass(method.output_type)

    def serialize(message: Any) -> bytes:
        return bytes(message.SerializeToString())

    if method.server_streaming:
        stream: Iterator[Any] = channel.unary_stream(path(method), serialize, answer.FromString)(
            request, metadata=metadata, timeout=timeout
        )
        return next(stream)
    return channel.unary_unary(path(method), serialize, answer.FromString)(request, metadata=metadata, timeout=timeout)
