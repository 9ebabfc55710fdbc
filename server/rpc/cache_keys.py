"""CacheKeysService."""

from mintmark.v1 import cache_keys_pb2 as pb

from server.rpc.calls import Call


class CacheKeys:
    """The methods of CacheKeysService, behind the wrapper of every call."""

    def __init__(self, access_token_key: bytes) -> None:
        self._access_token_key = access_token_key

    def GetCacheKey(self, _request: pb.GetCacheKeyRequest, _call: Call) -> pb.GetCacheKeyResponse:
        return pb.GetCacheKeyResponse(access_token_key=self._access_token_key)
