"""Several fields that break their rules at once."""

from collections.abc import Sequence

from server.domain.refusals import FieldInvalid


class FieldsInvalid(FieldInvalid):
    """Told as the first one, with all of them beside it. A violation is a field, what is wrong, and the rule."""

    def __init__(self, violations: Sequence[tuple[str, str, str]]) -> None:
        field, description, rule = violations[0]
        super().__init__(field, description, rule)
        self.violations = tuple(violations)
