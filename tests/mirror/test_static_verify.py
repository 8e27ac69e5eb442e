"""What is found wrong with a tree, and manifests that are none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from inbond.mirror.static_disk import writing
from inbond.mirror.static_manifest import (
    TreeFile,
    decode_tree,
    encode_tree,
    is_tree_path,
    new_manifest,
)
from inbond.mirror.static_said import page_problems
from inbond.model.errors import InvalidBundle
from mirror.static_support import AT, problems

DIGEST = "ab" * 32
WHEEL = "demo-1.0-py3-none-any.whl"


def made(*files: TreeFile) -> bytes:
    return encode_tree(new_manifest(name="default", index="root", at=AT, files=files))


def file(path: str, sha256: str = DIGEST, size: int = 3) -> TreeFile:
    return TreeFile(path=path, sha256=sha256, size=size)


def test_a_manifest_is_read_as_it_was_written() -> None:
    raw = made(file("simple/b"), file("packages/a"))
    read = decode_tree(raw)
    assert [one.path for one in read.files] == ["packages/a", "simple/b"]
    assert encode_tree(read) == raw


def _change(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update(changes)


def _in_file(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["files"][0].update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_change(inbond_tree=2), "no manifest of a tree"),
        (_change(more=1), "no manifest of a tree"),
        (_change(at="2026-01-01T00:00:00"), "no manifest of a tree"),
        (_in_file(size=-1), "no manifest of a tree"),
        (_in_file(path="../etc/passwd"), "no path below a tree"),
        (_in_file(path="/etc/passwd"), "no path below a tree"),
        (_in_file(path="a//b"), "no path below a tree"),
        (_in_file(path="a\0b"), "no path below a tree"),
        (_in_file(path="x" * 256), "no path below a tree"),
        (_in_file(path="/".join(["x" * 200] * 11)), "no path below a tree"),
        (_in_file(sha256="AB" * 32), "gives no sha256"),
        (_in_file(path="b"), "names a file twice"),
        (_in_file(path="c"), "not in its order"),
    ],
)
def test_what_is_no_manifest_is_refused(change: Callable[[dict[str, Any]], None], message: str) -> None:
    document = json.loads(made(file("a"), file("b")))
    change(document)
    raw = json.dumps(document, indent=1).encode() + b"\n"
    with pytest.raises(InvalidBundle, match=message):
        decode_tree(raw)


def test_a_manifest_written_otherwise_is_refused() -> None:
    with pytest.raises(InvalidBundle, match="not written as inbond writes it"):
        decode_tree(json.dumps(json.loads(made(file("a")))).encode())
    with pytest.raises(InvalidBundle, match="no manifest"):
        decode_tree(b"[" * 100_000)


def test_a_name_that_no_file_system_has_is_no_path() -> None:
    assert not is_tree_path("a/\ud800")
    assert is_tree_path("packages/ä/x.whl")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree of one file that no page names."""
    root = tmp_path / "tree"
    with writing(root) as writer:
        placed = writer.place_bytes("packages/a/file", b"abc")
        writer.place_bytes("inbond-tree.json", made(placed))
    return root


def test_a_whole_tree_has_no_problem(root: Path) -> None:
    assert problems(root) == {}


def test_what_lies_there_and_what_does_not(root: Path) -> None:
    os.mkfifo(root / "packages" / "pipe")
    (root / "packages" / "away").symlink_to("/etc")
    (root / "packages" / "a" / "file").unlink()
    (root / "packages" / "a" / "file").mkdir()
    found = problems(root)
    assert found["packages/pipe"] == "it is no plain file"
    assert found["packages/away"] == "it is a link, to '/etc': a server may send what lies there"
    (root / "packages" / "a" / "file").rmdir()
    assert problems(root)["packages/a/file"] == "it is missing"


def test_age_counts_both_ways(root: Path) -> None:
    week = timedelta(days=7)
    assert problems(root, now=AT + week, max_age=week) == {}
    assert "longer than 7 days" in problems(root, now=AT + 2 * week, max_age=week)[""]
    assert "still to come" in problems(root, now=AT - week)[""]


def test_a_tree_without_a_manifest_is_none(tmp_path: Path) -> None:
    assert "this is no tree" in problems(tmp_path)["inbond-tree.json"]
    (tmp_path / "inbond-tree.json").write_bytes(b"{}")
    assert "no manifest of a tree" in problems(tmp_path)["inbond-tree.json"]
    (tmp_path / "inbond-tree.json").unlink()
    (tmp_path / "inbond-tree.json").symlink_to("/etc/hostname")
    assert "cannot be read" in problems(tmp_path)["inbond-tree.json"]


def said(entry: dict[str, Any], *, beside: tuple[str, ...] = (), name: str = "demo") -> list[str]:
    """What is wrong with a JSON page with one file, in a tree with that file and what lies beside it."""
    whole = {"filename": WHEEL, "url": f"../../packages/{WHEEL}", "hashes": {"sha256": DIGEST}, **entry}
    page = {"meta": {"api-version": "1.1"}, "name": "demo", "files": [whole]}
    named = {one.path: one for one in (file(f"packages/{WHEEL}"), *(file(path) for path in beside))}
    return list(page_problems(f"simple/{name}/index.v1_json", json.dumps(page).encode(), named))


METADATA = f"packages/{WHEEL}.metadata"
PROVENANCE = f"packages/{WHEEL}.provenance"


@pytest.mark.parametrize(
    ("entry", "beside", "message"),
    [
        ({}, (), None),
        ({"size": 3, "core-metadata": {"sha256": DIGEST}}, (METADATA,), None),
        ({"provenance": f"../../{PROVENANCE}"}, (PROVENANCE,), None),
        ({"url": f"https://evil.example/{WHEEL}"}, (), "which is no file of the tree"),
        ({"url": f"../../../{WHEEL}"}, (), "which is no file of the tree"),
        ({"hashes": {"sha256": "cd" * 32}}, (), "another sha256"),
        ({"hashes": {}}, (), "another sha256"),
        ({"size": 4}, (), "another length"),
        ({"core-metadata": True}, (METADATA,), "promises core metadata"),
        ({"core-metadata": {"sha256": DIGEST}}, (), "promises core metadata"),
        ({"provenance": f"../../{PROVENANCE}"}, (), "names provenance"),
        ({"provenance": None}, (PROVENANCE,), "does not name the provenance"),
    ],
)
def test_pages_are_held_against_the_tree(entry: dict[str, Any], beside: tuple[str, ...], message: str | None) -> None:
    found = said(entry, beside=beside)
    assert (message in found[0] and len(found) == 1) if message is not None else not found, found


def test_pages_in_other_places_are_none() -> None:
    assert said({}, name="Not a name!") == ["it stands where no page of a project belongs"]
    assert list(page_problems("simple/demo/other.txt", b"", {})) == ["it stands where no page of a project belongs"]
    assert list(page_problems("simple/index.html", b"", {})) == []
    assert "it is no page" in next(iter(page_problems("simple/demo/index.html", b"hello", {})))
