"""Hosted pages end to end: a real core, dispatcher and gateway, and the twin's page, paid as in a browser."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from mintmark.v1 import payments_pb2 as pb

from tests.adapters.outbound.running import PayingHouse, paying_house
from tests.adapters.sandbox.payment_options.test_pages import press
from tests.flows.test_payment_webhooks import Flow, gateway_of
from tests.stack import free_ports
from tests.waiting import eventually

ENDPOINT = "hosted-link"
CARD = "5200000000001005"


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """At the partner's own speed, so that links live as long as there; webhooks come at once all the same."""
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    with (
        paying_house(tmp_path_factory.mktemp("pages"), speed=1, public_url=url) as house,
        gateway_of(house, url) as log,
    ):
        house.dispatcher.start()
        yield Flow(house, url, log)


@pytest.fixture
def house(flow: Flow) -> Iterator[PayingHouse]:
    yield flow.house
    flow.house.twin.control("DELETE", "/webhooks/rules")
    flow.house.twin.control("DELETE", "/faults")


def opened(house: PayingHouse, amount: int, **fields: Any) -> tuple[pb.Payment, str]:
    """A payment and the link that its payer is given."""
    payment = house.shop.page(amount, **fields)
    house.becomes(payment, "REQUIRES_ACTION")
    return payment, house.shop.get(payment).redirect_url


def test_the_payer_pays_and_the_stored_card_pays_again(flow: Flow, house: PayingHouse) -> None:
    payment, url = opened(house, 810_001, store_payment_method=True)
    back = press(house.twin, url, "pay", card="4000000000001091")
    assert (back.status_code, back.headers["location"]) == (303, "https://shop.example.com/checkout/done?order=7")
    house.becomes(payment, "CAPTURED")
    paid = house.shop.get(payment)
    assert (paid.card.masked_number, paid.redirect_url) == ("400000******1091", "")
    (line,) = [each for each in house.twin.ledger() if each["reference"] == paid.operations[0].reference]
    assert paid.operations[0].partner_transaction_id == line["transactionId"]
    assert paid.token.rpartition("/")[2] == line["storedPaymentMethodId"]
    again = house.shop.create(810_002, token=paid.token)
    house.becomes(again, "CAPTURED")
    assert house.shop.get(again).card.masked_number == "400000******1091"
    house.shop.refund(payment, 1)
    house.becomes(payment, "PARTIALLY_REFUNDED")
    # The link is a key: it is in no log.
    secret = httpx.URL(url).path.rpartition("/")[2]
    for log in (flow.log, house.dispatcher.log):
        assert secret not in log.read_text()


def test_declined_and_then_paid(house: PayingHouse) -> None:
    payment, url = opened(house, 820_001)
    assert press(house.twin, url, "decline", card=CARD).headers["location"] == "https://shop.example.com/checkout/no"
    eventually(lambda: "declined" in summaries(house, payment), what="the status of the declined try")
    assert house.shop.state(payment) == "REQUIRES_ACTION"
    press(house.twin, url, "pay", card=CARD)
    house.becomes(payment, "CAPTURED")
    assert house.moved(payment) == 1
    assert house.shop.get(payment).token == ""


def summaries(house: PayingHouse, payment: pb.Payment) -> list[str]:
    return [line.summary for line in house.shop.evidence(payment)]


def test_a_payer_who_gives_up_is_sent_back_and_nothing_is_charged(house: PayingHouse) -> None:
    payment, url = opened(house, 830_001)
    assert press(house.twin, url, "cancel").headers["location"] == "https://shop.example.com/checkout/back"
    assert (house.shop.state(payment), house.moved(payment)) == ("REQUIRES_ACTION", 0)


LOST = ("reset", "close", "status", "truncated", "cut-json", "html", "empty", "huge")
WRONG = ("wrong-amount", "wrong-currency", "wrong-reference", "wrong-mid", "redirect-url")


def asked_for(house: PayingHouse, faults: tuple[str, ...], amount: int) -> dict[str, pb.Payment]:
    """A payment for each fault, in doubt because its link is lost or says something else."""
    payments = {}
    for place, fault in enumerate(faults):
        house.twin.fault(fault, endpoint=ENDPOINT, amount=str(amount + place))
        payments[fault] = house.shop.page(amount + place)
    for payment in payments.values():
        house.becomes(payment, "IN_DOUBT")
    return payments


def test_a_link_whose_answer_is_lost_is_never_asked_for_again(house: PayingHouse) -> None:
    payments = asked_for(house, LOST, 840_000)
    for fault, payment in payments.items():
        assert (house.sent(payment), house.shop.get(payment).redirect_url) == (1, ""), fault
        # Whoever has the link all the same can pay, and it is learned of.
        house.twin.control("POST", f"/hosted/{house.reference(payment)}/pay")
    for fault, payment in payments.items():
        house.becomes(payment, "CAPTURED")
        assert (house.sent(payment), house.moved(payment)) == (1, 1), fault


def test_a_link_to_something_else_is_not_shown(house: PayingHouse) -> None:
    for fault, payment in asked_for(house, WRONG, 850_000).items():
        told = house.shop.get(payment)
        assert (told.operations[0].doubt, told.redirect_url) == (pb.PAYMENT_DOUBT_ANSWER_UNREADABLE, ""), fault


@pytest.mark.campaign
def test_a_dispatcher_that_is_killed_with_the_answer_in_hand_makes_one_page(flow: Flow, house: PayingHouse) -> None:
    """What is asked for hangs at the partner while its dispatcher dies: nobody asks again."""
    house.twin.fault("hang", endpoint=ENDPOINT, amount="860001")
    payment = house.shop.page(860_001)
    eventually(lambda: house.sent(payment) == 1, what="the request for the page")
    house.dispatcher.kill()
    house.twin.control("POST", "/faults/release")
    house.dispatcher.start()
    house.becomes(payment, "IN_DOUBT", 60)
    other, _ = opened(house, 860_002)
    assert (house.sent(payment), house.sent(other)) == (1, 1)


def test_a_lost_webhook_is_made_up_for_by_an_operator(house: PayingHouse) -> None:
    payment, url = opened(house, 870_001, store_payment_method=True)
    house.twin.control("POST", "/webhooks/rules", {"mode": "lost", "reference": house.reference(payment)})
    press(house.twin, url, "pay", card=CARD)
    assert house.shop.state(payment) == "REQUIRES_ACTION"
    (line,) = [each for each in house.twin.ledger() if each["reference"] == house.reference(payment)]
    house.shop.resolve(payment, line["transactionId"])
    house.becomes(payment, "CAPTURED")
    assert house.shop.get(payment).token.endswith(line["storedPaymentMethodId"])
