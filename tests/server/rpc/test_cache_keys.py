"""CacheKeysService: the key of what roles keep in Redis, for them alone."""

import pytest
from mintmark.v1 import cache_keys_pb2 as pb

from server.keys import keyring
from server.keys.cache_places import access_token_key
from tests.server.rpc.running import RunningCore

ASKED = pb.GetCacheKeyRequest()


def test_the_dispatcher_gets_it_and_nobody_else(core: RunningCore) -> None:
    ring = keyring.load(core.settings.keyring)
    assert core.dispatcher.cache_keys.GetCacheKey(ASKED).access_token_key == access_token_key(ring)
    with pytest.raises(Exception, match="PERMISSION_DENIED"):
        core.gateway.cache_keys.GetCacheKey(ASKED)
    with pytest.raises(Exception, match="UNIMPLEMENTED"):
        core.admin.cache_keys.GetCacheKey(ASKED)
