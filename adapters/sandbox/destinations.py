"""Where twins may send to: they must be no way into other machines."""

import ipaddress
from urllib.parse import urlsplit


def may_call(url: str, hosts: frozenset[str]) -> bool:
    """Whether a twin may call this URL: loopback, and the hosts that the settings name."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        parts.port  # noqa: B018  raises where it is no port
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or parts.username is not None:
        return False
    if host == "localhost" or host in hosts:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
