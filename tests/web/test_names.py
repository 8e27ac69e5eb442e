"""Names that belong to one upstream alone: asked for there and nowhere else, and served by nobody else."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from inbond.cli.check_locks import check_locks
from inbond.cli.config import load_config
from inbond.locks.arguments import read_requirement
from inbond.model.names import ProjectName
from sim.index import HangUp, RedirectTo, SimIndex, Status
from stack import JSON, Inbond, LocalVerifier, inbond

OWNED = """
[upstreams.acme]
url = "{upstream1}"
projects = ["acme-*", "tools-internal"]
[policies.default]
min_age = "0"
[indexes.root]
upstreams = ["pypi", "acme"]
[indexes.public]
upstreams = ["pypi"]
"""
HTML = "application/vnd.pypi.simple.v1+html"
NAMES = re.compile(r"acme|tools.internal", re.IGNORECASE)


@dataclass
class Two:
    """A public index on which strangers registered internal names, the owner's, and inbond in front of both."""

    public: SimIndex
    owner: SimIndex
    proxy: Inbond

    @property
    def leaked(self) -> list[str]:
        """What the public index has heard of names that are not its own."""
        return [seen.path for seen in self.public.requests if NAMES.search(seen.path)]


@asynccontextmanager
async def two(place: Path) -> AsyncIterator[Two]:
    async with SimIndex() as public, SimIndex() as owner:
        for name in ("acme-tools", "tools-internal"):
            public.add_wheel(name, "99.0", module="evil = True")
        async with inbond(place, public, owner, more=OWNED) as proxy:
            yield Two(public, owner, proxy)


# --- attack 5: an internal name that somebody registers publicly


