"""Hostile HTTP: requests of every route, right except for what is drawn to be wrong with them."""

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from tests.faults.scenario import D1_GATEWAY, MERCHANT

JSON, FORM = b"application/json", b"application/x-www-form-urlencoded"
NOTIFY_UPDATE = f"/merchant-gateways/{D1_GATEWAY}/merchants/{MERCHANT}/tokens/token-1/notify-update"
TSH = ("binding-creation", "binding-update", "token-creation", "token-update", "merchant-update")
ROUTES: dict[str, str] = {
    NOTIFY_UPDATE: "d1",
    **{f"{prefix}/notify-{kind}": "tsh" for prefix in ("", "/tsh-cof") for kind in TSH},
    "/oauth2/token": "form",
    "/authz/d1/v1/oauth2/token": "form",
    "/oauth2/revoke": "form",
    "/oauth2/introspect": "form",
    "/.well-known/jwks.json": "read",
    "/.well-known/oauth-authorization-server": "read",
    "/": "none",
}
FIELDS = (
    *("merchantId", "tokenId", "deviceId", "deviceType", "selectedIdvMethod", "bindingState", "eventInitiator"),
    *("creationTimestamp", "lastUpdateTimestamp", "tokenState", "cardBin", "scheme", "trId", "error", "updateType"),
)
# Card numbers that pass the check digit; none may be in a log.
CARD_NUMBERS = ("4111111111111111", "5500005555555559", "340000000000009", "6011000000000004")


