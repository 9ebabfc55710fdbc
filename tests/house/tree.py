"""The tracked files, as the tests of the rules look at them."""

import ast
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked(*patterns: str) -> list[Path]:
    """Files known to git, and new ones that it does not ignore, relative to ROOT."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(path for line in set(listed.splitlines()) if (ROOT / (path := Path(line))).is_file())


def sources(*folders: str) -> list[Path]:
    """Our own Python files in these folders."""
    return [path for path in tracked(*folders) if path.suffix == ".py" and path.parts[0] != "generated"]


def mentioning(word: str, paths: Iterable[Path]) -> Iterator[Path]:
    """Those with the word somewhere in their text. To parse all of them takes seconds."""
    return (path for path in paths if word in (ROOT / path).read_text())


def modules(*folders: str) -> list[str]:
    """The dotted names of the Python files in these folders."""
    return [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in sources(*folders)]


def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), str(path))


def calls(module: ast.Module) -> set[str]:
    """The dotted names of everything that the module calls or reads an attribute of."""
    return {ast.unparse(node) for node in ast.walk(module) if isinstance(node, ast.Attribute | ast.Name)}
