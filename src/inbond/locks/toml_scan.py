"""Where the headers and strings of a TOML text stand: tomllib gives values, but no lines.

The text must be valid TOML (tomllib has read it): what is scanned here is only told apart, not checked. `longer_key`
alone takes any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

_BASIC: Final = r'"(?:[^"\\\n]++|\\.)*+"'
_LITERAL: Final = r"'[^'\n]*+'"
_PART: Final = rf"(?:[A-Za-z0-9_-]++|{_BASIC}|{_LITERAL})"
_BLANK: Final = r"[ \t]*+"
# Multi-line strings end with three to five quotes: up to two of them belong to the text (TOML 1.0, "String").
_TOKEN: Final = re.compile(
    rf"""
    (?P<multi>\"\"\"(?:[^"\\]++|\\.|"{{1,2}}(?!"))*+"{{3,5}} | '''(?:[^']++|'{{1,2}}(?!'))*+'{{3,5}})
    | (?P<string>{_BASIC} | {_LITERAL})
    | (?P<comment>\#[^\n]*+)
    | (?P<newline>\n)
    | (?P<open>[\[{{])
    | (?P<close>[\]}}])
    | (?P<key>[A-Za-z0-9_-]++){_BLANK}=
    """,
    re.VERBOSE | re.DOTALL,
)
_DOTTED: Final = re.compile(
    rf"""
    \"\"\"(?:[^"\\]++|\\.|"{{1,2}}(?!"))*+"{{3,5}} | '''(?:[^']++|'{{1,2}}(?!'))*+'{{3,5}}
    | \#[^\n]*+
    | (?P<key>{_PART}(?:{_BLANK}\.{_BLANK}{_PART})*+)
    | (?P<open>["'])
    """,
    re.VERBOSE | re.DOTALL,
)
_KEY_PART: Final = re.compile(_PART)
_HEADER: Final = re.compile(rf"\[(\[)?{_BLANK}({_PART}(?:{_BLANK}\.{_BLANK}{_PART})*){_BLANK}\]")
_KEY_FOLLOWS: Final = re.compile(rf"{_BLANK}[=.]")
_BLANKS: Final = re.compile(_BLANK)


class Header(NamedTuple):
    """`[name]`, or with `array`, `[[name]]`: its name as written without quotes, and its line, from 1."""

    name: str
    array: bool
    line: int


class StringValue(NamedTuple):
    """A string on one line that is a value: the place of its text between the quotes, and the key just before it."""

    start: int  # characters from the beginning
    end: int
    line: int
    key: str | None
    literal: bool  # in single quotes: a backslash is a backslash


def longer_key(text: str, parts: int) -> int | None:
    """The line of the first key of more than so many parts; None where there is none. For texts before tomllib's look.

    A quote that nothing closes ends the look: tomllib comes no further either.
    """
    for token in _DOTTED.finditer(text):
        if token["open"]:
            return None
        key = token["key"] or ""
        if key.count(".") >= parts and sum(1 for _ in _KEY_PART.finditer(key)) > parts:
            return text.count("\n", 0, token.start()) + 1
    return None


def scan(text: str) -> Iterator[Header | StringValue]:
    """The headers, and the values that are strings on one line, in order."""
    return _Scanner(text).run()


@dataclass(slots=True)
class _Scanner:
    text: str
    at: int = 0
    line: int = 1
    line_start: int = 0
    depth: int = 0  # of brackets: inside an array, a line that looks like a header is none
    key: str | None = None
    key_end: int = -1

    def run(self) -> Iterator[Header | StringValue]:
        while (token := _TOKEN.search(self.text, self.at)) is not None:
            self.at = token.end()
            match token.lastgroup:
                case "newline":
                    self._lines(token)
                case "multi":
                    self._lines(token)
                case "key":
                    self.key, self.key_end = token["key"], token.end()
                case "close":
                    self.depth -= 1
                case "open" if (header := self._header(token)) is not None:
                    yield header
                case "open":
                    self.depth += 1
                case "string" if (value := self._value(token)) is not None:
                    yield value

    def _lines(self, token: re.Match[str]) -> None:
        if count := token[0].count("\n"):
            self.line += count
            self.line_start = token.start() + token[0].rindex("\n") + 1

    def _header(self, token: re.Match[str]) -> Header | None:
        if self.depth or self.text[self.line_start : token.start()].strip(" \t"):
            return None
        header = _HEADER.match(self.text, token.start())
        assert header is not None, "valid TOML has nothing else there"
        self.at = header.end() + (header[1] is not None)
        return Header(re.sub(r"[\"' \t]", "", header[2]), header[1] is not None, self.line)

    def _value(self, token: re.Match[str]) -> StringValue | None:
        start, end = token.start() + 1, token.end() - 1
        if _KEY_FOLLOWS.match(self.text, token.end()):
            self.key, self.key_end = self.text[start:end], self._after_blanks(token.end()) + 1
            return None
        named = self.key_end >= 0 and self._after_blanks(self.key_end) == token.start()
        return StringValue(start, end, self.line, self.key if named else None, token[0][0] == "'")

    def _after_blanks(self, at: int) -> int:
        blanks = _BLANKS.match(self.text, at)
        assert blanks is not None, "it matches nothing too"
        return blanks.end()
