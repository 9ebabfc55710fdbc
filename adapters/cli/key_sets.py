"""Files of the gateways' keys as operators change them: offline, whole or not at all, the current key first."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapters.cli.output import Form, console, form_of, json_line, note
from adapters.cli.refusals import Refused

if TYPE_CHECKING:
    from adapters.settings import Settings

Given = Annotated[
    Path | None, typer.Option("--file", help="The file; without it the one that the gateway's setting names.")
]


@dataclass(frozen=True, slots=True)
class KeySet:
    """A kind of such a file. `name` is the member of a key that names it, `check` raises KeyInvalid for a file that no
    gateway would take."""

    name: str
    place: Callable[["Settings"], Path]
    check: Callable[[str], object]

    def path(self, given: Path | None) -> Path:
        """The file that is meant."""
        if given is not None:
            return given
        from adapters import settings

        return self.place(settings.load())

    def read(self, path: Path) -> list[dict[str, Any]]:
        """The keys, the current one first. Raises Refused."""
        from adapters.jose import key_files
        from adapters.jose.key_files import KeyFileUnfit
        from adapters.jose.keys import KeyInvalid

        try:
            text = key_files.read(path)
            self.check(text)
        except FileNotFoundError:
            raise Refused(f"{path} is not there", "`add` makes it with a first key") from None
        except (KeyFileUnfit, KeyInvalid) as unfit:
            raise Refused(f"{path}: {unfit}") from None
        keys: list[dict[str, Any]] = json.loads(text)["keys"]
        return keys

    @contextmanager
    def changed(self, path: Path, *, made: bool = False) -> Iterator[list[dict[str, Any]]]:
        """The keys, to be changed: they are written when the block ends well. With `made` there may be none before.
        Raises Refused."""
        from adapters.jose import key_files
        from adapters.jose.keys import KeyInvalid

        try:
            with key_files.alone_with(path):
                keys = [] if made and not path.exists() else self.read(path)
                yield keys
                text = json.dumps({"keys": keys}, indent=2) + "\n"
                self.check(text)
                key_files.write(path, text)
        except KeyInvalid as invalid:
            raise Refused(f"nothing was changed: {invalid}") from None
        except OSError as error:
            raise Refused(f"nothing was changed: {path}: {error.strerror or type(error).__name__}") from None

    def promote(self, path: Path, name: str) -> None:
        """Puts a key in front. Raises Refused."""
        with self.changed(path) as keys:
            key = self._one(keys, name)
            keys.remove(key)
            keys.insert(0, key)

    def remove(self, path: Path, name: str) -> None:
        """Takes a key out that is not the current one. Raises Refused."""
        with self.changed(path) as keys:
            key = self._one(keys, name)
            if key is keys[0]:
                raise Refused(f"{name} is the current key", "promote another first")
            keys.remove(key)

    def show(self, keys: Sequence[dict[str, Any]], option: Form | None) -> None:
        """Prints what keys there are, and nothing of them but their names."""
        for place, key in enumerate(keys):
            if form_of(option) is Form.JSON:
                json_line({self.name: key[self.name], "current": place == 0})
            else:
                console().print(f"{key[self.name]}{' (current)' if place == 0 else ''}", soft_wrap=True)

    def tell_added(self, path: Path, keys: Sequence[dict[str, Any]]) -> None:
        """Says what comes next."""
        name = keys[-1][self.name]
        if len(keys) == 1:
            note(f"{path} has its first key, {name}: give the file to every gateway")
        else:
            note(f"{path} has the key {name} now: once every gateway has it, promote it")

    def _one(self, keys: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
        for key in keys:
            if key[self.name] == name:
                return key
        raise Refused(f"no key is named {name}", f"there are: {', '.join(str(key[self.name]) for key in keys)}")
