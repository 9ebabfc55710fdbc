"""TLS towards issuers' own systems."""

import ipaddress
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import grpc

from adapters.settings import Settings, SettingsInvalid


@dataclass(frozen=True, slots=True)
class DirectoryTls:
    """What the gateway trusts and shows there, as PEM. Read once, when it starts."""

    authorities: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises SettingsInvalid for a file that cannot be read or used: gRPC ends the process for an empty key, and
        trusts the system's authorities for an empty authority. Without an authority the system's are trusted."""
        authority = settings.directory_ca_file or _of_the_system()
        try:
            read = [
                path.read_bytes() if path else None
                for path in (authority, settings.directory_certificate_file, settings.directory_key_file)
            ]
            _try(settings)
        except ssl.SSLError:
            raise SettingsInvalid(
                "the files of MINTMARK_DIRECTORY_* cannot be used: give PEM, certificates and the certificate's own "
                "key without a password"
            ) from None
        except OSError as missing:
            raise SettingsInvalid(f"a file of MINTMARK_DIRECTORY_*: {missing.strerror}") from None
        return cls(*read)

    def credentials(self, address: str) -> grpc.ChannelCredentials | None:
        """None for plain, which is for loopback alone."""
        if on_loopback(address):
            return None
        return grpc.ssl_channel_credentials(self.authorities, self.key, self.certificate)


def _try(settings: Settings) -> None:
    """Raises ssl.SSLError and OSError where a file is not what it must be."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.directory_ca_file:
        context.load_verify_locations(settings.directory_ca_file)
    if settings.directory_certificate_file:
        # Never asks for a password: who starts us is no person.
        context.load_cert_chain(settings.directory_certificate_file, settings.directory_key_file, lambda: "")


def on_loopback(address: str) -> bool:
    """Whether `host:port` is on this machine, as the address itself says: no name is looked up."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _of_the_system() -> Path | None:
    """The file of the system's authorities; None where there is none, and gRPC's own are trusted."""
    found = ssl.get_default_verify_paths().cafile
    return Path(found) if found else None
