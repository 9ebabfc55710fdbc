"""The card-data cut: card numbers lose all but their first six and last four digits before anything else sees them.

In free text every run of 13 to 19 digits, also in groups parted by single spaces or dashes, that passes the Luhn check
counts as a card number. In identifiers one in ten would pass by chance, so there it must also begin and be grouped like
a card number of a known brand.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import msgspec

SHORTEST, LONGEST = 13, 19

# Cheap and never wrong about "no", since most bodies end here: with every digit a zero and without what parts groups.
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_RUN = b"0" * SHORTEST
_EXPONENT = re.compile(rb"(?:\A|[:,\[\s])0++\.?+0*+[eE]\+?0")
_LONG = re.compile(r"[0-9](?:[ -]?[0-9]){12}")
_RUNS = re.compile(r"[0-9]+(?:[ -][0-9]+)*")
_GROUP = re.compile(r"[0-9]+")
# An unended string goes to the end of the text, so that no text takes long.
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_NUMBERS = re.compile(r"-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_IDENTIFIER_KEY = re.compile(r"(?:I[dD]s?|Timestamp|Time|(?:\A|_)(?:id|ref|url|timestamp))\Z")
_CARD_GROUPS = {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 1), (4, 4, 4, 4, 1), (4, 4, 4, 4, 2), (4, 4, 4, 4, 3)}
_IDENTIFIER_EDGE = re.compile(r"[A-Za-z0-9]")

# What card numbers of the brands begin with, and how long they are (ISO/IEC 7812 ranges as the brands publish them).
_BRANDS: tuple[tuple[range, frozenset[int]], ...] = (
    (range(400000, 500000), frozenset({13, 16, 19})),
    (range(510000, 560000), frozenset({16})),
    (range(222100, 272100), frozenset({16})),
    (range(340000, 350000), frozenset({15})),
    (range(370000, 380000), frozenset({15})),
    (range(300000, 306000), frozenset(range(14, 20))),
    (range(309500, 309600), frozenset(range(14, 20))),
    (range(360000, 370000), frozenset(range(14, 20))),
    (range(380000, 400000), frozenset(range(14, 20))),
    (range(352800, 359000), frozenset(range(16, 20))),
    (range(601100, 601200), frozenset(range(16, 20))),
    (range(620000, 630000), frozenset(range(16, 20))),
    (range(640000, 660000), frozenset(range(16, 20))),
    (range(810000, 830000), frozenset(range(16, 20))),
    (range(508000, 509000), frozenset({16})),
    (range(606900, 609000), frozenset({16})),
    (range(220000, 220500), frozenset(range(16, 20))),
    (range(501800, 501900), frozenset(range(13, 20))),
    (range(502000, 502100), frozenset(range(13, 20))),
    (range(503800, 503900), frozenset(range(13, 20))),
    (range(589300, 589400), frozenset(range(13, 20))),
    (range(630400, 630500), frozenset(range(13, 20))),
    (range(675900, 676000), frozenset(range(13, 20))),
    (range(676100, 676400), frozenset(range(13, 20))),
    (range(979200, 979300), frozenset({16})),
)

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Whole groups of digits in a text that together are as long as a card number and pass the Luhn check."""

    text: str
    start: int
    end: int
    groups: tuple[str, ...]

    @property
    def digits(self) -> str:
        return "".join(self.groups)


def of_known_brand(digits: str) -> bool:
    """Whether a brand issues numbers that begin so and are that long."""
    first = int(digits[:6])
    return any(first in numbers and len(digits) in lengths for numbers, lengths in _BRANDS)


def passes_check(digits: str) -> bool:
    """Whether the last of the digits is the check digit of the others (ISO/IEC 7812-1 annex B, Luhn)."""
    return _luhn(digits)(0, len(digits))


def cut(text: str) -> str:
    """Free text without whole card numbers."""
    return _cut(text, lambda _stretch: True)


def cut_identifier(text: str) -> str:
    """An identifier without a whole card number; the same text where it has none."""
    return _cut(text, _in_identifier)


def cut_json(body: bytes) -> bytes:
    """A body, JSON or not, without whole card numbers in its strings, keys and numbers; else byte for byte as it was.

    A number that is cut becomes a string. Escapes are seen through, and so are the NULs of UTF-16.
    """
    if not _may_hold_one(body):
        return body
    text = body.decode("utf-8", "surrogateescape")
    changed = _cut_tokens(text)
    if changed == text and "\0" in text:
        bare = text.replace("\0", "")
        without = _cut_tokens(bare)
        changed = text if without == bare else without
    return changed.encode("utf-8", "surrogateescape")


def _may_hold_one(body: bytes) -> bool:
    if b"\\u" in body or b"\0" in body:
        return True
    zeros = body.translate(_ZEROS, b" -")
    return _LONG_RUN in zeros or _EXPONENT.search(zeros) is not None


