"""What the partner does, and what the core makes of it: the dispatcher between a real core and the partner's twin."""

import json
from collections.abc import Iterator

import pytest
from mintmark.v1 import payments_pb2 as pb

from adapters.sandbox.payment_options.charges import CLEAN
from adapters.sandbox.payment_options.faults import KINDS, NEED_ANSWER
from adapters.sandbox.payment_options.outcomes import TABLE, THREE_DS
from tests.adapters.outbound.running import CHARGED, NOT_CHARGED, PayingHouse, paying_house
from tests.vectors import contract_example
from tests.waiting import eventually


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PayingHouse]:
    with paying_house(tmp_path_factory.mktemp("house"), clock=True) as made:
        made.dispatcher.start()
        yield made


def test_the_seeds_request_goes_out_and_its_answer_is_a_captured_payment(house: PayingHouse) -> None:
    payment = house.shop.create(1000)
    house.becomes(payment, "CAPTURED")
    paid = house.shop.get(payment)
    (operation,) = paid.operations
    (charge,) = [line for line in house.twin.ledger() if line["reference"] == operation.reference]
    assert paid.card.masked_number == "400000******1091"
    assert paid.card.scheme_text == "MASTERCARD"
    assert operation.auth_code == charge["authCode"]
    assert operation.partner_transaction_id == charge["transactionId"]
    assert operation.partner_reference == str(charge["ref"])


# A code that the contract has in two classes ("already reversed", or a decline), and statuses that it does not list:
# the more careful reading holds.
CAREFUL = {79, 409, 422}


def test_every_outcome_ends_in_a_state_that_the_partners_books_bear_out(house: PayingHouse) -> None:
    """What the answer says for sure is believed; what it leaves open is in doubt; and nothing is sent twice."""
    # Those that look as if the partner were in trouble come last.
    outcomes = sorted((each for each in TABLE if each is not THREE_DS), key=lambda outcome: outcome.http_status)
    with house.at_once():
        payments = {outcome: house.shop.create(outcome.number or 1234) for outcome in outcomes}
    eventually(lambda: all(house.answered(payment) for payment in payments.values()), 90, "an answer to each")
    # What is pending is asked for.
    house.past_the_lease()
    states = {outcome: house.settled(payment, 90) for outcome, payment in payments.items()}
    sent, all_moved = house.all_sent(), house.all_moved()
    for outcome, payment in payments.items():
        state, reference = states[outcome], payment.operations[0].reference
        moved = all_moved[reference]
        assert sent[reference] == 1, outcome.name
        if outcome.response_code in CAREFUL or outcome.http_status in CAREFUL:
            assert state == "IN_DOUBT", outcome.name
        elif outcome.answer == CLEAN:
            assert state in (CHARGED if outcome.moved else NOT_CHARGED), (outcome.name, state)
        elif outcome.http_status >= 500:
            assert state == "IN_DOUBT", (outcome.name, state)
        assert moved or state not in CHARGED, outcome.name
        assert not moved or state not in NOT_CHARGED, outcome.name


def faults(*, charged: bool) -> list[str]:
    return [name for name in KINDS if charged or name not in NEED_ANSWER]


# The answer is whole and says all that has to be said: whoever believes it is right.
BELIEVED = {"card-number", "wrong-id", "drip-headers", "drip-body"}
# The redirect is what the answer is about; whoever follows it finds nobody.
ACTED = {"redirect-url"}


@pytest.mark.parametrize("charged", [True, False])
def test_every_fault_leaves_doubt_and_is_sent_once(house: PayingHouse, charged: bool) -> None:
    house.twin.control("DELETE", "/faults")
    payments = {}
    with house.at_once():
        for place, name in enumerate(faults(charged=charged)):
            amount = (300_000 if charged else 400_000) + place
            # A byte at a time, but all of them in time on a machine that has much else to do.
            more = {"seconds": 0.000_001} if name.startswith("drip") else {}
            house.twin.fault(name, charged=charged, amount=str(amount), **more)
            payments[name] = house.shop.create(amount)
    states = {name: house.settled(payment, 90) for name, payment in payments.items()}
    sent, moved = house.all_sent(), house.all_moved()
    for name, state in states.items():
        reference = payments[name].operations[0].reference
        assert sent[reference] == 1, name
        assert moved[reference] == charged, name
        if charged and name in BELIEVED:
            assert state == "CAPTURED", name
        elif name in ACTED:
            assert state in {"REQUIRES_ACTION", "IN_DOUBT"}, (name, state)
        else:
            assert state == "IN_DOUBT", (name, state)


def test_no_answer_leaves_a_card_number_anywhere(house: PayingHouse) -> None:
    number = "4012888888881881"
    with house.at_once():
        payment = house.pay(555_001, "card-number", number=number)
        unlucky = house.pay(555_002, "card-number", number="4012888888881882")
    house.settled(payment)
    house.settled(unlucky)
    canaries = (number.encode(), b"4012888888881882")
    # What is told is removed from the spool a moment later.
    eventually(lambda: not house.dispatcher.spooled(), what="an empty spool")
    kept = [path for path in house.core.folder.rglob("*") if path.is_file()]
    kept += [path for path in house.dispatcher.log.parent.rglob("*") if path.is_file()]
    assert len(kept) > 3
    for path in kept:
        content = path.read_bytes()
        for canary in canaries:
            assert canary not in content, path
    for story in (house.shop.evidence(payment), house.shop.evidence(unlucky)):
        assert not any(canary in line.SerializeToString() for line in story for canary in canaries)


def test_what_follows_a_payment_is_sent_and_settled(house: PayingHouse) -> None:
    authorized = house.shop.authorize(2000)
    house.becomes(authorized, "AUTHORIZED")
    house.shop.capture(authorized, 1500)
    house.becomes(authorized, "CAPTURED")
    house.shop.refund(authorized, 500)
    house.becomes(authorized, "PARTIALLY_REFUNDED")
    voided = house.shop.authorize(2001)
    house.becomes(voided, "AUTHORIZED")
    house.shop.void(voided)
    house.becomes(voided, "VOIDED")


def test_credentials_and_ids_of_payers_are_in_no_log(house: PayingHouse) -> None:
    house.settled(house.shop.create(1001))
    logged = house.dispatcher.logged()
    assert '"partner call"' in logged
    credentials = house.twin.credentials
    for secret in (credentials["authorization"], credentials["x_api_key"], "billing@testemail.com", "/webhooks/"):
        assert secret not in logged


def test_the_example_is_what_the_dispatcher_builds() -> None:
    from mintmark.v1 import tasks_pb2

    from adapters.outbound.payment_options import document
    from tests.server.rpc.paying import details

    given = details(success_url="http://www.successurl.com/", decline_url="http://www.declineurl.com/")
    submission = tasks_pb2.PaymentSubmission(
        kind=pb.PAYMENT_OPERATION_KIND_PURCHASE,
        amount_text="1000",
        currency_code="JPY",
        reference="qwe",
        partner_merchant_id="< Merchant ID >",
        stored_payment_method_id="094db781-fabc-4c6d-8fcd-18bee06a527a",
        webhook_url="< Webhook url >",
        details=given,
    )
    example = json.loads(contract_example("paymentoptions-use-token.request.json").read_text())
    assert document(submission) == example
