"""How much of what comes in over HTTP is taken."""

from dataclasses import dataclass
from typing import Self

from adapters.settings import Settings

# A body in chunks of one byte is six times as long on the wire; what is more than this is no body but an attack.
RAW_BODY_FACTOR = 8
# After an answer that came before the whole request, this much more is read and thrown away, so that the client
# reads the answer instead of a reset connection.
LINGER_SECONDS = 1.0
LINGER_BYTES = 1024 * 1024
RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, seconds, counts; the settings of the same names say which."""

    request_line: int
    header: int
    header_count: int
    header_timeout: float
    body_timeout: float
    body: int
    batch_body: int
    batch_items: int
    token_body: int
    token_fields: int
    json_depth: int
    connections: int
    requests: int
    streams: int
    stream_timeout: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            request_line=settings.http_request_line_limit,
            header=settings.http_header_limit,
            header_count=settings.http_header_count_limit,
            header_timeout=settings.http_header_timeout,
            body_timeout=settings.http_body_timeout,
            body=settings.http_body_limit,
            batch_body=settings.http_batch_body_limit,
            batch_items=settings.http_batch_item_limit,
            token_body=settings.http_token_body_limit,
            token_fields=settings.http_token_field_limit,
            json_depth=settings.http_json_depth_limit,
            connections=settings.http_connection_limit,
            requests=settings.http_request_limit,
            streams=settings.http_stream_limit,
            stream_timeout=settings.http_stream_timeout,
        )
