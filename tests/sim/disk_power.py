"""What a machine finds on its disk after a loss of power, of all that was recorded until then.

A file's bytes are safe once the file was synced, a name once its directory was. What was not may be lost, may be there,
may be there in part; a longer file may have zeros where its new bytes should be. Each name of a directory goes its own
way, so that a later rename may have happened without an earlier one, or one by half: the file has both names then,
never neither. A file whose name is safe and whose bytes are not is found like that.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import prod
from pathlib import Path

from sim.disk_recording import (
    Created,
    Cut,
    DirectorySynced,
    Linked,
    MadeDirectory,
    Operation,
    Recorder,
    Renamed,
    Synced,
    Tree,
    Unlinked,
    Written,
)


class Left(IntEnum):
    """What is left of what was written to a file since it was synced."""

    NOTHING = 0
    BEGINNING = 1  # the first writes, and half of one
    SCATTERED = 2  # some writes, and zeros where others would have made it longer
    ZEROS = 3  # its length, with zeros for what is new
    ALL = 4


@dataclass(slots=True, eq=False)
class _File:
    safe: bytes = b""
    unsafe: list[Written | Cut] = field(default_factory=list)

    def sync(self) -> None:
        self.safe, self.unsafe = _applied(self.safe, self.unsafe), []


@dataclass(slots=True, eq=False)
class _Directory:
    # Of each name what it stood for when the directory was synced, and each time after that.
    names: dict[str, _Nodes] = field(default_factory=dict)

    def now(self, name: str) -> _File | _Directory | None:
        node = self.names.get(name, [None])[-1]
        return None if isinstance(node, _Moved) else node

    def set(self, name: str, node: _Node) -> None:
        self.names.setdefault(name, [None]).append(node)

    def sync(self) -> None:
        self.names = {name: [node] for name in self.names if (node := self.now(name)) is not None}


@dataclass(slots=True, eq=False)
class _Moved:
    """Nothing, if the file has its new name: from so many things on that this stands for."""

    to: _Nodes
    since: int


_Node = _File | _Directory | _Moved | None  # None: nothing
_Nodes = list[_Node]


Picks = dict[int, int]  # by the identity of a name's list, or of a file: which way it went


class Machine:
    """The disk as a recording leaves it, operation by operation."""

    def __init__(self, recorder: Recorder) -> None:
        self._base = recorder.root
        self._root = _Directory()
        self._files: dict[int, _File] = {}
        for path, content in recorder.before.items():
            node: _File | _Directory = _Directory()
            if content is not None:
                node = self._files[recorder.files_before[path]] = _File(safe=content)
            directory, name = self._place(recorder.root / path)
            directory.names[name] = [node]

    def apply(self, operation: Operation) -> None:
        """Lets it happen."""
        match operation:
            case MadeDirectory(path=path):
                directory, name = self._place(path)
                if directory.now(name) is None:
                    directory.set(name, _Directory())
            case Created(path=path, file=number):
                directory, name = self._place(path)
                self._files[number] = _File()
                directory.set(name, self._files[number])
            case Written(file=number) | Cut(file=number):
                self._files[number].unsafe.append(operation)
            case Synced(file=number):
                self._files[number].sync()
            case DirectorySynced(path=path):
                self._directory(path).sync()
            case Renamed(old=old, new=new):
                moved = self._add(new, old)
                directory, name = self._place(old)
                directory.set(name, moved)
            case Linked(old=old, new=new):
                self._add(new, old)
            case Unlinked(path=path):
                self._remove(path)

    def trees(self, at_most: int, rng: random.Random) -> Iterator[Tree]:
        """What may be found if the power goes now: every state, or the two extremes and a sample."""
        points = dict(self._points(self._root))
        for picks in _picked(list(points.values()), at_most, rng):
            yield dict(_laid_out(self._root, Path(), dict(zip(points, picks, strict=True)), rng))

    def _points(self, directory: _Directory) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Where the disk may go one way or the other: which ways, that of losing all first, of losing nothing last."""
        for nodes in directory.names.values():
            if len(nodes) > 1:
                yield id(nodes), tuple(range(len(nodes)))
            for node in nodes:
                if isinstance(node, _Directory):
                    yield from self._points(node)
                elif isinstance(node, _File) and node.unsafe:
                    yield id(node), tuple(Left)

    def _add(self, new: Path, old: Path) -> _Moved:
        directory, name = self._place(old)
        node = directory.now(name)
        if node is None:
            raise LookupError(f"{old} was made by nobody")
        directory, name = self._place(new)
        directory.set(name, node)
        return _Moved(to=directory.names[name], since=len(directory.names[name]) - 1)

    def _remove(self, path: Path) -> None:
        directory, name = self._place(path)
        if directory.now(name) is not None:
            directory.set(name, None)

    def _place(self, path: Path) -> tuple[_Directory, str]:
        return self._directory(path.parent), path.name

    def _directory(self, path: Path) -> _Directory:
        directory = self._root
        for name in path.relative_to(self._base).parts:
            if not isinstance(directory.now(name), _Directory):
                directory.set(name, _Directory())  # made past the seam: it is there or not
            node = directory.now(name)
            assert isinstance(node, _Directory)
            directory = node
        return directory


