"""What the gateway counts of issuers' cards. Labels hold kinds and outcomes, never an id."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from adapters.inbound.metrics import BUCKETS


class CardMetrics:
    """The metrics of cards in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.verifications = Counter(
            "mintmark_card_verifications", "Verifications of cards, by their answer.", ("outcome",), registry=registry
        )
        self.credentials = Counter(
            "mintmark_card_credentials", "Calls for the credentials of a card.", ("outcome",), registry=registry
        )
        self.looks = Counter(
            "mintmark_card_looks",
            "Looks of this gateway at registered card data, by how they ended.",
            ("outcome",),
            registry=registry,
        )
        self.unopened = Counter(
            "mintmark_card_openings_failed",
            "Card data that could not be opened or read, by where it came from.",
            ("kind",),
            registry=registry,
        )
        self.core_seconds = Histogram(
            "mintmark_card_core_seconds",
            "Time of the gateway's calls to the core about cards, in seconds.",
            ("kind",),
            buckets=BUCKETS,
            registry=registry,
        )
        self.keys = Gauge(
            "mintmark_card_keys", "Keys that the gateway holds, by what they are for.", ("use",), registry=registry
        )
        self.files_refused = Counter(
            "mintmark_card_key_files_refused",
            "Files of keys that were changed and could not be used.",
            ("use",),
            registry=registry,
        )
        self.published = Gauge(
            "mintmark_card_keys_published_timestamp_seconds",
            "When the core last took the public keys, in seconds since 1970; 0 before that.",
            registry=registry,
        )
