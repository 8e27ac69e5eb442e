"""Which form of a page a client gets: RFC 9110, section 12.5, and PEP 691's content types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, StrEnum
from typing import Final

from inbond.model.errors import NotAcceptable

# Characters of an Accept or Accept-Encoding header that are read; the longest an installer sends has 112.
MAX_HEADER_CHARS: Final = 4096


class Format(Enum):
    """The forms of a page; the value is the exact content type. Installers refuse pages under any other."""

    JSON_V1 = "application/vnd.pypi.simple.v1+json"
    HTML_V1 = "application/vnd.pypi.simple.v1+html"
    HTML = "text/html"

    @property
    def content_type(self) -> str:
        """The media type, without parameters."""
        return self.value

    @property
    def is_json(self) -> bool:
        """Whether this is JSON; HTML otherwise."""
        return self is Format.JSON_V1


class Coding(StrEnum):
    """Content codings; the value is the token in Content-Encoding."""

    IDENTITY = "identity"
    GZIP = "gzip"
    ZSTD = "zstd"


# PEP 691: "latest" may be asked for, but the answer says which version it is.
_NAMES: Final = {
    Format.JSON_V1.value: Format.JSON_V1,
    "application/vnd.pypi.simple.latest+json": Format.JSON_V1,
    Format.HTML_V1.value: Format.HTML_V1,
    "application/vnd.pypi.simple.latest+html": Format.HTML_V1,
    Format.HTML.value: Format.HTML,
}
_WORDS: Final = {"json": Format.JSON_V1, "html": Format.HTML}
_RANGES: Final = {
    "*/*": frozenset(Format),
    "application/*": frozenset({Format.JSON_V1, Format.HTML_V1}),
    "text/*": frozenset({Format.HTML}),
}
# Among formats equally wanted: the richest of those asked for by name, the plainest where anything will do.
_NAMED_ORDER: Final = (Format.JSON_V1, Format.HTML_V1, Format.HTML)
_ANY_ORDER: Final = (Format.HTML, Format.JSON_V1, Format.HTML_V1)

_QUALITY: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_MEDIA_RANGE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+")


def negotiate(accept: str | None, format_param: str | None = None) -> Format:
    """The format to answer in, from the Accept header's value and the query's `format` (which wins), each or None.

    Members of the header that are malformed do not count; a header without any other is as good as none. Raises
    `NotAcceptable` where nothing offered is acceptable.
    """
    if format_param is not None:
        return _by_parameter(format_param)
    wanted = _members(accept or "", _MEDIA_RANGE)
    if not wanted:
        return Format.HTML
    by_name: dict[Format, float] = {}
    for name, format_ in _NAMES.items():
        if name in wanted:
            by_name[format_] = max(wanted[name], by_name.get(format_, 0.0))
    # max() keeps the first of equals: hence the orders above, and names ahead of ranges.
    candidates = [(by_name[f], f) for f in _NAMED_ORDER if f in by_name]
    candidates += [(_by_range(f, wanted), f) for f in _ANY_ORDER if f not in by_name]
    quality, best = max(candidates, key=lambda candidate: candidate[0])
    if quality <= 0:
        raise _not_acceptable("nothing that Accept names is offered here")
    return best


def preferred(accept: str | None, offered: tuple[str, ...]) -> str:
    """Which of the media types offered (lower case, without parameters) is wanted most; the first of equals.

    Also the first where none is acceptable, which RFC 9110 allows.
    """
    wanted = _members(accept or "", _MEDIA_RANGE)
    return max(offered, key=lambda name: _quality_of(name, wanted))


def negotiate_coding(accept_encoding: str | None) -> Coding:
    """The coding to answer in: zstd or gzip where the client wants it at least as much as none at all.

    `*` stands for gzip: who does not say what it can read is likeliest to read that. Never fails; identity is the
    answer to what cannot be met, which RFC 9110 allows and every client can read.
    """
    wanted = _members(accept_encoding or "", _TOKEN)
    any_other = wanted.get("*", 0.0)
    qualities = (
        (wanted.get("zstd", 0.0), Coding.ZSTD),
        (wanted.get("gzip", wanted.get("x-gzip", any_other)), Coding.GZIP),
        (wanted.get("identity", 0.0), Coding.IDENTITY),
    )
    quality, best = max(qualities, key=lambda candidate: candidate[0])
    return best if quality > 0 else Coding.IDENTITY


def _by_parameter(text: str) -> Format:
    # A "+" that was not percent-encoded arrives as a blank.
    name = text.strip().lower().replace(" ", "+")
    found = _WORDS.get(name) or _NAMES.get(name)
    if found is None:
        raise _not_acceptable(f"format {text[:80]!a} is not offered here")
    return found


def _by_range(format_: Format, wanted: dict[str, float]) -> float:
    """The quality that the narrowest range gives a format; 0.0 where none covers it."""
    for name in ("application/*", "text/*", "*/*"):
        if name in wanted and format_ in _RANGES[name]:
            return wanted[name]
    return 0.0


def _quality_of(name: str, wanted: dict[str, float]) -> float:
    """The quality of a media type, by the narrowest range that covers it."""
    for covering in (name, f"{name.partition('/')[0]}/*", "*/*"):
        if covering in wanted:
            return wanted[covering]
    return 0.0


def _not_acceptable(message: str) -> NotAcceptable:
    offered = ", ".join(format_.value for format_ in Format)
    return NotAcceptable(message, remedy=f"ask for one of {offered}; or for ?format=json or ?format=html")


def _members(header: str, grammar: re.Pattern[str]) -> dict[str, float]:
    """The well-formed members of a header's list with their quality; of one named twice, the higher."""
    found: dict[str, float] = {}
    if len(header) > MAX_HEADER_CHARS:
        header = header[:MAX_HEADER_CHARS].rpartition(",")[0]
    for name, quality in _parsed(header.lower(), grammar):
        found[name] = max(quality, found.get(name, 0.0))
    return found


def _parsed(header: str, grammar: re.Pattern[str]) -> Iterator[tuple[str, float]]:
    for member in header.split(","):
        name, *parameters = (part.strip(" \t") for part in member.split(";"))
        quality = _quality(parameters)
        if grammar.fullmatch(name) and quality is not None:
            yield name, quality


def _quality(parameters: list[str]) -> float | None:
    """The weight among a member's parameters; 1.0 without one, None if it is malformed."""
    for parameter in parameters:
        if parameter.startswith("q="):
            return float(parameter[2:]) if _QUALITY.fullmatch(parameter[2:]) else None
    return 1.0
