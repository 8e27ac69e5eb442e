"""Static trees made from a running inbond, and a plain web server that knows nothing of indexes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from inbond.bundles.keys import SigningKey
from inbond.cli.static_run import tree_of
from inbond.mirror.static_manifest import TreeFile, encode_tree, new_manifest
from inbond.mirror.static_tree import TreeOptions, TreeReport
from inbond.mirror.static_verify import TreeExamined, verify_tree
from inbond.mirror.synced import Synced, SyncedFile
from sim.index import SimFile
from stack import JSON, Inbond

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def record(*files: SimFile, name: str = "default", index: str = "root", at: datetime = AT) -> Synced:
    """The record of a sync that brought these files."""
    rows = [
        SyncedFile(upstream="pypi", project=one.project, filename=one.filename, sha256=one.sha256, size=one.size)
        for one in files
    ]
    ordered = sorted(rows, key=lambda row: (row.upstream, row.project, row.filename))
    return Synced(name=name, index=index, at=at, files=tuple(ordered))


async def fetched(proxy: Inbond, *files: SimFile) -> Synced:
    """Has inbond fetch the files, as any client would have it do; the record of that."""
    for file in files:
        status, body, _ = await proxy.get(file.path)
        assert (status, body) == (200, file.content), body
        await proxy.get(file.metadata_path)
    return record(*files)


async def tree(proxy: Inbond, root: Path, *files: SimFile, **more: Any) -> TreeReport:
    """The tree of these files, fetched first."""
    return await written(proxy, root, await fetched(proxy, *files), **more)


async def written(
    proxy: Inbond, root: Path, synced: Synced, *, key: SigningKey | None = None, **options: Any
) -> TreeReport:
    return await tree_of(proxy.up, synced, root, options=TreeOptions(**options), key=key)


def paths(root: Path) -> set[str]:
    """Every file of a tree, but inbond's own."""
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() or not path.is_dir()}
    return {path for path in found if not path.startswith((".inbond", "inbond-tree.json"))}


def json_page(root: Path, project: str) -> dict[str, Any]:
    page: dict[str, Any] = json.loads((root / "simple" / project / "index.v1_json").read_bytes())
    return page


def rewrite(root: Path, changes: Mapping[str, bytes]) -> None:
    """What an attacker does who may write the tree: files, and the manifest to fit them."""
    raw = json.loads((root / "inbond-tree.json").read_bytes())
    for path, content in changes.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).unlink(missing_ok=True)
        (root / path).write_bytes(content)
    every = [
        TreeFile(path=path, sha256=_sha256((root / path).read_bytes()), size=(root / path).stat().st_size)
        for path in paths(root)
    ]
    manifest = new_manifest(name=raw["name"], index=raw["index"], at=datetime.fromisoformat(raw["at"]), files=every)
    (root / "inbond-tree.json").write_bytes(encode_tree(manifest))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def problems(root: Path, *keys: SigningKey, **more: Any) -> dict[str, str]:
    """What `verify` finds, by path."""
    found: TreeExamined = verify_tree(root, [key.public for key in keys], now=more.pop("now", AT), **more)
    return {one.path: one.message for one in found.problems}


@dataclass
class Plain:
    """A web server over a directory; `json`: whether it negotiates, as an nginx with deploy/nginx-tree.conf does."""

    root: Path
    json: bool
    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        path = self.root / request.path.lstrip("/")
        kind = "application/octet-stream"
        if request.path.endswith("/"):
            wants = self.json and JSON in request.headers.get("Accept", "")
            path, kind = (path / "index.v1_json", JSON) if wants else (path / "index.html", "text/html")
        if not path.is_file():
            return web.Response(status=404, text="<h1>404 Not Found</h1>", content_type="text/html")
        return web.Response(body=path.read_bytes(), content_type=kind)


@asynccontextmanager
async def served(root: Path, *, negotiates: bool = True) -> AsyncIterator[Plain]:
    """Serves a tree on a port of this machine."""
    plain = Plain(root, negotiates)
    runner = web.ServerRunner(web.Server(plain.answer), handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    plain.url = f"http://127.0.0.1:{runner.addresses[0][1]}/simple/"
    try:
        yield plain
    finally:
        await runner.cleanup()
