"""The HTML of the payer's pages: nothing from elsewhere, no script."""

import html
import re
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, Response

HOST = re.compile(r"^[A-Za-z0-9.-]+$")
STYLE = (
    "body{font-family:system-ui,sans-serif;max-width:30rem;margin:3rem auto;padding:0 1rem;color:#1b1b1b}"
    "h1{font-size:1.3rem}dt{color:#666;font-size:.85rem}dd{margin:0 0 .6rem}"
    "label{display:block;margin:.6rem 0}input,select{width:100%;padding:.4rem;box-sizing:border-box}"
    "button{padding:.5rem 1rem;margin:.4rem .4rem 0 0}.wrong{color:#a00}.note{color:#666;font-size:.85rem}"
)


def page(title: str, body: str, *, status: int = 200, goes_to: Iterable[str] = ()) -> Response:
    """A page; its forms may end at `goes_to`, where the payer is sent afterwards."""
    nonce = secrets.token_urlsafe(12)
    origins = {_origin(url): None for url in goes_to}
    targets = " ".join(["'self'", *(origin for origin in origins if origin)])
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    )
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<style nonce="{nonce}">{STYLE}</style></head><body><h1>{html.escape(title)}</h1>{body}'
        '<p class="note">A local twin for trying payments. No money moves.</p></body></html>'
    )
    headers = {
        "content-security-policy": policy,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
    }
    return HTMLResponse(text, status, headers)


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """A list of facts."""
    inside = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in rows)
    return f"<dl>{inside}</dl>"


def form(action: str, inside: str) -> str:
    """A form that posts."""
    return f'<form method="post" action="{html.escape(action)}" autocomplete="off">{inside}</form>'


def button(decision: str, text: str) -> str:
    """A button that decides."""
    return f'<button name="decision" value="{html.escape(decision)}">{html.escape(text)}</button>'


def field(name: str, title: str, value: str = "", *, longest: int = 20) -> str:
    """A text field."""
    return (
        f'<label>{html.escape(title)}<input name="{html.escape(name)}" value="{html.escape(value)}" '
        f'maxlength="{longest}"></label>'
    )


def choice(name: str, title: str, options: Iterable[tuple[str, str]]) -> str:
    """A choice of one."""
    inside = "".join(f'<option value="{html.escape(value)}">{html.escape(text)}</option>' for value, text in options)
    return f'<label>{html.escape(title)}<select name="{html.escape(name)}">{inside}</select></label>'


def wrong(text: str) -> str:
    """What the payer did wrong."""
    return f'<p class="wrong">{html.escape(text)}</p>' if text else ""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if not HOST.match(parts.hostname or ""):
        return ""
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
