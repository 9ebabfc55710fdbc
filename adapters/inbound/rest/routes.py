"""Which RPC is where: the table of REST routes.

To add an RPC, add one line to TABLE. The path is a template as google.api.http writes it: `{name=clients/*}` is the
resource name that goes into the request's field `name`, each `*` is one id, and `:verb` at the end is a custom verb
(AIP-136). `also` names further paths, such as the flat list of a collection that has a parent, or the other
forms that a name has. Everything else
follows from the protos:

- POST and PATCH take the request message as a JSON object, GET and DELETE take it from the query;
- `request_id` comes from `Idempotency-Key`, `etag` from `If-Match`, and what has an etag is answered with `ETag`;
- an `update_mask` that is not given is made of the fields in the body;
- a stream is answered as server-sent events to those who accept `text/event-stream`, and may share the path of a list;
- what waits for something to happen shares its connection to the core with streams, and may take a minute.

tests/house/test_rest.py holds that each public RPC has its line and that each line fits the protos.
"""

from dataclasses import dataclass

MERCHANT = "merchantGateways/*/merchants/*"
TOKEN = f"{MERCHANT}/tokens/*"
SUBSCRIPTION = "clients/*/subscriptions/*"
ACQUIRER_TRANSACTION = "/v1/{name=acquirerTransactions/*}"
CARD = "/v1/{name=issuers/*/cards/*}"
CONSUMER = "/v1/{name=issuers/*/consumers/*}"
# An operation is named below what it is about.
ISSUER_OPERATIONS = tuple(
    f"/v1/{{name=issuers/*/{about}}}"
    for about in (
        "cards/*/operations/*",
        "digitalCards/*/operations/*",
        "cards/*/threeDSecureOperations/*",
        "consumers/*/operations/*",
        "cards/*/authorisations/*",
    )
)
PAYMENT = "/v1/{name=payments/*}"
PAYMENT_SUBSCRIPTION = "/v1/{name=paymentSubscriptions/*}"
WAIT_PAYMENT = "PaymentsService.WaitPayment"
WEBHOOKS = "WebhookConfigsService"
WEBHOOK = "/v1/{name=webhookConfigs/*}"
WAIT_WEBHOOK = "WebhookConfigsService.WaitWebhookConfig"


