"""Places in a shared cache."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from server.keys import keyring
from server.keys.cache_places import SealedPlaces, access_token_key
from server.keys.keyring import Keyring


def test_what_is_sealed_for_a_place_opens_there_and_nowhere_else(ring: Keyring) -> None:
    places = SealedPlaces(ring)
    sealed = places.place(b"1", b"name").seal(b"view")
    assert SealedPlaces(ring).place(b"1", b"name").open(sealed) == b"view"
    for parts in ((b"2", b"name"), (b"1", b"nam", b"e"), (b"1name",), (b"1", b"other"), ()):
        assert places.place(*parts).open(sealed) is None
        assert places.place(*parts).key != places.place(b"1", b"name").key


def test_another_keyring_has_other_places(ring: Keyring) -> None:
    other = keyring._new_keyring()
    here, there = SealedPlaces(ring).place(b"name"), SealedPlaces(other).place(b"name")
    assert here.key != there.key
    assert there.open(here.seal(b"view")) is None


def test_the_key_of_the_roles_opens_no_view(ring: Keyring) -> None:
    key = access_token_key(ring)
    assert (len(key), key) == (32, access_token_key(ring))
    assert key != access_token_key(keyring._new_keyring())
    assert key != ring.cache_key
    sealed = SealedPlaces(ring).place(b"name").seal(b"view")
    assert SealedPlaces(replace(ring, cache_key=key)).place(b"name").open(sealed) is None


def test_a_key_tells_nothing_and_is_short(ring: Keyring) -> None:
    key = SealedPlaces(ring).place(b"x" * 100_000).key
    assert len(key) == 41
    assert b"xx" not in key


@given(st.binary(max_size=80), st.data())
def test_whatever_is_changed_does_not_open(plain: bytes, data: st.DataObject) -> None:
    place = SealedPlaces(keyring._new_keyring()).place(b"name")
    sealed = bytearray(place.seal(plain))
    assert place.open(bytes(sealed)) == plain
    cut = data.draw(st.integers(0, len(sealed) - 1))
    assert place.open(bytes(sealed[:cut])) is None
    sealed[cut] ^= data.draw(st.integers(1, 255))
    assert place.open(bytes(sealed)) is None


def test_equal_views_look_different(ring: Keyring) -> None:
    place = SealedPlaces(ring).place(b"name")
    assert place.seal(b"view") != place.seal(b"view")
