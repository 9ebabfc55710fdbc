"""Lists, page by page."""

from collections.abc import Callable, Iterable, Iterator
from typing import ParamSpec, Protocol, TypeVar

PAGE = 1000


class PageRequest(Protocol):
    """A list request (AIP-158)."""

    page_size: int
    page_token: str


class Page(Protocol):
    """Its answer."""

    next_page_token: str


Fields = ParamSpec("Fields")
Request = TypeVar("Request", bound=PageRequest)
Answer = TypeVar("Answer", bound=Page)
Item = TypeVar("Item")


def listing(
    method: Callable[[Request], Answer], request: Callable[Fields, Request], items: Callable[[Answer], Iterable[Item]]
) -> Callable[Fields, Iterator[Item]]:
    """A function that takes the fields of the request as keywords and iterates over all pages.

    Each page is a call of its own, made when the iteration comes to it.
    """

    def every(*values: Fields.args, **fields: Fields.kwargs) -> Iterator[Item]:
        asked = request(*values, **fields)
        asked.page_size = asked.page_size or PAGE
        while True:
            answer = method(asked)
            yield from items(answer)
            if not answer.next_page_token:
                return
            asked.page_token = answer.next_page_token

    return every
