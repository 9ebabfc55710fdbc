"""What issuers' own systems came to, told to the core for its record of accesses to card data.

D1 gets its answer in any case.
"""

import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mintmark.v1 import card_verifications_pb2 as pb
from mintmark.v1 import card_verifications_pb2_grpc
from mintmark.v1.card_data_accesses_pb2 import CardDataAccessResult

from adapters.inbound.core_calls import CoreCalls, Deadline
from adapters.inbound.directory_failures import DirectoryFailure, DirectoryForbids, DirectoryNotFound
from adapters.inbound.problems import Problem

RECORD_S = 0.5
_OF_REFUSALS: dict[type[DirectoryFailure], "CardDataAccessResult.ValueType"] = {
    DirectoryNotFound: CardDataAccessResult.CARD_DATA_ACCESS_RESULT_NO_USABLE_CARD,
    DirectoryForbids: CardDataAccessResult.CARD_DATA_ACCESS_RESULT_LEFT_TO_DIRECTORY,
}

T = TypeVar("T")


class DirectoryRecords:
    """Of one kind of call. Where an answer never came the record has no result, as of a gateway that was killed."""

    def __init__(self, stub: card_verifications_pb2_grpc.CardVerificationsServiceStub, calls: CoreCalls) -> None:
        self._finish = stub.FinishCardVerification
        self._calls = calls

    async def kept(
        self, access: str, asked: Awaitable[T], result_of: Callable[[T], "CardDataAccessResult.ValueType"]
    ) -> T:
        """What `asked` answers, once the core was told. Raises what `asked` does."""
        try:
            answer = await asked
        except DirectoryFailure as failure:
            if type(failure) in _OF_REFUSALS:
                await self._tell(access, _OF_REFUSALS[type(failure)])
            raise
        await self._tell(access, result_of(answer))
        return answer

    async def tell_unreadable(self, access: str) -> None:
        """Card data at rest that was to be told could not be opened, or is another card's."""
        await self._ask(pb.FinishCardVerificationRequest(card_data_access=access, unreadable=True))

    async def _tell(self, access: str, result: "CardDataAccessResult.ValueType") -> None:
        await self._ask(pb.FinishCardVerificationRequest(card_data_access=access, directory_result=result))

    async def _ask(self, request: pb.FinishCardVerificationRequest) -> None:
        with contextlib.suppress(Problem):
            await self._calls.repeated(self._finish, request, Deadline(RECORD_S))


def verification_result(answer: pb.CardVerificationAnswer, *, code_left_out: bool) -> "CardDataAccessResult.ValueType":
    """Of a verification. `code_left_out`: D1 gave a security code that nobody was to check."""
    if answer.card_invalid:
        return CardDataAccessResult.CARD_DATA_ACCESS_RESULT_NO_USABLE_CARD
    if answer.verification_attempts_exceeded:
        return CardDataAccessResult.CARD_DATA_ACCESS_RESULT_ATTEMPTS_EXCEEDED
    if code_left_out:
        return CardDataAccessResult.CARD_DATA_ACCESS_RESULT_SECURITY_CODE_NOT_CHECKED
    if not answer.security_code_valid:
        return CardDataAccessResult.CARD_DATA_ACCESS_RESULT_SECURITY_CODE_WRONG
    return CardDataAccessResult.CARD_DATA_ACCESS_RESULT_SUCCEEDED
