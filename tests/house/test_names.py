"""Names, sizes and habits of the files."""

import ast
import re
from pathlib import Path

from tests.house.tree import ROOT, calls, mentioning, parsed, sources, tracked

LONGEST_FILE = 400
FORBIDDEN = {"utils", "common", "helpers", "manager", "base", "data", "info"}
OURS = sources("server", "adapters", "mintmark_client", "protos", "tests")
MACHINE = re.compile(
    r"(?<![\w.])(/work/|/home/\w|/root/|/Users/\w)|files\.pythonhosted\.org|pypi\.org|index-url|artifactory|ghp_\w"
)


def test_no_file_is_long() -> None:
    long = {str(path): lines for path in OURS if (lines := len((ROOT / path).read_text().splitlines())) > LONGEST_FILE}
    assert not long


def test_no_file_is_a_drawer_for_everything() -> None:
    words = {path: {word for part in path.with_suffix("").parts for word in part.split("_")} for path in OURS}
    drawers = [path for path, used in words.items() if used & FORBIDDEN]
    assert not drawers


def test_every_file_says_what_it_is_for() -> None:
    silent = [path for path in OURS if path.parts[0] != "tests" and not ast.get_docstring(parsed(path))]
    assert not silent


def test_only_the_command_prints() -> None:
    for path in mentioning("print", sources("server", "adapters", "mintmark_client", "tests")):
        if not str(path).startswith("adapters/cli/"):
            assert "print" not in calls(parsed(path)), path


def test_tests_wait_on_conditions() -> None:
    """Only the waiting itself sleeps, and fakes take their time on purpose. `asyncio.sleep(0)` waits for nobody."""
    for path in mentioning("sleep", sources("tests")):
        if path.name != "waiting.py" and not path.name.startswith("fake_"):
            called = [ast.unparse(node) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
            assert not [call for call in called if re.match(r"(time\.|asyncio\.)?sleep\((?!0\))", call)], path


def test_tests_use_no_mocks() -> None:
    for path in mentioning("mock", sources("tests")):
        imports = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not [node for node in imports if "mock" in ast.unparse(node)], path


def test_http_without_tls_reads_no_authorities() -> None:
    """Whoever calls httpx in the tests says what it trusts: mostly `tests.plain.PLAIN`, which costs nothing."""
    asking = re.compile(r"httpx\.(get|post|put|patch|delete|head|request|stream|(Async)?(Client|HTTPTransport))$")
    for path in mentioning("httpx", sources("tests")):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and asking.match(ast.unparse(node.func)):
                assert {"verify", "transport"} & {each.arg for each in node.keywords}, f"{path}:{node.lineno}"


def test_the_tests_mirror_the_tree() -> None:
    """Each folder of tests has the name of a room, or of what has none: three kinds of test, the bench and the soak."""
    extra = {"flows", "faults", "house", "bench", "soak"}
    for path in sources("tests"):
        room = Path(*path.parts[1:-1])
        if path.name != "__init__.py" and room.parts and room.parts[0] not in extra:
            assert (ROOT / room).is_dir(), path


def test_no_file_names_a_machine_or_a_registry() -> None:
    for path in tracked():
        if path.name == Path(__file__).name:
            continue
        try:
            text = (ROOT / path).read_text()
        except UnicodeDecodeError:
            continue
        found = MACHINE.search(text)
        assert not found, f"{path}: {found and found[0]}"


def test_nothing_that_can_be_made_again_is_tracked() -> None:
    made = {path for path in tracked() if {"__pycache__", "dist", "build", ".venv", "data"} & set(path.parts)}
    assert not made


def test_no_secret_is_tracked() -> None:
    keys = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\beyJhbGciOi[\w-]{40}")
    for path in tracked():
        if path.suffix in {".py", ".md", ".yaml", ".yml", ".toml", ".json", ""} and path.parts[0] != "generated":
            assert not keys.search((ROOT / path).read_text(errors="replace")), path
