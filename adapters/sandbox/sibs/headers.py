"""The six headers of the configuration API, all of them mandatory (contract, section 2)."""

import re
from collections.abc import Mapping

from adapters.sandbox.sibs.credentials import CLIENT_ID, same
from adapters.sandbox.sibs.fields import CallInvalid

REQUEST_ID, USER_ID, ORGANIZATION_ID = "tpp-request-id", "user-id", "user-organization-id"
UUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")


def access_token(headers: Mapping[str, str]) -> str:
    """What the Bearer is; empty where there is none."""
    scheme, _, text = headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def is_ours(headers: Mapping[str, str]) -> bool:
    """Whether x-ibm-client-id is the organization's."""
    return same(headers.get("x-ibm-client-id", ""), CLIENT_ID)


def check(headers: Mapping[str, str], *, repeated: bool) -> None:
    """The other four, `repeated` being whether the TPP-Request-ID came before. Raises CallInvalid."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise CallInvalid("Content-Type: must be application/json")
    if not UUID.match(headers.get(REQUEST_ID, "")):
        raise CallInvalid("TPP-Request-ID: must be a UUID")
    if repeated:
        raise CallInvalid("TPP-Request-ID: was used before")
    for name, header in (("User-ID", USER_ID), ("User-Organization-ID", ORGANIZATION_ID)):
        if not headers.get(header, "").strip():
            raise CallInvalid(f"{name}: must be there")
