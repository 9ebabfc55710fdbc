"""ApiKeysService."""

from mintmark.v1 import api_keys_pb2 as pb

from server.domain import names
from server.domain.api_keys import ApiKey, ApiKeyState
from server.ports import Hasher, Store, Transaction
from server.rpc.calls import Call, Calls
from server.rpc.clients import already_shown, delivery
from server.rpc.pages import PageTokens
from server.rpc.words import timestamp
from server.services import api_keys


def to_proto(key: ApiKey) -> pb.ApiKey:
    return pb.ApiKey(
        name=key.name,
        api_key_id=key.api_key_id,
        merchant_gateway_id=key.merchant_gateway_id,
        merchant_ids=key.merchant_ids,
        state=pb.ApiKeyState.Value(f"API_KEY_STATE_{key.state}"),
        taken_over=key.taken_over,
        create_time=timestamp(key.create_time),
        revoke_time=timestamp(key.revoke_time),
    )


def repeated_creation(response: pb.CreateApiKeyResponse) -> pb.CreateApiKeyResponse:
    return pb.CreateApiKeyResponse(api_key=response.api_key, secret_delivery=already_shown(response.secret_delivery))


class ApiKeys:
    """The methods of ApiKeysService, behind the wrapper of every call."""

    def __init__(self, store: Store, calls: Calls, pages: PageTokens, hasher: Hasher) -> None:
        self._store = store
        self._calls = calls
        self._pages = pages
        self._hasher = hasher
        self._now = calls.clock.now

    def CreateApiKey(self, request: pb.CreateApiKeyRequest, call: Call) -> pb.CreateApiKeyResponse:
        made = api_keys.new_key(self._hasher, request.taken_over_key, allow_weak=request.allow_weak_key)

        def run(transaction: Transaction) -> pb.CreateApiKeyResponse:
            key = ApiKey(
                name=names.api_key(request.api_key_id),
                api_key_id=request.api_key_id,
                merchant_gateway_id=request.merchant_gateway_id,
                merchant_ids=tuple(sorted(request.merchant_ids)),
                state=ApiKeyState.ACTIVE,
                taken_over=made.taken_over,
                key_hash=made.key_hash,
                create_time=self._now(),
            )
            created = api_keys.create(transaction, call.caller, key, made.made_hash)
            return pb.CreateApiKeyResponse(
                api_key=to_proto(created), key=made.shown, secret_delivery=delivery(made.shown)
            )

        return self._calls.write(call, request, names.api_key(request.api_key_id), run, repeated_creation)

    def GetApiKey(self, request: pb.GetApiKeyRequest, _call: Call) -> pb.GetApiKeyResponse:
        return pb.GetApiKeyResponse(api_key=to_proto(api_keys.get(self._store, request.name)))

    def ListApiKeys(self, request: pb.ListApiKeysRequest, call: Call) -> pb.ListApiKeysResponse:
        found, next_page = self._pages.list(
            request, call.caller.client, lambda page: api_keys.list_page(self._store, page), to_proto
        )
        return pb.ListApiKeysResponse(api_keys=found, next_page_token=next_page)

    def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, call: Call) -> pb.RevokeApiKeyResponse:
        key = self._store.write(
            request.name,
            lambda transaction: api_keys.revoke(transaction, call.caller, request.name, self._now()),
            deadline=call.deadline,
        )
        return pb.RevokeApiKeyResponse(api_key=to_proto(key))
