"""The breaker: what opens it and what closes it."""

from server.cache.breaker import FAILURES, PROBE_S, WINDOW_S, Breaker


def failed(breaker: Breaker, *times: float) -> list[bool]:
    return [breaker.fail(time) for time in times]


def is_open(breaker: Breaker) -> bool:
    return breaker.open


def test_the_fifth_failure_within_ten_seconds_opens_it_and_is_the_one_that_tells() -> None:
    breaker = Breaker()
    assert failed(breaker, 0, 1, 2, 3, 4) == [False, False, False, False, True]
    assert is_open(breaker)
    assert failed(breaker, 5) == [False]


def test_failures_that_lie_far_apart_do_not() -> None:
    breaker = Breaker()
    times = [place * (WINDOW_S / (FAILURES - 1) + 0.1) for place in range(20)]
    assert not any(failed(breaker, *times))
    assert not is_open(breaker)


def test_it_probes_every_five_seconds_until_that_works() -> None:
    breaker = Breaker()
    assert breaker.until_probe(0) is None
    failed(breaker, 0, 0, 0, 0, 0)
    assert (breaker.until_probe(1), breaker.until_probe(PROBE_S + 1)) == (PROBE_S - 1, 0)
    breaker.probed(PROBE_S, worked=False)
    assert is_open(breaker)
    assert breaker.until_probe(PROBE_S) == PROBE_S
    breaker.probed(2 * PROBE_S, worked=True)
    assert not is_open(breaker)
    assert failed(breaker, 10, 10, 10, 10, 10) == [False, False, False, False, True], "old failures count again"
