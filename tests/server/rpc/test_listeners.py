"""The two listeners: what each serves and shows, health, and a client that knows only reflection."""

import stat
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.server.rpc.running import RunningCore, code_of, running_core
from tests.server.rpc.schema import methods, policy
from tests.server.rpc.test_events import import_tokens
from tests.stack import free_ports

SERVING = health_pb2.HealthCheckResponse.SERVING


class Stranger:
    """A client that knows no protos: everything it needs it asks the server for."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        self._channel = channel
        self.pool = descriptor_pool.DescriptorPool()

    def _ask(self, **request: str) -> reflection_pb2.ServerReflectionResponse:
        asked = iter([reflection_pb2.ServerReflectionRequest(**request)])
        (answer,) = self._stub.ServerReflectionInfo(asked, timeout=10)
        return answer

    def services(self) -> set[str]:
        return {each.name for each in self._ask(list_services="").list_services_response.service}

    def learn(self, symbol: str) -> bool:
        answer = self._ask(file_containing_symbol=symbol)
        return answer.HasField("file_descriptor_response") and self._add(answer)

    def _add(self, answer: reflection_pb2.ServerReflectionResponse) -> bool:
        for raw in answer.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(raw)
            try:
                self.pool.FindFileByName(file.name)
                continue
            except KeyError:
                pass
            for dependency in file.dependency:
                self._add(self._ask(file_by_filename=dependency))
            self.pool.Add(file)
        return True

    def call(self, method: str, request: dict[str, object], metadata: tuple[tuple[str, str], ...]) -> dict[str, object]:
        service, _, name = method.rpartition("/")
        described = self.pool.FindServiceByName(service).methods_by_name[name]
        message = json_format.ParseDict(request, message_factory.GetMessageClass(described.input_type)())
        read = message_factory.GetMessageClass(described.output_type).FromString
        # The types come from the server; the type checker does not know them.
        run: Any = self._channel.unary_unary(f"/{method}", type(message).SerializeToString, read)
        answer = run(message, metadata=metadata, timeout=10)
        shown: dict[str, object] = json_format.MessageToDict(answer)
        return shown


def test_a_client_that_knows_only_reflection_reads_a_token(core: RunningCore, place: str) -> None:
    import_tokens(core, place, "t-1")
    stranger = Stranger(core.channel())
    assert stranger.learn("mintmark.v1.TokensService")
    name = f"merchantGateways/{place}/merchants/m-1/tokens/t-1"
    answer = stranger.call("mintmark.v1.TokensService/GetToken", {"name": name}, core.admin.metadata)
    token = answer["token"]
    assert isinstance(token, dict)
    assert (token["name"], token["tokenId"]) == (name, "t-1")


def test_reflection_shows_the_public_services_and_no_internal_one(core: RunningCore) -> None:
    stranger = Stranger(core.channel())
    shown = stranger.services()
    public = {method.containing_service.full_name for method in methods() if not policy(method).internal}
    assert {name for name in shown if name.startswith("mintmark.")} == public
    assert "grpc.health.v1.Health" in shown
    for service in public:
        assert stranger.learn(service)
    for hidden in ("NotificationRecordsService", "PrincipalsService", "NotificationRecordsService.RecordNotifications"):
        assert not stranger.learn(f"mintmark.v1.{hidden}")
    # Not by the files that were learnt either.
    described = stranger.pool.FindFileByName("mintmark/v1/notifications.proto").services_by_name
    assert list(described) == ["NotificationsService"]


def test_the_internal_listener_has_no_reflection(core: RunningCore) -> None:
    assert code_of(Stranger(core.internal).services) == "UNIMPLEMENTED"


def test_health_is_served_on_both_listeners_to_anybody(core: RunningCore) -> None:
    for session in (core.anonymous, core.gateway):
        assert session.health.Check(health_pb2.HealthCheckRequest(service="")).status == SERVING


def test_the_internal_socket_and_its_folder_are_the_owners_only(core: RunningCore) -> None:
    folder = core.folder / "data"
    modes = {
        path: stat.S_IMODE((folder / path).stat().st_mode)
        for path in ("run", "run/internal.sock", "credentials", "credentials/admin.json", "keyring.json")
    }
    assert modes == {
        "run": 0o700,
        "run/internal.sock": 0o600,
        "credentials": 0o700,
        "credentials/admin.json": 0o600,
        "keyring.json": 0o600,
    }


def test_a_core_listens_on_a_network_address_too() -> None:
    (port,) = free_ports(1)
    with running_core(grpc_address=f"127.0.0.1:{port}") as core:
        assert core.anonymous.health.Check(health_pb2.HealthCheckRequest(service="")).status == SERVING
        assert Stranger(core.channel()).services()
