"""What of an account is about an issuer's cards."""

from mintmark.v1 import accounts_pb2 as pb

from server.domain import d1_issuer_accounts as domain
from server.domain.d1_issuer_accounts import CardDirectory, CardVerificationMode, D1Issuer, PublicKey
from server.domain.violations import FieldsInvalid
from server.ports import EncryptionKeys, KeyUnfit

MODES = {
    CardVerificationMode.OFF: pb.CardVerificationMode.CARD_VERIFICATION_MODE_UNSPECIFIED,
    CardVerificationMode.WITHOUT_SECURITY_CODE: (pb.CardVerificationMode.CARD_VERIFICATION_MODE_WITHOUT_SECURITY_CODE),
    CardVerificationMode.WITH_SECURITY_CODE: pb.CardVerificationMode.CARD_VERIFICATION_MODE_WITH_SECURITY_CODE,
}
MODES_BY_VALUE = {value: mode for mode, value in MODES.items()}


def to_proto(stated: D1Issuer) -> pb.D1IssuerAccount:
    directory = stated.directory
    return pb.D1IssuerAccount(
        d1_public_keys=[_key_to_proto(key) for key in stated.d1_public_keys],
        card_verification=MODES[stated.card_verification],
        store_security_codes=stated.store_security_codes,
        tell_credentials=stated.tell_credentials,
        tell_credentials_without_security_code=stated.tell_credentials_without_security_code,
        tell_consumers=stated.tell_consumers,
        security_code_attempts=stated.security_code_attempts,
        security_code_attempts_window_hours=stated.security_code_attempts_window_hours,
        directory=pb.CardDirectory(
            address=directory.address,
            public_key=_key_to_proto(directory.public_key),
            timeout_milliseconds=directory.timeout_milliseconds,
        )
        if directory
        else None,
    )


def _key_to_proto(key: PublicKey) -> pb.D1PublicKey:
    return pb.D1PublicKey(public_key=key.public_key, thumbprint=key.thumbprint, key_id=key.key_id)


def issuer_of(given: pb.D1IssuerAccount, keys: EncryptionKeys, where: str) -> D1Issuer:
    """What an account states, with the defaults where it states nothing. Raises FieldsInvalid for keys that cannot be
    used or are not the ones that are pinned."""
    wrong: list[tuple[str, str, str]] = []
    d1_keys = tuple(
        _key_of(key, keys, f"{where}.d1_public_keys[{place}]", wrong) for place, key in enumerate(given.d1_public_keys)
    )
    directory = None
    if given.HasField("directory"):
        directory = CardDirectory(
            given.directory.address,
            _key_of(given.directory.public_key, keys, f"{where}.directory.public_key", wrong),
            given.directory.timeout_milliseconds or domain.DEFAULT_TIMEOUT_MILLISECONDS,
        )
    if wrong:
        raise FieldsInvalid(wrong)
    return D1Issuer(
        d1_public_keys=d1_keys,
        card_verification=MODES_BY_VALUE[given.card_verification],
        store_security_codes=given.store_security_codes,
        tell_credentials=given.tell_credentials,
        tell_credentials_without_security_code=given.tell_credentials_without_security_code,
        tell_consumers=given.tell_consumers,
        security_code_attempts=given.security_code_attempts or domain.DEFAULT_ATTEMPTS,
        security_code_attempts_window_hours=given.security_code_attempts_window_hours or domain.DEFAULT_WINDOW_HOURS,
        directory=directory,
    )


def _key_of(given: pb.D1PublicKey, keys: EncryptionKeys, where: str, wrong: list[tuple[str, str, str]]) -> PublicKey:
    try:
        read = keys.read(given.public_key, given.key_id)
    except KeyUnfit as invalid:
        wrong.append((f"{where}.public_key", str(invalid), "public_key"))
        return PublicKey("", "", "")
    if read.thumbprint != given.thumbprint:
        text = f"is not the thumbprint of the key, which is {read.thumbprint}: ask its owner which is right"
        wrong.append((f"{where}.thumbprint", text, "thumbprint"))
    return PublicKey(given.public_key.strip(), read.thumbprint, read.key_id)
