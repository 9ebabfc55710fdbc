"""`mintmark serve` over fake roles: `fake_serve.py FOLDER STOP_SECONDS`; the settings come from the environment."""

import sys

from adapters import settings
from adapters.cli.output import note
from adapters.cli.refusals import Refused
from adapters.cli.supervisor.processes import Role
from adapters.cli.supervisor.serving import Supervisor

MODULE = "tests.adapters.cli.fake_role"


def main(folder: str, stop_seconds: float) -> int:
    roles = tuple(Role(name, (MODULE, name, folder), stop_seconds) for name in ("core", "gateway", "dispatcher"))
    try:
        return Supervisor(settings.load(), roles).run()
    except Refused as refused:
        note(str(refused))
        return refused.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
