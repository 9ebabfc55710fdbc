"""The client: where it connects to, and as whom."""

from pathlib import Path
from types import TracebackType

from mintmark_client.access_token import Credentials, from_file
from mintmark_client.calls import Options
from mintmark_client.channels import Tls
from mintmark_client.connection import Connection
from mintmark_client.pacing import Pacing
from mintmark_client.services import Services


class Client(Services):
    """A client of the core at `address` (`host:port` or `unix:/path`). Safe for threads; close it, or use `with`.

    It authenticates with `client_id` and `client_secret`, or with a JSON file that has both, such as `mintmark clients
    create` prints; with neither it calls as nobody, which a core allows in development mode. Without `tls` nothing is
    encrypted: for loopback, sockets and networks of one's own. `timeout` and `correlation_id` are those of `using`.
    It connects when the first call is made. Raises ValueError where id and secret are not both given, or the file too.
    """

    def __init__(
        self,
        address: str,
        *,
        client_id: str = "",
        client_secret: str = "",
        credentials_file: Path | str | None = None,
        tls: Tls | None = None,
        timeout: float = 30.0,
        correlation_id: str = "",
        pacing: Pacing | None = None,
    ) -> None:
        credentials = _credentials(client_id, client_secret, credentials_file)
        connection = Connection(address, credentials, tls, pacing or Pacing())
        super().__init__(connection, Options(timeout, correlation_id))

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends streams and connections; calls in flight end with an error."""
        self._connection.close()


def _credentials(client_id: str, client_secret: str, path: Path | str | None) -> Credentials | None:
    if bool(client_id) != bool(client_secret):
        raise ValueError("client_id and client_secret belong together")
    if client_id and path:
        raise ValueError("give either client_id and client_secret or credentials_file")
    if path:
        return from_file(path)
    return (lambda: (client_id, client_secret)) if client_id else None
