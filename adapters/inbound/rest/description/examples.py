"""Examples for the document: each operation as a curl command."""

import json
from typing import Any

from adapters.inbound.rest.routes import RestRoute

KEY = "Idempotency-Key"
# What an id may look like in an example.
IDS = {
    "merchantGateway": "MGW_000002",
    "merchant": "10610027312",
    "token": "readme-token",
    "binding": "readme-device",
    "client": "orders",
    "apiKey": "tsh-acme",
    "partnerAccount": "d1-acme",
}
VALUES: dict[str, Any] = {
    "clientId": "orders",
    "scopes": ["tokens.read", "events.read"],
    "merchantGatewayId": "MGW_000002",
    "merchantGatewayIds": ["MGW_000002"],
    "merchantId": "10610027312",
    "tokenId": "readme-token",
    "apiKeyId": "tsh-acme",
    "accountId": "d1-acme",
    "provider": "D1_ECOM",
    "reason": "reported stolen",
    "tokens": [
        {
            "merchantGatewayId": "MGW_000002",
            "merchantId": "10610027312",
            "tokenId": "old-token",
            "provider": "D1_ECOM",
        }
    ],
    "accounts": [{"accountId": "d1-acme", "provider": "D1_ECOM", "merchantGatewayId": "MGW_000002"}],
}
# What an example says though it could be left out.
SAID = frozenset({"accounts", "merchantGatewayIds", "scopes"})


def curl(route: RestRoute, operation: dict[str, Any], path: str) -> str:
    """The operation as a command, with what it needs and nothing more."""
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            name = parameter["name"]
            path = path.replace(f"{{{name}}}", IDS.get(name, f"some-{name}"))
    options = [] if route.method == "GET" else [f"-X {route.method}"]
    if operation["security"]:
        options.append('-H "Authorization: Bearer $access_token"')
    if any(parameter["name"] == KEY for parameter in operation["parameters"]):
        options.append(f'-H "{KEY}: $(uuidgen)"')
    if any(parameter["name"] == "Last-Event-ID" for parameter in operation["parameters"]):
        options.append("-N -H 'Accept: text/event-stream'")
        path += "?cursor=0"
    if body := operation.get("requestBody"):
        options.append("-H 'Content-Type: application/json'")
        options.append(f"-d '{json.dumps(_body(body['content']['application/json']['schema']))}'")
    first, *others = [*options, f'"$url{path}"']
    return " \\\n  ".join([f"curl {first}", *others])


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    names = [name for name in properties if name in schema.get("required", ()) or name in SAID]
    found = {name: VALUES.get(name, _some(properties[name])) for name in names}
    if "client" in found:
        found["client"] = {"displayName": "Order service"}
    return found


def _some(schema: dict[str, Any]) -> Any:
    return {"array": [], "boolean": False, "integer": 0, "object": {}}.get(schema.get("type", ""), "...")
