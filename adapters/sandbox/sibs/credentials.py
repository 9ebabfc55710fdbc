"""What callers of the twin authenticate with: fixed words, which open nothing but a sandbox on loopback."""

import hmac

# The organization (x-ibm-client-id), and the secret that it gets access tokens with.
CLIENT_ID = "sandbox-client-id"
CLIENT_SECRET = "sandbox-client-secret-not-secret"
# The static one, as the Backoffice gives it out.
STATIC_ACCESS_TOKEN = "sandbox-static-access-token-not-secret"
ACQUIRER_ID = "1000000000000000000000001"
MERCHANT_ID = "1000000001"


def same(given: str, known: str) -> bool:
    """Whether a caller gave this word."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), known.encode())
