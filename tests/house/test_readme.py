"""What the README says is there, is there, and the other way round."""

import re
from pathlib import Path
from typing import Any

import typer.main
from pydantic_settings import BaseSettings

import adapters.settings
import server.settings
from adapters.cli.main import app
from tests.house.tree import ROOT

README = (ROOT / "README.md").read_text()
ROW = re.compile(r"^\| `MINTMARK_(\w+)` \| (?:`([^`]*)`)? *\|", re.MULTILINE)


def shown(default: Any) -> str:
    """A default as the README shows it: what one would write into the environment."""
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(int(default))
    if isinstance(default, float):
        return f"{default:g}"
    return default.as_posix() if isinstance(default, Path) else str(default)


def defaults(settings: type[BaseSettings]) -> dict[str, str]:
    return {name.upper(): shown(field.get_default()) for name, field in settings.model_fields.items()}


def commands(command: Any, words: tuple[str, ...] = ()) -> dict[tuple[str, ...], bool]:
    """Every command below this one by its words, and whether it is a group of others."""
    below = getattr(command, "commands", {})
    found = {words: bool(below)}
    for name, each in below.items():
        found |= commands(each, (*words, name))
    return found


COMMANDS = commands(typer.main.get_command(app))


def test_the_settings_are_documented_with_their_defaults() -> None:
    assert dict(ROW.findall(README)) == defaults(server.settings.Settings) | defaults(adapters.settings.Settings)


def test_settings_that_several_roles_read_have_one_default() -> None:
    core, others = defaults(server.settings.Settings), defaults(adapters.settings.Settings)
    assert {name: core[name] for name in core.keys() & others} == {name: others[name] for name in core.keys() & others}


def test_every_command_of_the_readme_exists() -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    typed = re.findall(r"(?:^|[\s$(])mintmark((?: [a-z][a-z0-9-]*)+)", "\n".join(blocks))
    typed += re.findall(r"`mintmark((?: [a-z][a-z0-9-]*)+)", README)
    assert typed
    for line in typed:
        words = tuple(line.split())
        known = max(size for size in range(len(words) + 1) if words[:size] in COMMANDS)
        assert known, line
        assert not COMMANDS[words[:known]] or known == len(words), line


def test_every_command_is_in_the_readme() -> None:
    for words, is_group in COMMANDS.items():
        if not is_group:
            assert re.search(rf"mintmark {' '.join(words)}\b", README), words


def test_every_target_of_the_makefile_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    for target in phony.split():
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for target in re.findall(r"`make (\w+)`", README):
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE), target
