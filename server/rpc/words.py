"""Our words and protobuf's: enums by their names, times as timestamps."""

from collections.abc import Sequence
from typing import Protocol, TypeVar, overload

from google.protobuf.timestamp_pb2 import Timestamp

V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)

MICROS = 1_000_000


@overload
def timestamp(micros: int) -> Timestamp: ...
@overload
def timestamp(micros: int | None) -> Timestamp | None: ...
def timestamp(micros: int | None) -> Timestamp | None:
    if micros is None:
        return None
    return Timestamp(seconds=micros // MICROS, nanos=micros % MICROS * 1000)


def micros(time: Timestamp) -> int:
    """Microseconds since the epoch, what is below cut off."""
    return time.seconds * MICROS + time.nanos // 1000


class OpenEnum(Protocol[V_co]):
    """A protobuf enum whose list the partner may lengthen."""

    def keys(self) -> Sequence[str]: ...
    def Value(self, name: str) -> V_co: ...


def open_value(enum: OpenEnum[V], prefix: str, text: str) -> V:
    """What a partner's word stands for: UNSPECIFIED for none, UNRECOGNIZED for one that is not on the list."""
    if not text:
        return enum.Value(f"{prefix}_UNSPECIFIED")
    name = f"{prefix}_{text}"
    ours = text in ("UNSPECIFIED", "UNRECOGNIZED")
    return enum.Value(name if name in enum.keys() and not ours else f"{prefix}_UNRECOGNIZED")  # noqa: SIM118
