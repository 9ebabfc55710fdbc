"""Where the tests keep their files: in memory where there is room, because thousands of commits wait for the disk else.

What is shown stays shown: a killed process loses nothing that the kernel has, in memory as on a disk, and that commits
are synced is counted by the calls, not by the disk.
"""

import os
import shutil
import tempfile
from pathlib import Path

IN_MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3


def use_memory() -> None:
    """For this process and those that it starts, unless somebody has said where temporary files go."""
    if "TMPDIR" in os.environ or not os.access(IN_MEMORY, os.W_OK) or shutil.disk_usage(IN_MEMORY).free < ROOM:
        return
    os.environ["TMPDIR"] = str(IN_MEMORY)
    tempfile.tempdir = None
