"""What an answer says about how a partner is."""

from adapters.breaker import Breaker
from adapters.outbound.outcomes import Answered, Result, ours

TOO_MANY = 429


def notice(breaker: Breaker, account: str, result: Result) -> None:
    """Tells the breaker what a call that moves no money has shown."""
    if not isinstance(result, Answered):
        if not ours(result):
            breaker.failed(account)
    elif result.http_status >= 500:
        breaker.failed(account)
    else:
        breaker.succeeded(account)
        if result.http_status == TOO_MANY:
            breaker.rest(account, result.retry_after)
