"""What a database error means for a unit of work."""

from enum import Enum

from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

# Deadlock and serialization failure (PostgreSQL); a row that another core inserted meanwhile is an IntegrityError.
PASSING_STATES = frozenset({"40001", "40P01"})


class Fault(Enum):
    """What to do about an error."""

    UNAVAILABLE = "the database is at fault: nothing can be done now"
    PASSING = "another transaction was in the way: run again"
    CONTENT = "the statement's own content is at fault"
    OURS = "a fault in the program"


def classify(error: Exception) -> Fault:
    match error:
        case IntegrityError():
            return Fault.PASSING
        case DBAPIError() if getattr(error.orig, "sqlstate", None) in PASSING_STATES:
            return Fault.PASSING
        case DBAPIError() if error.connection_invalidated:
            return Fault.UNAVAILABLE
        case DataError():
            return Fault.CONTENT
        case OperationalError() | InterfaceError() | InternalError() | PoolTimeout():
            return Fault.UNAVAILABLE
        case ProgrammingError() | NotSupportedError():
            return Fault.OURS
        case DatabaseError():
            # SQLite says no more than this of a file that is damaged or no database.
            return Fault.UNAVAILABLE
        case UnicodeError() | OverflowError():
            return Fault.CONTENT
        case StatementError() if isinstance(error.orig, UnicodeError | OverflowError | ValueError):
            return Fault.CONTENT
        case OSError() | SQLAlchemyError():
            return Fault.UNAVAILABLE
        case _:
            return Fault.OURS


def describe(error: Exception) -> str:
    """A short word for logs and callers, without the statement or its parameters."""
    cause = getattr(error, "orig", None) or error
    return type(cause).__name__
