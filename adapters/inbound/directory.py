"""The issuers' own systems, where these answer D1 themselves (`mintmark.directory.v1.CardDirectoryService`).

Card data goes there and comes from there as JWEs only; what is open is in memory alone. Every method raises
DirectoryFailure.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import grpc
import structlog
from mintmark.directory.v1 import card_directory_pb2 as pb
from mintmark.v1 import accounts_pb2, consumers_pb2
from mintmark.v1.card_verifications_pb2 import CardVerificationAnswer

from adapters.inbound import directory_answers as answers
from adapters.inbound.directory_channel import DirectoryChannel
from adapters.inbound.directory_failures import DirectoryUnavailable
from adapters.inbound.directory_metrics import DirectoryMetrics
from adapters.inbound.directory_tls import DirectoryTls
from adapters.inbound.principals import Principals
from adapters.jose.encryption import JweInvalid, Opened
from adapters.jose.public_keys import KeyInvalid

# What D1 may tell of a card, and the issuer's system is told in the same words.
CARD_MEMBERS = ("pan", "exp", "name", "cvv")


@dataclass(frozen=True, slots=True)
class AskedBy:
    """Which call of D1's it is for."""

    issuer_id: str
    correlation_id: str

    def context(self) -> pb.CallContext:
        return pb.CallContext(issuer_id=self.issuer_id, correlation_id=self.correlation_id)


def has_directory(account: accounts_pb2.Account) -> bool:
    """Whether the issuer's own system answers."""
    return account.d1_issuer.HasField("directory")


class CardDirectories:
    """One channel for each issuer that has a system of its own; `open_card` opens JWEs for our card keys, or raises
    JweInvalid."""

    def __init__(
        self,
        principals: Principals,
        open_card: Callable[[str], Opened],
        tls: DirectoryTls,
        metrics: DirectoryMetrics,
        interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._principals = principals
        self._open_card = open_card
        self._make = partial(DirectoryChannel, tls=tls, metrics=metrics, interceptors=interceptors, monotonic=monotonic)
        self._channels: dict[str, DirectoryChannel] = {}
        self._retired: list[DirectoryChannel] = []
        self._version = -1
        metrics.resting(lambda: sum(channel.resting for channel in self._channels.values()))

    async def verify_card(
        self, by: AskedBy, proposed_card_id: str, first_digits: str, card: Mapping[str, str]
    ) -> CardVerificationAnswer:
        """What D1 is answered. `card` is what D1's JWE held: `pan`, and as it gave them `exp`, `name`, `cvv`.

        The security code is passed on only where the account has it checked; else it is not said to be valid.
        """
        channel = self._channel(by.issuer_id)
        code_given = bool(card.get("cvv"))
        code_asked = code_given and self.checks_codes(by.issuer_id)
        told = {name: card[name] for name in CARD_MEMBERS if card.get(name) and (name != "cvv" or code_asked)}
        try:
            encrypted = channel.recipient().encrypt(json.dumps(told).encode())
        except (KeyInvalid, ValueError) as wrong:
            why = str(wrong) if isinstance(wrong, KeyInvalid) else "the card data is too long"
            structlog.get_logger().error("card data cannot be encrypted for an issuer", issuer_id=by.issuer_id, why=why)
            raise DirectoryUnavailable from None
        request = pb.VerifyCardRequest(
            context=by.context(), proposed_card_id=proposed_card_id, bin=first_digits, encrypted_card=encrypted
        )
        read = partial(answers.verification, code_given=code_given, code_asked=code_asked)
        return await channel.ask("VerifyCard", request, read)

    def checks_codes(self, issuer_id: str) -> bool:
        """Whether the issuer's system is given security codes to check."""
        account = self._principals.issuer_account(issuer_id)
        with_code = accounts_pb2.CARD_VERIFICATION_MODE_WITH_SECURITY_CODE
        return account is not None and account.d1_issuer.card_verification == with_code

    async def card_credentials(self, by: AskedBy, card_id: str) -> bytes:
        """The card data, opened and not looked at: whoever passes it on checks it as any other."""
        request = pb.GetCardCredentialsRequest(context=by.context(), card_id=card_id)
        return await self._channel(by.issuer_id).ask("GetCardCredentials", request, self._opened)

    async def consumer(self, by: AskedBy, consumer_id: str, card_id: str) -> consumers_pb2.PersonalData:
        """What is told of a cardholder. `card_id` may be empty."""
        request = pb.GetConsumerInformationRequest(context=by.context(), consumer_id=consumer_id, card_id=card_id)
        return await self._channel(by.issuer_id).ask("GetConsumerInformation", request, answers.personal_data)

    async def deliver_one_time_password(self, by: AskedBy, consumer_id: str, card_id: str, body: str) -> None:
        """Has it delivered. `body` is D1's, JSON, with card numbers cut; `consumer_id` and `card_id` may be empty."""
        request = pb.DeliverOneTimePasswordRequest(
            context=by.context(), consumer_id=consumer_id, card_id=card_id, body_json=body
        )
        await self._channel(by.issuer_id).ask("DeliverOneTimePassword", request, answers.nothing)

    async def authenticate(self, by: AskedBy, path_ids: Mapping[str, str], body: str) -> bytes:
        """Starts an authentication. The JSON object that D1 is answered."""
        request = pb.AuthenticateRequest(context=by.context(), path_ids=path_ids, body_json=body)
        return await self._channel(by.issuer_id).ask("Authenticate", request, answers.json_object)

    async def authentication_result(self, by: AskedBy, path_ids: Mapping[str, str]) -> bytes:
        """How an authentication stands: the JSON object that D1 is answered."""
        request = pb.GetAuthenticationResultRequest(context=by.context(), path_ids=path_ids)
        return await self._channel(by.issuer_id).ask("GetAuthenticationResult", request, answers.json_object)

    async def activate_physical_card(self, by: AskedBy, card_id: str, body: str) -> None:
        """Activates it; an active one stays as it is. `body` is D1's, JSON with card numbers cut, or empty."""
        request = pb.ActivatePhysicalCardRequest(context=by.context(), card_id=card_id, body_json=body)
        await self._channel(by.issuer_id).ask("ActivatePhysicalCard", request, answers.nothing)

    async def close(self) -> None:
        """Ends all channels, and the calls that are under way."""
        ending = [*self._channels.values(), *self._retired]
        await asyncio.gather(*(channel.close() for channel in ending))

    def _opened(self, answer: pb.GetCardCredentialsResponse) -> bytes:
        try:
            return self._open_card(answer.encrypted_card).plaintext
        except JweInvalid:
            raise answers.AnswerOdd("encrypted_card is no JWE for one of our card keys") from None

    def _channel(self, issuer_id: str) -> DirectoryChannel:
        """Raises DirectoryUnavailable where the account has none: the core knew of one, or will in a moment."""
        if self._version != self._principals.version:
            self._version = self._principals.version
            self._retire_changed()
        channel = self._channels.get(issuer_id)
        if channel is None:
            account = self._principals.issuer_account(issuer_id)
            if account is None or not has_directory(account):
                raise DirectoryUnavailable
            channel = self._channels[issuer_id] = self._make(account)
        return channel

    def _retire_changed(self) -> None:
        """Calls under way end on the channel that they were begun on."""
        for issuer_id, channel in list(self._channels.items()):
            account = self._principals.issuer_account(issuer_id)
            if not account or not has_directory(account) or not channel.is_for(account.d1_issuer.directory):
                channel.retire()
                self._retired = [each for each in (*self._retired, self._channels.pop(issuer_id)) if each.ending]
