"""Mutations of JSON: members replaced, taken out, doubled, moved, renamed, and values that look like others."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

Path = tuple[Any, ...]
Change = Callable[[Random, Any, Path], None]

_NUMBERS: Final = (0, 1, -1, 2, 2**31, 2**53, 2**63, 2**64, 10**40, -(2**63), 0.5, 1e308, 1.0, True)
_TEXTS: Final = (
    "",
    " ",
    "0",
    "x" * 300,
    "\0",
    "\u202e",
    "\ufeff",
    "\ud800",
    "\U0001f600",
    "../",
    "é",
    "e\u0301",
    "null",
    "\n",
)
_OTHERS: Final[tuple[Any, ...]] = (None, False, [], {}, [None], {"": None}, [[[[]]]])


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all members in it, not of itself."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield (*path, key)
        yield from places(member, (*path, key))


def parent(document: Any, path: Path) -> Any:
    """What holds the member at that path."""
    for step in path[:-1]:
        document = document[step]
    return document


def _replace(random: Random, document: Any, path: Path) -> None:
    parent(document, path)[path[-1]] = random.choice([*_NUMBERS, *_TEXTS, *_OTHERS, deep(random)])


def _delete(_: Random, document: Any, path: Path) -> None:
    del parent(document, path)[path[-1]]


def _double(random: Random, document: Any, path: Path) -> None:
    """Once more beside itself: in a list, or under another name."""
    holder, key = parent(document, path), path[-1]
    copy = json.loads(json.dumps(holder[key]))
    if isinstance(holder, list):
        holder.insert(random.randint(0, len(holder)), copy)
    else:
        holder[_renamed(random, key)] = copy


def _rename(random: Random, document: Any, path: Path) -> None:
    holder, key = parent(document, path), path[-1]
    if isinstance(holder, dict):
        holder[_renamed(random, key)] = holder.pop(key)
    else:
        random.shuffle(holder)


def _move(random: Random, document: Any, path: Path) -> None:
    """What stands here stands somewhere else, and what stood there stands here."""
    other = random.choice(list(places(document)))
    if other[: len(path)] == path or path[: len(other)] == other:
        return  # one is inside the other
    here, there = parent(document, path), parent(document, other)
    here[path[-1]], there[other[-1]] = there[other[-1]], here[path[-1]]


def _retype(random: Random, document: Any, path: Path) -> None:
    """The same in another type."""
    holder, key = parent(document, path), path[-1]
    value = holder[key]
    ways: list[Any] = [[value], {"value": value}, json.dumps(value), {str(key): value}]
    if isinstance(value, str):
        ways += [list(value[:50]), value.encode().hex(), value.lstrip("0123456789") or int(value[:18] or 0)]
    holder[key] = random.choice(ways)


def _respell(random: Random, document: Any, path: Path) -> None:
    """A string that means nearly, or quite, the same."""
    holder, key = parent(document, path), path[-1]
    if isinstance(holder[key], str):
        holder[key] = respelt(random, holder[key])


def respelt(random: Random, text: str) -> str:
    """Base64 and numbers in other spellings; letters that look like others."""
    at = random.randint(0, len(text))
    ways = (
        text.replace("+", "-").replace("/", "_"),
        text.rstrip("="),
        text + "=",
        f"{text[:at]}\n{text[at:]}",
        f"{text[:at]}!{text[at:]}",
        f" {text} ",
        f"+{text}",
        f"0{text}",
        text.swapcase(),
        text.replace("e", "\u0435", 1),
        text.replace("i", "\u0131", 1),
        f"{text[:at]}\u200b{text[at:]}",
        text.translate({digit: digit + 0xFEE0 for digit in range(0x30, 0x3A)}),
        base64.b64encode(text.encode("utf-8", "surrogatepass")).decode(),
    )
    return random.choice(ways)


def _renamed(random: Random, key: Any) -> str:
    return random.choice([str(key).upper(), f"{key} ", f"{key}_", f"\u200b{key}", "", "type_", str(key)[:-1]])


def deep(random: Random) -> Any:
    """Something nested."""
    value: Any = None
    for _ in range(random.choice([8, 60, 200])):
        value = [value] if random.random() < 0.5 else {"x": value}
    return value


CHANGES: Final[tuple[Change, ...]] = (_replace, _delete, _double, _rename, _move, _retype, _respell)


def changed(random: Random, document: Any) -> str:
    """Changes one member of a document in place. Gives the change's name."""
    listed = list(places(document))
    if not listed:
        return "nothing"
    change = random.choice(CHANGES)
    change(random, document, random.choice(listed))
    return change.__name__.strip("_")


def written(random: Random, document: Any) -> bytes:
    """The document as JSON, now and then in an unusual way, or with a member twice."""
    raw = json.dumps(document, ensure_ascii=random.random() < 0.9)
    if random.random() < 0.1:
        place = random.choice([found.end() for found in re.finditer("{", raw)] or [0])
        name = random.choice(["version", "subject", "kind", "statement", "certificate", "logIndex", "_type"])
        value = json.dumps(random.choice([*_NUMBERS, *_TEXTS, *_OTHERS]))
        raw = f'{raw[:place]}"{name}": {value}, {raw[place:]}'
    return raw.encode("utf-8", "surrogatepass")
