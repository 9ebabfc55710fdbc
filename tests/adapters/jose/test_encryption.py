"""Only JWEs of the one profile, for one of our keys, are opened; anything else is one and the same error."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.jose.encryption import LONGEST_JWE, JweInvalid, Opened, looks_encrypted_for
from adapters.jose.keys import PrivateKeys
from tests.adapters.jose.composed import ALICE, BOB, EPK, HEADER, agreed, composed, decoded, encoded, written

OPENER = PrivateKeys(json.dumps({"keys": [{**BOB, "kid": "Bob"}, {**ALICE, "kid": "other.kid 2"}]})).opener()
JWE = composed()
HEAD, _, IV, CIPHERTEXT, TAG = JWE.split(".")


def header(**members: Any) -> dict[str, Any]:
    """Our header with members set, or taken out by None."""
    return {name: value for name, value in (HEADER | members).items() if value is not None}


def epk(**members: Any) -> dict[str, Any]:
    return header(epk={name: value for name, value in ({**EPK} | members).items() if value is not None})


def refused(compact: str) -> JweInvalid:
    with pytest.raises(JweInvalid) as caught:
        OPENER.open(compact)
    return caught.value


def test_ours() -> None:
    assert OPENER.kids == {"Bob", "other.kid 2"}
    assert OPENER.open(JWE) == Opened("Bob", b"plain")
    assert looks_encrypted_for(JWE) == "Bob"


def test_the_key_is_chosen_by_kid_alone() -> None:
    for_alice = composed(header(kid="other.kid 2"), shared=agreed(ALICE, ALICE))
    assert OPENER.open(for_alice) == Opened("other.kid 2", b"plain")
    refused(composed(header(kid="Bob"), shared=agreed(ALICE, ALICE)))


def test_what_was_opened_is_not_shown() -> None:
    assert "plain" not in repr(OPENER.open(JWE))
    assert BOB["d"] not in repr(OPENER)


@pytest.mark.parametrize(
    "accepted",
    [
        header(typ="JOSE", cty="application/json", other={"deep": [1, None, "x"]}, iat=1.5),
        dict(reversed(header().items())),
        epk(kid="ephemeral", alg="ECDH-ES", ext=True),
        header(apu="", apv=""),
        written(header()).replace(b",", b" ,\n\t"),
        written(header()).replace(b"Bob", b"B\\u006fb"),
    ],
)
def test_a_header_that_says_the_same_or_more(accepted: dict[str, Any] | bytes) -> None:
    assert OPENER.open(composed(accepted)).plaintext == b"plain"
    assert looks_encrypted_for(composed(accepted)) == "Bob"


def test_a_point_with_a_small_coordinate() -> None:
    """The other one of x = 5 modulo the field is refused below."""
    small = epk(x=encoded((5).to_bytes(32, "big")), y=encoded(Y_OF_5.to_bytes(32, "big")))
    assert OPENER.open(composed(small, shared=agreed(BOB, small["epk"]))).plaintext == b"plain"


def test_the_parties_are_part_of_the_key() -> None:
    named = header(apu=encoded(b"Alice"), apv=encoded(b"Bob"))
    assert OPENER.open(composed(named, apu=b"Alice", apv=b"Bob")).plaintext == b"plain"
    refused(composed(named))
    refused(composed(named, apu=b"Bob", apv=b"Alice"))


OFF_CURVE = encoded((int.from_bytes(decoded(EPK["y"]), "big") ^ 1).to_bytes(32, "big"))
OUTSIDE_OF_THE_FIELD = encoded((2**256 - 1).to_bytes(32, "big"))
# x = 5 is on the curve, and so would be 5 more than the field has elements.
FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
Y_OF_5 = pow(5**3 - 3 * 5 + B, (FIELD + 1) // 4, FIELD)
PADDED_X = encoded(b"\0" + decoded(EPK["x"]))

HEADERS: list[dict[str, Any] | bytes] = [
    # Other algorithms, or the same ones written otherwise.
    header(alg=None),
    header(enc=None),
    header(alg="ECDH-ES+A256KW"),
    header(alg="ecdh-es"),
    header(alg="dir"),
    header(alg="none"),
    header(alg=["ECDH-ES"]),
    header(enc="A128GCM"),
    header(enc="A256CBC-HS512"),
    header(enc="a256gcm"),
    header(enc=["A256GCM"]),
    # What asks for more.
    header(zip="DEF"),
    header(zip=""),
    header(crit=[]),
    header(crit=["exp"], exp=1),
    header(jku="https://example.com/keys"),
    header(jwk=EPK),
    header(x5u="https://example.com/certificate"),
    header(x5c=["AAAA"]),
    header(x5t="AAAA"),
    {**header(), "x5t#S256": "AAAA"},
    # Keys that are not ours.
    header(kid=None),
    header(kid=""),
    header(kid="bob"),
    header(kid="Bob "),
    header(kid=1),
    header(kid=["Bob"]),
    header(kid={}),
    header(kid="B" * 129),
    header(kid="Bob\n"),
    # Ephemeral keys that are none.
    header(epk=None),
    header(epk=[]),
    header(epk="P-256"),
    header(epk={}),
    epk(d=ALICE["d"]),
    epk(kty=None),
    epk(kty="RSA"),
    epk(kty="OKP", crv="X25519"),
    epk(kty=["EC"]),
    epk(crv=None),
    epk(crv="P-384"),
    epk(crv="secp256k1"),
    epk(x=None),
    epk(y=None),
    epk(x=1),
    epk(x=EPK["x"] + "="),
    epk(x=PADDED_X),
    epk(x=encoded(decoded(EPK["x"])[:31])),
    epk(x=EPK["x"][:-1] + chr(ord(EPK["x"][-1]) + 1)),
    epk(x=" " + EPK["x"]),
    epk(y=OFF_CURVE),
    epk(x=encoded(bytes(32)), y=encoded(bytes(32))),
    epk(x=OUTSIDE_OF_THE_FIELD),
    epk(x=encoded((FIELD + 5).to_bytes(32, "big")), y=encoded(Y_OF_5.to_bytes(32, "big"))),
    epk(use="sig"),
    epk(key_ops=["sign"]),
    epk(generate="RSA", size=16_384),
    epk(self="x"),
    epk(n="AQAB", e="AQAB"),
    # Parties that are no bytes.
    header(apu="A"),
    header(apu="AB"),
    header(apu="AA=="),
    header(apu=1),
    header(apv=None) | {"apv": None},
    header(apv=["AA"]),
    # Not one JSON object that can be read in one way.
    written(header())[:-1] + b',"alg":"ECDH-ES"}',
    written(header())[:-1] + b',"kid":"Bob"}',
    written(header())[:-1] + b',"cty":"a","cty":"a"}',
    written(header()).replace(b'"epk":{', b'"epk":{"kty":"EC",'),
    written(header())[:-1] + b',"a":{"b":1,"b":1}}',
    written(header())[:-1] + b',"a":NaN}',
    written(header())[:-1] + b',"a":-Infinity}',
    written(header())[:-1] + b',"a":' + b"[" * 1500 + b"]" * 1500 + b"}",
    written(header())[:-1] + b',"a":"\xff"}',
    written(header()) + b"{}",
    written(header())[:-1],
    b"\xef\xbb\xbf" + written(header()),
    json.dumps(header()).encode("utf-16"),
    b"[" + written(header()) + b"]",
    b"null",
    b"{}",
    written(header(cty="x" * 2048)),
]


@pytest.mark.parametrize("other", HEADERS, ids=range(len(HEADERS)))
def test_a_header_outside_the_profile(other: dict[str, Any] | bytes) -> None:
    compact = composed(other)
    assert len(compact) <= LONGEST_JWE
    refused(compact)
    if other not in (header(kid="bob"), header(kid="Bob ")):  # those are for somebody else
        with pytest.raises(JweInvalid):
            looks_encrypted_for(compact)


SEALED_TEXTS = [
    "",
    ".",
    "....",
    f"{HEAD}..{IV}.{CIPHERTEXT}",
    JWE + ".",
    JWE + "." + TAG,
    "." + JWE,
    JWE + "\n",
    " " + JWE,
    f"..{IV}.{CIPHERTEXT}.{TAG}",
    f"{HEAD}.AA.{IV}.{CIPHERTEXT}.{TAG}",
    f"{HEAD}...{CIPHERTEXT}.{TAG}",
    f"{HEAD}..{IV}..{TAG}",
    f"{HEAD}..{IV}.{CIPHERTEXT}.",
    f"{HEAD}=..{IV}.{CIPHERTEXT}.{TAG}",
    f"{HEAD}..{IV}.{CIPHERTEXT}=.{TAG}",
    f"{HEAD}..{IV}.{CIPHERTEXT}.{TAG}==",
    f"{HEAD}..{IV}.{CIPHERTEXT}AA.{TAG}",
    f"{HEAD}..{IV}.{CIPHERTEXT}.{TAG[:-1]}",
    f"{HEAD}..{IV}.{CIPHERTEXT}.{encoded(decoded(TAG)[:12])}",
    f"{HEAD}..{IV}.{CIPHERTEXT}.{TAG}AA",
    f"{HEAD}..{IV[:-4]}.{CIPHERTEXT}.{TAG}",
    f"{HEAD}..{IV}.{CIPHERTEXT[:3]} {CIPHERTEXT[3:]}.{TAG}",
    f"{HEAD}..{IV}.{CIPHERTEXT}.{TAG}".replace("_", "/").replace("-", "+") + "/",
    composed(plaintext=b""),
    composed(iv_bytes=8),
    composed(iv_bytes=11),
    composed(iv_bytes=13),
    composed(iv_bytes=16),
    composed(plaintext=bytes(LONGEST_JWE)),
    "A" * LONGEST_JWE,
    "\N{FULLWIDTH LATIN CAPITAL LETTER A}" + JWE[1:],
    "\ud800" + JWE[1:],
    json.dumps({"protected": HEAD, "iv": IV, "ciphertext": CIPHERTEXT, "tag": TAG}),
]


@pytest.mark.parametrize("text", SEALED_TEXTS, ids=range(len(SEALED_TEXTS)))
def test_a_form_outside_the_profile(text: str) -> None:
    refused(text)
    with pytest.raises(JweInvalid):
        looks_encrypted_for(text)


def test_the_longest_is_opened_and_one_character_more_is_not() -> None:
    fitting = next(made for size in range(6000, 0, -1) if len(made := composed(plaintext=bytes(size))) <= LONGEST_JWE)
    assert len(fitting) > LONGEST_JWE - 4
    assert len(OPENER.open(fitting).plaintext) > 5_700
    refused(composed(plaintext=bytes(len(OPENER.open(fitting).plaintext) + 3)))


def test_a_header_of_2_kib_is_read_and_one_byte_more_is_not() -> None:
    room = 2048 - len(written(header(cty="")))
    assert OPENER.open(composed(header(cty="x" * room))).plaintext == b"plain"
    refused(composed(header(cty="x" * (room + 1))))


def test_every_failure_is_the_same() -> None:
    failures = [
        refused(text)
        for text in ("", "x" * 9000, composed(header(zip="DEF")), composed(shared=bytes(32)), composed(header(kid="x")))
    ]
    for each in failures:
        assert (each.args, each.__cause__, each.__suppress_context__) == ((), None, True)


def test_each_bit_counts() -> None:
    """Of the text, and of the bytes that each part stands for."""
    changed = [JWE[:at] + chr(ord(JWE[at]) ^ 1 << bit) + JWE[at + 1 :] for at in range(len(JWE)) for bit in range(7)]
    parts = JWE.split(".")
    for number, part in enumerate(parts):
        old = decoded(part)
        for bit in range(len(old) * 8):
            new = bytearray(old)
            new[bit // 8] ^= 1 << bit % 8
            changed.append(".".join([*parts[:number], encoded(bytes(new)), *parts[number + 1 :]]))
    assert len(changed) > 3_500
    for each in changed:
        refused(each)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(list(EPK.values())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(["alg", "enc", "kid", "epk", "apu", "apv", "cty", "zip", "generate", "iv", "tag", "p2c", "use"])
TEXTS = (
    st.text()
    | st.text(alphabet="AQgw-_.=", max_size=200)
    | st.lists(st.binary(max_size=80), min_size=5, max_size=5).map(lambda parts: ".".join(map(encoded, parts)))
    | st.binary(max_size=300).map(lambda head: f"{encoded(head)}..{IV}.{CIPHERTEXT}.{TAG}")
)


@given(TEXTS)
@example("....")
@example(JWE[:-1])
def test_any_text_is_that_one_error(text: str) -> None:
    refused(text)
    with pytest.raises(JweInvalid):
        looks_encrypted_for(text)


@given(st.dictionaries(NAMES, JSON, max_size=3), st.dictionaries(NAMES | st.text(max_size=5), JSON, max_size=2))
def test_any_header_opens_or_is_that_one_error(members: dict[str, Any], ephemeral: dict[str, Any]) -> None:
    made = HEADER | {"epk": {**EPK, **ephemeral}} | members
    compact = composed(json.dumps(made).encode())
    for read in (OPENER.open, looks_encrypted_for):
        try:
            read(compact)
        except JweInvalid:
            continue
        assert made["kid"] == "Bob" or read is looks_encrypted_for
