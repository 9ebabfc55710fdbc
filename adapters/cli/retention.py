"""`mintmark retention`: what is kept for how long."""

from typing import TYPE_CHECKING

import typer

from adapters.cli.output import Column, Form, Output, enum_word, form_of, json_text, line, note, show_list, time_text
from adapters.cli.session import connect

if TYPE_CHECKING:
    from mintmark.v1 import retention_pb2

retention = typer.Typer(help="What is kept for how long.", no_args_is_help=True)

DAY = 24 * 3600
PERIOD_COLUMNS: list[Column] = [
    ("kind", lambda period: enum_word(period, "kind")),
    ("kept", lambda period: span_text(period.period.seconds)),
    ("oldest", lambda period: time_text(period, "oldest_time")),
    ("due", lambda period: "yes" if period.due else ""),
]
PIN_COLUMNS: list[Column] = [
    ("held back by", lambda pin: pin.subscription),
    ("events", lambda pin: str(pin.event_count)),
    ("oldest", lambda pin: time_text(pin, "oldest_time")),
    ("removed at", lambda pin: time_text(pin, "removal_time")),
    ("acknowledged", lambda pin: pin.floor_cursor),
]


def span_text(seconds: int) -> str:
    """A span in days, or in hours below one."""
    return f"{seconds // DAY} d" if seconds % DAY == 0 else f"{seconds / 3600:g} h"


@retention.callback()
def _retention() -> None:
    """What is kept for how long. A callback keeps `show` a subcommand."""


@retention.command("show")
def show_retention(output: Output = None) -> None:
    """Show what is kept since when, what is due to be removed, and who holds events back."""
    from mintmark.v1 import retention_pb2, retention_pb2_grpc

    with connect() as session:
        stub = retention_pb2_grpc.RetentionServiceStub(session.channel)
        shown = session.call(stub.GetRetention, retention_pb2.GetRetentionRequest()).retention
    if form_of(output) is Form.JSON:
        line(json_text(shown))
    else:
        show_tables(shown)


def show_tables(shown: "retention_pb2.Retention") -> None:
    """The same for people."""
    show_list(shown.periods, PERIOD_COLUMNS, Form.TABLE)
    if shown.pins:
        show_list(shown.pins, PIN_COLUMNS, Form.TABLE)
    line(f"oldest cursor: {shown.oldest_cursor}")
    line(f"exported before it is removed: {'yes' if shown.exported else 'no'}")
    if shown.export_failing:
        note("nothing can be exported now, so events and notifications stay: see MINTMARK_RETENTION_EXPORT_DIR")
