"""Where access tokens come from, for each partner: what its token endpoint is asked, and what they are kept under."""

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlencode

from mintmark.v1 import tasks_pb2 as pb

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# What D1 takes as a correlation id; it wants one.
CORRELATION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

Endpoint = pb.AcquirerEndpoint | pb.D1Endpoint


@dataclass(frozen=True, slots=True)
class Source:
    """One source. `key` is the same for as long as the same access tokens come from it; `fixed` is one that does not
    expire, in place of all else."""

    account: str
    key: bytes
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)
    fixed: str = field(default="", repr=False)


def source_of(endpoint: Endpoint, correlation_id: str) -> Source:
    """The source that an endpoint names."""
    if isinstance(endpoint, pb.D1Endpoint):
        return _assertion(endpoint, correlation_id)
    return _client_credentials(endpoint)


def correlation_id_for_d1(given: str) -> str:
    """The correlation id where D1 takes it, a new one where it does not."""
    return given if CORRELATION_ID.fullmatch(given) else str(uuid.uuid4())


def _client_credentials(endpoint: pb.AcquirerEndpoint) -> Source:
    """RFC 6749, section 4.4, or one that does not expire."""
    source = endpoint.token_source
    key = _key(endpoint.account, source.SerializeToString(deterministic=True))
    if source.access_token:
        return Source(endpoint.account, key, fixed=source.access_token)
    form = {"grant_type": "client_credentials", **({"scope": source.scope} if source.scope else {})}
    login = f"{quote_plus(source.client_id)}:{quote_plus(source.client_secret)}"
    headers = {
        "authorization": f"Basic {base64.b64encode(login.encode()).decode()}",
        "content-type": "application/x-www-form-urlencoded",
        "x-ibm-client-id": endpoint.client_id,
    }
    return Source(endpoint.account, key, source.token_url, headers, urlencode(form).encode())


def _assertion(endpoint: pb.D1Endpoint, correlation_id: str) -> Source:
    """RFC 7523, section 2.1, as D1 wants it: a JSON body. The assertion is another one each time, what it is had for is
    told by the revision."""
    assertion = endpoint.assertions[0] if endpoint.assertions else ""
    content = json.dumps({"grant_type": JWT_BEARER, "assertion": assertion}, separators=(",", ":")).encode()
    headers = {"content-type": "application/json", "x-correlation-id": correlation_id_for_d1(correlation_id)}
    return Source(
        endpoint.account, _key(endpoint.account, endpoint.revision.encode()), endpoint.token_url, headers, content
    )


def _key(account: str, told: bytes) -> bytes:
    return hashlib.sha256(account.encode() + b"\0" + told).digest()
