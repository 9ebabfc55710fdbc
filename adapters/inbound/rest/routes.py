"""Which RPC is where: the table of REST routes.

To add an RPC, add one line to TABLE. The path is a template as google.api.http writes it: `{name=clients/*}` is the
resource name that goes into the request's field `name`, each `*` is one id, and `:verb` at the end is a custom verb
(AIP-136). `also` names further paths, such as the flat list of a collection that has a parent. Everything else
follows from the protos:

- POST and PATCH take the request message as a JSON object, GET and DELETE take it from the query;
- `request_id` comes from `Idempotency-Key`, `etag` from `If-Match`, and what has an etag is answered with `ETag`;
- an `update_mask` that is not given is made of the fields in the body;
- a stream is answered as server-sent events to those who accept `text/event-stream`, and may share the path of a list.

tests/house/test_rest.py holds that each public RPC has its line and that each line fits the protos.
"""

from dataclasses import dataclass

MERCHANT = "merchantGateways/*/merchants/*"
TOKEN = f"{MERCHANT}/tokens/*"


@dataclass(frozen=True, slots=True)
class RestRoute:
    """One RPC, such as `TokensService.GetToken`, and its place in HTTP. `status` is that of success."""

    rpc: str
    method: str
    path: str
    also: tuple[str, ...] = ()
    status: int = 200

    @property
    def paths(self) -> tuple[str, ...]:
        """All path templates, the main one first."""
        return (self.path, *self.also)


TABLE = (
    RestRoute("AccessTokensService.IssueAccessToken", "POST", "/v1/accessTokens:issue"),
    RestRoute("AccessTokensService.RevokeAccessToken", "POST", "/v1/accessTokens:revoke"),
    RestRoute("AccessTokensService.IntrospectAccessToken", "POST", "/v1/accessTokens:introspect"),
    RestRoute("AccessTokensService.GetJwks", "GET", "/v1/jwks"),
    RestRoute("AccountsService.PlanAccounts", "POST", "/v1/partnerAccounts:plan"),
    RestRoute("AccountsService.ApplyAccounts", "POST", "/v1/partnerAccounts:apply"),
    RestRoute("AccountsService.GetAccount", "GET", "/v1/{name=partnerAccounts/*}"),
    RestRoute("AccountsService.ListAccounts", "GET", "/v1/partnerAccounts"),
    RestRoute("ApiKeysService.CreateApiKey", "POST", "/v1/apiKeys", status=201),
    RestRoute("ApiKeysService.GetApiKey", "GET", "/v1/{name=apiKeys/*}"),
    RestRoute("ApiKeysService.ListApiKeys", "GET", "/v1/apiKeys"),
    RestRoute("ApiKeysService.RevokeApiKey", "POST", "/v1/{name=apiKeys/*}:revoke"),
    RestRoute("BindingsService.GetBinding", "GET", f"/v1/{{name={TOKEN}/bindings/*}}"),
    RestRoute("BindingsService.ListBindings", "GET", f"/v1/{{parent={TOKEN}}}/bindings", also=("/v1/bindings",)),
    RestRoute("ClientsService.CreateClient", "POST", "/v1/clients", status=201),
    RestRoute("ClientsService.GetClient", "GET", "/v1/{name=clients/*}"),
    RestRoute("ClientsService.ListClients", "GET", "/v1/clients"),
    RestRoute("ClientsService.UpdateClient", "PATCH", "/v1/{client.name=clients/*}"),
    RestRoute("ClientsService.RotateClientSecret", "POST", "/v1/{name=clients/*}:rotateSecret"),
    RestRoute("ClientsService.DisableClient", "POST", "/v1/{name=clients/*}:disable"),
    RestRoute("ClientsService.EnableClient", "POST", "/v1/{name=clients/*}:enable"),
    RestRoute("EventsService.ListEvents", "GET", "/v1/events"),
    RestRoute("EventsService.StreamEvents", "GET", "/v1/events"),
    RestRoute("MerchantsService.GetMerchant", "GET", f"/v1/{{name={MERCHANT}}}"),
    RestRoute(
        "MerchantsService.ListMerchants", "GET", "/v1/{parent=merchantGateways/*}/merchants", also=("/v1/merchants",)
    ),
    RestRoute("NotificationsService.GetNotification", "GET", "/v1/{name=notifications/*}"),
    RestRoute("NotificationsService.ListNotifications", "GET", "/v1/notifications"),
    RestRoute("TokensService.GetToken", "GET", f"/v1/{{name={TOKEN}}}"),
    RestRoute("TokensService.ListTokens", "GET", f"/v1/{{parent={MERCHANT}}}/tokens", also=("/v1/tokens",)),
    RestRoute("TokensService.ImportTokens", "POST", "/v1/tokens:import"),
    RestRoute("TokensService.DisableToken", "POST", f"/v1/{{name={TOKEN}}}:disable"),
    RestRoute("TokensService.EnableToken", "POST", f"/v1/{{name={TOKEN}}}:enable"),
)
