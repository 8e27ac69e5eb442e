"""That nobody carried a project over does not say that nobody owns its name: others hear of it only where they do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from inbond.gateway.indexes import Index, Ownership, not_found
from inbond.model.names import ProjectName
from inbond.policy.settings import PolicySettings, ProjectPattern
from mirror.importing import Cargo, fed, taken_over
from sim.index import SimFile, SimIndex
from stack import JSON, Inbond

TWO = """
[server]
listen = "127.0.0.1:0"
[storage]
path = "{{data}}"
[upstreams.pypi]
url = "imports"
{imports}
[upstreams.net]
url = "{{upstream}}"
{net}
[indexes.root]
policy = "default"
upstreams = ["pypi", "net"]
"""


def index_of(*upstreams: str, **projects: str) -> Index:
    owned = (
        Ownership(upstream=name, projects=tuple(ProjectPattern.parse(text) for text in texts.split()))
        for name, texts in projects.items()
    )
    return Index(
        name="root", policy=PolicySettings(), policy_digest="", upstreams=upstreams, ownership=tuple(owned)
    )  # fmt: skip


ACME, OTHER, NET, FAR = "acme", "other", "net", "far"


@pytest.mark.parametrize(
    ("index", "fed_ones", "sought"),
    [
        (index_of(ACME, NET), (), (ACME, NET)),
        (index_of(ACME, NET), (NET,), (ACME, NET)),  # the last: whoever has a network said that it has it not
        (index_of(ACME, NET), (ACME,), (ACME,)),
        (index_of(ACME, NET, acme="acme-*"), (ACME,), (ACME, NET)),  # it says which are its own
        (index_of(ACME, NET, acme="demo"), (ACME,), (ACME,)),
        (index_of(ACME, NET, net="demo"), (ACME,), (NET,)),
        (index_of(ACME, NET, net="net-*"), (ACME,), (ACME,)),
        (index_of(ACME, NET, acme="demo", net="demo"), (ACME,), (ACME, NET)),
        (index_of(ACME, OTHER), (ACME, OTHER), (ACME, OTHER)),
        (index_of(ACME, OTHER, NET), (ACME, OTHER), (ACME, OTHER)),
        (index_of(ACME, OTHER, NET, other="other-*"), (ACME, OTHER), (ACME, OTHER)),
        (index_of(ACME, OTHER, NET, acme="acme-*", other="other-*"), (ACME, OTHER), (ACME, OTHER, NET)),
        (index_of(ACME, NET, OTHER), (ACME, OTHER), (ACME,)),  # the network's would come first, and is not asked
        (index_of(FAR, ACME, NET), (ACME,), (FAR, ACME)),
    ],
)
def test_where_a_project_is_looked_for(index: Index, fed_ones: Collection[str], sought: tuple[str, ...]) -> None:
    assert index.sought_at(ProjectName("demo"), fed_ones) == sought


def test_why_it_is_not_found_names_whoever_is_not_asked_and_what_to_do() -> None:
    demo = ProjectName("demo")
    plain = not_found((), index_of(ACME, NET), demo)
    assert "half a minute" in str(plain.remedy)
    alone = not_found((ACME,), index_of(ACME), demo)
    assert "has a project demo: it is not among what was imported for upstream acme" in alone.message
    assert "add it to what is synced" in str(alone.remedy)
    stopped = not_found((ACME,), index_of(ACME, NET), demo)
    assert "for upstream acme, and upstream net is not asked" in stopped.message
    assert "[upstreams.net] projects" in str(stopped.remedy)


@dataclass(frozen=True)
class Beside:
    """inbond with an upstream fed by imports before one that it asks, on which strangers publish."""

    inbond: Inbond
    net: SimIndex
    evil: SimFile

    @property
    def heard(self) -> list[str]:
        """What the network's index was asked for by name."""
        return [seen.path for seen in self.net.requests if "secret" in seen.path]


@asynccontextmanager
async def beside(place: Path, *, imports: str = "", net: str = "", listed: str = "demo") -> AsyncIterator[Beside]:
    async with SimIndex() as own, SimIndex() as public:
        own.add_wheel("demo", "1.0")
        evil = public.add_wheel("secret", "99.0", module="evil = True")
        await taken_over(place / "here", own, place / "far", Cargo(projects=[listed]))
        async with fed(place / "far", public, config=TWO.format(imports=imports, net=net)) as running:
            yield Beside(running, public, evil)


async def test_a_name_that_was_not_carried_over_is_not_had_from_strangers(tmp_path: Path) -> None:
    async with beside(tmp_path) as both:
        status, body, _ = await both.inbond.get("/simple/secret/")
        said = json.loads(body)["detail"]
        assert (status, "not among what was imported for upstream pypi, and upstream net is not asked" in said) == (
            404,
            True,
        )
        for path in (f"/{both.evil.path}", both.evil.path, f"/-/verdict/root/secret/{both.evil.filename}"):
            assert (await both.inbond.get(path))[0] == 404
        status, body, _ = await both.inbond.get("/simple/", Accept=JSON)
        assert json.loads(body)["projects"] == [{"name": "demo"}]  # what cannot be had is not listed
        assert both.heard == []


@pytest.mark.parametrize("how", [{"net": 'projects = ["secret"]'}, {"imports": 'projects = ["demo", "acme-*"]'}])
async def test_ownership_lets_a_name_be_looked_for_elsewhere(tmp_path: Path, how: dict[str, str]) -> None:
    async with beside(tmp_path, **how) as both:
        assert [file["filename"] for file in (await both.inbond.page("secret"))["files"]] == [both.evil.filename]
        assert [file["filename"] for file in (await both.inbond.page("demo"))["files"]] == ["demo-1.0-py3-none-any.whl"]
        _, body, _ = await both.inbond.get("/simple/", Accept=JSON)
        assert {one["name"] for one in json.loads(body)["projects"]} == {"demo", "secret"}
