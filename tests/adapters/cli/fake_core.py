"""A core for the command's tests: a real gRPC server on a real socket that answers from lists and by script."""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, message_factory
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from mintmark.v1 import (
    access_tokens_pb2,
    accounts_pb2,
    api_keys_pb2,
    clients_pb2,
    digital_cards_pb2,
    events_pb2,
    issuer_operations_pb2,
    notifications_pb2,
    replays_pb2,
    retention_pb2,
    subscriptions_pb2,
    tokens_pb2,
)

SECRET = "right"
FILES = (
    access_tokens_pb2,
    accounts_pb2,
    api_keys_pb2,
    clients_pb2,
    events_pb2,
    digital_cards_pb2,
    issuer_operations_pb2,
    notifications_pb2,
    replays_pb2,
    retention_pb2,
    subscriptions_pb2,
    tokens_pb2,
)
SERVICES: list[Any] = [service for file in FILES for service in file.DESCRIPTOR.services_by_name.values()]


def _snake(method: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", method).lower()


def refuse(
    context: Any,
    code: int,
    reason: str,
    text: str,
    violations: Mapping[str, str] | None = None,
    facts: Mapping[str, str] | None = None,
) -> NoReturn:
    """Ends the call as the real core does."""
    details = [any_pb2.Any(), any_pb2.Any()]
    details[0].Pack(error_details_pb2.ErrorInfo(reason=reason, domain="mintmark", metadata=facts))
    bad = error_details_pb2.BadRequest()
    for field, description in (violations or {}).items():
        bad.field_violations.add(field=field, description=description)
    details[1].Pack(bad)
    context.abort_with_status(rpc_status.to_status(status_pb2.Status(code=code, message=text, details=details)))
    raise AssertionError("abort raises")


class FakeCore:
    """Keeps every request in `requests` and its metadata in `metadata`."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.metadata: list[dict[str, str]] = []
        self.tokens: list[tokens_pb2.Token] = []
        self.issuer_operations: list[issuer_operations_pb2.IssuerOperation] = []
        self.digital_cards: list[digital_cards_pb2.DigitalCard] = []
        self.events: list[events_pb2.Event] = []
        # How many messages each stream sends before it breaks; a stream without an entry goes to the end.
        self.streams_break_after: list[int] = []
        # After so many events retention overtakes a stream.
        self.passed_after = -1
        self.retention = retention_pb2.Retention()
        self.violations: dict[str, str] = {}
        self.server: grpc.Server | None = None
        self.address = self.start("127.0.0.1:0")

    def start(self, address: str) -> str:
        self.server = grpc.server(ThreadPoolExecutor(4))
        for service in SERVICES:
            handlers = {
                method.name: self._handler(method, getattr(self, _snake(method.name)))
                for method in service.methods
                if hasattr(self, _snake(method.name))
            }
            self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
        port = self.server.add_insecure_port(address)
        self.server.start()
        return f"127.0.0.1:{port}"

    def stop(self) -> None:
        assert self.server is not None
        self.server.stop(None).wait()

    def _handler(self, method: Any, behaviour: Any) -> Any:
        make = grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
        request: Any = message_factory.GetMessageClass(method.input_type)
        answer: Any = message_factory.GetMessageClass(method.output_type)
        return make(behaviour, request.FromString, answer.SerializeToString)

    def _seen(self, request: Any, context: Any) -> None:
        self.requests.append(request)
        self.metadata.append({str(key): str(value) for key, value in context.invocation_metadata()})

    def issue_access_token(self, request: Any, context: Any) -> Any:
        if request.client_secret != SECRET:
            refuse(context, code_pb2.UNAUTHENTICATED, "CLIENT_CREDENTIALS_INVALID", "the credentials are wrong")
        return access_tokens_pb2.IssueAccessTokenResponse(access_token="at", expires_in=900)

    def list_tokens(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        start = int(request.page_token or 0)
        size = min(request.page_size or 50, 3)
        page = self.tokens[start : start + size]
        more = str(start + size) if start + size < len(self.tokens) else ""
        return tokens_pb2.ListTokensResponse(tokens=page, next_page_token=more)

    def get_token(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        for token in self.tokens:
            if token.name == request.name:
                return tokens_pb2.GetTokenResponse(token=token)
        refuse(
            context,
            code_pb2.NOT_FOUND,
            "RESOURCE_NOT_FOUND",
            "there is no such token",
            facts={"resource": request.name},
        )

    def refresh_token(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        token = tokens_pb2.Token(name=request.name, refresh_generation=1)
        return tokens_pb2.RefreshTokenResponse(token=token)

    def import_tokens(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        self._refuse_violations(context)
        return tokens_pb2.ImportTokensResponse(created_count=len(request.tokens) - 1, existing_count=1)

    def list_issuer_operations(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        start = int(request.page_token or 0)
        size = min(request.page_size or 50, 2)
        page = self.issuer_operations[start : start + size]
        more = str(start + size) if start + size < len(self.issuer_operations) else ""
        return issuer_operations_pb2.ListIssuerOperationsResponse(issuer_operations=page, next_page_token=more)

    def get_issuer_operation(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        for operation in self.issuer_operations:
            if operation.name == request.name:
                return issuer_operations_pb2.GetIssuerOperationResponse(issuer_operation=operation)
        facts = {"resource": request.name}
        refuse(context, code_pb2.NOT_FOUND, "RESOURCE_NOT_FOUND", "there is no such issuer operation", facts=facts)

    def list_digital_cards(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        start = int(request.page_token or 0)
        size = min(request.page_size or 50, 2)
        page = self.digital_cards[start : start + size]
        more = str(start + size) if start + size < len(self.digital_cards) else ""
        return digital_cards_pb2.ListDigitalCardsResponse(digital_cards=page, next_page_token=more)

    def get_digital_card(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        for card in self.digital_cards:
            if card.name == request.name:
                return digital_cards_pb2.GetDigitalCardResponse(digital_card=card)
        facts = {"resource": request.name}
        refuse(context, code_pb2.NOT_FOUND, "RESOURCE_NOT_FOUND", "there is no such digital card", facts=facts)

    def list_notifications(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        return notifications_pb2.ListNotificationsResponse()

    def create_replay(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        return replays_pb2.CreateReplayResponse(replay=replays_pb2.Replay(name="replays/1"))

    def create_subscription(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        return subscriptions_pb2.CreateSubscriptionResponse()

    def update_subscription(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        return subscriptions_pb2.UpdateSubscriptionResponse()

    def create_client(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        if request.client_id == "taken":
            refuse(
                context,
                code_pb2.ALREADY_EXISTS,
                "RESOURCE_EXISTS",
                "the client id is taken",
                facts={"resource": "clients/taken"},
            )
        client = clients_pb2.Client(
            name=f"clients/{request.client_id}", client_id=request.client_id, scopes=request.scopes
        )
        return clients_pb2.CreateClientResponse(
            client=client, client_secret="" if request.taken_over_secret else "s3cret"
        )

    def update_client(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        return clients_pb2.UpdateClientResponse(client=request.client)

    def rotate_client_secret(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        client = clients_pb2.Client(name=request.name, client_id="c")
        return clients_pb2.RotateClientSecretResponse(client=client, client_secret="new")

    def create_api_key(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        key = api_keys_pb2.ApiKey(name=f"apiKeys/{request.api_key_id}", api_key_id=request.api_key_id)
        return api_keys_pb2.CreateApiKeyResponse(api_key=key, key="" if request.taken_over_key else "k3y")

    def plan_accounts(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        self._refuse_violations(context)
        return accounts_pb2.PlanAccountsResponse(changes=self._changes(request))

    def list_accounts(self, request: Any, context: Any) -> Any:
        ids = ("d1-main", "d1-other", "tsh-main")
        return accounts_pb2.ListAccountsResponse(accounts=[accounts_pb2.Account(account_id=each) for each in ids])

    def apply_accounts(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        return accounts_pb2.ApplyAccountsResponse(changes=self._changes(request))

    def _changes(self, request: Any) -> list[accounts_pb2.AccountChange]:
        create = accounts_pb2.ACCOUNT_ACTION_CREATE
        return [
            accounts_pb2.AccountChange(account=f"partnerAccounts/{account.account_id}", action=create, fields=["mode"])
            for account in request.accounts
        ]

    def _refuse_violations(self, context: Any) -> None:
        if self.violations:
            refuse(context, code_pb2.INVALID_ARGUMENT, "FIELD_INVALID", "a field breaks its rule", self.violations)

    def get_retention(self, request: Any, context: Any) -> Any:
        self._seen(request, context)
        return retention_pb2.GetRetentionResponse(retention=self.retention)

    def stream_events(self, request: Any, context: Any) -> Iterator[events_pb2.StreamEventsResponse]:
        self._seen(request, context)
        if request.cursor == "old":
            facts = {"oldest_cursor": "1.5", "head_cursor": "1.9"}
            refuse(context, code_pb2.OUT_OF_RANGE, "CURSOR_OUT_OF_RANGE", "the cursor has passed", facts=facts)
        after = int(request.cursor.partition(".")[2] or 0)
        left = self.streams_break_after.pop(0) if self.streams_break_after else -1
        for event in self.events:
            if event.sequence > after:
                if self.passed_after == 0:
                    facts = {"oldest_cursor": "1.5", "head_cursor": "1.9"}
                    refuse(context, code_pb2.OUT_OF_RANGE, "CURSOR_OUT_OF_RANGE", "it has passed", facts=facts)
                self.passed_after -= 1
                if left == 0:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "broken")
                left -= 1
                yield events_pb2.StreamEventsResponse(events=[event], cursor=event.cursor)
        yield events_pb2.StreamEventsResponse(cursor=f"1.{len(self.events)}", caught_up=True)
