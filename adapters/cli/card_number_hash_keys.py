"""`mintmark card-number-hash-keys`: the file of the keys that card numbers are hashed with. It speaks to nobody."""

from typing import TYPE_CHECKING, Annotated

import typer

from adapters.cli.key_sets import Given, KeySet
from adapters.cli.output import Output, note

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.settings import Settings

card_number_hash_keys = typer.Typer(
    help="The file of the keys that card numbers are hashed with.", no_args_is_help=True
)

KeyId = Annotated[str, typer.Argument(help="The key's id.")]


def _place(settings: "Settings") -> "Path":
    return settings.card_number_hash_keys


def _check(text: str) -> None:
    from adapters.jose.hash_keys import HashKeys

    HashKeys(text)


KEYS = KeySet("id", _place, _check)


@card_number_hash_keys.command("add")
def add_hash_key(
    key_id: Annotated[str | None, typer.Option("--id", help="The key's id; made up when not given.")] = None,
    file: Given = None,
) -> None:
    """Put a new key behind the others; make the file where there is none."""
    from adapters.jose.hash_keys import new_hash_key

    path = KEYS.path(file)
    with KEYS.changed(path, made=True) as keys:
        keys.append(new_hash_key(key_id))
    KEYS.tell_added(path, keys)


@card_number_hash_keys.command("promote")
def promote_hash_key(key_id: KeyId, file: Given = None) -> None:
    """Make a key the current one: numbers are kept under its hashes from now on, those that are here too."""
    KEYS.promote(KEYS.path(file), key_id)
    note(f"{key_id} is the current key: do the same on every gateway")


@card_number_hash_keys.command("remove")
def remove_hash_key(key_id: KeyId, file: Given = None) -> None:
    """Take a key out that is not the current one. Cards that are kept under it still are not found any more."""
    KEYS.remove(KEYS.path(file), key_id)
    note(f"{key_id} is gone from the file")


@card_number_hash_keys.command("list")
def list_hash_keys(file: Given = None, output: Output = None) -> None:
    """List the ids of the keys, the current one first."""
    KEYS.show(KEYS.read(KEYS.path(file)), output)
