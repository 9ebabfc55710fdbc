"""How the twin does what the contract leaves open, or documents in several ways."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from adapters.sandbox.control import ControlInvalid

FieldName = Annotated[str, Meta(min_length=1, max_length=40)]


class Habits(Struct, rename="camel", forbid_unknown_fields=True):
    """They hold until they are changed, also after a restart."""

    # The plaintext of notifications and the status answer: JSON types, and whether there is a time.
    amounts: Literal["number", "string"] = "number"
    terminal_ids: Literal["number", "string"] = "number"
    # 2026-03-12T10:48:44Z; 2022-11-11T16:18:53.127Z with a blank after it; none at all.
    times: Literal["seconds", "blank", "absent"] = "seconds"
    unknown_fields: bool = True
    content_type: Literal["text/plain", "application/json"] = "text/plain"
    # One notification id for a change of state, or one for each config that it is sent to.
    notification_ids: Literal["change", "config"] = "change"
    # What the test button has instead of a transaction id.
    test_transaction_id: Annotated[str, Meta(min_length=1, max_length=40)] = "TEST"
    # The `statusCode` that acknowledges.
    acknowledgement: Literal["200", "000", "either"] = "200"
    # The key of a retry after the config got another one.
    retry_key: Literal["first", "current"] = "first"
    list_shape: Literal["a", "b", "c", "single"] = "a"
    # Which configs a list has: those of exactly that merchant, acceptor or terminal, or those below it too.
    list_scope: Literal["exact", "within"] = "exact"
    spelling: Literal["ACTC", "ACT"] = "ACTC"
    # The longest notificationConfigurationCode: 36 fits a UUID, 35 one without hyphens.
    longest_code: Literal[35, 36] = 36
    access_token_seconds: Annotated[float, Meta(gt=0, le=31_536_000)] = 3600.0
    # Names in JSON that are known by back-translation only.
    value_name: FieldName = "value"
    key_name: FieldName = "key"
    algorithm_name: FieldName = "algorithm"


def changed(habits: Habits, changes: dict[str, Any]) -> Habits:
    """The habits with some of them changed. Raises ControlInvalid."""
    try:
        return msgspec.convert({**msgspec.to_builtins(habits), **changes}, Habits)
    except msgspec.ValidationError as error:
        raise ControlInvalid(str(error)) from None
