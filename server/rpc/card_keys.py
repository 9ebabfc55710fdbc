"""CardKeysService and CardKeyPublicationsService."""

import json
from typing import Any

from mintmark.v1 import card_keys_pb2 as pb

from server.domain.card_keys import CardKey, PublishedKey
from server.domain.refusals import FieldInvalid
from server.ports import EncryptionKeys, KeyUnfit
from server.rpc.calls import Call
from server.rpc.words import timestamp
from server.services import card_keys
from server.services.card_house import CardHouse

MOST_KEYS = 16
FIELD = "jwks_json"


def to_proto(key: CardKey, *, current: bool) -> pb.CardKey:
    return pb.CardKey(kid=key.kid, jwk_json=key.jwk_json, current=current, publish_time=timestamp(key.publish_time))


def keys_of(jwks_json: str, reader: EncryptionKeys) -> list[PublishedKey]:
    """The keys of a JWK Set, in its order. Raises FieldInvalid."""
    try:
        stated = json.loads(jwks_json)
    except (ValueError, RecursionError):
        raise FieldInvalid(FIELD, "is not JSON", "jwks") from None
    listed = stated.get("keys") if isinstance(stated, dict) else None
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_KEYS:
        raise FieldInvalid(FIELD, f"is not a JWK Set of 1 to {MOST_KEYS} keys", "jwks")
    keys = [_key_of(each, reader) for each in listed]
    if len({key.kid for key in keys}) < len(keys):
        raise FieldInvalid(FIELD, "has a kid twice", "jwks")
    return keys


def _key_of(stated: Any, reader: EncryptionKeys) -> PublishedKey:
    try:
        read = reader.read(json.dumps(stated), "")
    except KeyUnfit as invalid:
        raise FieldInvalid(FIELD, f"a key {invalid}", "jwks") from None
    if stated.get("kid") != read.key_id:
        raise FieldInvalid(FIELD, "has a key without a kid", "jwks")
    # Only what says where the point is: a key may come with anything besides.
    point = {name: stated[name] for name in ("kty", "crv", "x", "y")}
    jwk = {**point, "kid": read.key_id, "use": "enc", "alg": "ECDH-ES"}
    return PublishedKey(read.key_id, json.dumps(jwk, separators=(",", ":")), read.thumbprint)


class CardKeys:
    """The methods of CardKeysService, behind the wrapper of every call."""

    def __init__(self, house: CardHouse) -> None:
        self._house = house

    def GetCardKeys(self, _request: pb.GetCardKeysRequest, _call: Call) -> pb.GetCardKeysResponse:
        found = card_keys.live(self._house)
        return pb.GetCardKeysResponse(card_keys=[to_proto(key, current=place == 0) for place, key in enumerate(found)])


class CardKeyPublications:
    """The methods of CardKeyPublicationsService, behind the wrapper of every call."""

    def __init__(self, house: CardHouse, reader: EncryptionKeys) -> None:
        self._house = house
        self._reader = reader

    def PublishCardKeys(self, request: pb.PublishCardKeysRequest, call: Call) -> pb.PublishCardKeysResponse:
        keys = keys_of(request.jwks_json, self._reader)
        self._house.store.write(
            "cardKeys",
            lambda transaction: card_keys.publish(self._house, transaction, keys, request.hash_key_id),
            deadline=call.deadline,
        )
        return pb.PublishCardKeysResponse()
