"""What `serve --sandbox` shows in development mode: addresses, credentials, a journey, then the event feed."""

import json
import shlex
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.cli.refusals import Refused

if TYPE_CHECKING:
    from rich.console import Console

    from adapters.cli.supervisor.credentials import DevelopmentCredentials
    from adapters.settings import Settings

STEP_SECONDS = 0.05
RETRY_SECONDS = 2.0
BY_HAND = {
    "merchantId": "merchant-0001",
    "tokenId": "COFTG-V-by-hand",
    "deviceId": "by-hand",
    "selectedIdvMethod": "NONE",
}


class Demonstration:
    """Runs beside the supervisor in a thread of its own, and never stops it."""

    def __init__(self, settings: "Settings") -> None:
        self._settings = settings
        self._ended = threading.Event()
        # The gateway starts when the credentials exist, so that it knows them from its first moment.
        self.prepared = False

    def start(self, core_ready: Callable[[], bool], all_ready: Callable[[], bool], wake: Callable[[], None]) -> None:
        """Begins in the background."""
        arguments = (core_ready, all_ready, wake)
        threading.Thread(target=self._run, args=arguments, name="demonstration", daemon=True).start()

    def stop(self) -> None:
        """Shows no more."""
        self._ended.set()

    def _run(self, core_ready: Callable[[], bool], all_ready: Callable[[], bool], wake: Callable[[], None]) -> None:
        from adapters.cli import session  # noqa: F401  imported while the core starts
        from adapters.cli.output import console
        from adapters.cli.supervisor import acquirer, credentials, issuer, payments

        out = console()
        made: DevelopmentCredentials | None = None
        try:
            if self._until(core_ready):
                made = credentials.ensure(self._settings)
                if payments.possible(self._settings) and self._until(lambda: payments.ready(self._settings)):
                    payments.ensure(self._settings)
                if acquirer.possible(self._settings) and self._until(lambda: acquirer.ready(self._settings)):
                    acquirer.ensure(self._settings)
                if self._until(lambda: issuer.ready(self._settings)):
                    issuer.ensure(self._settings)
        except Refused as refused:
            out.print(f"✗ the development credentials could not be made: {refused}", style="bold red", soft_wrap=True)
        finally:
            self.prepared = True
            wake()
        if not self._until(all_ready):
            return
        cursor = self._head()
        if made:
            self._welcome(out, made)
            self._play(out, made, cursor)
        self._feed(out, cursor)

    def _until(self, condition: Callable[[], bool]) -> bool:
        while not self._ended.is_set():
            if condition():
                return True
            self._ended.wait(STEP_SECONDS)
        return False

    def _welcome(self, out: "Console", made: "DevelopmentCredentials") -> None:
        from adapters.cli.supervisor import acquirer, payments

        settings = self._settings
        command = self._command()
        curl = (
            f"curl -i {settings.sandbox_target_url}/notify-binding-creation -H 'content-type: application/json' "
            f"-H 'authorization: APIKEY {made.api_key}' -H 'x-correlation-id: by-hand-1' "
            f"-d '{json.dumps(BY_HAND)}'"
        )
        lines = (
            ("Mintmark is ready (development mode)", "bold"),
            (f"  HTTP for partners   {settings.sandbox_target_url}", None),
            (f"  gRPC for services   {settings.grpc_address}", None),
            (f"  health, metrics     {settings.admin_address}  /livez /readyz /metrics", None),
            (f"  partners' twins     {settings.sandbox_address}", None),
            (f"  data folder         {settings.data_dir}", None),
            ("", None),
            ("Development credentials (kept in the data folder under credentials/)", "bold"),
            (f"  D1   client_id {made.client_id}  client_secret {made.client_secret}", None),
            (f"  TSH  api_key {made.api_key}", None),
            (
                f"  PaymentOptions twin, at http://{settings.sandbox_address}/payment-options: "
                f"{settings.sandbox_payment_options}",
                None,
            ),
            (
                f"  SIBS acquirer twin, at http://{settings.sandbox_address}/sibs, account {acquirer.ACCOUNT}: "
                f"{command} sandbox sibs state",
                None,
            ),
            (f"  a token to pay with     {payments.TOKEN}" if payments.possible(settings) else "", None),
            ("", None),
            ("Three commands to try in another terminal", "bold"),
            (f"  {command} tokens list", "cyan"),
            (f"  {command} events tail --from 0 --until-caught-up", "cyan"),
            (f"  {curl}", "cyan"),
            ("", None),
        )
        for text, style in lines:
            out.print(text, style=style, soft_wrap=True)

    def _command(self) -> str:
        """The command as it can be typed where we were started, with the settings that it needs to find us."""
        chosen = self._settings
        words = [
            f"MINTMARK_{name.upper()}={shlex.quote(str(getattr(chosen, name)))}"
            for name in ("data_dir", "grpc_address", "credentials_file")
            if name in chosen.model_fields_set and getattr(chosen, name) is not None
        ]
        program = Path(sys.argv[0])
        if program.is_absolute() and program.is_relative_to(Path.cwd()):
            program = program.relative_to(Path.cwd())
        return " ".join([*words, shlex.quote(str(program))])

    def _head(self) -> str:
        """Where the feed begins: what an earlier run left is not shown again."""
        from adapters.cli.events import head
        from adapters.cli.session import connect

        try:
            with connect(self._settings, streams=True) as session:
                return head(session)
        except Refused:
            return "0"

    def _play(self, out: "Console", made: "DevelopmentCredentials", cursor: str) -> None:
        from adapters.cli.supervisor.journey import Journey

        def show(right: bool, text: str) -> None:
            out.print(f"  {'✓' if right else '✗'} {text}", style="green" if right else "bold red", soft_wrap=True)

        out.print("The journey", style="bold")
        if Journey(self._settings, made.service_file).play(cursor, show):
            out.print("The journey is complete. The event feed follows; Ctrl-C ends everything.", style="bold")
        else:
            out.print(
                "✗✗✗ THE JOURNEY FAILED at the step above. Everything goes on serving; the event feed follows.",
                style="bold red",
                soft_wrap=True,
            )

    def _feed(self, out: "Console", cursor: str) -> None:
        from mintmark.v1 import events_pb2

        from adapters.cli.events import event_line, follow
        from adapters.cli.session import connect

        def tell(text: str) -> None:
            if not self._ended.is_set():
                out.print(text, style="yellow", soft_wrap=True)

        while not self._ended.is_set():
            try:
                with connect(self._settings, streams=True) as session:
                    chosen = events_pb2.EventFilter()
                    for event in follow(session, cursor, chosen, until_caught_up=False, tell=tell):
                        cursor = event.cursor
                        out.print(event_line(event), soft_wrap=True)
            except Refused as refused:
                tell(f"the event feed broke: {refused}")
                if refused.reason.startswith("CURSOR"):
                    cursor = "0"
            self._ended.wait(RETRY_SECONDS)