@dataclass(frozen=True)
class Wire:
    """A request on its way to bytes."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    version: bytes = b"HTTP/1.1"
    framing: str = "length"
    raw_headers: tuple[bytes, ...] = ()
    times: int = 1
    chunks: bytes = field(default=b"", repr=False)

    def without(self, name: bytes) -> "Wire":
        return replace(self, headers=tuple(each for each in self.headers if each[0].lower() != name.lower()))

    def having(self, name: bytes, value: bytes) -> "Wire":
        kept = self.without(name)
        return replace(kept, headers=(*kept.headers, (name, value)))

    def bytes(self) -> bytes:
        lines = [b" ".join((self.method, self.target, self.version))]
        lines += [name + b": " + value for name, value in self.headers]
        lines += self.raw_headers
        body = self.body
        if self.framing == "length":
            lines.append(b"Content-Length: %d" % len(body))
        elif self.framing == "chunked":
            lines.append(b"Transfer-Encoding: chunked")
            body = self.chunks or _chunked(body)
        return (b"\r\n".join(lines) + b"\r\n\r\n" + body) * self.times


def _chunked(body: bytes) -> bytes:
    return (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"


# Values.

odd_text = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["", "\0", "\x7f", "a" * 5000, "é" * 300, "%00", "../..", "'; DROP TABLE tokens", *CARD_NUMBERS]),
    st.sampled_from(CARD_NUMBERS).map(lambda number: f"card {number[:4]} {number[4:8]} {number[8:12]} {number[12:]}."),
)
odd_value = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**4000), st.floats(), odd_text, st.lists(odd_text, max_size=3)
)
fields = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), odd_value | odd_text, max_size=6)


def _document(given: dict[str, object]) -> bytes:
    whole: dict[str, object] = {"tokenId": "t", "deviceId": "d", "merchantId": "m", "selectedIdvMethod": "NONE"}
    whole |= {"bindingState": "ACTIVE", "eventInitiator": "TSP", "scheme": "VISA", "updateType": "X"} | given
    return json.dumps(whole).replace(str(10**4000), "1" + "0" * 4000).encode()


RAW_JSON = (
    *(b"", b" ", b"null", b"1", b'"x"', b"[]", b"{", b"}", b'{"a"}', b"{'a':1}", b'{"a":1,}', b'{"a":1}{"a":1}'),
    *(b"[" * 60_000, b'{"a":' * 10_000, b'{"a":' * 32 + b"1" + b"}" * 32, b'{"tokenId":' + b"9" * 50_000 + b"}"),
    *(b'{"merchantId":NaN}', b'{"merchantId":-Infinity}', b'{"merchantId":1e999999}', b'{"a":0123}'),
    *(b'{"merchantId":"m","merchantId":"n","scheme":"VISA"}', b'{"merchantId":"\\ud800","scheme":"\\u0000"}'),
    *(b'\xef\xbb\xbf{"merchantId":"m","scheme":"V"}', b'{"merchantId":"\xff\xfe"}', b'{"merchantId":"\xed\xa0\x80"}'),
    *('{"merchantId":"m"}'.encode("utf-16"), '{"merchantId":"m"}'.encode("utf-32"), b"\0" * 1000),
    *(b'{"tokenId":"' + b"t" * 66_000 + b'"}', b'{"merchantId":"' + b"m" * 65_000 + b'","scheme":"VISA"}'),
    *(b'{"merchantId":"m","scheme":"VISA","pan":%s}' % each.encode() for each in CARD_NUMBERS),
)
RAW_FORMS = (
    *(b"", b"grant_type=client_credentials", b"grant_type=password&username=a&password=b", b"&&&===", b"%", b"%zz=%00"),
    *(b"grant_type=client_credentials&" + b"a=b&" * 40, b"grant_type=client_credentials&scope=" + b"s" * 9000),
    *(b"grant_type=client_credentials&grant_type=client_credentials", b"token=" + b"a.b.c", b"token=\xff\xfe&x"),
    *(b"grant_type=client_credentials&client_id=thales&client_secret=wrong", b"token=4111111111111111", b"\0=\0"),
)
bodies = st.one_of(fields.map(_document), fields.map(_document), st.sampled_from(RAW_JSON), st.binary(max_size=100))
forms = st.one_of(st.sampled_from(RAW_FORMS), st.sampled_from(RAW_FORMS), st.binary(max_size=100))
header_value = st.one_of(
    st.binary(max_size=40).map(lambda text: text.replace(b"\r", b"").replace(b"\n", b"")),
    st.sampled_from([b"", b" ", b"\t", b"\0", b"\xff" * 20, b"a" * 7000, b"4111111111111111", b'a,b;c="d']),
)

# What may be wrong besides the body. Each takes the request and a drawn number.

Abuse = Callable[[Wire, int], Wire]


def _one_of(options: tuple[bytes, ...], change: Callable[[Wire, bytes], Wire]) -> Abuse:
    return lambda wire, number: change(wire, options[number % len(options)])


METHODS = (
    *(b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"PATCH", b"PROPFIND", b"QUERY", b"PRI"),
    *(b"post", b"PO ST", b"", b"POST" * 3000, b"\x16\x03\x01\x02\x00", b"GET\t"),
)
TARGETS = (
    *(b"", b"*", b"/..", b"//", b"/%", b"/%zz", b"/%00", b"/%2e%2e/%2e%2e/etc/passwd", b"/\xc0\xaf", b"/\xff\xfe"),
    *(b"http://elsewhere.example/notify-token-update", b"/" + b"a" * 9000, b"/?" + b"q=1&" * 2500, b"/a b", b"/#"),
    *(b"/merchant-gateways/%2e%2e/merchants/x/tokens/y/notify-update", b"/notify-token-update%00", b"/%c0%ae"),
    *(b"/merchant-gateways/MGW%255f00001/merchants/10610027312/tokens/t/notify-update", b"/notify-token-update/"),
    *(b"/merchant-gateways/MGW_000001/merchants/10610027312/tokens/%00/notify-update", b"/notify-token-update;x=1"),
    *(b"/merchant-gateways/MGW_000001/merchants/10610027312/tokens/4111111111111111/notify-update", b"elsewhere:443"),
    *(b"/merchant-gateways/MGW_000001/merchants/10610027312/tokens/%FF%FE/notify-update", b"/NOTIFY-TOKEN-UPDATE"),
    b"/merchant-gateways/MGW_000009/merchants/10610027312/tokens/t/notify-update",
    b"/merchant-gateways/MGW_000001/merchants/10610027312/tokens/" + b"t" * 49 + b"/notify-update",
)
VERSIONS = (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9.9", b"HTTP/1.1 ", b"", b"HTCPCP/1.0", b"HTTP/1.1\r")
HEADERS = (
    *(b"X-Long: " + b"v" * 40_000, b"\r\n".join(b"X-%d: v" % number for number in range(100)), b"No-Colon", b": v"),
    *(b"X-Space : v", b"X-Fold: a\r\n b", b"X-Nul: a\0b", b"Host: a\r\nHost: b", b"Expect: 100-continue", b"Expect: x"),
    *(b"Connection: Upgrade\r\nUpgrade: websocket", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c", b"X: \xff"),
    *(b"Authorization: Bearer x", b"Authorization: Basic \xff", b"Transfer-Encoding: gzip, chunked", b"Via: 1.1 x"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: xchunked", b"Content-Length: 0", b"Content-Length: -1"),
    *(b"Content-Length: 99999999999999999999", b"Content-Length: +3", b"Content-Length: 0x10", b"Content-Length: 5, 5"),
    *(b"Forwarded: for=127.0.0.1", b"X-Forwarded-For: 127.0.0.1", b"X-HTTP-Method-Override: DELETE", b"Trailer: x"),
    *(
        b"Connection: close",
        b"Connection: keep-alive, close",
        b"Keep-Alive: timeout=99999",
        b"TE: trailers",
        b"\x01: x",
    ),
)
AUTHORIZATIONS = (
    *(b"", b"Bearer", b"Bearer ", b"Bearer a.b.c", b"Bearer " + b"a" * 9000, b"Bearer eyJhbGciOiJub25lIn0.e30.", b"x"),
    *(b"Basic", b"Basic !!!", b"Basic Og==", b"Basic /////w==", b"APIKEY", b"APIKEY \xff", b"APIKEY " + b"k" * 600),
    *(b"Basic dGhhbGVzOndyb25n", b"Negotiate x", b"bearer: a.b.c", b"APIKEY 4111111111111111"),
)
CONTENT_TYPES = (
    *(b"", b"text/plain", b"application/xml", b"application/json; charset=utf-16", b"APPLICATION/JSON", b"json", b";"),
    *(b"multipart/form-data", b"application/json, text/plain", b"application/json" + b";a" * 2000, b"\xff"),
)
CHUNKS = (
    *(b"-1\r\n\r\n", b"zz\r\n\r\n", b"FFFFFFFFFFFFFFFFFF\r\n", b"5\r\nab\r\n0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"\r\n"),
    *(
        b"1;" + b"e" * 9000 + b"\r\n{\r\n0\r\n\r\n",
        b"0\r\n" + b"".join(b"T%d: v\r\n" % n for n in range(200)) + b"\r\n",
    ),
    *(
        b"1\r\n{\r\n" * 3000 + b"0\r\n\r\n",
        b"10000\r\n" + b"a" * 65536 + b"\r\n" + b"1\r\na\r\n0\r\n\r\n",
        b"5\nabcde\n0\n\n",
    ),
)
CORRELATION_IDS = (b"", b"\x01\x02", b"\xff\xfe", b"c" * 7000, b"4111111111111111", b"a b;c", b"%0d%0aX: y", b"\t")


def _compressed(wire: Wire, number: int) -> Wire:
    encoding, compress = ((b"gzip", gzip.compress), (b"deflate", zlib.compress), (b"br", lambda body: body))[number % 3]
    return replace(wire, body=compress(wire.body)).having(b"Content-Encoding", encoding)


ABUSES: dict[str, Abuse] = {
    "method": _one_of(METHODS, lambda wire, method: replace(wire, method=method)),
    "target": _one_of(TARGETS, lambda wire, target: replace(wire, target=target)),
    "version": _one_of(VERSIONS, lambda wire, version: replace(wire, version=version)),
    "header": _one_of(HEADERS, lambda wire, line: replace(wire, raw_headers=(*wire.raw_headers, line))),
    "authorization": _one_of(AUTHORIZATIONS, lambda wire, value: wire.having(b"Authorization", value)),
    "no authorization": lambda wire, _: wire.without(b"Authorization"),
    "content type": _one_of(CONTENT_TYPES, lambda wire, value: wire.having(b"Content-Type", value)),
    "correlation id": _one_of(CORRELATION_IDS, lambda wire, value: wire.having(b"X-Correlation-Id", value)),
    "chunks": _one_of(CHUNKS, lambda wire, chunks: replace(wire, framing="chunked", chunks=chunks)),
    "chunked": lambda wire, _: replace(wire, framing="chunked"),
    "compressed": _compressed,
    "pipelined": lambda wire, number: replace(wire, times=2 + number % 20),
    "large": lambda wire, number: replace(wire, body=wire.body + b" " * (60_000 + number % 10_000)),
}


@dataclass(frozen=True)
class Attack:
    """What is sent: bytes, the route that was meant, and whether it may be too short to be answered."""

    route: str
    sent: bytes = field(repr=False)
    abuses: tuple[str, ...]
    head: bool
    cut: bool


@st.composite
def attacks(draw: st.DrawFn, authorizations: dict[str, bytes]) -> Attack:
    """`authorizations` are right ones: by "d1", "tsh" and "form"."""
    route = draw(st.sampled_from(list(ROUTES)))
    kind = ROUTES[route]
    headers = [(b"Host", b"localhost"), (b"Content-Type", FORM if kind == "form" else JSON)]
    if kind in authorizations:
        headers.append((b"Authorization", authorizations[kind]))
    if draw(st.booleans()):
        headers.append((draw(st.sampled_from([b"X-Correlation-Id", b"Accept", b"Cookie", b"X-A"])), draw(header_value)))
    body = draw(forms if kind == "form" else bodies)
    wire = Wire(b"GET" if kind == "read" else b"POST", route.encode(), tuple(headers), body)
    chosen = draw(st.lists(st.sampled_from(list(ABUSES)), max_size=2, unique=True))
    for name in chosen:
        wire = ABUSES[name](wire, draw(st.integers(0, 2**16)))
    sent = wire.bytes()
    # A request that stops somewhere holds its connection until the time limit, so there are few of them. Hypothesis
    # likes the ends of a range, so the rare ones are in its middle.
    spoiled = {57: "cut", 61: "spliced", 62: "spliced", 63: "spliced"}.get(draw(st.integers(0, 99)), "")
    if spoiled == "cut":
        sent = sent[: draw(st.integers(0, len(sent) - 1))]
    elif spoiled:
        place = draw(st.integers(0, min(len(sent), 300)))
        sent = sent[:place] + draw(st.binary(min_size=1, max_size=20)) + sent[place:]
    names = (*chosen, *((spoiled,) if spoiled else ()))
    return Attack(route, sent, names, head=wire.method == b"HEAD", cut=bool(spoiled))
