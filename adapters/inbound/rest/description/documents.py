"""Where the API describes itself: `/openapi.json`, and `/docs` for people, to which the problems' types lead."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from functools import cache, partial

from adapters.inbound.problems import Answer, Header
from adapters.inbound.request import Request
from adapters.inbound.rest.description.reason_table import documented
from adapters.inbound.rest.headers import etag, unchanged
from adapters.inbound.rest.problems import PAGES
from adapters.inbound.routes import Route

PAGE = "/docs"
DOCUMENT = "/openapi.json"
READ = ("GET", "HEAD")
SAFE: tuple[Header, ...] = (
    (b"cache-control", b"public, no-cache"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def routes(token_url: str) -> list[Route]:
    """The routes. What they serve is made when somebody first asks for it, beside the event loop."""
    return [
        Route(DOCUMENT, partial(_served, make=partial(openapi, token_url)), READ),
        Route(PAGE, partial(_served, make=partial(page, token_url)), READ),
        *(Route(PAGES + each.name, partial(_problem, name=each.name), READ) for each in documented()),
    ]


@cache
def openapi(token_url: str) -> Answer:
    """The document."""
    from adapters.inbound.rest.description.openapi import document

    return _answer(b"application/json", json.dumps(document(token_url), ensure_ascii=False).encode(), ())


@cache
def page(token_url: str) -> Answer:
    """The page, made of the same document. Its style is in it and allowed by its digest; nothing else is loaded."""
    from adapters.inbound.rest.description.openapi import document
    from adapters.inbound.rest.description.page import html, policy

    allowed: Header = (b"content-security-policy", policy().encode())
    return _answer(b"text/html; charset=utf-8", html(document(token_url)).encode(), (allowed,))


def _answer(content_type: bytes, body: bytes, headers: tuple[Header, ...]) -> Answer:
    length = (b"content-length", str(len(body)).encode())
    tag = etag(hashlib.sha256(body).hexdigest()[:32])
    return Answer(200, ((b"content-type", content_type), length, tag, *SAFE, *headers), body)


async def _served(request: Request, make: Callable[[], Answer]) -> Answer:
    answer = await asyncio.to_thread(make)
    tag = dict(answer.headers)[b"etag"].decode().strip('"')
    if request.times(b"if-none-match") == 1 and unchanged(request, tag):
        kept = tuple(header for header in answer.headers if header[0] not in (b"content-type", b"content-length"))
        return Answer(304, kept)
    return answer


async def _problem(_request: Request, name: str) -> Answer:
    """The page about a reason."""
    return Answer(302, ((b"location", f"{PAGE}#{name}".encode()), (b"content-length", b"0")))
