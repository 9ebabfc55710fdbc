"""Measures every scenario in turn, several rounds, and tells medians, spreads and ratios of one run; before them the
bare cost of a JWE (`jwe`).

    python -m tests.bench [--seconds N] [--rounds N] [SCENARIO ...]

Rounds of all scenarios are interleaved, so that a noisy minute of the machine spoils a round and not a scenario. The
load generator runs on the same cores; the processor time of the roles is told beside, which does not include it. The
raw figures go to data/bench/.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.bench import jwe, machine
from tests.bench.scenarios import SCENARIOS, Run, Scenario, stack
from tests.stack import Stack

RESULTS = Path(__file__).parents[2] / "data" / "bench"
ROLES = ("core", "gateway")
MILLI, MICRO = 1e3, 1e6


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


@dataclass(frozen=True)
class Round:
    """One scenario once: calls a second, milliseconds, microseconds of each role a call, and failures."""

    scenario: str
    rate: float
    p50_ms: float
    p99_ms: float
    core_us: float
    gateway_us: float
    failed: int


def measure(scenario: Scenario, running: Stack, run: Run, seconds: float) -> Round:
    before = {role: machine.cpu_seconds(running.pid(role)) for role in ROLES}
    sample = run(seconds)
    used = {role: machine.cpu_seconds(running.pid(role)) - before[role] for role in ROLES}
    calls = max(1, len(sample.latencies))
    # The warm-up's calls are in the processor time and not in the sample.
    share = seconds / (seconds + 0.5)
    return Round(
        scenario.name,
        sample.rate,
        sample.percentile(0.5) * MILLI,
        sample.percentile(0.99) * MILLI,
        used["core"] * share / calls * MICRO,
        used["gateway"] * share / calls * MICRO,
        sample.failed,
    )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("scenario", nargs="*", help=", ".join([jwe.NAME, *(each.name for each in SCENARIOS)]))
    asked = parser.parse_args(arguments)
    chosen = [each for each in SCENARIOS if not asked.scenario or each.name in asked.scenario]
    facts = machine.facts()
    for name, value in facts.items():
        say(f"{name:14} {value}")
    bare = jwe.costs(asked.rounds) if not asked.scenario or jwe.NAME in asked.scenario else {}
    for name, cost in bare.items():
        say(f"{jwe.NAME} {name:21} {cost:7.0f} us, bare")
    rounds = measured(chosen, asked.rounds, asked.seconds)
    if chosen:
        tell(chosen, rounds)
    for text in against(bare.get(jwe.VERIFY, 0.0), rounds):
        say(text)
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    raw = {"machine": facts, "seconds": asked.seconds, "jwe": bare, "rounds": [asdict(r) for r in rounds]}
    file.write_text(json.dumps(raw))
    say(f"\nraw figures: {file}")
    return 0


def measured(chosen: Sequence[Scenario], count: int, seconds: float) -> list[Round]:
    rounds: list[Round] = []
    with ExitStack() as stacks:
        running = {place: stacks.enter_context(stack(place)) for place in {each.place for each in chosen}}
        ready = [(each, running[each.place], each.prepare(running[each.place])) for each in chosen]
        for _ in range(count):
            rounds += [measure(each, at, run, seconds) for each, at, run in ready]
    return rounds


def tell(chosen: Sequence[Scenario], rounds: Sequence[Round]) -> None:
    titles = f"{'scenario':18} {'calls/s':>9} {'min..max':>15} {'ratio':>6} {'p50 ms':>7} {'p99 ms':>7}"
    say(f"\n{titles} {'core us':>8} {'gateway us':>10} {'failed':>6}")
    firsts: dict[str, float] = {}
    for each in chosen:
        own = [one for one in rounds if one.scenario == each.name]
        rate = median(one.rate for one in own)
        # Against the first scenario of its kind.
        first = firsts.setdefault(each.name.split()[0], rate or 1.0)
        spread = f"{min(one.rate for one in own):.0f}..{max(one.rate for one in own):.0f}"
        say(
            f"{each.name:18} {rate:9.0f} {spread:>15} {rate / first:6.2f} "
            f"{median(one.p50_ms for one in own):7.2f} {median(one.p99_ms for one in own):7.2f} "
            f"{median(one.core_us for one in own):8.0f} {median(one.gateway_us for one in own):10.0f} "
            f"{sum(one.failed for one in own):6}"
        )


def against(bare_us: float, rounds: Sequence[Round]) -> list[str]:
    """How many times its bare work a Verify Card takes, by scenario."""
    told = []
    for name in dict.fromkeys(one.scenario for one in rounds if bare_us and one.scenario.startswith("verify")):
        own = [one for one in rounds if one.scenario == name]
        half, most = (median(getattr(one, field) for one in own) * MICRO / MILLI for field in ("p50_ms", "p99_ms"))
        told.append(f"{name:18} p50 {half / bare_us:.1f} and p99 {most / bare_us:.1f} times the bare {bare_us:.0f} us")
    return told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
