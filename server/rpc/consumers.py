"""ConsumersService. Personal data goes back only to those who read one consumer, and to those who have just said it."""

from mintmark.v1 import consumers_pb2 as pb

from server.domain import names
from server.domain.consumers import NOTHING, Consumer, ConsumerState, PersonalData, PostalAddress
from server.domain.queries import ConsumerQuery
from server.ports import Sealer, Store, Transaction
from server.rpc.calls import Call, Calls
from server.rpc.pages import PageTokens
from server.rpc.words import timestamp
from server.services import consumers

TEXTS = tuple(field.name for field in pb.PersonalData.DESCRIPTOR.fields if field.type == field.TYPE_STRING)
ADDRESS = tuple(field.name for field in pb.PostalAddress.DESCRIPTOR.fields)
STATES = {pb.ConsumerState.Value(f"CONSUMER_STATE_{state}"): state for state in ConsumerState}


def to_proto(consumer: Consumer, personal: PersonalData | None = None) -> pb.Consumer:
    """Without `personal` nothing is told of the person."""
    return pb.Consumer(
        name=consumer.name,
        issuer_id=consumer.issuer_id,
        consumer_id=consumer.consumer_id,
        state=pb.ConsumerState.Value(f"CONSUMER_STATE_{consumer.state}"),
        personal_data=None if personal is None else personal_to_proto(personal),
        create_time=timestamp(consumer.create_time),
        update_time=timestamp(consumer.update_time),
        etag=str(consumer.revision),
    )


def personal_to_proto(personal: PersonalData) -> pb.PersonalData:
    told = pb.PersonalData(**{name: getattr(personal, name) for name in TEXTS})
    address = personal.residency_address
    if address != NOTHING.residency_address:
        told.residency_address.CopyFrom(pb.PostalAddress(**{name: getattr(address, name) for name in ADDRESS}))
    return told


def personal_of(said: pb.PersonalData) -> PersonalData:
    address = PostalAddress(**{name: getattr(said.residency_address, name) for name in ADDRESS})
    return PersonalData(**{name: getattr(said, name) for name in TEXTS}, residency_address=address)


def repeated_registration(answer: pb.RegisterConsumerResponse) -> pb.RegisterConsumerResponse:
    kept = pb.RegisterConsumerResponse()
    kept.CopyFrom(answer)
    kept.consumer.ClearField("personal_data")
    return kept


def repeated_replacement(answer: pb.ReplaceConsumerResponse) -> pb.ReplaceConsumerResponse:
    kept = pb.ReplaceConsumerResponse()
    kept.CopyFrom(answer)
    kept.consumer.ClearField("personal_data")
    return kept


class Consumers:
    """The methods of ConsumersService, behind the wrapper of every call."""

    def __init__(self, store: Store, calls: Calls, pages: PageTokens, sealer: Sealer) -> None:
        self._store = store
        self._calls = calls
        self._pages = pages
        self._sealer = sealer
        self._now = calls.clock.now

    def RegisterConsumer(self, request: pb.RegisterConsumerRequest, call: Call) -> pb.RegisterConsumerResponse:
        personal = personal_of(request.personal_data)

        def run(transaction: Transaction) -> pb.RegisterConsumerResponse:
            made = consumers.register(
                transaction,
                self._sealer,
                call.caller,
                request.issuer_id,
                request.consumer_id,
                personal,
                self._now(),
            )
            return pb.RegisterConsumerResponse(consumer=to_proto(made, personal))

        key = names.consumer(request.issuer_id, request.consumer_id)
        return self._calls.write(call, request, key, run, repeated_registration)

    def ReplaceConsumer(self, request: pb.ReplaceConsumerRequest, call: Call) -> pb.ReplaceConsumerResponse:
        personal = personal_of(request.personal_data)

        def run(transaction: Transaction) -> pb.ReplaceConsumerResponse:
            after = consumers.replace(transaction, self._sealer, call.caller, request.name, personal, self._now())
            return pb.ReplaceConsumerResponse(consumer=to_proto(after, personal))

        return self._calls.write(call, request, request.name, run, repeated_replacement)

    def SuspendConsumer(self, request: pb.SuspendConsumerRequest, call: Call) -> pb.SuspendConsumerResponse:
        def run(transaction: Transaction) -> pb.SuspendConsumerResponse:
            after = consumers.set_state(transaction, call.caller, request.name, ConsumerState.SUSPENDED, self._now())
            return pb.SuspendConsumerResponse(consumer=to_proto(after))

        return self._calls.write(call, request, request.name, run)

    def ResumeConsumer(self, request: pb.ResumeConsumerRequest, call: Call) -> pb.ResumeConsumerResponse:
        def run(transaction: Transaction) -> pb.ResumeConsumerResponse:
            after = consumers.set_state(transaction, call.caller, request.name, ConsumerState.ACTIVE, self._now())
            return pb.ResumeConsumerResponse(consumer=to_proto(after))

        return self._calls.write(call, request, request.name, run)

    def DeleteConsumer(self, request: pb.DeleteConsumerRequest, call: Call) -> pb.DeleteConsumerResponse:
        def run(transaction: Transaction) -> pb.DeleteConsumerResponse:
            after = consumers.delete(transaction, call.caller, request.name, self._now())
            return pb.DeleteConsumerResponse(consumer=to_proto(after))

        return self._calls.write(call, request, request.name, run)

    def GetConsumer(self, request: pb.GetConsumerRequest, call: Call) -> pb.GetConsumerResponse:
        found = consumers.get(self._store, call.caller, request.name)
        return pb.GetConsumerResponse(consumer=to_proto(found, consumers.told(self._sealer, found)))

    def ListConsumers(self, request: pb.ListConsumersRequest, call: Call) -> pb.ListConsumersResponse:
        states = frozenset(STATES[state] for state in request.states if state)
        query = ConsumerQuery(call.caller.reach, request.issuer_id, states)
        found, next_page = self._pages.list(
            request, call.caller.client, lambda page: consumers.list_page(self._store, query, page), to_proto
        )
        return pb.ListConsumersResponse(consumers=found, next_page_token=next_page)
