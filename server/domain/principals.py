"""Everybody who may speak to us, as one picture: who may record a notification, and whose gateways are ours."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from server.domain import scopes
from server.domain.accounts import Account, AccountProvider, InboundAuthentication
from server.domain.api_keys import ApiKey, ApiKeyState
from server.domain.callers import ANY
from server.domain.clients import Client, ClientState
from server.domain.notifications import TO_ISSUERS, NotificationKind, QuarantineReason, Record, RecordOutcome


@dataclass(frozen=True, slots=True)
class RevokedAccessToken:
    """An access token that no longer counts; `expire_time` in microseconds, after which it can be forgotten."""

    jwt_id: str
    client: str
    expire_time: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What a record's sender may do: nothing (`refused`), or speak for `merchant_gateway_id`."""

    merchant_gateway_id: str = ""
    refused: RecordOutcome | None = None
    quarantine_reason: QuarantineReason | None = None


@dataclass(frozen=True, slots=True)
class Principals:
    """All clients, API keys and accounts by name, and the revoked access tokens by id."""

    clients: Mapping[str, Client] = field(default_factory=dict)
    api_keys: Mapping[str, ApiKey] = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    revoked: Mapping[str, RevokedAccessToken] = field(default_factory=dict)
    merchant_gateway_ids: frozenset[str] = frozenset()
    merchant_ids: frozenset[str] = frozenset()
    issuer_ids: frozenset[str] = frozenset()
    # The names of the accounts that say how D1 is called, by their gateways.
    d1_accounts: dict[str, str] = field(default_factory=dict)
    # The account with D1 of each issuer.
    issuer_accounts: Mapping[str, Account] = field(default_factory=dict)

    def standing(self, record: Record) -> Standing:
        """Whether the sender of a record may speak for the merchant gateway and merchant it names."""
        if record.kind is NotificationKind.PAYMENT_OPTIONS_WEBHOOK:
            # They come by another way, with what authenticates them.
            return Standing(refused=RecordOutcome.UNAUTHENTICATED)
        if record.kind in TO_ISSUERS:
            return Standing(refused=self.refused_for_issuer(record.sender, record.issuer_id))
        if record.kind is not NotificationKind.D1_TOKEN_UPDATE:
            return self._tsh_standing(record)
        if record.sender in self.accounts:
            return self._certificate_standing(record, self.accounts[record.sender])
        client = self._partner(record.sender)
        if isinstance(client, RecordOutcome):
            return Standing(refused=client)
        if not client.reach.gateway(record.merchant_gateway_id):
            ours = record.merchant_gateway_id in self.merchant_gateway_ids
            return Standing(refused=RecordOutcome.FORBIDDEN if ours else RecordOutcome.NOT_OURS)
        if not client.reach.merchant(record.merchant_gateway_id, record.merchant_id):
            ours = record.merchant_id in self.merchant_ids
            return Standing(refused=RecordOutcome.FORBIDDEN if ours else RecordOutcome.NOT_OURS)
        return Standing(record.merchant_gateway_id)

    def _partner(self, sender: str) -> Client | RecordOutcome:
        """The client that sent something, or why it may not send anything."""
        client = self.clients.get(sender)
        if client is None or client.state is not ClientState.ACTIVE:
            return RecordOutcome.UNAUTHENTICATED
        if not scopes.PARTNER & set(client.scopes):
            return RecordOutcome.FORBIDDEN
        return client

    def refused_for_issuer(self, sender: str, issuer_id: str) -> RecordOutcome | None:
        """Why a sender may not speak to us for an issuer; None where it may."""
        account = self.accounts.get(sender)
        if account is not None:
            if not _certified(account, AccountProvider.D1_ISSUER):
                return RecordOutcome.UNAUTHENTICATED
            speaks = account.issuer_id == issuer_id
        else:
            client = self._partner(sender)
            if isinstance(client, RecordOutcome):
                return client
            speaks = client.reach.issuer(issuer_id)
        if not issuer_id or not speaks:
            return RecordOutcome.FORBIDDEN if issuer_id in self.issuer_ids else RecordOutcome.NOT_OURS
        return None

    def _certificate_standing(self, record: Record, account: Account) -> Standing:
        if not _certified(account, AccountProvider.D1_ECOM):
            return Standing(refused=RecordOutcome.UNAUTHENTICATED)
        if account.merchant_gateway_id != record.merchant_gateway_id:
            ours = record.merchant_gateway_id in self.merchant_gateway_ids
            return Standing(refused=RecordOutcome.FORBIDDEN if ours else RecordOutcome.NOT_OURS)
        if account.merchant_ids and record.merchant_id not in account.merchant_ids:
            return Standing(refused=RecordOutcome.NOT_OURS)
        return Standing(record.merchant_gateway_id)

    def _tsh_standing(self, record: Record) -> Standing:
        key = self.api_keys.get(record.sender)
        if key is None or key.state is not ApiKeyState.ACTIVE:
            return Standing(refused=RecordOutcome.UNAUTHENTICATED)
        bound = key.reach.merchant(key.merchant_gateway_id, record.merchant_id)
        # A notification without a readable merchant was answered 400 already; it stays with that reason.
        reason = None if bound or record.quarantine_reason else QuarantineReason.MERCHANT_NOT_BOUND
        return Standing(key.merchant_gateway_id, quarantine_reason=reason)


def _certified(account: Account, provider: AccountProvider) -> bool:
    """Whether the account is with this partner, and its certificate speaks for it."""
    return account.provider is provider and account.inbound_authentication is InboundAuthentication.CERTIFICATE


def picture(
    clients: Iterable[Client],
    api_keys: Iterable[ApiKey],
    accounts: Iterable[Account],
    revoked: Iterable[RevokedAccessToken],
) -> Principals:
    """A gateway or merchant is ours when an account, a client's binding or an API key names it."""
    by_name = {client.name: client for client in clients}
    keys = {key.name: key for key in api_keys}
    held = {account.name: account for account in accounts}
    gateways = {gateway for client in by_name.values() for gateway in client.merchant_gateway_ids}
    gateways |= {key.merchant_gateway_id for key in keys.values()}
    gateways |= {account.merchant_gateway_id for account in held.values()}
    issuers = {issuer for client in by_name.values() for issuer in client.issuer_ids}
    issuers |= {account.issuer_id for account in held.values()}
    merchants = {merchant for client in by_name.values() for merchant in client.merchant_ids}
    merchants |= {merchant for key in keys.values() for merchant in key.merchant_ids}
    merchants |= {merchant for account in held.values() for merchant in account.merchant_ids}
    return Principals(
        by_name,
        keys,
        held,
        {token.jwt_id: token for token in revoked},
        frozenset(gateways - {ANY, ""}),
        frozenset(merchants),
        frozenset(issuers - {ANY, ""}),
        {account.merchant_gateway_id: account.name for account in held.values() if account.d1_api is not None},
        {account.issuer_id: account for account in held.values() if account.provider is AccountProvider.D1_ISSUER},
    )
