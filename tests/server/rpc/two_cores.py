"""Two cores on one PostgreSQL, each with a Redis of its own choice."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from server.keys import keyring
from tests.server.rpc.running import RunningCore, running_core


@contextmanager
def two_cores(
    database_url: str, redis_url: str, other_redis_url: str | None = None
) -> Iterator[tuple[RunningCore, RunningCore]]:
    """The second core shares the first one's data folder, and so its credentials."""
    folder = Path(tempfile.mkdtemp(prefix="mm-two-"))
    keyring.create(folder / "keyring.json")
    ring = {"database_url": database_url, "keyring_file": folder / "keyring.json"}
    try:
        with ExitStack() as stack:
            first = stack.enter_context(running_core(redis_url=redis_url, **ring))
            second = stack.enter_context(
                running_core(
                    redis_url=redis_url if other_redis_url is None else other_redis_url,
                    data_dir=first.settings.data_dir,
                    internal_address=f"unix:{folder}/internal.sock",
                    **ring,
                )
            )
            yield first, second
    finally:
        shutil.rmtree(folder)
