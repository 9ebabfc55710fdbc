"""Every way in which the domain says no. A refusal changes nothing.

    Refusal
     ├─ FieldInvalid, PageTokenInvalid, CursorInvalid, ScopeInvalid, SecretTooWeak, BindingInvalid    the caller's words
     ├─ CursorOutOfRange                                                                              the cursor's place
     ├─ AccessTokenInvalid, ClientCredentialsInvalid, ScopeMissing                                    who calls
     ├─ ResourceNotFound, ResourceExists, SecretInUse                                                 what is there
     ├─ EtagMismatch, RequestIdReused, SecretsFull, ClientProtected,                                  its state
     │  EventsMissing, EventNotDelivered, SubscriptionsFull, NotReplayable
     ├─ EtagMismatch, RequestIdReused, SecretsFull, ClientProtected                                   its state
     ├─ TokenUnusable, AccountUnusable, ReturnUrlNotAllowed                                           what would pay
     ├─ AmountUnsendable, AmountExceeded, CeilingExceeded                                             how much
     ├─ MerchantPaymentIdUsed, OperationInDoubt, PaymentStateUnfit, AlreadySent, AccountInUse         payments' state
     ├─ AttemptRefused, TooEarly                                                                      what may be sent
     ├─ CardKeyUnknown, CardStateUnfit, ConsumerStateUnfit, ConsumerHasCards, IssuerCallNotAllowed    issuers' cards
     └─ RequestInProgress, TooManyCalls, StoreUnavailable, ShuttingDown, DeadlinePassed               our own state

`metadata` holds what a program needs, with the keys that `ErrorReason` documents; the text is for people.
"""


class Refusal(Exception):
    """The domain says no. Nothing was changed."""

    def __init__(self, text: str, **metadata: str) -> None:
        super().__init__(text)
        self.text = text
        self.metadata = metadata


class FieldInvalid(Refusal):
    """A field breaks its rule."""

    def __init__(self, field: str, description: str, rule: str = "") -> None:
        super().__init__(f"{field}: {description}", field=field, rule=rule, description=description)


class PageTokenInvalid(Refusal):
    """The page token was not made by this list with these filters."""

    def __init__(self) -> None:
        super().__init__("page_token: not made by this list with these filters; start again without it")


class CursorInvalid(Refusal):
    """The text is no cursor."""

    def __init__(self, cursor: str) -> None:
        super().__init__("cursor: not a cursor of this server; use one that an event carried, or 0", cursor=cursor)


class CursorOutOfRange(Refusal):
    """The cursor points to where nothing is kept."""

    def __init__(self, why: str, oldest: str, head: str) -> None:
        super().__init__(f"cursor: {why}; the oldest is {oldest}", oldest_cursor=oldest, head_cursor=head)


class ScopeInvalid(Refusal):
    """A scope is unknown, or not granted to the client."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"scopes: {scope!r} is unknown or not granted to this client", scope=scope)


class SecretTooWeak(Refusal):
    """A taken-over secret is short."""

    def __init__(self) -> None:
        super().__init__("the secret has under 16 characters; take a longer one or allow a weak one")


class BindingInvalid(Refusal):
    """A client is bound to what cannot be."""

    def __init__(self, description: str) -> None:
        super().__init__(description, description=description)


class AccessTokenInvalid(Refusal):
    """There is no access token, or none that counts."""

    def __init__(self, why: str) -> None:
        super().__init__(f"access token: {why}; send `authorization: Bearer` with one from the token endpoint", why=why)


class ClientCredentialsInvalid(Refusal):
    """Client id and secret do not belong together."""

    def __init__(self) -> None:
        super().__init__("the client id and secret do not belong together, or the client is disabled")


class ScopeMissing(Refusal):
    """The access token lacks a scope."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"the access token lacks the scope {scope}", scope=scope)


class ResourceNotFound(Refusal):
    """Absent, or not for this caller: the two look the same."""

    def __init__(self, resource: str) -> None:
        super().__init__(f"there is no {resource}", resource=resource)


class ResourceExists(Refusal):
    """The identifier is taken."""

    def __init__(self, resource: str) -> None:
        super().__init__(f"{resource} exists already", resource=resource)


class SecretInUse(Refusal):
    """A secret must belong to one name only."""

    def __init__(self) -> None:
        super().__init__("this key is in use under another name; keys must differ")


