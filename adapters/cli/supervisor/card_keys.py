"""The gateway's keys of issuers' cards, which `serve` makes at its first start on embedded defaults."""

from adapters.cli.key_sets import KeySet
from adapters.cli.output import note
from adapters.cli.refusals import Refused
from adapters.settings import Settings


def ensure(settings: Settings) -> None:
    """Makes the files that are missing and that no setting names. With PostgreSQL there may be other gateways, which
    would not have them: there they have to be given. Raises Refused, also where one of them has been lost."""
    if not settings.embedded:
        return
    if settings.card_number_hash_keys_file is None and not settings.card_number_hash_keys.exists():
        from adapters.cli.card_number_hash_keys import KEYS as HASH_KEYS
        from adapters.jose.hash_keys import new_hash_key

        # They are made first: without them and with the others, cards are there that a new key would not find.
        if settings.card_keys.exists():
            raise Refused(
                f"{settings.card_number_hash_keys} is not there, but {settings.card_keys} is",
                "bring it back; `mintmark card-number-hash-keys add` makes a new one, which finds no card of before",
            )
        _make(HASH_KEYS, settings, new_hash_key(None))
    if settings.card_keys_file is None and not settings.card_keys.exists():
        from adapters.cli.card_keys import KEYS as CARD_KEYS
        from adapters.jose.keys import new_key

        _make(CARD_KEYS, settings, new_key(None))


def _make(kind: KeySet, settings: Settings, key: dict[str, str]) -> None:
    path = kind.place(settings)
    with kind.changed(path, made=True) as keys:
        if not keys:
            keys.append(key)
            note(f"mintmark serve: made {path} with a first key for issuers' cards")