def _in_identifier(stretch: _Stretch) -> bool:
    if len(stretch.groups) > 1 and tuple(len(group) for group in stretch.groups) not in _CARD_GROUPS:
        return False
    before, after = stretch.text[stretch.start - 1 : stretch.start], stretch.text[stretch.end : stretch.end + 1]
    if (stretch.start and _IDENTIFIER_EDGE.match(before)) or _IDENTIFIER_EDGE.match(after):
        return False
    return of_known_brand(stretch.digits)


def _cut(text: str, is_card: Callable[[_Stretch], bool]) -> str:
    """Cuts every stretch that is a card number, the longest of those that begin with the same group."""
    if not _LONG.search(text):
        return text
    pieces: list[str] = []
    done = 0
    for run in _RUNS.finditer(text):
        if len(run[0]) < SHORTEST:
            continue
        for stretch in _cards(text, run, is_card):
            digits = stretch.digits
            pieces += [text[done : stretch.start], digits[:6], "*" * (len(digits) - 10), digits[-4:]]
            done = stretch.end
    return "".join((*pieces, text[done:])) if pieces else text


def _cards(text: str, run: re.Match[str], is_card: Callable[[_Stretch], bool]) -> Iterator[_Stretch]:
    groups = [(group[0], run.start() + group.start(), run.start() + group.end()) for group in _GROUP.finditer(run[0])]
    if len(groups) == 1 and len(run[0]) > LONGEST:
        return
    passes = _luhn("".join(group[0] for group in groups))
    first = begin = 0
    while first < len(groups):
        found, end = None, begin
        for last in range(first, len(groups)):
            end += len(groups[last][0])
            if end - begin > LONGEST:
                break
            if end - begin >= SHORTEST and passes(begin, end):
                parts = tuple(group[0] for group in groups[first : last + 1])
                stretch = _Stretch(text, groups[first][1], groups[last][2], parts)
                if is_card(stretch):
                    found = stretch
        taken = len(found.groups) if found else 1
        if found:
            yield found
        begin += sum(len(group[0]) for group in groups[first : first + taken])
        first += taken


def _luhn(digits: str) -> Callable[[int, int], bool]:
    """Whether a slice of the digits passes the Luhn check (ISO/IEC 7812-1 annex B), each slice in constant time."""
    sums: tuple[list[int], list[int]] = ([0], [0])
    for place, digit in enumerate(digits):
        value = int(digit)
        sums[place % 2].append(sums[place % 2][-1] + value)
        sums[1 - place % 2].append(sums[1 - place % 2][-1] + _DOUBLED[value])

    def passes(start: int, end: int) -> bool:
        whole = sums[(end - 1) % 2]
        return (whole[end] - whole[start]) % 10 == 0

    return passes


def _cut_tokens(text: str) -> str:
    pieces: list[str] = []
    done = 0
    key = ""
    for token in _STRINGS.finditer(text):
        inside = _decoded(token[0])
        pieces.append(_cut_between(text[done : token.start()], key))
        if _is_key(text, token.end()):
            key = inside
            without = cut(inside)
        else:
            without = _by_key(key)(inside)
        pieces.append(token[0] if without == inside else _encoded(without))
        done = token.end()
    return "".join((*pieces, _cut_between(text[done:], key)))


def _by_key(key: str) -> Callable[[str], str]:
    return cut_identifier if _IDENTIFIER_KEY.search(key) else cut


def _cut_between(text: str, key: str) -> str:
    """Cuts what stands outside strings: numbers, and in a body that is no JSON anything."""
    if len(text) < SHORTEST and "e" not in text.lower():
        return text
    without = _NUMBERS.sub(lambda number: _cut_number(number[0], key), text)
    return _cut(without, lambda stretch: len(stretch.groups) > 1)


def _is_key(text: str, end: int) -> bool:
    while text[end : end + 1] in (" ", "\t", "\n", "\r"):
        end += 1
    return text[end : end + 1] == ":"


def _cut_number(text: str, key: str) -> str:
    check = _by_key(key)
    for digits in (text, _whole_number(text)):
        without = check(digits)
        if without != digits:
            return _encoded(without)
    return text


def _whole_number(text: str) -> str:
    """The digits of a number written with a point or an exponent, where it is whole and may be a card number."""
    if text.isdigit() or len(text) > 64:
        return ""
    try:
        value = Decimal(text)
    except ArithmeticError:
        return ""
    if not SHORTEST <= value.adjusted() + 1 <= LONGEST or value != value.to_integral_value():
        return ""
    return str(int(abs(value)))


def _encoded(text: str) -> str:
    return msgspec.json.encode(text.encode("utf-8", "replace").decode()).decode()


_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _decoded(token: str) -> str:
    """The text of a JSON string, and of what nearly is one."""
    inside = token[1:-1] if len(token) > 1 and token.endswith('"') else token[1:]
    if "\\" not in inside:
        return inside
    return _ESCAPE.sub(
        lambda found: chr(int(found[1][1:], 16)) if len(found[1]) == 5 else _SHORT.get(found[1], found[1]), inside
    )
