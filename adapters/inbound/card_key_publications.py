"""Makes the gateway's public keys known: to the core, which hands them to clients, and over HTTP."""

import json
import time

import grpc
import structlog
from mintmark.v1 import card_keys_pb2 as pb
from mintmark.v1 import card_keys_pb2_grpc

from adapters.core import AioAccessToken
from adapters.inbound import core_trouble
from adapters.inbound.card_keys import CardKeys, Held
from adapters.inbound.card_metrics import CardMetrics
from adapters.inbound.core_trouble import CORE_TROUBLE
from adapters.inbound.problems import NOT_FOUND, Answer, json_answer
from adapters.inbound.request import Request

EVERY_S = 300.0
TIMEOUT_S = 5.0
# Short: what is encrypted for a key that is gone cannot be opened.
PUBLIC = (b"cache-control", b"public, max-age=300")

log = structlog.get_logger("mintmark.card_keys")


class CardKeyPublications:
    """Says which keys there are at the start, after each change, and every five minutes (`every`, in seconds)."""

    def __init__(
        self,
        keys: CardKeys,
        channel: grpc.aio.Channel,
        access_token: AioAccessToken,
        metrics: CardMetrics,
        every: float = EVERY_S,
    ) -> None:
        self._keys = keys
        self._stub = card_keys_pb2_grpc.CardKeyPublicationsServiceStub(channel)
        self._access_token = access_token
        self._metrics = metrics
        self._every = every

    async def jwks(self, _request: Request) -> Answer:
        """The public keys as a JWK Set, the current one first; 404 where there are none."""
        held = self._keys.held
        return json_answer(200, held.public_jwks, PUBLIC) if held else NOT_FOUND

    async def work(self) -> None:
        """Publishes for ever."""
        failures = 0
        while True:
            waiting = self._every
            if held := self._keys.held:
                failures = 0 if await self._publish(held) else failures + 1
                waiting = core_trouble.pause(failures) if failures else self._every
            await self._keys.change(waiting)

    async def _publish(self, held: Held) -> bool:
        """Whether the core knows the keys now."""
        request = pb.PublishCardKeysRequest(jwks_json=json.dumps(held.public_jwks), hash_key_id=held.hash_keys.current)
        try:
            await core_trouble.call(self._access_token, self._stub.PublishCardKeys, request, TIMEOUT_S)
        except CORE_TROUBLE as error:
            log.warning("the public keys could not be published", **core_trouble.why(error))
            return False
        self._metrics.published.set(time.time())
        return True
