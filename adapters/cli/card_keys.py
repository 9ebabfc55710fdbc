"""`mintmark card-keys`: the file of the private keys that card data is encrypted for. It speaks to nobody."""

from typing import TYPE_CHECKING, Annotated

import typer

from adapters.cli.key_sets import Given, KeySet
from adapters.cli.output import Output, line, note
from adapters.cli.refusals import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.settings import Settings

card_keys = typer.Typer(help="The file of the private keys that card data is encrypted for.", no_args_is_help=True)

Kid = Annotated[str, typer.Argument(help="The key's id.")]


def _place(settings: "Settings") -> "Path":
    return settings.card_keys


def _check(text: str) -> None:
    from adapters.jose.keys import PrivateKeys

    PrivateKeys(text)


KEYS = KeySet("kid", _place, _check)


@card_keys.command("add")
def add_card_key(
    kid: Annotated[str | None, typer.Option("--kid", help="The key's id; its thumbprint when not given.")] = None,
    file: Given = None,
) -> None:
    """Put a new key behind the others; make the file where there is none."""
    from adapters.jose.keys import new_key

    path = KEYS.path(file)
    with KEYS.changed(path, made=True) as keys:
        keys.append(new_key(kid))
    KEYS.tell_added(path, keys)


@card_keys.command("promote")
def promote_card_key(kid: Kid, file: Given = None) -> None:
    """Make a key the current one: card data is encrypted for it from now on, and anew where it is at rest."""
    KEYS.promote(KEYS.path(file), kid)
    note(f"{kid} is the current key: do the same on every gateway")


@card_keys.command("remove")
def remove_card_key(kid: Kid, file: Given = None) -> None:
    """Take a key out that is not the current one. Card data that is for it still cannot be opened any more."""
    KEYS.remove(KEYS.path(file), kid)
    note(f"{kid} is gone from the file")


@card_keys.command("list")
def list_card_keys(file: Given = None, output: Output = None) -> None:
    """List the ids of the keys, the current one first."""
    KEYS.show(KEYS.read(KEYS.path(file)), output)


@card_keys.command("export-pem")
def export_card_key(
    kid: Annotated[str | None, typer.Argument(help="The key's id; the current one when not given.")] = None,
    file: Given = None,
) -> None:
    """Print the public part of a key as PEM, such as Thales wants it."""
    import json

    from adapters.jose.keys import KeyInvalid, PrivateKeys

    keys = KEYS.read(KEYS.path(file))
    try:
        line(PrivateKeys(json.dumps({"keys": keys})).pem(kid or str(keys[0]["kid"])).rstrip("\n"))
    except KeyInvalid as invalid:
        raise Refused(str(invalid)) from None
