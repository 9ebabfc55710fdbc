"""ClientsService."""

from mintmark.v1 import clients_pb2 as pb

from server.domain.callers import Reach
from server.domain.clients import Client, ClientSecret, ClientState
from server.ports import Hasher, Ids, Store, Transaction
from server.rpc.calls import Call, Calls
from server.rpc.pages import PageTokens
from server.rpc.words import MICROS, timestamp
from server.services import clients

OLD_SECRET_LIFETIME_S = 24 * 3600


def secret_to_proto(secret: ClientSecret) -> pb.ClientSecret:
    return pb.ClientSecret(
        secret_id=secret.secret_id,
        create_time=timestamp(secret.create_time),
        expire_time=timestamp(secret.expire_time),
        taken_over=secret.taken_over,
    )


def to_proto(client: Client, now: int) -> pb.Client:
    return pb.Client(
        name=client.name,
        client_id=client.client_id,
        display_name=client.display_name,
        scopes=client.scopes,
        merchant_gateway_ids=client.merchant_gateway_ids,
        merchant_ids=client.merchant_ids,
        issuer_ids=client.issuer_ids,
        state=pb.ClientState.Value(f"CLIENT_STATE_{client.state}"),
        secrets=[secret_to_proto(secret) for secret in client.live_secrets(now)],
        create_time=timestamp(client.create_time),
        update_time=timestamp(client.update_time),
        etag=str(client.revision),
    )


def delivery(shown: str) -> pb.SecretDelivery.ValueType:
    return pb.SecretDelivery.SECRET_DELIVERY_SHOWN if shown else pb.SecretDelivery.SECRET_DELIVERY_TAKEN_OVER


def already_shown(held: pb.SecretDelivery.ValueType) -> pb.SecretDelivery.ValueType:
    shown = held == pb.SecretDelivery.SECRET_DELIVERY_SHOWN
    return pb.SecretDelivery.SECRET_DELIVERY_ALREADY_SHOWN if shown else held


def repeated_creation(response: pb.CreateClientResponse) -> pb.CreateClientResponse:
    return pb.CreateClientResponse(client=response.client, secret_delivery=already_shown(response.secret_delivery))


def repeated_rotation(response: pb.RotateClientSecretResponse) -> pb.RotateClientSecretResponse:
    return pb.RotateClientSecretResponse(
        client=response.client, secret_delivery=already_shown(response.secret_delivery)
    )


class Clients:
    """The methods of ClientsService, behind the wrapper of every call."""

    def __init__(self, store: Store, calls: Calls, pages: PageTokens, hasher: Hasher, ids: Ids) -> None:
        self._store = store
        self._calls = calls
        self._pages = pages
        self._hasher = hasher
        self._ids = ids
        self._now = calls.clock.now

    def CreateClient(self, request: pb.CreateClientRequest, call: Call) -> pb.CreateClientResponse:
        secret = clients.new_secret(
            self._hasher,
            self._ids,
            request.taken_over_secret,
            allow_weak=request.allow_weak_secret,
            now=self._now(),
        )
        reach = Reach(
            frozenset(request.merchant_gateway_ids), frozenset(request.merchant_ids), frozenset(request.issuer_ids)
        )

        def run(transaction: Transaction) -> pb.CreateClientResponse:
            now = self._now()
            client = clients.create(
                transaction,
                call.caller,
                request.client_id,
                request.display_name,
                tuple(request.scopes),
                reach,
                secret.kept,
                now,
            )
            return pb.CreateClientResponse(
                client=to_proto(client, now), client_secret=secret.shown, secret_delivery=delivery(secret.shown)
            )

        return self._calls.write(call, request, f"clients/{request.client_id}", run, repeated_creation)

    def GetClient(self, request: pb.GetClientRequest, _call: Call) -> pb.GetClientResponse:
        return pb.GetClientResponse(client=to_proto(clients.get(self._store, request.name), self._now()))

    def ListClients(self, request: pb.ListClientsRequest, call: Call) -> pb.ListClientsResponse:
        now = self._now()
        found, next_page = self._pages.list(
            request,
            call.caller.client,
            lambda page: clients.list_page(self._store, page),
            lambda each: to_proto(each, now),
        )
        return pb.ListClientsResponse(clients=found, next_page_token=next_page)

    def UpdateClient(self, request: pb.UpdateClientRequest, call: Call) -> pb.UpdateClientResponse:
        wanted = request.client
        changes: dict[str, object] = {}
        for path in request.update_mask.paths:
            value = getattr(wanted, path)
            changes[path] = value if isinstance(value, str) else tuple(sorted(set(value)))

        def run(transaction: Transaction) -> pb.UpdateClientResponse:
            now = self._now()
            client = clients.update(transaction, call.caller, wanted.name, wanted.etag, changes, now)
            return pb.UpdateClientResponse(client=to_proto(client, now))

        return self._calls.write(call, request, wanted.name, run)

    def RotateClientSecret(self, request: pb.RotateClientSecretRequest, call: Call) -> pb.RotateClientSecretResponse:
        secret = clients.new_secret(
            self._hasher,
            self._ids,
            request.taken_over_secret,
            allow_weak=request.allow_weak_secret,
            now=self._now(),
        )
        given = request.HasField("old_secret_lifetime")
        lifetime = request.old_secret_lifetime.seconds if given else OLD_SECRET_LIFETIME_S

        def run(transaction: Transaction) -> pb.RotateClientSecretResponse:
            now = self._now()
            client = clients.rotate(transaction, call.caller, request.name, secret.kept, lifetime * MICROS, now)
            return pb.RotateClientSecretResponse(
                client=to_proto(client, now), client_secret=secret.shown, secret_delivery=delivery(secret.shown)
            )

        return self._calls.write(call, request, request.name, run, repeated_rotation)

    def DisableClient(self, request: pb.DisableClientRequest, call: Call) -> pb.DisableClientResponse:
        def run(transaction: Transaction) -> pb.DisableClientResponse:
            now = self._now()
            client = clients.set_state(transaction, call.caller, request.name, ClientState.DISABLED, now)
            return pb.DisableClientResponse(client=to_proto(client, now))

        return self._calls.write(call, request, request.name, run)

    def EnableClient(self, request: pb.EnableClientRequest, call: Call) -> pb.EnableClientResponse:
        def run(transaction: Transaction) -> pb.EnableClientResponse:
            now = self._now()
            client = clients.set_state(transaction, call.caller, request.name, ClientState.ACTIVE, now)
            return pb.EnableClientResponse(client=to_proto(client, now))

        return self._calls.write(call, request, request.name, run)
