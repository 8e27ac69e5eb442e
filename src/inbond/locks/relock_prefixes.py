"""The prefixes of URLs that stand for each other: upstream's own, and that under which inbond publishes the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from inbond.locks.urls import url_problem

# What inbond publishes stands below one of these (docs/design.md, "What it speaks"); the longer one is tried first.
_HEADS: Final = ("packages/-/", "packages/")
_PREFIX: Final = re.compile(r"https?://[A-Za-z0-9._~:/%@!$&()*+,;=\[\]-]+", re.ASCII)
_ORIGIN_PARTS: Final = 3  # "https:", "", "files.example"
_ODD: Final = re.compile(r"[?]|%2f|(?:\A|/)(?:\.|%2e){0,2}(?:/|\Z)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefixes:
    """Two prefixes that stand for each other. Raises ValueError.

    Of files: both end with "/". With `index`, both are the whole URL of an index, without "/" at the end: a slash that
    stands in the lock stays.
    """

    upstream: str
    inbond: str
    index: bool = False

    def __post_init__(self) -> None:
        for prefix in (self.upstream, self.inbond):
            if not _PREFIX.fullmatch(prefix) or url_problem(prefix) or prefix.endswith("/") is self.index:
                raise ValueError(f"{prefix!r} is not an address whose prefix can be swapped")

    def turned(self) -> Prefixes:
        """The same, the other way."""
        return Prefixes(upstream=self.inbond, inbond=self.upstream, index=self.index)


def swapped_file(url: str, rules: Iterable[Prefixes]) -> str | None:
    """The URL with the longest fitting prefix swapped, from `upstream` to `inbond`; None where none fits.

    URLs with a query and with parts that inbond drops from a path (empty ones, dots) fit none.
    """
    fitting = [rule for rule in rules if not rule.index and url.startswith(rule.upstream)]
    if not fitting:
        return None
    rule = max(fitting, key=lambda one: len(one.upstream))
    rest = url[len(rule.upstream) :]
    return None if _ODD.search(rest.partition("#")[0]) or _misplaced(rule, rest) else rule.inbond + rest


def _misplaced(rule: Prefixes, rest: str) -> bool:
    # A path that begins with "packages" keeps its shape: it is never published below the other head.
    return rest.startswith(_HEADS[1]) and any(one.endswith(f"/{_HEADS[0]}") for one in (rule.upstream, rule.inbond))


def swapped_index(url: str, rules: Iterable[Prefixes]) -> str | None:
    """The index URL that stands for this one; None where there is none."""
    bare = url.removesuffix("/")
    for rule in rules:
        if rule.index and rule.upstream == bare:
            return rule.inbond + url[len(bare) :]
    return None


def prefixes_of(url: str, published: str, base: str) -> Prefixes | str:
    """The prefixes that a file's URL on upstream shows, or, as a text, why it shows none.

    Args:
        url: where upstream has the file.
        published: its path below inbond's index, decoded: `packages/aa/bb/…/name.whl`.
        base: the index at inbond, with a slash at its end: `http://127.0.0.1:8642/`.

    """
    head = next((head for head in _HEADS if published.startswith(head)), None)
    if head is None:
        return f"{published} is no path of a file at inbond"
    if "?" in url:
        return "its URL has a query, which inbond does not publish"
    tail = published.removeprefix(head).split("/")
    parts = url.partition("#")[0].split("/")
    beginning, end = parts[: -len(tail)], parts[-len(tail) :]
    if [unquote(part) for part in end] != tail or len(beginning) < _ORIGIN_PARTS:
        return f"its URL does not end with {'/'.join(tail)}, as its path at inbond does"
    try:
        return Prefixes(upstream="/".join([*beginning, ""]), inbond=base + head)
    except ValueError as error:
        return str(error)


def prefixes_at(url: str, base: str) -> Prefixes:
    """The prefixes for files below a URL on upstream, with `base` as in `prefixes_of`. Raises ValueError."""
    prefix = url if url.endswith("/") else f"{url}/"
    path = prefix.split("/", _ORIGIN_PARTS)[-1]
    return Prefixes(upstream=prefix, inbond=base + (path if path.startswith("packages/") else _HEADS[0] + path))
