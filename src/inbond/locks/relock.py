"""File and index URLs of a lock to inbond and back, by swapping prefixes; every other byte stays.

Only what an installer takes from an index is swapped: the files of entries whose source is an index, and that index.
What a lock takes from elsewhere (a URL of its own, a repository, a path) stays. The result is undone before it is
given out: where that would not lead back to the same bytes, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from inbond.locks.lock import FromIndex, FromUrl, InvalidLock, Lock, LockFormat, Place
from inbond.locks.pdm_lock import read_pdm_lock
from inbond.locks.pylock import read_pylock
from inbond.locks.relock_prefixes import Prefixes, swapped_file, swapped_index
from inbond.locks.toml_scan import StringValue, scan
from inbond.locks.toml_text import decoded
from inbond.locks.uv_lock import read_uv_lock
from inbond.simple.addresses import last_segment


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    read: Callable[[str, bytes], Lock]
    file_key: str
    index_key: str | None  # under which an entry names its index


# The formats whose locks name file URLs: with the others, installers ask the index that they are told to use.
_FORMS: Final[Mapping[LockFormat, _Form]] = {
    LockFormat.UV: _Form(read=read_uv_lock, file_key="url", index_key="registry"),
    LockFormat.PYLOCK: _Form(read=read_pylock, file_key="url", index_key="index"),
    LockFormat.PDM: _Form(read=read_pdm_lock, file_key="url", index_key=None),
}


class NotReversible(InvalidLock):
    """Swapping would lose something: the way back would not lead to the same bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftUrl:
    """A URL that stays as it is, without credentials."""

    place: Place
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocked:
    """A lock with swapped prefixes, and what was done."""

    raw: bytes
    files: int = 0  # file URLs swapped
    indexes: int = 0  # distinct index URLs swapped
    already: int = 0  # file URLs that pointed there before
    left: tuple[LeftUrl, ...] = ()  # file and index URLs that point elsewhere


def names_files(format_: LockFormat) -> bool:
    """Whether locks of that format can name file URLs of an index at all."""
    return format_ in _FORMS


def index_files(lock: Lock) -> Iterator[tuple[str, LeftUrl]]:
    """The files with a URL that a lock takes from an index: each one's project, and its URL with its place."""
    for dependency in lock.dependencies:
        if isinstance(dependency.source, FromIndex):
            for file in dependency.files:
                if file.url is not None and file.filename == last_segment(file.url):
                    yield dependency.project, LeftUrl(place=file.place, url=file.url)


def relocked(lock: Lock, raw: bytes, pairs: Sequence[Prefixes], *, back: bool = False) -> Relocked:
    """Swaps the prefixes of `lock`, which was read from `raw`: upstream's for inbond's, or with `back` inbond's.

    Raises `NotReversible`; where nothing is swapped, `raw` is returned as it is.
    """
    form = _FORMS.get(lock.format)
    if form is None:
        return Relocked(raw=raw)
    rules = [pair.turned() for pair in pairs] if back else list(pairs)
    result, swapped = _swap(form, lock, raw, rules)
    if swapped:
        _check_the_way_back(form, lock.source, raw, result, [rule.turned() for rule in rules])
    return _told(lock, result, swapped, rules)


def _swap(form: _Form, lock: Lock, raw: bytes, rules: Sequence[Prefixes]) -> tuple[bytes, set[str]]:
    text = decoded(lock.source, raw)
    targets = _targets(form, lock, rules)
    pieces, at, swapped = list[str](), 0, set[str]()
    for value in scan(text):
        if not isinstance(value, StringValue):
            continue
        url = text[value.start : value.end]
        new = targets.get((value.key, url))
        if new is not None:
            pieces += [text[at : value.start], new]
            at = value.end
            swapped.add(url)
    return "".join([*pieces, text[at:]]).encode(), swapped


def _targets(form: _Form, lock: Lock, rules: Sequence[Prefixes]) -> Mapping[tuple[str | None, str], str]:
    found: dict[tuple[str | None, str], str] = {}
    for _, file in index_files(lock):
        if (new := swapped_file(file.url, rules)) is not None:
            found[form.file_key, file.url] = new
    for index in _indexes(lock):
        if form.index_key is not None and (new := swapped_index(index, rules)) is not None:
            found[form.index_key, index] = new
    return found


def _indexes(lock: Lock) -> Iterator[str]:
    for dependency in lock.dependencies:
        if isinstance(dependency.source, FromIndex) and dependency.source.url is not None:
            yield dependency.source.url


def _check_the_way_back(form: _Form, source: str, raw: bytes, result: bytes, rules: Sequence[Prefixes]) -> None:
    undone, _ = _swap(form, form.read(source, result), result, rules)
    if undone == raw:
        return
    both = zip(raw.split(b"\n"), undone.split(b"\n"), strict=True)
    line = next(number for number, (before, after) in enumerate(both, start=1) if before != after)
    raise NotReversible(
        Place(source, line),
        "swapping could not be undone: this line would come back with another URL",
        remedy="the lock names both addresses already, or two addresses would become one:"
        " lock again with one index, or give each upstream an index of its own and name it",
    )


def _told(lock: Lock, result: bytes, swapped: set[str], rules: Sequence[Prefixes]) -> Relocked:
    turned = [rule.turned() for rule in rules]
    files = {file.url for _, file in index_files(lock)}
    there = {url for url in files - swapped if swapped_file(url, turned) is not None}
    there |= {url for url in set(_indexes(lock)) - swapped if swapped_index(url, turned) is not None}
    done = swapped | there
    left = {one.url: one for one in reversed(list(_all_urls(lock))) if one.url not in done}
    return Relocked(
        raw=result,
        files=len(swapped & files),
        indexes=len(swapped - files),
        already=len(there & files),
        left=tuple(sorted(left.values(), key=lambda one: (one.place, one.url))),
    )


def _all_urls(lock: Lock) -> Iterator[LeftUrl]:
    for index in lock.indexes:
        yield LeftUrl(place=index.place, url=index.url)
    for dependency in lock.dependencies:
        if isinstance(dependency.source, FromUrl):
            yield LeftUrl(place=dependency.place, url=dependency.source.url)
        for file in dependency.files:
            if file.url is not None:
                yield LeftUrl(place=file.place, url=file.url)
