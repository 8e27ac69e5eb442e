"""One statement of a requirements file taken apart: what is required, and the options, spelt in every way pip takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from inbond.locks.credentials import shown
from inbond.locks.lock import InvalidLock, Place

# Every spelling -> the option's name here. Those of older pip versions are among them.
_WITH_VALUE: Final = {
    "-r": "requirement", "--requirement": "requirement",
    "-c": "constraint", "--constraint": "constraint",
    "-e": "editable", "--editable": "editable",
    "-i": "index-url", "--index-url": "index-url", "--pypi-url": "index-url",
    "--extra-index-url": "extra-index-url",
    "-f": "find-links", "--find-links": "find-links",
    "--hash": "hash",
    "-C": "config-settings", "--config-settings": "config-settings", "--config-setting": "config-settings",
    "--global-option": "global-option",
    "--no-binary": "no-binary", "--only-binary": "only-binary",
    "--all-releases": "all-releases", "--only-final": "only-final",
    "--trusted-host": "trusted-host",
    "--use-feature": "use-feature",
}  # fmt: skip
_ALONE: Final = {
    "--no-index": "no-index",
    "--require-hashes": "require-hashes", "--no-require-hashes": "no-require-hashes",
    "--pre": "pre",
    "--prefer-binary": "prefer-binary",
}  # fmt: skip
_SPELLINGS: Final = {**_WITH_VALUE, **_ALONE}

# pip looks for options from the first word that begins with "-"; words are separated by spaces, not tabs.
_FIRST_OPTION: Final = re.compile(r"(?:^| )(?=-)")
# A word as POSIX shells split it: bare text, 'quoted', "quoted", or an escaped character.
_PIECE: Final = re.compile(r"""([^ \t\r\n'"\\]+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)""", re.DOTALL)
_BLANK: Final = re.compile(r"[ \t\r\n]+")
_ESCAPED: Final = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True)
class Option:
    """An option by its long name without dashes; `value` is empty where it takes none."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """`requirement` is empty where there are options alone."""

    place: Place
    requirement: str
    options: tuple[Option, ...]

    def values(self, name: str) -> list[str]:
        """The values of one option, in order."""
        return [option.value for option in self.options if option.name == name]


def read_statement(place: Place, text: str) -> Statement:
    """A statement's parts. Raises `InvalidLock` for options that pip does not know, or stray words between them."""
    found = _FIRST_OPTION.search(text)
    at = found.start() if found else len(text)
    return Statement(place=place, requirement=text[:at].strip(), options=tuple(_options(place, text[at:])))


def _options(place: Place, text: str) -> Iterator[Option]:
    words = _words(place, text)
    for word in words:
        spelling, value = _spelling(place, word)
        name = _SPELLINGS[spelling]
        if spelling in _WITH_VALUE:
            value = next(words, None) if value is None else value
            if not value:
                raise InvalidLock(place, f"{spelling} has no value")
        elif value is not None:
            raise InvalidLock(place, f"{spelling} takes no value")
        yield Option(name, value or "")


def _spelling(place: Place, word: str) -> tuple[str, str | None]:
    if not word.startswith("-"):
        raise InvalidLock(
            place,
            f"{shown(word)} stands after the options, where pip does not read it",
            remedy="put markers before the options, one requirement on a line, and values with blanks in quotes",
        )
    if not word.startswith("--"):
        short, attached = word[:2], word[2:]
        return _known(place, short), attached or None
    name, equals, value = word.partition("=")
    return _known(place, name), value if equals else None


def _known(place: Place, name: str) -> str:
    if name in _SPELLINGS:
        return name
    # Like every optparse program, pip takes the beginning of a long option where it names only one.
    longer = [spelling for spelling in _SPELLINGS if len(name) > len("--") and spelling.startswith(name)]
    if len({_SPELLINGS[spelling] for spelling in longer}) == 1:
        return longer[0]
    if longer:
        raise InvalidLock(place, f"option {shown(name)} is ambiguous", remedy=f"one of {', '.join(longer)}")
    raise InvalidLock(
        place,
        f"unknown option {shown(name)}",
        remedy="pip's documentation lists the options of a requirements file",
    )


def _words(place: Place, text: str) -> Iterator[str]:
    at, begun = 0, False
    pieces: list[str] = []
    while at < len(text):
        blank = _BLANK.match(text, at)
        if blank:
            if begun:
                yield "".join(pieces)
            at, pieces, begun = blank.end(), [], False
            continue
        piece = _PIECE.match(text, at)
        if piece is None:
            raise InvalidLock(place, "a quotation mark is not closed, or a backslash has nothing after it")
        pieces.append(_unquoted(piece))
        at, begun = piece.end(), True
    if begun:
        yield "".join(pieces)


def _unquoted(piece: re.Match[str]) -> str:
    bare, single, double, escaped = piece.groups()
    if double is not None:
        return _ESCAPED.sub(r"\1", double)
    return next(text for text in (bare, single, escaped) if text is not None)