@dataclass(frozen=True, slots=True)
class RestRoute:
    """One RPC, such as `TokensService.GetToken`, and its place in HTTP.

    `status` is that of success; `waits` names the RPC that waits for its resource where the caller prefers that
    (`Prefer: wait=10`). `personal` where the answer tells of a person: nobody on the way may keep it.
    """

    rpc: str
    method: str
    path: str
    also: tuple[str, ...] = ()
    status: int = 200
    waits: str = ""
    personal: bool = False

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
    RestRoute("AcquirerTransactionsService.GetAcquirerTransaction", "GET", ACQUIRER_TRANSACTION),
    RestRoute("AcquirerTransactionsService.ListAcquirerTransactions", "GET", "/v1/acquirerTransactions"),
    RestRoute("AcquirerTransactionsService.ListAcquirerTransactionReports", "GET", f"{ACQUIRER_TRANSACTION}/reports"),
    RestRoute("AcquirerTransactionsService.RefreshAcquirerTransaction", "POST", f"{ACQUIRER_TRANSACTION}:refresh"),
    RestRoute("ApiKeysService.CreateApiKey", "POST", "/v1/apiKeys", status=201),
    RestRoute("ApiKeysService.GetApiKey", "GET", "/v1/{name=apiKeys/*}"),
    RestRoute("ApiKeysService.ListApiKeys", "GET", "/v1/apiKeys"),
    RestRoute("ApiKeysService.RevokeApiKey", "POST", "/v1/{name=apiKeys/*}:revoke"),
    RestRoute("BindingsService.GetBinding", "GET", f"/v1/{{name={TOKEN}/bindings/*}}"),
    RestRoute("BindingsService.ListBindings", "GET", f"/v1/{{parent={TOKEN}}}/bindings", also=("/v1/bindings",)),
    RestRoute("CardDataAccessesService.ListCardDataAccesses", "GET", "/v1/cardDataAccesses"),
    RestRoute("CardKeysService.GetCardKeys", "GET", "/v1/cardKeys"),
    RestRoute("CardsService.RegisterCard", "POST", "/v1/cards"),
    RestRoute("CardsService.GetCard", "GET", CARD),
    RestRoute("CardsService.ListCards", "GET", "/v1/cards"),
    RestRoute("CardsService.ReplaceCard", "POST", f"{CARD}:replace"),
    RestRoute("CardsService.SuspendCard", "POST", f"{CARD}:suspend"),
    RestRoute("CardsService.ResumeCard", "POST", f"{CARD}:resume"),
    RestRoute("CardsService.DeleteCard", "DELETE", CARD),
    RestRoute("CardsService.ResetCardVerificationAttempts", "POST", f"{CARD}:resetVerificationAttempts"),
    RestRoute("ClientsService.CreateClient", "POST", "/v1/clients", status=201),
    RestRoute("ClientsService.GetClient", "GET", "/v1/{name=clients/*}"),
    RestRoute("ClientsService.ListClients", "GET", "/v1/clients"),
    RestRoute("ClientsService.UpdateClient", "PATCH", "/v1/{client.name=clients/*}"),
    RestRoute("ClientsService.RotateClientSecret", "POST", "/v1/{name=clients/*}:rotateSecret"),
    RestRoute("ClientsService.DisableClient", "POST", "/v1/{name=clients/*}:disable"),
    RestRoute("ClientsService.EnableClient", "POST", "/v1/{name=clients/*}:enable"),
    RestRoute("ConsumersService.RegisterConsumer", "POST", "/v1/consumers"),
    RestRoute("ConsumersService.GetConsumer", "GET", CONSUMER, personal=True),
    RestRoute("ConsumersService.ListConsumers", "GET", "/v1/consumers"),
    RestRoute("ConsumersService.ReplaceConsumer", "POST", f"{CONSUMER}:replace"),
    RestRoute("ConsumersService.SuspendConsumer", "POST", f"{CONSUMER}:suspend"),
    RestRoute("ConsumersService.ResumeConsumer", "POST", f"{CONSUMER}:resume"),
    RestRoute("ConsumersService.DeleteConsumer", "DELETE", CONSUMER),
    RestRoute("EventsService.ListEvents", "GET", "/v1/events"),
    RestRoute("EventsService.StreamEvents", "GET", "/v1/events"),
    RestRoute("IssuerOperationsService.GetIssuerOperation", "GET", ISSUER_OPERATIONS[0], also=ISSUER_OPERATIONS[1:]),
    RestRoute("IssuerOperationsService.ListIssuerOperations", "GET", "/v1/issuerOperations"),
    RestRoute("MerchantsService.GetMerchant", "GET", f"/v1/{{name={MERCHANT}}}"),
    RestRoute(
        "MerchantsService.ListMerchants", "GET", "/v1/{parent=merchantGateways/*}/merchants", also=("/v1/merchants",)
    ),
    RestRoute("NotificationsService.GetNotification", "GET", "/v1/{name=notifications/*}"),
    RestRoute("NotificationsService.ListNotifications", "GET", "/v1/notifications"),
    RestRoute("NotificationsService.PlanNotificationReplay", "POST", "/v1/{name=notifications/*}:planReplay"),
    RestRoute("NotificationsService.ReplayNotification", "POST", "/v1/{name=notifications/*}:replay"),
    RestRoute("PaymentSubscriptionsService.CreatePaymentSubscription", "POST", "/v1/paymentSubscriptions", status=201),
    RestRoute("PaymentSubscriptionsService.GetPaymentSubscription", "GET", PAYMENT_SUBSCRIPTION),
    RestRoute("PaymentSubscriptionsService.ListPaymentSubscriptions", "GET", "/v1/paymentSubscriptions"),
    RestRoute("PaymentSubscriptionsService.CancelPaymentSubscription", "POST", f"{PAYMENT_SUBSCRIPTION}:cancel"),
    RestRoute("PaymentSubscriptionsService.ResumePaymentSubscription", "POST", f"{PAYMENT_SUBSCRIPTION}:resume"),
    RestRoute("PaymentSubscriptionsService.RefreshPaymentSubscription", "POST", f"{PAYMENT_SUBSCRIPTION}:refresh"),
    RestRoute("PaymentsService.CreatePayment", "POST", "/v1/payments", status=201, waits=WAIT_PAYMENT),
    RestRoute("PaymentsService.AuthorizePayment", "POST", "/v1/payments:authorize", waits=WAIT_PAYMENT),
    RestRoute(
        "PaymentsService.CreateHostedPaymentPage",
        "POST",
        "/v1/payments:createHostedPage",
        status=201,
        waits=WAIT_PAYMENT,
    ),
    RestRoute("PaymentsService.HoldPayments", "POST", "/v1/payments:hold"),
    RestRoute("PaymentsService.ReleasePayments", "POST", "/v1/payments:release"),
    RestRoute("PaymentsService.PlanReconciliation", "POST", "/v1/payments:planReconciliation"),
    RestRoute("PaymentsService.ReconcilePayments", "POST", "/v1/payments:reconcile"),
    RestRoute("PaymentsService.ListUnknownCharges", "GET", "/v1/unknownCharges"),
    RestRoute("PaymentsService.GetPayment", "GET", PAYMENT),
    RestRoute("PaymentsService.ListPayments", "GET", "/v1/payments"),
    RestRoute("PaymentsService.ListPaymentEvidence", "GET", f"{PAYMENT}/evidence"),
    RestRoute("PaymentsService.WaitPayment", "POST", f"{PAYMENT}:wait"),
    RestRoute("PaymentsService.CapturePayment", "POST", f"{PAYMENT}:capture", waits=WAIT_PAYMENT),
    RestRoute("PaymentsService.VoidPayment", "POST", f"{PAYMENT}:void", waits=WAIT_PAYMENT),
    RestRoute("PaymentsService.RefundPayment", "POST", f"{PAYMENT}:refund", waits=WAIT_PAYMENT),
    RestRoute("PaymentsService.CancelPayment", "POST", f"{PAYMENT}:cancel"),
    RestRoute("PaymentsService.ResolvePayment", "POST", f"{PAYMENT}:resolve"),
    RestRoute("ReplaysService.CreateReplay", "POST", "/v1/replays", status=201),
    RestRoute("ReplaysService.GetReplay", "GET", "/v1/{name=replays/*}"),
    RestRoute("ReplaysService.ListReplays", "GET", "/v1/replays"),
    RestRoute("ReplaysService.ListReplayResults", "GET", "/v1/{name=replays/*}/results"),
    RestRoute("ReplaysService.CancelReplay", "POST", "/v1/{name=replays/*}:cancel"),
    RestRoute("RetentionService.GetRetention", "GET", "/v1/retention"),
    RestRoute("SubscriptionsService.CreateSubscription", "POST", "/v1/subscriptions", status=201),
    RestRoute("SubscriptionsService.GetSubscription", "GET", f"/v1/{{name={SUBSCRIPTION}}}"),
    RestRoute(
        "SubscriptionsService.ListSubscriptions",
        "GET",
        "/v1/{parent=clients/*}/subscriptions",
        also=("/v1/subscriptions",),
    ),
    RestRoute("SubscriptionsService.UpdateSubscription", "PATCH", f"/v1/{{subscription.name={SUBSCRIPTION}}}"),
    RestRoute("SubscriptionsService.DeleteSubscription", "DELETE", f"/v1/{{name={SUBSCRIPTION}}}"),
    RestRoute("SubscriptionsService.SeekSubscription", "POST", f"/v1/{{name={SUBSCRIPTION}}}:seek"),
    RestRoute("SubscriptionsService.PullEvents", "POST", f"/v1/{{name={SUBSCRIPTION}}}:pull"),
    RestRoute("SubscriptionsService.AcknowledgeEvents", "POST", f"/v1/{{name={SUBSCRIPTION}}}:acknowledge"),
    RestRoute("SubscriptionsService.ExtendEventLeases", "POST", f"/v1/{{name={SUBSCRIPTION}}}:extendLeases"),
    RestRoute("TokensService.GetToken", "GET", f"/v1/{{name={TOKEN}}}"),
    RestRoute("TokensService.ListTokens", "GET", f"/v1/{{parent={MERCHANT}}}/tokens", also=("/v1/tokens",)),
    RestRoute("TokensService.ImportTokens", "POST", "/v1/tokens:import"),
    RestRoute("TokensService.DisableToken", "POST", f"/v1/{{name={TOKEN}}}:disable"),
    RestRoute("TokensService.EnableToken", "POST", f"/v1/{{name={TOKEN}}}:enable"),
    RestRoute(f"{WEBHOOKS}.CreateWebhookConfig", "POST", "/v1/webhookConfigs", status=201, waits=WAIT_WEBHOOK),
    RestRoute(f"{WEBHOOKS}.GetWebhookConfig", "GET", WEBHOOK),
    RestRoute(f"{WEBHOOKS}.ListWebhookConfigs", "GET", "/v1/webhookConfigs"),
    RestRoute(f"{WEBHOOKS}.UpdateWebhookConfig", "PATCH", WEBHOOK, waits=WAIT_WEBHOOK),
    RestRoute(f"{WEBHOOKS}.DeleteWebhookConfig", "DELETE", WEBHOOK, waits=WAIT_WEBHOOK),
    RestRoute(f"{WEBHOOKS}.PlanWebhookConfigs", "POST", "/v1/webhookConfigs:plan"),
    RestRoute(f"{WEBHOOKS}.ApplyWebhookConfigs", "POST", "/v1/webhookConfigs:apply"),
    RestRoute(f"{WEBHOOKS}.RefreshWebhookConfigs", "POST", "/v1/webhookConfigs:refresh"),
    RestRoute(f"{WEBHOOKS}.RotateWebhookKey", "POST", f"{WEBHOOK}:rotateKey", waits=WAIT_WEBHOOK),
    RestRoute(f"{WEBHOOKS}.WaitWebhookConfig", "POST", f"{WEBHOOK}:wait"),
    RestRoute(f"{WEBHOOKS}.ListUnmanagedWebhooks", "GET", "/v1/unmanagedWebhooks"),
    RestRoute("UnreadableNotificationsService.ListUnreadableNotifications", "GET", "/v1/unreadableNotifications"),
    RestRoute("UnreadableNotificationsService.OpenUnreadableNotifications", "POST", "/v1/unreadableNotifications:open"),
)
