"""The settings of the roles in adapters: which do not fit together."""

import pytest

from adapters.settings import SettingsInvalid, load


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"http_tls_key": "key.pem"}, ["HTTP_TLS_CERTIFICATE and MINTMARK_HTTP_TLS_KEY"]),
        ({"http_client_ca": "ca.pem"}, ["HTTP_CLIENT_CA"]),
        ({"internal_certificate": "certificate.pem"}, ["INTERNAL_CERTIFICATE and MINTMARK_INTERNAL_KEY"]),
        ({"ecom_token_path": "/t", "issuer_token_path": "/t"}, ["ECOM_TOKEN_PATH and MINTMARK_ISSUER_TOKEN_PATH"]),
        ({"ecom_token_path": "/oauth2/revoke", "http_tls_key": "k"}, ["ECOM_TOKEN_PATH", "HTTP_TLS_CERTIFICATE"]),
        ({"tsh_prefix": "/v1", "ecom_token_path": "/docs"}, ["TSH_PREFIX", "ECOM_TOKEN_PATH"]),
        ({"issuer_notifications_prefix": ""}, ["ISSUER_NOTIFICATIONS_PREFIX"]),
        ({"issuer_notifications_prefix": "/docs"}, ["ISSUER_NOTIFICATIONS_PREFIX"]),
        ({"issuer_cards_prefix": "/payment-options"}, ["ISSUER_CARDS_PREFIX"]),
        ({"card_keys_path": "/.well-known/jwks.json"}, ["CARD_KEYS_PATH"]),
        ({"card_keys_path": "/v1/cardKeys"}, ["CARD_KEYS_PATH"]),
        ({"directory_key_file": "key.pem"}, ["DIRECTORY_CERTIFICATE_FILE and MINTMARK_DIRECTORY_KEY_FILE"]),
        ({"issuer_otp_path": "/v1/{issuerId}/{cardId}"}, ["ISSUER_OTP_PATH"]),
        ({"issuer_authenticate_path": "/notifications/d1/{issuerId}"}, ["ISSUER_AUTHENTICATE_PATH"]),
        (
            {"issuer_otp_path": "/{issuerId}/{cardId}", "issuer_authenticate_path": "/{userId}/{issuerId}"},
            ["ISSUER_AUTHENTICATE_PATH"],
        ),
    ],
)
def test_settings_that_do_not_fit_together_are_named_at_once(given: dict[str, str], named: list[str]) -> None:
    with pytest.raises(SettingsInvalid) as invalid:
        load(given)
    for name in named:
        assert f"  MINTMARK_{name}" in str(invalid.value)


@pytest.mark.parametrize(
    "template",
    [
        "issuers/{issuerId}/{consumerId}",
        "/issuers/{issuerId}/{consumerId}/",
        "/issuers//{issuerId}/{consumerId}",
        "/issuers/x{issuerId}/{consumerId}",
        "/issuers/{issuerId}/{consumer Id}",
        "/issuers/{issuerId}/{consumerId}/{issuerId}",
        "/issuers/{issuerId}/{consumerId}?x",
        "/issuers/{consumerId}",
    ],
)
def test_a_path_template_has_its_form(template: str) -> None:
    for name in ("issuer_otp_path", "issuer_authenticate_path", "issuer_authentication_result_path"):
        with pytest.raises(SettingsInvalid, match=f"MINTMARK_{name.upper()}: must"):
            load({name: template})


def test_a_one_time_password_is_for_a_consumer_or_a_card() -> None:
    load({"issuer_otp_path": "/a/{issuerId}/{cardId}/{consumerId}"})
    load({"issuer_otp_path": "/{issuerId}/{cardId}", "issuer_authenticate_path": "/{issuerId}/{userId}/steps:begin"})
    for wrong in ("/{issuerId}/otp", "/{issuerId}/{consumerId}/{otpId}"):
        with pytest.raises(SettingsInvalid, match="MINTMARK_ISSUER_OTP_PATH: must hold"):
            load({"issuer_otp_path": wrong})


def test_settings_that_fit_together() -> None:
    load({"card_keys_path": "/.well-known/other.json"})
    load({"card_keys_path": "/keys/of/cards"})
    load({"http_tls_certificate": "c.pem", "http_tls_key": "k.pem", "http_client_ca": "ca.pem", "tsh_prefix": ""})
    load({"tsh_prefix": "/v1-tsh", "ecom_token_path": "/docs-token", "issuer_notifications_prefix": "/d1"})
