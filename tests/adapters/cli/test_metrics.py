"""Merging the roles' metrics."""

from adapters.cli.supervisor.metrics import merged


def test_families_stay_together_and_are_described_once() -> None:
    text = (
        "# HELP calls_total Calls, by \\n kind.\n# TYPE calls_total counter\n"
        'calls_total{kind="a}b\\"c"} 1.0\ncalls_total 2\n'
        "# HELP wait_seconds Waits.\n# TYPE wait_seconds histogram\n"
        'wait_seconds_bucket{le="+Inf"} 1 1700000000\nwait_seconds_sum 0.5\nwait_seconds_count 1\n\nnot a sample\n'
    )
    assert merged({"core": text, "gateway": "calls_total NaN\nlonely 1\n"}).splitlines() == [
        "# HELP calls_total Calls, by \\n kind.",
        "# TYPE calls_total counter",
        'calls_total{role="core",kind="a}b\\"c"} 1.0',
        'calls_total{role="core"} 2',
        'calls_total{role="gateway"} NaN',
        "# HELP wait_seconds Waits.",
        "# TYPE wait_seconds histogram",
        'wait_seconds_bucket{role="core",le="+Inf"} 1 1700000000',
        'wait_seconds_sum{role="core"} 0.5',
        'wait_seconds_count{role="core"} 1',
        'lonely{role="gateway"} 1',
    ]


def test_nothing_to_merge() -> None:
    assert merged({}) == ""
