"""Runs one role: `python -m adapters gateway|dispatcher|sandbox`. Settings come from the environment."""

import gc
import sys
from collections.abc import Callable, Sequence

from adapters import logs, settings
from adapters.settings import Settings, SettingsInvalid

ROLES = ("gateway", "dispatcher", "sandbox")
STOPPED, FAILED, USAGE = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 after SIGTERM, 2 for wrong arguments or settings, 1 where it cannot serve."""
    # What is loaded stays: to look through it for garbage takes a good part of a start and an end.
    gc.disable()
    from adapters.serving import AddressUnusable

    if len(arguments) != 1 or arguments[0] not in ROLES:
        return _say(f"usage: python -m adapters {'|'.join(ROLES)}", USAGE)
    try:
        read = settings.load()
        logs.configure(read.log_level, arguments[0])
        role = _role(arguments[0])
        gc.freeze()
        gc.enable()
        role(read)
    except SettingsInvalid as invalid:
        return _say(str(invalid), USAGE)
    except AddressUnusable as unusable:
        return _say(str(unusable), FAILED)
    return STOPPED


def _role(name: str) -> Callable[[Settings], None]:
    """What runs the role; its libraries are loaded only now."""
    if name == "gateway":
        from adapters.inbound.gateway import run as gateway

        return gateway
    if name == "dispatcher":
        from adapters.outbound.worker import run as dispatcher

        return dispatcher
    from adapters.sandbox.app import run as sandbox

    return sandbox


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"mintmark: {text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