class EtagMismatch(Refusal):
    """The resource has changed since it was read."""

    def __init__(self, resource: str) -> None:
        super().__init__(f"{resource} has changed since it was read; read it again", resource=resource)


class RequestIdReused(Refusal):
    """The same request_id with other content."""

    def __init__(self, request_id: str) -> None:
        super().__init__("request_id: used before with other content; make a new one", request_id=request_id)


class SecretsFull(Refusal):
    """A client has two live secrets at most."""

    def __init__(self, client: str) -> None:
        super().__init__(
            f"{client} has two live secrets already; wait until one expires, or end the old ones with a lifetime of 0",
            client=client,
        )


class ClientProtected(Refusal):
    """The client is one that the house itself needs."""

    def __init__(self, client: str) -> None:
        super().__init__(f"{client} is a role or the administrator and stays as it is", client=client)


class EventsMissing(Refusal):
    """An earlier event of the same resource is outstanding and was not acknowledged with the others."""

    def __init__(self, sequence: str, resource: str) -> None:
        super().__init__(
            f"event {sequence} of {resource} is outstanding and was not named; acknowledge it first",
            sequence=sequence,
            resource=resource,
        )


class EventNotDelivered(Refusal):
    """What was not handed out cannot be acknowledged."""

    def __init__(self, sequence: str) -> None:
        super().__init__(f"event {sequence} was not handed out since the subscription was moved", sequence=sequence)


class SubscriptionsFull(Refusal):
    """Every subscription holds up the removal of events, and has a place in the metrics."""

    def __init__(self, client: str) -> None:
        super().__init__(f"{client} has as many subscriptions as it may have; delete one", client=client)


class NotReplayable(Refusal):
    """A notification cannot be decided again."""

    def __init__(self, notification: str, cause: str) -> None:
        super().__init__(f"{notification} cannot be replayed: {cause}", notification=notification, cause=cause)


class RequestInProgress(Refusal):
    """The same request is being worked on."""

    def __init__(self, request_id: str) -> None:
        super().__init__("the same request is being worked on; repeat after a moment", request_id=request_id)


class TooManyCalls(Refusal):
    """A class of calls is full."""

    def __init__(self, call_class: str) -> None:
        super().__init__(f"too many {call_class} calls in flight; repeat with backoff", **{"class": call_class})


class StoreUnavailable(Refusal):
    """The store could not be read or written."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the store is not available ({why}); repeat the request as it is")


class ShuttingDown(Refusal):
    """The server takes no new work."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down; repeat the request")


class DeadlinePassed(Refusal):
    """The deadline passed before work began."""

    def __init__(self) -> None:
        super().__init__("the deadline passed before work on the call began")


class TokenUnusable(Refusal):
    """The token cannot pay."""

    def __init__(self, token: str, why: str) -> None:
        super().__init__(f"{token} cannot pay: {why}", token=token, why=why)


class MerchantPaymentIdUsed(Refusal):
    """The merchant's own id belongs to a payment that may have been charged."""

    def __init__(self, payment: str) -> None:
        super().__init__(
            f"merchant_payment_id: it belongs to {payment}, of which it is not proven that nothing was charged",
            payment=payment,
        )


class AmountUnsendable(Refusal):
    """The amount cannot be told to the partner."""

    def __init__(self, currency_code: str, why: str) -> None:
        super().__init__(f"amount: {why} ({currency_code})", currency_code=currency_code, why=why)


class CeilingExceeded(Refusal):
    """A ceiling of the account would be passed."""

    def __init__(self, ceiling: str, limit: str, currency_code: str) -> None:
        text = (
            f"a live account needs ceilings for {currency_code}"
            if ceiling == "missing"
            else f"past the account's ceiling for one {ceiling}: {limit} {currency_code} in minor units"
        )
        super().__init__(text, ceiling=ceiling, limit=limit, currency_code=currency_code)


