"""CardVerificationsService."""

from mintmark.v1 import card_fingerprints_pb2
from mintmark.v1 import card_verifications_pb2 as pb

from server.domain import names
from server.domain.card_accesses import CardDataAccessResult
from server.domain.card_verifications import Answer, FieldComparison, Findings, Question
from server.domain.refusals import ResourceNotFound
from server.rpc.calls import Call
from server.rpc.card_accesses import RESULTS
from server.rpc.card_fingerprints import hashes_of
from server.services import card_verifications
from server.services.card_house import CardHouse
from server.services.card_verifications import ACCESSES, Asking, Verification

COMPARISONS = {pb.CardFieldComparison.Value(f"CARD_FIELD_COMPARISON_{each}"): each for each in FieldComparison}
# Where nobody knows the number. The order of such units is nobody's concern.
UNKNOWN = "~"


def answer_to_proto(answer: Answer) -> pb.CardVerificationAnswer:
    return pb.CardVerificationAnswer(
        card_id=answer.card_id,
        consumer_id=answer.consumer_id,
        account_id=answer.account_id,
        card_invalid=answer.card_invalid,
        lost_or_stolen=answer.lost_or_stolen,
        expired=answer.expired,
        fraud_suspect=answer.fraud_suspect,
        security_code_valid=answer.security_code_valid,
        verification_attempts_exceeded=answer.verification_attempts_exceeded,
    )


def begun_to_proto(begun: Verification) -> pb.BeginCardVerificationResponse:
    shown = pb.BeginCardVerificationResponse(card_data_access=begun.access.name)
    if begun.answer is not None:
        shown.answer.CopyFrom(answer_to_proto(begun.answer))
    elif begun.compare is not None:
        shown.comparison.card = begun.compare.name
        shown.comparison.encrypted_card = begun.compare.encrypted_card
        shown.comparison.leave_out_security_code = begun.access.code_given and not begun.access.code_compared
    else:
        shown.directory = True
    return shown


class CardVerifications:
    """The methods of CardVerificationsService, behind the wrapper of every call."""

    def __init__(self, house: CardHouse) -> None:
        self._house = house

    def BeginCardVerification(
        self, request: pb.BeginCardVerificationRequest, call: Call
    ) -> pb.BeginCardVerificationResponse:
        house = self._house
        asking = Asking(request.sender, request.issuer_id, request.correlation_id)
        stated = card_verifications.allowed_to_verify(house, asking)
        hashes = hashes_of(request.hashes)
        question = Question(request.bin_matches, request.has_expiry, request.has_security_code)
        # Two cores take what is asked of the same cards in the same order.
        place = hashes[0].hash.hex() if hashes else UNKNOWN
        begun = house.store.write(
            names.card(request.issuer_id, place),
            lambda transaction: card_verifications.begin(
                house, transaction, call.caller, stated, asking, hashes, question
            ),
            deadline=call.deadline,
        )
        if begun.answer is not None:
            ACCESSES.labels(begun.access.purpose, begun.access.result).inc()
        return begun_to_proto(begun)

    def FinishCardVerification(
        self, request: pb.FinishCardVerificationRequest, call: Call
    ) -> pb.FinishCardVerificationResponse:
        told = self._told(request)
        access, answer = self._house.store.write(
            request.card_data_access,
            lambda transaction: card_verifications.finish(self._house, transaction, request.card_data_access, told),
            deadline=call.deadline,
        )
        ACCESSES.labels(access.purpose, access.result).inc()
        return pb.FinishCardVerificationResponse(answer=answer_to_proto(answer) if answer else None)

    @staticmethod
    def _told(request: pb.FinishCardVerificationRequest) -> Findings | CardDataAccessResult:
        match request.WhichOneof("finding"):
            case "findings":
                found = request.findings
                return Findings(COMPARISONS[found.expiry], COMPARISONS[found.security_code])
            case "directory_result":
                return RESULTS[request.directory_result]
            case _:
                return CardDataAccessResult.UNREADABLE

    def ReadCardCredentials(self, request: pb.ReadCardCredentialsRequest, call: Call) -> pb.ReadCardCredentialsResponse:
        house = self._house
        asking = Asking(request.sender, request.issuer_id, request.correlation_id)
        stated = card_verifications.allowed_to_tell(house, asking)
        name = names.card(request.issuer_id, request.card_id)
        access, card = house.store.write(
            name,
            lambda transaction: card_verifications.read_credentials(
                house, transaction, stated, asking, request.card_id
            ),
            deadline=call.deadline,
        )
        if stated.directory is not None:
            return pb.ReadCardCredentialsResponse(card_data_access=access.name, directory=True)
        ACCESSES.labels(access.purpose, access.result).inc()
        if card is None:
            # The access is committed all the same.
            raise ResourceNotFound(name)
        return pb.ReadCardCredentialsResponse(
            card_data_access=access.name,
            encrypted_card=card.encrypted_card,
            number_hash=card_fingerprints_pb2.CardNumberHash(
                hash_key_id=card.hash_key_id, hash=card.number_hash or b""
            ),
        )
