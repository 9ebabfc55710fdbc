"""API keys: what TSH authenticates with."""

from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain.callers import Reach


class ApiKeyState(StrEnum):
    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key, as a hash only (hexadecimal). Times are microseconds."""

    name: str
    api_key_id: str
    merchant_gateway_id: str
    merchant_ids: tuple[str, ...]
    state: ApiKeyState
    taken_over: bool
    key_hash: str
    create_time: int
    revoke_time: int | None = None

    @property
    def reach(self) -> Reach:
        return Reach(frozenset({self.merchant_gateway_id}), frozenset(self.merchant_ids))


def revoke(key: ApiKey, now: int) -> ApiKey:
    """The key revoked, for ever; as it is where it was revoked already."""
    if key.state is ApiKeyState.REVOKED:
        return key
    return replace(key, state=ApiKeyState.REVOKED, revoke_time=now)
