"""A client of the sandbox's control API."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from adapters.cli.refusals import Refused

if TYPE_CHECKING:
    import httpx

    from adapters.settings import Settings

# A sending answers when it is settled; the deadline in its body is what ends it.
LONGEST_CALL = 24 * 3600.0
CONNECT_SECONDS = 3.0


class SandboxControl:
    """Calls to the sandbox at MINTMARK_SANDBOX_ADDRESS. Every call raises Refused where it is refused."""

    def __init__(self, settings: "Settings") -> None:
        self.address = settings.sandbox_address
        self._http: httpx.Client | None = None

    def call(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One call; the JSON object of its answer."""
        import httpx

        body = None if document is None else json.dumps(document).encode()
        try:
            answer = self._client().request(method, path, content=body, headers={"content-type": "application/json"})
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        try:
            answered = answer.json()
        except ValueError:
            answered = {}
        if answer.status_code >= 400:
            text = answered.get("error") if isinstance(answered, dict) else None
            raise Refused(f"the sandbox refuses: {text or f'status {answer.status_code}'}")
        return answered if isinstance(answered, dict) else {}

    def lines(self, path: str) -> Iterator[str]:
        """The lines of a JSON-lines answer as they come."""
        import httpx

        try:
            with self._client().stream("GET", path) as answer:
                if answer.status_code != 200:
                    raise Refused(f"the sandbox refuses: status {answer.status_code}")
                yield from answer.iter_lines()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None

    def close(self) -> None:
        """Closes the connection."""
        if self._http is not None:
            self._http.close()

    def _client(self) -> "httpx.Client":
        import ssl

        import httpx

        if self._http is None:
            # Without TLS nobody is trusted: reading all authorities would take longer than the call.
            nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            path = self.address.removeprefix("unix:")
            unix = self.address.startswith("unix:")
            self._http = httpx.Client(
                base_url="http://sandbox" if unix else f"http://{self.address}",
                transport=httpx.HTTPTransport(uds=path, verify=nobody) if unix else None,
                timeout=httpx.Timeout(LONGEST_CALL, connect=CONNECT_SECONDS),
                trust_env=False,
                verify=nobody,
            )
        return self._http

    def _unreachable(self, error: Exception) -> Refused:
        return Refused(
            f"cannot reach the sandbox at {self.address} ({type(error).__name__})",
            "start it with `mintmark serve --sandbox` or `mintmark sandbox`, or name its address in "
            "MINTMARK_SANDBOX_ADDRESS",
        )


@contextmanager
def connected() -> Iterator[SandboxControl]:
    """A client of the sandbox that the settings name."""
    from adapters import settings

    control = SandboxControl(settings.load())
    try:
        yield control
    finally:
        control.close()
