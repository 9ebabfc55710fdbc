"""The commands that start roles: one in the foreground, or all of them under supervision."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

keyring = typer.Typer(help="The file of the core's keys.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The keyring file.")]


def become(*arguments: str) -> NoReturn:
    """Replaces this process by a role: its signals, output and exit code are its own."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", *arguments])  # noqa: S606  our own interpreter, no shell


def serve(
    sandbox: Annotated[bool, typer.Option("--sandbox", help="With the partners' local twins.")] = False,
) -> None:
    """Run every role on embedded defaults, and watch over them.

    In development mode (MINTMARK_DEVELOPMENT=1) with --sandbox it also makes credentials for the twins, plays a
    journey once and shows the event feed.
    """
    from adapters import settings
    from adapters.cli.supervisor.serving import run

    try:
        mine = settings.load()
    except settings.SettingsInvalid as invalid:
        raise settings.SettingsInvalid(_with_the_cores(str(invalid))) from None
    raise typer.Exit(run(mine, sandbox=sandbox))


def _with_the_cores(complaint: str) -> str:
    """A complaint about settings with the lines that the core would add: all that are wrong are named at once."""
    from subprocess import run as run_process

    asked = run_process([sys.executable, "-m", "server", "settings"], capture_output=True, text=True, check=False)
    lines = complaint.splitlines()
    return "\n".join((*lines, *(line for line in asked.stderr.splitlines() if line not in lines)))


def core() -> None:
    """Run the core in the foreground."""
    become("server")


def gateway() -> None:
    """Run a gateway in the foreground."""
    become("adapters", "gateway")


def dispatcher() -> None:
    """Run a dispatcher in the foreground."""
    become("adapters", "dispatcher")


def migrate() -> None:
    """Bring the database's schema up to date."""
    become("server", "migrate")


@keyring.command("create")
def create_keyring(file: File) -> None:
    """Make a keyring file with new keys; never over one that exists."""
    become("server", "keyring", "create", str(file))


@keyring.command("rotate")
def rotate_keyring(file: File) -> None:
    """Take the next step of a rotation: add new keys, or, once every core knows them, put them to use."""
    become("server", "keyring", "rotate", str(file))
