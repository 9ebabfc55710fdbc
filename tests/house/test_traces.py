"""The SDK of OpenTelemetry is known in one file a side, and reads nothing but what that gives it."""

import ast
import subprocess
import sys

from tests.house.tree import ROOT, mentioning, parsed, sources

KNOWN_TO = {"server/traces.py", "adapters/traces.py"}
INNER = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "opentelemetry.propagate")
# What the API looks up by itself: the global provider, and the propagators that the environment names.
LOOKING_UP = {"get_tracer", "get_tracer_provider", "set_tracer_provider"}
BUILT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from {side} import settings
read = settings.load({{"traces": "file", "traces_file": Path(sys.argv[2])}})
settings.hide_opentelemetry()
assert not [name for name in os.environ if name.startswith("OTEL_")]
from {side}.traces import Traces
traces = Traces(read, "role", "1", lambda outcome, count: print(outcome, count))
with traces.tracer.start_as_current_span("kept", attributes={{"a": 1, "b": 2}}):
    pass
traces.close(5)
"""
MISLEADING = {
    "OTEL_SDK_DISABLED": "true",
    "OTEL_TRACES_SAMPLER": "always_off",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "no number",
    "OTEL_BSP_MAX_QUEUE_SIZE": "no number",
    "OTEL_RESOURCE_ATTRIBUTES": "left=behind",
}


def imported(module: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def test_the_sdk_is_known_to_one_file_a_side() -> None:
    knowing = {
        str(path)
        for path in mentioning("opentelemetry", sources("server", "adapters", "mintmark_client"))
        if any(name.startswith(INNER) for name in imported(parsed(path)))
    }
    assert knowing == KNOWN_TO


def test_nobody_asks_for_a_global_tracer() -> None:
    for path in mentioning("opentelemetry", sources("server", "adapters")):
        if str(path) not in KNOWN_TO:
            names = {name.rpartition(".")[2] for name in imported(parsed(path))}
            assert not names & LOOKING_UP, path


def test_both_sides_have_the_same_file() -> None:
    server, adapters = ((ROOT / path).read_text() for path in sorted(KNOWN_TO, reverse=True))
    assert server == adapters


def test_the_environment_of_opentelemetry_counts_for_nothing(tmp_path: object) -> None:
    for side in ("server", "adapters"):
        file = f"{tmp_path}/{side}.jsonl"
        command = [sys.executable, "-c", BUILT.format(side=side), str(ROOT), file]
        result = subprocess.run(command, env=MISLEADING, capture_output=True, text=True, check=False, timeout=60)
        assert (result.returncode, result.stdout) == (0, "exported 1\n"), result.stderr
        with open(file) as written:  # noqa: PTH123  a path as text
            assert '"name":"kept"' in (text := written.read())
        assert '"attributes":{"a":1,"b":2}' in text
