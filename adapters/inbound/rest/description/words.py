"""The words of the document: what the API is, and how names of the protos read."""

import re

ABOUT = """\
Every public RPC of Mintmark over HTTP. The messages are those of gRPC as canonical protobuf JSON: field names in \
camelCase (the protos' own spelling is understood too), 64-bit integers and times as strings; what has its default \
value is written in answers and may be left out of requests.

**Who calls**: an access token from the token endpoint (client credentials) as `Authorization: Bearer`. A client sees \
what its merchant gateways, merchants and issuers allow; everything else looks as if it did not exist.

**Writing** takes an `Idempotency-Key`, a UUID made by the caller. The same key with the same content gives the first \
answer again. What has an etag is answered with `ETag`; `If-Match` refuses to write over a change that the caller has \
not seen.

**Lists** have pages: `pageSize` (50 when not given, 1,000 at most), `pageToken` and `nextPageToken`.

**Names** such as `merchantGateways/{g}/merchants/{m}/tokens/{t}` are paths below `/v1/`. Characters outside \
`[A-Za-z0-9._~-]` in an id are percent-encoded.

**Errors** are problems (RFC 9457, `application/problem+json`) with a `reason` and `metadata` for programs; the texts \
are for people. 429, 503 and 504 are worth repeating with the same Idempotency-Key, as are answers with Retry-After.\
"""


def noun(service: str) -> str:
    """`ApiKeysService` -> `Api keys`."""
    return spaced(service.removesuffix("Service"))


def spaced(name: str) -> str:
    """`RotateClientSecret` -> `Rotate client secret`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


def singular(collection: str) -> str:
    """`merchantGateways` -> `merchantGateway`."""
    return collection.removesuffix("s")
