"""deploy/nginx-tree.conf as it stands, but for ports and files, over a static tree: pip, uv and a second inbond."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from check.support import OLD, signed_by
from e2e.service import new_environment, pip, plain_environment, uv
from mirror.static_support import record, tree, written
from ports import free_port
from sim.index import SimFile, SimIndex
from stack import JSON, ONE_INDEX, inbond
from tools import tool
from ways_in.programs import TOP, run_well
from ways_in.test_nginx import AROUND, NAME, make_certificate, nginx

REQUIRE = '[policies.default]\nattestations = "require"\n'
# A tree whose pages are HTML alone: any web server that knows nothing of indexes.
BARE = "server {{ listen 127.0.0.1:{port}; root {tree}; types {{ text/html html; }} }}"


def adapted(place: Path, *, port: int, tls: bool) -> str:
    """The example with ports and files that are there; each replacement must fit, so that it stays the example."""
    text = (TOP / "deploy" / "nginx-tree.conf").read_text(encoding="utf-8")
    plain = [
        ("listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        (f"    ssl_certificate     /etc/nginx/tls/{NAME}.pem;\n", ""),
        (f"    ssl_certificate_key /etc/nginx/tls/{NAME}.key;\n", ""),
        ("    ssl_protocols       TLSv1.2 TLSv1.3;\n", ""),
    ]
    secured = [
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        (f"/etc/nginx/tls/{NAME}.pem", f"{place}/{NAME}.pem"),
        (f"/etc/nginx/tls/{NAME}.key", f"{place}/{NAME}.key"),
    ]
    for old, new in [
        ("    listen [::]:443 ssl;\n", ""),
        ("/srv/inbond/tree", f"{place}/tree"),
        *(secured if tls else plain),
    ]:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def command(place: Path, config: str) -> list[str]:
    (place / "inbond.conf").write_text(config)
    (place / "nginx.conf").write_text(AROUND.format(place=place, user=place.owner()))
    return [tool("nginx"), "-p", str(place), "-e", str(place / "error.log"), "-c", str(place / "nginx.conf")]


@dataclass(frozen=True, slots=True)
class Served:
    """A tree behind nginx. `origin` without a slash; `log`: what was asked."""

    place: Path
    origin: str
    index: SimIndex
    files: dict[str, SimFile]

    @property
    def url(self) -> str:
        return f"{self.origin}/simple/"

    async def get(self, path: str, **headers: str) -> tuple[int, bytes, aiohttp.ClientResponse]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.origin}{path}", headers=headers, allow_redirects=False) as response,
        ):
            return response.status, await response.read(), response


@asynccontextmanager
async def serving(place: Path, config: str = "") -> AsyncIterator[Served]:
    """The tree of a small index, written by a real inbond, behind a real nginx."""
    port = free_port()
    async with SimIndex() as index:
        files = {
            "demo": index.add_wheel("demo", "1.0", requires=["lib>=1"], provenance=signed_by(), upload_time=OLD),
            "lib": index.add_wheel("lib", "1.0", requires_python=">=3.8", upload_time=OLD),
            "yanked": index.add_wheel("lib", "2.0", upload_time=OLD, yanked="broken"),
        }
        (place / "first").mkdir()
        async with inbond(place / "first", index) as proxy:
            await tree(proxy, place / "tree", *files.values())
        text = config.format(port=port, tree=place / "tree") if config else adapted(place, port=port, tls=False)
        with nginx(command(place, text), place, port):
            yield Served(place, f"http://127.0.0.1:{port}", index, files)


def test_nginx_accepts_the_example(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    config = adapted(tmp_path, port=free_port(), tls=True)
    done = run_well([*command(tmp_path, config), "-t"], cwd=tmp_path, env=plain_environment(tmp_path))
    assert "test is successful" in done


async def test_pages_come_in_the_form_that_is_asked_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        wheel = served.files["demo"]
        for accept, kind in (
            ("*/*", "text/html"),
            ("application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+html"),
            (f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01", JSON),
        ):
            for path in ("/simple/", "/simple/demo/"):
                status, body, response = await served.get(path, Accept=accept)
                assert (status, response.content_type) == (200, kind)
                assert response.headers["Cache-Control"] == "no-cache"
                assert "Accept" in response.headers.getall("Vary")
                assert b"demo" in body
                unchanged = {"Accept": accept, "If-None-Match": response.headers["ETag"]}
                assert (await served.get(path, **unchanged))[0] == 304
        status, body, response = await served.get(wheel.path)
        assert (status, body, response.content_type) == (200, wheel.content, "application/octet-stream")
        assert (await served.get(wheel.path, Range="bytes=0-9"))[:2] == (206, wheel.content[:10])
        assert (await served.get(f"{wheel.path}.metadata"))[:2] == (200, wheel.metadata)
        status, body, response = await served.get(f"{wheel.path}.provenance")
        assert (status, body) == (200, wheel.provenance)
        assert response.content_type == "application/vnd.pypi.integrity.v1+json"


async def test_nothing_else_is_served(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        (tmp_path / "tree" / "packages" / "out").symlink_to("/etc/hostname")
        (tmp_path / "tree" / "packages" / "away").symlink_to("/etc")
        (tmp_path / "tree" / "notes.txt").write_text("mine")
        assert (await served.get("/packages/out"))[0] == 403
        assert (await served.get("/packages/away/hostname"))[0] in {403, 404}
        for path in ("/", "/notes.txt", "/.inbond-lock", "/simple/none/"):
            assert (await served.get(path))[0] == 404, path
        status, _, response = await served.get("/simple/demo")
        assert (status, response.headers["Location"]) == (301, "/simple/demo/")
        status, body, response = await served.get("/inbond-tree.json")
        assert (status, response.content_type, json.loads(body)["name"]) == (200, "application/json", "default")


@pytest.mark.parametrize("installer", [pip, uv])
async def test_pip_and_uv_install_from_plain_html(tmp_path: Path, installer: Any) -> None:
    async with serving(tmp_path, BARE) as served:
        env = new_environment(tmp_path, "env")
        done = await asyncio.to_thread(installer, tmp_path, env, served.url, "demo")
        assert done.returncode == 0, done.stdout + done.stderr
        assert installed(env) >= {"demo-1.0", "lib-1.0"}  # and not the one that is yanked


@pytest.mark.parametrize("installer", [pip, uv])
async def test_pip_and_uv_install_by_hashes_from_negotiated_pages(tmp_path: Path, installer: Any) -> None:
    async with serving(tmp_path) as served:
        locked = [served.files["demo"], served.files["lib"]]
        lines = [f"{one.project}=={one.version} --hash=sha256:{one.sha256}\n" for one in locked]
        (tmp_path / "requirements.txt").write_text("".join(lines))
        env = new_environment(tmp_path, "env")
        flags = ("--require-hashes", "-r", "requirements.txt")
        done = await asyncio.to_thread(installer, tmp_path, env, served.url, *flags)
        assert done.returncode == 0, done.stdout + done.stderr
        assert installed(env) >= {"demo-1.0", "lib-1.0"}


def installed(env: Path) -> set[str]:
    return {path.name.removesuffix(".dist-info") for path in env.glob("lib/python3*/site-packages/*.dist-info")}


@pytest.mark.parametrize("config", ["", BARE], ids=["negotiated", "plain HTML"])
async def test_a_second_inbond_verifies_what_the_tree_has(tmp_path: Path, config: str) -> None:
    (tmp_path / "second").mkdir()
    async with serving(tmp_path, config) as served:
        wheel, plain = served.files["demo"], served.files["lib"]
        second = ONE_INDEX.replace("{upstream}", served.url)
        async with inbond(tmp_path / "second", served.index, config=second, more=REQUIRE) as proxy:
            assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)
            assert (await proxy.verdict("demo", wheel.filename))["evidence"]["state"] == "verified"
            status, body, _ = await proxy.get(plain.path)
            assert (status, b"rule attestations" in body) == (403, True)
            assert (await proxy.listed("lib", served.files["yanked"].filename))["yanked"]


async def test_the_tree_is_brought_up_to_date_while_it_is_served(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        new = served.index.add_wheel("demo", "3.0", upload_time=OLD)
        (tmp_path / "again").mkdir()
        async with inbond(tmp_path / "again", served.index) as proxy:
            await proxy.get(new.path)
            await written(proxy, tmp_path / "tree", record(new))
        body = json.loads((await served.get("/simple/demo/", Accept=JSON))[1])
        assert [file["filename"] for file in body["files"]] == [new.filename]
        assert (await served.get(new.path))[1] == new.content
        assert (await served.get(served.files["demo"].path))[0] == 404
