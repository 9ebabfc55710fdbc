"""The core's process.

    python -m server                             serves
    python -m server migrate                     brings the database's schema up to date
    python -m server settings                    says which settings are wrong, and does nothing else
    python -m server keyring create|rotate FILE  makes a keyring, or takes the next step of a rotation

Exit codes: 0 stopped as asked, 1 cannot run now, 2 the settings or the arguments are wrong.
"""

import gc
import signal
import sys
import threading
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from server import logs
from server.settings import Settings, SettingsInvalid, load

USAGE = 2


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case []:
                return serve(load())
            case ["settings"]:
                load()
                return 0
            case ["migrate"]:
                return migrate(load())
            case ["keyring", ("create" | "rotate") as verb, file]:
                return make_keyring(verb, Path(file))
            case _:
                return complain((__doc__ or "").strip(), USAGE)
    except SettingsInvalid as error:
        return complain(str(error), USAGE)


def complain(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code


def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT."""
    # What is made from here until it serves stays: to look through it for garbage takes a third of a start and an end.
    gc.disable()
    from server.core import Core
    from server.domain.refusals import StoreUnavailable
    from server.rpc.listeners import AddressInUse
    from server.store.engine import DatabaseUnfit

    logs.configure(settings.log_level)
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    try:
        core = Core(settings)
    except (DatabaseUnfit, AddressInUse) as error:
        return complain(str(error), 1)
    except StoreUnavailable as refusal:
        return complain(refusal.text, 1)
    except SQLAlchemyError as error:
        return complain(f"the database cannot be reached: {type(getattr(error, 'orig', error)).__name__}", 1)
    gc.freeze()
    gc.enable()
    stopping.wait()
    core.stop()
    return 0


def migrate(settings: Settings) -> int:
    from server.store.engine import DatabaseUnfit
    from server.store.migrate import upgrade

    try:
        upgrade(settings.database)
    except DatabaseUnfit as error:
        return complain(str(error), 1)
    except ValueError:
        return complain("MINTMARK_DATABASE_URL: not the URL of a SQLite file or of PostgreSQL", USAGE)
    except SQLAlchemyError as error:
        return complain(f"the database cannot be migrated: {type(getattr(error, 'orig', error)).__name__}", 1)
    return 0


def make_keyring(verb: str, file: Path) -> int:
    from server.keys import keyring

    try:
        if verb == "create":
            keyring.create(file)
        elif keyring.rotate(file):
            complain("the new keys are in use from each core's next start on", 0)
        else:
            complain("new keys are added, not in use yet: restart every core, then rotate again to use them", 0)
    except (OSError, keyring.KeyringInvalid) as error:
        return complain(f"{file}: {error}", 1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