async def test_an_internal_name_that_a_stranger_registers_publicly_is_still_its_owners(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        wheels = [both.owner.add_wheel("acme-tools", version) for version in ("1.0", "1.1")]
        page = await both.proxy.page("acme-tools")

        assert [file["filename"] for file in page["files"]] == [wheel.filename for wheel in wheels]
        for wheel in wheels:
            status, body, _ = await both.proxy.get(await both.proxy.path_of("acme-tools", wheel.filename))
            assert (status, body) == (200, wheel.content)
        assert both.leaked == []


async def test_what_the_stranger_published_is_had_nowhere(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        evil = both.public.add_wheel("acme-tools", "100.0")
        for index in ("", "/public"):
            for path in (f"{index}/simple/acme-tools/", f"{index}{evil.path}", f"{index}{evil.metadata_path}"):
                assert (await both.proxy.get(path))[0] == 404
        assert both.leaked == []


# --- every way in which a name could leak

FILENAMES = [
    "acme_tools-1.0-py3-none-any.whl",
    "acme_tools-1.0-1-cp311-cp311-manylinux_2_17_x86_64.whl",
    "acme-tools-1.0.tar.gz",
    "acme_tools-1.0-py3.8.egg",
    "acme-tools-latest.zip",
    "tools_internal-1.0-py3-none-any.whl",
    "tools-internal-1.0.tar.gz",
    "tools-internal-1.0-2.tar.gz",
    "Tools.Internal-1.0-py3-none-any.whl",
    "tools-internal-latest.zip",
]


@pytest.mark.parametrize("filename", FILENAMES)
async def test_no_reading_of_a_filename_leaks_the_name(tmp_path: Path, filename: str) -> None:
    async with two(tmp_path) as both:
        for index in ("", "/public"):
            for path in (
                f"/packages/aa/bb/{filename}",
                f"/packages/aa/bb/{filename}.metadata",
                f"/packages/{filename}",
            ):
                assert (await both.proxy.get(f"{index}{path}"))[0] == 404
        assert both.public.count() == 0


async def test_a_public_project_is_found_although_a_part_of_its_name_is_owned(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        sdist = both.public.add_sdist("tools-internal-not", "1.0")
        wheel = both.public.add_wheel("tools-internal-not", "1.0")
        for file in (sdist, wheel):
            assert (await both.proxy.get(file.path))[0] == 200


@pytest.mark.parametrize("name", ["acme-tools", "Acme.Tools", "ACME__tools", "tools_internal"])
async def test_no_question_leaks_the_name(tmp_path: Path, name: str) -> None:
    async with two(tmp_path) as both:
        file = f"{name}-1.0.tar.gz"
        for index in ("root", "public"):
            prefix = "" if index == "root" else f"/{index}"
            for path in (
                f"{prefix}/simple/{name}/",
                f"{prefix}/simple/{name}",
                f"{prefix}/simple/{ProjectName(name)}/",
                f"{prefix}/integrity/{name}/1.0/{file}/provenance",
                f"{prefix}/integrity/{ProjectName(name)}/1.0/{file}/provenance",
                f"/-/verdict/{index}/{name}/{file}",
                f"/-/verdict/{index}/{ProjectName(name)}/{file}",
            ):
                async with both.proxy.session.get(both.proxy.url(path), headers={"Accept": JSON}) as answer:
                    assert answer.status == 404, path
        assert both.public.count() == 0


@pytest.mark.parametrize("fault", [HangUp(), Status(500), Status(403)])
async def test_an_owner_that_is_down_is_an_error_and_nobody_else_is_asked(tmp_path: Path, fault: object) -> None:
    async with two(tmp_path) as both:
        both.owner.fault("*", fault)  # type: ignore[arg-type]
        for path in ("/simple/acme-tools/", "/packages/aa/acme_tools-1.0-py3-none-any.whl"):
            assert (await both.proxy.get(path))[0] in (502, 504)
        assert both.leaked == []


async def test_an_owner_that_would_send_us_elsewhere_is_not_followed(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        wheel = both.owner.add_wheel("acme-tools", "1.0")
        both.owner.change(wheel, silent=True)
        both.owner.fault("/simple/acme-unknown/", RedirectTo(f"{both.public.url}acme-unknown/"))
        both.owner.fault("/integrity/*", RedirectTo(f"{both.public.origin}{wheel.provenance_path}"))
        both.owner.fault("/simple/other/", RedirectTo(f"{both.public.url}other/"))
        both.public.add_wheel("acme-unknown", "66.6")
        status, body, _ = await both.proxy.get("/simple/acme-unknown/")

        assert status == 502
        assert "belongs to this upstream alone" in json.loads(body)["detail"]
        assert (await both.proxy.verdict("acme-tools", wheel.filename))["evidence"]["state"] == "unavailable"
        assert both.leaked == []


async def test_the_list_names_what_can_be_had(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        both.public.add_wheel("Acme.Evil", "1.0")
        both.public.add_wheel("demo", "1.0")
        both.owner.add_wheel("acme-tools", "1.0")
        listed = {
            index: [
                one["name"]
                for one in json.loads((await both.proxy.get(f"{index}/simple/", Accept=JSON))[1])["projects"]
            ]
            for index in ("", "/public")
        }

        assert sorted(listed[""]) == ["acme-tools", "demo"]
        assert listed["/public"] == ["demo"]


async def test_a_check_without_a_server_leaks_no_name(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        both.public.add_wheel("demo", "1.0")
        loaded = load_config(file=tmp_path / "inbond.toml", overrides={}, environ={})
        locks = [read_requirement(text) for text in ("acme-tools==1.0", "tools-internal", "demo==1.0")]
        for index in ("root", "public"):
            checked = await check_locks(loaded, loaded.upstreams_at(""), LocalVerifier(), index=index, locks=locks)
            assert [report.rows[0].result.name for report in checked.reports][2] != "UNKNOWN"
        assert both.public.count("page", path="/simple/demo/") > 0
        assert both.leaked == []


# --- what is said of the same project elsewhere (PEP 708)


def said_of(page: dict[str, object]) -> tuple[object, object]:
    meta = page["meta"]
    assert isinstance(meta, dict)
    return meta.get("tracks"), page.get("alternate-locations")


async def test_a_page_tracks_the_project_it_extends_and_an_owned_one_none(tmp_path: Path) -> None:
    async with two(tmp_path) as both:
        both.public.add_wheel("demo", "1.0")
        both.owner.add_wheel("other", "1.0")
        both.owner.add_wheel("acme-tools", "1.0")
        said: dict[str, Any] = {"alternate-locations": ["http://elsewhere.example/simple/acme-tools/"]}
        both.owner.add_project("acme-tools", **said)

        assert said_of(await both.proxy.page("demo")) == ([f"{both.public.url}demo/"], None)
        assert said_of(await both.proxy.page("other")) == ([f"{both.owner.url}other/"], None)
        assert said_of(await both.proxy.page("acme-tools")) == (None, None)
        html = (await both.proxy.get("/simple/demo/", Accept=HTML))[1].decode()
        assert f'<meta name="pypi:tracks" content="{both.public.url}demo/">' in html
        assert "pypi:tracks" not in (await both.proxy.get("/simple/acme-tools/", Accept=HTML))[1].decode()


async def test_what_upstream_says_itself_is_passed_on(tmp_path: Path) -> None:
    owner_of_the_name = "http://main.example/simple/demo/"
    elsewhere = "http://elsewhere.example/simple/demo/"
    async with two(tmp_path) as both:
        both.public.add_wheel("demo", "1.0")
        said: dict[str, Any] = {"alternate-locations": [elsewhere]}
        both.public.add_project("demo", meta={"api-version": "1.4", "tracks": [owner_of_the_name]}, **said)

        # whoever tracks names who owns the name, and a place of the project is wherever it was read
        assert said_of(await both.proxy.page("demo")) == ([owner_of_the_name], [elsewhere, f"{both.public.url}demo/"])


async def test_no_credentials_stand_on_a_page(tmp_path: Path) -> None:
    async with SimIndex(credentials="user:secret") as index:
        index.add_wheel("demo", "1.0")
        url = index.url.replace("://", "://user:secret@")
        config = f'[server]\nlisten = "127.0.0.1:0"\n[storage]\npath = "{{data}}"\n[upstreams.pypi]\nurl = "{url}"\n'
        async with inbond(tmp_path, index, config=config) as proxy:
            assert said_of(await proxy.page("demo"))[0] == [f"{index.url}demo/"]


async def test_a_page_is_the_same_bytes_whenever_it_is_made(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        bodies = set()
        for _ in range(2):
            async with inbond(tmp_path, index) as proxy:
                for form in (JSON, HTML):
                    _, body, answer = await proxy.get("/simple/demo/", Accept=form)
                    bodies.add((form, body, answer.headers["ETag"]))
        assert len(bodies) == 2
