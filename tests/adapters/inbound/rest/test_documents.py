"""What the API says about itself: the document, the page, and the pages of problems."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from mintmark.v1 import tokens_pb2

from adapters.inbound.rest.description import rules
from adapters.inbound.rest.description.openapi import document
from adapters.inbound.rest.description.page import html, prose
from adapters.inbound.rest.description.reason_table import documented
from adapters.inbound.rest.description.schemas import Schemas
from tests.adapters.inbound.running import Running

DOCUMENT = document("https://tokens.example.com/oauth2/token")


class Page(HTMLParser):
    """Ids, links, and whatever would be loaded."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if "href" in given else []
        self.loaded += [tag] if tag in ("script", "link", "img", "iframe", "object", "form") or "src" in given else []
        self.handlers += [name for name in given if name.startswith("on") or name == "style"]


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*(references(each) for each in value.values()))
    return set().union(*(references(each) for each in value)) if isinstance(value, list) else set()


def test_every_reference_leads_somewhere_and_everything_is_referred_to() -> None:
    parts = DOCUMENT["components"]
    there = {
        f"#/components/{kind}/{name}" for kind, each in parts.items() for name in each if kind != "securitySchemes"
    }
    assert references(DOCUMENT) == there


def test_the_rules_of_the_protos_are_in_the_document() -> None:
    body = DOCUMENT["paths"]["/v1/clients"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["clientId", "scopes"]
    assert body["additionalProperties"] is False
    assert "requestId" not in body["properties"]
    assert body["properties"]["clientId"]["pattern"] == "^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$"
    scopes = body["properties"]["scopes"]
    assert (scopes["minItems"], scopes["maxItems"], scopes["uniqueItems"], scopes["items"]["maxLength"]) == (
        1,
        64,
        True,
        64,
    )
    imported = DOCUMENT["components"]["schemas"]["TokenImport"]
    assert imported["properties"]["provider"]["not"] == {"enum": ["TOKEN_PROVIDER_UNSPECIFIED"]}
    assert imported["required"] == ["merchantGatewayId", "merchantId", "tokenId", "provider"]
    page_size = parameter("/v1/tokens", "get", "pageSize")["schema"]
    assert (page_size["minimum"], page_size["maximum"]) == (0, 1000)
    assert parameter("/v1/clients", "post", "Idempotency-Key")["required"]
    assert parameter("/v1/clients", "post", "Idempotency-Key")["schema"]["pattern"] == rules.UUID


def parameter(path: str, method: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in DOCUMENT["paths"][path][method]["parameters"] if each["name"] == name)
    return found


def test_who_may_call_is_in_the_document() -> None:
    assert DOCUMENT["paths"]["/v1/tokens"]["get"]["security"] == [{"oauth2": ["tokens.read"]}]
    assert DOCUMENT["paths"]["/v1/accessTokens:revoke"]["post"]["security"] == [{"oauth2": []}]
    assert DOCUMENT["paths"]["/v1/jwks"]["get"]["security"] == []
    flow = DOCUMENT["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "https://tokens.example.com/oauth2/token"
    asked = {
        scope
        for place in DOCUMENT["paths"].values()
        for each in place.values()
        for need in each["security"]
        for scope in need["oauth2"]
    }
    assert set(flow["scopes"]) == asked


def test_what_comes_in_is_closed_and_what_goes_out_is_whole() -> None:
    schemas = Schemas([tokens_pb2.ImportTokensRequest.DESCRIPTOR])
    schemas.reference(tokens_pb2.TokenImport.DESCRIPTOR)
    schemas.reference(tokens_pb2.ListTokensResponse.DESCRIPTOR)
    assert schemas.made["TokenImport"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas.made["Token"]
    assert {"name", "state", "refreshGeneration", "etag"} <= set(schemas.made["Token"]["required"])
    assert not {"card", "disableTime"} & set(schemas.made["Token"]["required"])


def test_the_document_is_served(gateway: Running) -> None:
    answer = gateway.client.get("/openapi.json")
    served = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert served["paths"] == DOCUMENT["paths"]
    assert served["openapi"] == "3.1.0"
    flow = served["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == f"http://127.0.0.1:{gateway.port}/oauth2/token"
    again = gateway.client.get("/openapi.json", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_needs_nothing_from_outside(gateway: Running) -> None:
    answer = gateway.client.get("/docs")
    page = Page(answer.text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert page.loaded == []
    assert page.handlers == []
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "unsafe" not in policy
    assert not re.search(r"url\(|@import", style)
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json"}


def test_every_link_of_the_page_leads_to_one_place() -> None:
    page = Page(html(DOCUMENT))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    operations = {
        re.sub("_all$|_of_.*", "", each["operationId"])
        for place in DOCUMENT["paths"].values()
        for each in place.values()
    }
    assert operations <= set(page.ids)
    assert {each.name for each in documented()} <= set(page.ids)


def test_every_operation_has_an_id_of_its_own_and_the_page_names_every_path() -> None:
    operations = [(path, each["operationId"]) for path, place in DOCUMENT["paths"].items() for each in place.values()]
    assert len({each for _, each in operations}) == len(operations)
    text = html(DOCUMENT)
    assert [path for path, _ in operations if f"<code>{path}</code>" not in text] == []
    # A further path is named with its main one, and has no place of its own.
    assert [each for _, each in operations if "_all" in each or "_of_" in each]
    assert [each for each in Page(text).ids if "_all" in each or "_of_" in each] == []


def test_the_page_shows_text_as_text() -> None:
    assert prose("a <b> `c<d>` **e&f**") == "a &lt;b&gt; <code>c&lt;d&gt;</code> <strong>e&amp;f</strong>"
    changed = json.loads(json.dumps(DOCUMENT))
    changed["tags"][0]["description"] = "<script>alert(1)</script>"
    assert Page(html(changed)).loaded == []


@pytest.mark.parametrize("name", ["ETAG_MISMATCH", "PATH_UNKNOWN"])
def test_the_type_of_a_problem_leads_to_the_page(gateway: Running, name: str) -> None:
    answer = gateway.client.get(f"/problems/{name}")
    assert (answer.status_code, answer.headers["location"]) == (302, f"/docs#{name}")
    assert gateway.client.get("/problems/NO_SUCH_REASON").status_code == 404
