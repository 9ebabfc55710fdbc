"""The one parser: what it takes, what it refuses, what it notices."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.json import Document, Number, Unreadable, digest, parse, storable

DEPTH = 32


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"{}", {}),
        (b'\xef\xbb\xbf {"a": "b"}\n', {"a": "b"}),
        (b'{"a": 1, "b": -1.50, "c": 1e400}', {"a": Number("1"), "b": Number("-1.50"), "c": Number("1e400")}),
        (b'{"a": ' + b"9" * 5000 + b"}", {"a": Number("9" * 5000)}),
        (b'{"a": [true, false, null]}', {"a": [True, False, None]}),
        ('{"a": "ä€😀"}'.encode(), {"a": "ä€😀"}),
        (b'{"a": ' + b"[" * 31 + b"]" * 31 + b"}", None),
        (b'{"a": "' + b"[" * 100 + b'"}', {"a": "[" * 100}),
    ],
)
def test_readable(body: bytes, fields: dict[str, Any] | None) -> None:
    document = parse(body, DEPTH)
    assert fields is None or document.fields == fields
    assert not any((document.duplicate_key, document.nul, document.lone_surrogate))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"[]",
        b'"a"',
        b"1",
        b"null",
        b"{",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 01}',
        b'{"a": 1,}',
        b'{"a": 1} x',
        b'{"a": "\x00"}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'\xef\xbb\xbf\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": ' + b"[" * 32 + b"]" * 32 + b"}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
)
def test_unreadable(body: bytes) -> None:
    began = time.process_time()
    with pytest.raises(Unreadable):
        parse(body, DEPTH)
    assert time.process_time() - began < 1


def test_oddities_are_noticed_and_do_not_stop_anything() -> None:
    document = parse(b'{"a": 1, "b": {"c": 1, "c": 2}, "d": "\\u0000", "e\\ud800": ["\\udc00"]}', DEPTH)
    assert document == Document(
        {"a": Number("1"), "b": {"c": Number("2")}, "d": "\0", "e\ud800": ["\udc00"]},
        duplicate_key=True,
        nul=True,
        lone_surrogate=True,
    )
    assert parse(b'{"a": "\\ud83d\\ude00"}', DEPTH) == Document({"a": "😀"})
    assert parse(b'{"a": "\\\\u0000"}', DEPTH) == Document({"a": "\\u0000"})


def test_texts_are_stored_with_escapes_for_what_databases_refuse() -> None:
    assert storable("a\0b\ud800c") == "a\\u0000b\\ud800c"
    assert storable("😀 ok") == "😀 ok"


def test_the_digest_sees_content_and_not_form() -> None:
    def of(body: bytes) -> bytes:
        return digest(parse(body, DEPTH))

    assert of(b'{"a":1,"b":"x"}') == of(b'{ "b" : "\\u0078",\n"a" : 1 }')
    different = [b"{}", b'{"a":1}', b'{"a":"1"}', b'{"a":1.0}', b'{"a":null}', b'{"a":[]}', b'{"a":["1"]}', b'{"A":1}']
    assert len({of(body) for body in different}) == len(different)
    assert len(of(b'{"a":"\\ud800"}')) == 32


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\u0dNa1 ', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        document = parse(body, DEPTH)
    except Unreadable:
        return
    assert len(digest(document)) == 32


objects = st.dictionaries(
    st.text(max_size=5),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5),
)


@given(objects)
def test_what_the_standard_library_writes_is_read(value: dict[str, Any]) -> None:
    document = parse(json.dumps(value).encode(), DEPTH)
    assert document.fields.keys() == value.keys()
    reordered = dict(reversed(value.items()))
    assert digest(parse(json.dumps(reordered, indent=1, ensure_ascii=True).encode(), DEPTH)) == digest(document)
