"""`mintmark serve` over fake roles: `fake_serve.py FOLDER`, with MINTMARK_DATA_DIR and MINTMARK_ADMIN_ADDRESS set."""

import sys

from adapters import settings
from adapters.cli.output import note
from adapters.cli.refusals import Refused
from adapters.cli.supervisor.processes import Role
from adapters.cli.supervisor.serving import Supervisor

MODULE = "tests.adapters.cli.fake_role"


def main(folder: str) -> int:
    roles = tuple(Role(name, (MODULE, name, folder), 0.5) for name in ("core", "gateway", "dispatcher"))
    try:
        return Supervisor(settings.load(), roles).run()
    except Refused as refused:
        note(str(refused))
        return refused.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