def _picked(points: Sequence[Sequence[int]], at_most: int, rng: random.Random) -> Iterator[Sequence[int]]:
    if prod(map(len, points)) <= at_most:
        yield from itertools.product(*points)
        return
    yield [ways[0] for ways in points]
    yield [ways[-1] for ways in points]
    for _ in range(at_most - 2):
        yield [rng.choice(ways) for ways in points]


def _laid_out(directory: _Directory, at: Path, picks: Picks, rng: random.Random) -> Iterator[tuple[Path, bytes | None]]:
    for name, nodes in directory.names.items():
        match _standing(nodes, picks):
            case _Directory() as inner:
                yield at / name, None
                yield from _laid_out(inner, at / name, picks, rng)
            case _File() as file:
                yield at / name, _found(file, Left(picks.get(id(file), 0)), rng)


def _standing(nodes: _Nodes, picks: Picks) -> _File | _Directory | None:
    """What a name stands for. A move that did not happen leaves what was there before."""
    for node in reversed(nodes[: picks.get(id(nodes), 0) + 1]):
        match node:
            case _Moved(to=to, since=since):
                if picks.get(id(to), since) >= since:  # no way to go: the new name is safe
                    return None
            case _:
                return node
    raise AssertionError("the first is no move")


def _found(file: _File, left: Left, rng: random.Random) -> bytes:
    match left:
        case Left.NOTHING:
            return file.safe
        case Left.ALL:
            return _applied(file.safe, file.unsafe)
        case Left.BEGINNING:
            return _applied(file.safe, _beginning(file.unsafe, rng.randrange(len(file.unsafe))))
        case Left.SCATTERED:
            some = [one for one in file.unsafe if rng.random() < 0.5]
            return _applied(file.safe, some)
        case Left.ZEROS:
            length = len(_applied(file.safe, file.unsafe))
            return file.safe[:length].ljust(length, b"\0")


def _beginning(unsafe: Sequence[Written | Cut], number: int) -> list[Written | Cut]:
    match unsafe[number]:
        case Written(file=file, offset=offset, data=data):
            return [*unsafe[:number], Written(file=file, offset=offset, data=data[: len(data) // 2])]
        case Cut():
            return list(unsafe[:number])


def _applied(safe: bytes, unsafe: Sequence[Written | Cut]) -> bytes:
    content = bytearray(safe)
    for operation in unsafe:
        match operation:
            case Written(offset=offset, data=data):
                content.extend(bytes(max(0, offset - len(content))))
                content[offset : offset + len(data)] = data
            case Cut(size=size):
                del content[size:]
                content.extend(bytes(size - len(content)))
    return bytes(content)