class ReturnUrlNotAllowed(Refusal):
    """A return URL is not one that the account allows."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field}: not within the return URLs that the account allows", field=field)


class AccountUnusable(Refusal):
    """There is no account that could send this."""

    def __init__(self, merchant_gateway_id: str, why: str) -> None:
        super().__init__(
            f"the payment account of {merchant_gateway_id}: {why}", merchant_gateway_id=merchant_gateway_id, why=why
        )


class OperationInDoubt(Refusal):
    """Another operation of the payment is unresolved."""

    def __init__(self, operation: str, state: str) -> None:
        super().__init__(f"{operation} is {state}: its outcome comes first", operation=operation, state=state)


class AmountExceeded(Refusal):
    """More than what is left."""

    def __init__(self, left: str) -> None:
        super().__init__(f"amount: {left} is left, in minor units", left=left)


class PaymentStateUnfit(Refusal):
    """The payment is not in a state for this."""

    def __init__(self, payment: str, state: str) -> None:
        super().__init__(f"{payment} is {state}, which does not allow this", payment=payment, state=state)


class AlreadySent(Refusal):
    """It may have reached the partner."""

    def __init__(self, operation: str) -> None:
        super().__init__(f"{operation} may have reached the partner and cannot be taken back", operation=operation)


class TooEarly(Refusal):
    """It may still be on its way."""

    def __init__(self, seconds: str) -> None:
        super().__init__(f"it may still be on its way; say so again in {seconds} seconds", seconds=seconds)


class AttemptRefused(Refusal):
    """Nothing may be sent."""

    def __init__(self, why: str) -> None:
        super().__init__(f"no attempt is granted ({why}): nothing may be sent", why=why)


class AccountInUse(Refusal):
    """Payments through the account are unresolved, or webhook configs belong to it."""

    def __init__(self, account: str) -> None:
        super().__init__(f"{account} has unresolved payments or webhook configs and must stay", account=account)


class WebhookConfigStateUnfit(Refusal):
    """The config is deleted or being deleted."""

    def __init__(self, webhook_config: str, state: str) -> None:
        super().__init__(
            f"{webhook_config} is {state}, which does not allow this", webhook_config=webhook_config, state=state
        )


class WebhookDeleteNotPossible(Refusal):
    """The acquirer may have the config, and its account does not allow deleting by update."""

    def __init__(self, webhook_config: str) -> None:
        super().__init__(
            f"{webhook_config}: the acquirer may have it and the account does not allow `delete_by_update`; delete it "
            "in the acquirer's Backoffice, refresh, and delete it here",
            webhook_config=webhook_config,
        )


class WebhookKeysFull(Refusal):
    """The config has as many keys as it may have."""

    def __init__(self, webhook_config: str) -> None:
        super().__init__(
            f"{webhook_config} has as many keys as it may have; wait until one expires", webhook_config=webhook_config
        )


class StatusQueryNotPossible(Refusal):
    """The account does not say where a transaction's status can be asked for."""

    def __init__(self, account: str) -> None:
        super().__init__(f"{account} has no payments_base_url, so no status can be asked for", account=account)


class RefreshNotPossible(Refusal):
    """The token cannot be read again at its partner."""

    def __init__(self, token: str, why: str) -> None:
        text = "only D1's eCom tokens can be" if why == "provider" else "no account says how D1 is called (d1_api)"
        super().__init__(f"{token} cannot be read again: {text}", token=token, why=why)


class CardKeyUnknown(Refusal):
    """Card data is not encrypted as it must be, or for a key that no gateway has."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}; encrypt it for a key of GetCardKeys", field=field)


class CardStateUnfit(Refusal):
    """The card is not in a state for this."""

    def __init__(self, card: str, state: str) -> None:
        super().__init__(f"{card} is {state}, which does not allow this", card=card, state=state)


class ConsumerStateUnfit(Refusal):
    """The consumer is deleted."""

    def __init__(self, consumer: str, state: str) -> None:
        super().__init__(f"{consumer} is {state}, which does not allow this", consumer=consumer, state=state)


class IssuerCallNotAllowed(Refusal):
    """A call of D1's that the issuer's account does not allow, or whose sender may not speak for the issuer."""

    def __init__(self, account: str, setting: str) -> None:
        super().__init__(f"{account}: {setting} does not allow this call", account=account, setting=setting)


class ConsumerHasCards(Refusal):
    """The consumer has cards that are neither deleted nor rejected."""

    def __init__(self, consumer: str, card: str) -> None:
        super().__init__(f"{consumer} has cards, such as {card}: delete them first", consumer=consumer, card=card)
