"""HTTP without TLS: `httpx.get(url, verify=PLAIN)`.

Without it httpx reads all certificate authorities of the machine for each client, and for each call that has none: it
computes for 17 ms, longer than most tests.
"""

import ssl

# Trusts nobody.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
