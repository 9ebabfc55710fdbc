"""The journey that `make run` plays once: D1 and TSH tell us something, an internal client learns of it, and D1 asks
about a card that it has registered."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.cli.refusals import Refused
from adapters.cli.sandbox_control import SandboxControl
from adapters.cli.session import Session, connect
from adapters.cli.supervisor import issuer_journey
from adapters.cli.supervisor.credentials import MERCHANT, MERCHANT_GATEWAY, TSH_GATEWAY, TSH_MERCHANT

if TYPE_CHECKING:
    from adapters.settings import Settings

EVENTS_SECONDS = 10.0


class Journey:
    """One journey, with ids that are new each time."""

    def __init__(self, settings: "Settings", service_file: Path) -> None:
        self._settings = settings
        self._service_file = service_file
        self._token = str(uuid.uuid4())
        self._cof_token = f"COFTG-V-{uuid.uuid4()}"
        self._device = uuid.uuid4().hex[:24]

    def play(self, before: str, show: Callable[[bool, str], None]) -> bool:
        """Plays every step and shows each; stops at the first that fails. Returns whether all went well.

        `before` is a cursor from before the journey: its events come after it.
        """
        try:
            with closing(SandboxControl(self._settings)) as twin, self._service() as service:
                for step in self._steps(twin, service, before):
                    show(True, step)
        except Refused as refused:
            show(False, str(refused).removeprefix("mintmark: "))
            return False
        return True

    def _steps(self, twin: SandboxControl, service: Session, before: str) -> Iterator[str]:
        access_token = twin.call("POST", "/access-token")
        yield f"D1 fetched an access token from us over HTTP (scope {access_token['scope'] or 'none'})"
        self._send(
            twin,
            "/notifications/d1-token-update",
            {"merchantGatewayId": MERCHANT_GATEWAY, "merchantId": MERCHANT, "tokenId": self._token},
        )
        yield f"D1 notified us that token {self._token} has changed"
        about = {"merchantId": TSH_MERCHANT, "tokenId": self._cof_token, "deviceId": self._device}
        self._send(twin, "/notifications/tsh/binding-creation", {"fields": about})
        yield f"TSH notified us that device {self._device} was bound to token {self._cof_token}"
        self._send(twin, "/notifications/tsh/binding-update", {"fields": {**about, "bindingState": "ACTIVE"}})
        yield "TSH notified us that this binding is ACTIVE"
        yield from self._reads(service)
        yield from issuer_journey.steps(twin, service)
        seen = self._events(service, before)
        yield f"the same client followed them on the event stream: {', '.join(seen)}"

    def _reads(self, service: Session) -> Iterator[str]:
        from mintmark.v1 import bindings_pb2, bindings_pb2_grpc, tokens_pb2, tokens_pb2_grpc

        name = f"merchantGateways/{MERCHANT_GATEWAY}/merchants/{MERCHANT}/tokens/{self._token}"
        tokens = tokens_pb2_grpc.TokensServiceStub(service.channel)
        token = service.call(tokens.GetToken, tokens_pb2.GetTokenRequest(name=name)).token
        _expect(token.refresh_generation >= 1, f"{name} is not marked to be read again")
        yield f"an internal client read {name} over gRPC: to be read again"
        name = f"{self._cof_name()}/bindings/{self._device}"
        bindings = bindings_pb2_grpc.BindingsServiceStub(service.channel)
        binding = service.call(bindings.GetBinding, bindings_pb2.GetBindingRequest(name=name)).binding
        _expect(binding.state_text == "ACTIVE", f"{name} is {binding.state_text or 'without a state'}, not ACTIVE")
        yield f"it read {name}: {binding.state_text}"

    def _events(self, service: Session, cursor: str) -> list[str]:
        from mintmark.v1 import events_pb2

        from adapters.cli.events import follow
        from adapters.cli.output import enum_word

        ours = (self._token, self._cof_token)
        wanted = {"TOKEN_REFRESH_REQUESTED", "BINDING_CREATED", "BINDING_UPDATED"}
        seen: list[str] = []
        deadline = time.monotonic() + EVENTS_SECONDS
        while time.monotonic() < deadline:
            for event in follow(service, cursor, events_pb2.EventFilter(), until_caught_up=True):
                cursor = event.cursor
                if any(identifier in event.resource for identifier in ours):
                    seen.append(enum_word(event, "kind"))
            if wanted <= set(seen):
                return seen
        raise Refused(f"the event stream showed only {', '.join(seen) or 'nothing'}")

    def _send(self, twin: SandboxControl, path: str, order: dict[str, Any]) -> None:
        for delivery in twin.call("POST", path, {**order, "deadline": 15})["deliveries"]:
            answer = delivery["status"] if delivery["status"] is not None else delivery["error"]
            _expect(delivery["acknowledged"], f"{delivery['kind']} was not acknowledged: {answer}")

    def _cof_name(self) -> str:
        return f"merchantGateways/{TSH_GATEWAY}/merchants/{TSH_MERCHANT}/tokens/{self._cof_token}"

    @contextmanager
    def _service(self) -> Iterator[Session]:
        settings = self._settings.model_copy(update={"credentials_file": self._service_file})
        with connect(settings, streams=True) as session:
            yield session


def _expect(right: bool, otherwise: str) -> None:
    if not right:
        raise Refused(otherwise)
