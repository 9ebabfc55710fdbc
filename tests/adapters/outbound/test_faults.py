"""A dispatcher that is killed, stopped, or left alone by the core: at most one charge, and none that is forgotten."""

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.adapters.outbound.running import NOT_CHARGED, NOWHERE, DispatcherProcess, PayingHouse, paying_house
from tests.server.rpc.paying import SUBMIT, duration
from tests.waiting import eventually


@pytest.fixture
def house(tmp_path: Path) -> Iterator[PayingHouse]:
    with paying_house(tmp_path, clock=True) as made:
        yield made


def test_killed_while_the_partner_has_the_request(house: PayingHouse) -> None:
    """SENDING was committed before the first byte left: what was charged is in doubt, and is not sent again."""
    house.dispatcher.start()
    payment = house.pay(600_001, "hang")
    eventually(lambda: house.sent(payment) == 1, 30)
    house.dispatcher.kill()
    house.twin.control("POST", "/faults/release")
    house.past_the_lease()
    house.dispatcher.start()
    house.becomes(payment, "IN_DOUBT", 60)
    assert house.moved(payment) == 1
    other = house.shop.create(600_002)
    house.becomes(other, "CAPTURED")
    assert house.sent(payment) == 1
    house.check_books(payment, other)


@pytest.mark.campaign
def test_killed_after_claiming_and_before_the_grant(house: PayingHouse) -> None:
    """Somebody else claimed it and died: after the lease it is sent, once."""
    payment = house.shop.create(600_003)
    assert house.shop.claim(SUBMIT, of=payment)
    house.dispatcher.start()
    house.becomes(payment, "CAPTURED", 60)
    assert house.sent(payment) == 1


def test_killed_after_the_grant_and_before_a_byte_left(house: PayingHouse) -> None:
    """Nobody but the dead knows that nothing was sent: it is in doubt, and never sent again."""
    payment = house.shop.create(600_004)
    house.shop.granted(payment)
    house.past_the_lease()
    house.dispatcher.start()
    house.becomes(payment, "IN_DOUBT", 60)
    assert house.sent(payment) == 0


def requests_beyond(house: PayingHouse, count: int) -> bool:
    return len(house.twin.lines("/requests")) > count


def test_killed_at_any_moment_money_moves_once_at_most(house: PayingHouse) -> None:
    payments = []
    for place in range(6):
        payments += [house.shop.create(610_000 + 10 * place + each) for each in range(4)]
        house.dispatcher.launch()
        # As far as it gets: to the start of one more of the requests.
        eventually(partial(requests_beyond, house, 3 * place), 60)
        house.dispatcher.kill()
    house.past_the_lease()
    house.dispatcher.start()
    for payment in payments:
        house.settled(payment, 90)
        assert house.sent(payment) <= 1
    house.check_books(*payments)


@pytest.mark.campaign
def test_stopped_past_its_lease_it_sends_nothing_that_it_is_not_granted_any_more(house: PayingHouse) -> None:
    """Between grant and headers there is no moment to stop it at; wherever it stops, money moves once at most."""
    house.dispatcher.start()
    other = DispatcherProcess(house.core, house.dispatcher.log.parent.parent / "d2").start()
    payments = [house.shop.create(620_000 + place) for place in range(8)]
    house.dispatcher.signal(signal.SIGSTOP)
    try:
        for payment in payments:
            house.settled(payment, 90)
    finally:
        house.dispatcher.signal(signal.SIGCONT)
    late = [house.shop.create(621_000 + place) for place in range(4)]
    for payment in late:
        house.settled(payment, 90)
    for payment in (*payments, *late):
        assert house.sent(payment) <= 1
    house.check_books(*payments, *late)
    other.kill()


def test_an_answer_survives_an_outage_of_the_core_and_the_death_of_the_dispatcher(tmp_path: Path) -> None:
    with paying_house(tmp_path, payment_call_timeout=30.0, task_lease=90.0) as house:
        house.dispatcher.start()
        payment = house.pay(630_001, "hang")
        eventually(lambda: house.sent(payment) == 1, 30)
        house.core.stop()
        house.twin.control("POST", "/faults/release")
        (file,) = eventually(house.dispatcher.spooled, 30, "the answer on disk")
        assert file.stat().st_mode & 0o777 == 0o600
        assert house.dispatcher.spool.stat().st_mode & 0o777 == 0o700
        house.dispatcher.kill()
        house.core.start()
        house.shop.client = house.core.session(*house.shop.credentials)
        assert house.shop.state(payment) == "PROCESSING"
        house.dispatcher.start()
        house.becomes(payment, "CAPTURED", 60)
        eventually(lambda: not house.dispatcher.spooled(), 30, "an empty spool")
        assert house.sent(payment) == 1


def test_a_graceful_stop_finishes_what_is_in_flight_and_claims_no_more(house: PayingHouse) -> None:
    house.dispatcher.start()
    payment = house.pay(640_001, "hang", seconds=1.0)
    eventually(lambda: house.sent(payment) == 1, 30)
    assert house.dispatcher.stop() == 0
    assert house.shop.state(payment) == "CAPTURED"
    assert not house.dispatcher.spooled()
    later = house.shop.create(640_002)
    assert house.sent(later) == 0
    house.check_books(payment, later)


def test_a_partner_that_is_not_there_is_tried_again_and_nothing_is_in_doubt(house: PayingHouse) -> None:
    closed = house.open_shop(base_url=NOWHERE)
    house.dispatcher.start()
    payment = closed.create(650_001)
    eventually(lambda: "connect" in house.dispatcher.logged(), 30)
    eventually(lambda: closed.get(payment).operations[0].attempt_count >= 2, 60)
    assert closed.state(payment) in {"PENDING", "PROCESSING"}
    paid = house.shop.create(650_002)
    house.becomes(paid, "CAPTURED")


def test_what_was_never_sent_expires_as_unsent(house: PayingHouse) -> None:
    closed = house.open_shop(base_url=NOWHERE)
    house.dispatcher.start()
    payment = closed.create(660_001, send_within=duration(3))
    eventually(lambda: closed.state(payment) in NOT_CHARGED, 60)
    assert closed.state(payment) == "EXPIRED"


def test_torn_entries_are_set_aside_and_told_of(house: PayingHouse) -> None:
    spool = house.dispatcher.spool
    spool.mkdir(parents=True)
    (spool / "0123.attempt").write_bytes(b"mintmark spool 1\n" + bytes(40))
    house.dispatcher.start()
    eventually((spool / "aside" / "0123.attempt").exists, 30)
    assert "not whole" in house.dispatcher.logged()
