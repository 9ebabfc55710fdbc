"""Who calls, and what that caller may see."""

from dataclasses import dataclass

ANY = "*"


@dataclass(frozen=True, slots=True)
class Reach:
    """The merchant gateways and merchants that somebody may speak for and see.

    No gateways means nothing at all; no merchants means all merchants of the gateways.
    """

    merchant_gateway_ids: frozenset[str] = frozenset()
    merchant_ids: frozenset[str] = frozenset()
    issuer_ids: frozenset[str] = frozenset()

    @property
    def everything(self) -> bool:
        """Whether administrative things are in reach too: nothing limits this caller."""
        return ANY in self.merchant_gateway_ids and not self.merchant_ids

    def gateway(self, merchant_gateway_id: str) -> bool:
        return ANY in self.merchant_gateway_ids or merchant_gateway_id in self.merchant_gateway_ids

    def merchant(self, merchant_gateway_id: str, merchant_id: str) -> bool:
        return self.gateway(merchant_gateway_id) and (not self.merchant_ids or merchant_id in self.merchant_ids)

    def issuer(self, issuer_id: str) -> bool:
        return ANY in self.issuer_ids or issuer_id in self.issuer_ids

    def sees(self, merchant_gateway_id: str, merchant_id: str, issuer_id: str = "") -> bool:
        """Whether a thing of this gateway and merchant, or of this issuer, may be shown.

        A thing of no gateway and no issuer is administrative; one of no merchant could be any merchant's.
        """
        if issuer_id:
            return self.issuer(issuer_id)
        if not merchant_gateway_id:
            return self.everything
        return self.merchant(merchant_gateway_id, merchant_id)


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller. `jwt_id` and `expire_time` are of the access token it called with."""

    client: str
    scopes: frozenset[str]
    reach: Reach
    jwt_id: str = ""
    correlation_id: str = ""
