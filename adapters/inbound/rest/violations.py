"""What is wrong with a request's fields, collected so that the caller hears all of it at once."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Violation:
    """A field that breaks a rule: its name as it was sent or as the proto writes it, what is wrong, and the rule."""

    field: str
    description: str
    rule: str


class FieldsInvalid(Exception):
    """The request cannot be made a message of. The texts quote no value: it may be a secret."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(", ".join(each.field for each in violations))
        self.violations = violations


@dataclass(slots=True)
class Violations:
    """A collection of them."""

    found: list[Violation] = field(default_factory=list)

    def add(self, name: str, description: str, rule: str) -> None:
        self.found.append(Violation(name, description, rule))

    def check(self) -> None:
        """Raises FieldsInvalid where there is one."""
        if self.found:
            raise FieldsInvalid(self.found)
