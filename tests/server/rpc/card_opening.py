"""A gateway's keys for cards in a test: publishes them, opens what was encrypted for them with another library, and
tells the core what it saw."""

import json
from hashlib import sha256
from typing import Any

from joserfc import jwe
from joserfc.jwk import ECKey
from mintmark.v1 import card_fingerprints_pb2 as pb
from mintmark.v1 import card_keys_pb2

from tests.server.rpc import carding
from tests.server.rpc.running import RunningCore

ALGORITHMS = ["ECDH-ES", "A256GCM"]


class Keys:
    """Private keys by their kid, the first one current."""

    def __init__(self, *kids: str) -> None:
        self.keys = {kid: ECKey.generate_key("P-256", {"kid": kid}, private=True) for kid in kids}

    def publish(self, core: RunningCore) -> None:
        public = [{**key.as_dict(private=False), "kid": kid} for kid, key in self.keys.items()]
        request = card_keys_pb2.PublishCardKeysRequest(jwks_json=json.dumps({"keys": public}), hash_key_id="h1")
        core.gateway.card_key_publications.PublishCardKeys(request)

    def opened(self, compact: str) -> dict[str, Any]:
        """The card data in a JWE."""
        (kid,) = [kid for kid, key in self.keys.items() if _opens(compact, key)]
        card: dict[str, Any] = json.loads(_opens(compact, self.keys[kid]))
        return card

    def look(self, core: RunningCore) -> list[dict[str, Any]]:
        """Looks at all that waits, as a gateway does; the card data that was found."""
        seen = []
        for task in carding.claim(core, *self.keys):
            card = self.opened(task.encrypted_card)
            seen.append(card)
            digest = sha256(f"{task.issuer_id}/{card['pan']}".encode()).digest()
            told = pb.CardFingerprint(
                hash=pb.CardNumberHash(hash_key_id="h1", hash=digest),
                bin=card["pan"][:8],
                last_digits=card["pan"][-4:],
                expiry=card["exp"],
                has_security_code="cvv" in card,
            )
            carding.record(core, task.card, task.generation, fingerprint=told)
        return seen


def _opens(compact: str, key: ECKey) -> bytes:
    from joserfc.errors import JoseError

    try:
        return jwe.decrypt_compact(compact, key, algorithms=ALGORITHMS).plaintext or b""
    except JoseError:
        return b""
