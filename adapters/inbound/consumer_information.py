"""Get Consumer Information: what D1 is told of a cardholder. It is kept and logged nowhere."""

from dataclasses import dataclass
from typing import Any

import grpc
from mintmark.v1 import consumers_pb2 as pb
from mintmark.v1 import consumers_pb2_grpc

from adapters import card_numbers
from adapters.inbound.core_calls import CoreCalls, Deadline
from adapters.inbound.directory import AskedBy, CardDirectories
from adapters.inbound.issuer_paths import CONSUMER, ISSUER, IssuerCallers, IssuerPath, card_of_query
from adapters.inbound.problems import NO_STORE, NOT_FOUND, Answer, Problem, json_answer
from adapters.inbound.request import Request

PATH = "/issuers/{issuerId}/consumers/{consumerId}"
TOTAL_S = 3.0
# The contract has no body here.
FORBIDDEN = Answer(403, ((b"content-length", b"0"),))
# D1's names of what is told as it is kept.
TEXTS = {
    "language": "language",
    "title": "title",
    "firstName": "first_name",
    "middleName": "middle_name",
    "lastName": "last_name",
    "email": "email",
    "dateOfBirth": "date_of_birth",
}
PHONE = {"countryCode": "mobile_phone_country_code", "phoneNumber": "mobile_phone_number"}
ADDRESS = {
    "line1": "line1",
    "line2": "line2",
    "city": "city",
    "state": "state",
    "zipCode": "zip_code",
    "countryCode": "country_code",
}


@dataclass(frozen=True, slots=True)
class ConsumerInformation:
    """The endpoint."""

    callers: IssuerCallers
    channel: grpc.aio.Channel
    calls: CoreCalls
    path: IssuerPath
    directories: CardDirectories

    async def tell(self, request: Request) -> Answer:
        """200 with what is known; what is not is left out. Raises Problem: 400, 401, 403 without a body, 404, 503."""
        try:
            person = await self._person(request)
        except Problem as problem:
            if problem.answer.status == 403:
                raise Problem(FORBIDDEN) from None
            raise
        return json_answer(200, told(person), *NO_STORE)

    async def _person(self, request: Request) -> pb.PersonalData:
        sender, ids = self.callers.known(request, self.path)
        card_id = card_of_query(request.query)
        if card_numbers.cut_identifier(ids[CONSUMER]) != ids[CONSUMER]:
            # No id of a consumer is a card number, and none leaves the gateway.
            raise Problem(NOT_FOUND)
        asked = pb.ReadConsumerRequest(sender=sender, issuer_id=ids[ISSUER], consumer_id=ids[CONSUMER], card_id=card_id)
        stub = consumers_pb2_grpc.ConsumerReadsServiceStub(self.channel)
        read: pb.ReadConsumerResponse = await self.calls.repeated(stub.ReadConsumer, asked, Deadline(TOTAL_S))
        if read.directory:
            by = AskedBy(ids[ISSUER], request.correlation.text)
            return await self.directories.consumer(by, ids[CONSUMER], card_id)
        return read.consumer.personal_data


def told(person: pb.PersonalData) -> dict[str, Any]:
    """As D1 reads it: no field is empty."""
    parts = {
        "mobilePhoneNumber": _named(person, PHONE),
        "residencyAddress": _named(person.residency_address, ADDRESS),
    }
    return {**_named(person, TEXTS), **{name: part for name, part in parts.items() if part}}


def _named(of: pb.PersonalData | pb.PostalAddress, names: dict[str, str]) -> dict[str, str]:
    return {name: text for name, field in names.items() if (text := getattr(of, field))}
