"""A dispatcher that is wrong on purpose: it takes a time-out for proof that nothing was sent, so it is sent again."""

import sys


def main() -> int:
    from adapters.outbound import transport
    from adapters.outbound.outcomes import NotSent, trouble_of

    def failed(error: BaseException, *, began: bool) -> NotSent:
        return NotSent(trouble_of(error))

    setattr(transport, "failed", failed)  # noqa: B010  mypy knows its type
    from adapters.__main__ import main as run

    return run(["dispatcher"])


if __name__ == "__main__":
    sys.exit(main())
