"""Requirements without a version: resolved by a real uv against the index itself, or the newest of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from check.support import EVIL, OLD, signed_by, young
from inbond.cli.sync_wanted import How
from inbond.mirror.outcomes import State
from inbond.mirror.resolving import find_uv
from inbond.mirror.settings import Wheels
from inbond.model.errors import OperatorFault
from mirror.syncing import Connected, hashed
from sim.index import SimIndex, Status
from tools import tool

LAZY = '[policies.default]\nlisting = "lazy"\n'
FILES = "{name}-{version}-py3-none-any.whl"


def wheel(name: str, version: str) -> str:
    return FILES.format(name=name, version=version)


async def test_what_turns_out_to_be_denied_is_passed_over_in_the_next_round(tmp_path: Path) -> None:
    """Under `lazy` a page lists what nobody has verified yet, so that uv takes it at first."""
    async with SimIndex() as index:
        here = Connected(tmp_path, index, more=LAZY)
        index.add_wheel("app", "1.0", requires=["lib"], upload_time=OLD)
        index.add_wheel("lib", "1.0", upload_time=OLD)
        forged = [
            index.add_wheel("lib", version, provenance=signed_by(EVIL, sct="badsig"), upload_time=OLD)
            for version in ("2.0", "2.1", "2.2")
        ]
        outcome = await here.sync("app")
        assert outcome.state is State.FETCHED
        assert here.filenames() == [wheel("app", "1.0"), wheel("lib", "1.0")]
        assert all(index.count(path=file.path) == 0 for file in forged)


async def test_what_has_no_solution_is_told_with_the_reasons_of_the_policy_and_stops_nothing_else(
    tmp_path: Path,
) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        good = index.add_wheel("good", "1.0", upload_time=OLD)
        index.add_wheel("app", "1.0", requires=["lib"], upload_time=OLD)
        index.add_wheel("lib", "1.0", upload_time=young())
        outcome = await here.sync(here.lock([hashed("good", "1.0", good)]), "app")
        assert outcome.state is State.MISSING
        (unresolved,) = outcome.unresolved
        assert "cooldown" in unresolved.said, unresolved.said
        assert unresolved.place == "this Python on this platform"
        assert here.filenames() == [good.filename]


async def test_pinned_requirements_that_are_typed_bring_what_they_need(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        index.add_wheel("app", "1.0", requires=["lib"], upload_time=OLD)
        index.add_wheel("app", "2.0", upload_time=OLD)
        index.add_wheel("lib", "1.0", upload_time=OLD)
        await here.sync("app==1.0", name="typed")
        await here.sync("app==1.0", name="alone", dependencies=False)
        await here.sync(here.lock(["app==1.0"]), name="locked")
        assert here.filenames("typed") == [wheel("app", "1.0"), wheel("lib", "1.0")]
        assert here.filenames("alone") == here.filenames("locked") == [wheel("app", "1.0")]


async def test_what_is_pinned_in_a_requirements_file_holds_for_what_is_not(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        index.add_wheel("app", "1.0", requires=["lib"], extras=["more"], upload_time=OLD)
        for version in ("1.0", "2.0"):
            index.add_wheel("lib", version, upload_time=OLD)
        outcome = await here.sync(here.lock(["app[more]>=1 ; python_version >= '3.8'", "lib==1.0"]))
        assert outcome.state is State.FETCHED
        assert here.filenames() == [wheel("app", "1.0"), wheel("lib", "1.0")]


async def test_no_code_of_a_source_distribution_is_run_unless_it_is_allowed(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        index.add_sdist("app", "1.0", requires=["lib"], upload_time=OLD)
        index.add_wheel("lib", "1.0", upload_time=OLD)
        refused = await here.sync("app", name="refused")
        assert refused.unresolved
        assert "build" in refused.unresolved[0].said.lower()
        done = await here.done("app", how=How(uv=tool("uv"), builds=True))
        assert done.outcome.state is State.FETCHED, done.outcome.unresolved
        assert here.filenames() == ["app-1.0.tar.gz", wheel("lib", "1.0")]


async def test_uv_sees_nothing_of_its_users_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        index.add_wheel("app", "1.0", upload_time=OLD)
        assert (await here.sync("app")).state is State.FETCHED


async def test_without_uv_there_is_an_error_that_names_it_and_locks_need_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperatorFault, match="uv is not on PATH") as caught:
        find_uv(None)
    assert "--uv" in str(caught.value.remedy)
    with pytest.raises(OperatorFault, match="no program"):
        find_uv(str(tmp_path / "absent"))
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        file = index.add_wheel("app", "1.0", upload_time=OLD)
        lock = here.lock([hashed("app", "1.0", file)])
        assert (await here.done(lock, how=How())).outcome.state is State.FETCHED


async def test_the_newest_releases_that_the_policy_lets_through(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        for version in ("1.0", "1.1", "1.2", "1.3"):
            index.add_wheel("demo", version, upload_time=OLD)
        index.add_wheel("demo", "1.4", upload_time=OLD, requires_python=">=3.14")
        index.add_wheel("demo", "2.0", upload_time=young())
        index.add_wheel("demo", "2.1rc1", upload_time=OLD)
        outcome = await here.sync(
            "demo", dependencies=False, newest=2, wheels=Wheels(pythons=("3.11", "3.12")), name="two"
        )
        assert here.filenames("two") == [wheel("demo", "1.2"), wheel("demo", "1.3")]
        assert [note for entry in outcome.entries for note in entry.notes if "2.0" in note]
        assert outcome.state is State.FETCHED  # what is passed over is no trouble
        await here.sync("demo<1.2", dependencies=False, newest=5, name="below")
        assert here.filenames("below") == [wheel("demo", "1.0"), wheel("demo", "1.1")]
        await here.sync("demo", dependencies=False, name="any")
        assert here.filenames("any") == [wheel("demo", "1.4")]


async def test_of_a_project_that_may_not_be_had_at_all_the_newest_is_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        index.add_wheel("fresh", "1.0", upload_time=young(2))
        index.add_wheel("fresh", "2.0", upload_time=young(1))
        index.fault(index.page_path("down"), Status(503))
        outcome = await here.sync("fresh", "absent", "down", "fresh>9", dependencies=False)
        told = [(str(entry.project), entry.version, entry.state) for entry in outcome.entries]
        assert told == [
            ("absent", None, State.MISSING),
            ("down", None, State.MISSING),
            ("fresh", None, State.MISSING),
            ("fresh", "2.0", State.HELD),
        ]


async def test_what_uv_read_whole_on_its_way_counts_as_fetched(tmp_path: Path) -> None:
    """Where an index has no core metadata beside its files, uv reads them out of wheels."""
    async with SimIndex(metadata=False) as index:
        here = Connected(tmp_path, index)
        app = index.add_wheel("app", "1.0", upload_time=OLD)
        first = await here.sync("app")
        assert first.state is State.FETCHED
        assert first.fetched == app.size
        assert (await here.sync("app")).fetched == 0


LAX = """
[policies.lax]
min_age = "0"
[indexes.root]
policy = "default"
upstreams = ["pypi"]
[indexes.lax]
policy = "lax"
upstreams = ["pypi"]
"""


async def test_the_index_that_is_named_decides_and_is_the_one_that_uv_asks(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index, more=LAX)
        index.add_wheel("app", "1.0", requires=["lib"], upload_time=OLD)
        index.add_wheel("lib", "1.0", upload_time=OLD)
        index.add_wheel("lib", "2.0", upload_time=young())
        outcome = await here.sync("app", index="lax")
        assert (outcome.synced.index, outcome.policy) == ("lax", "lax")
        assert here.filenames() == [wheel("app", "1.0"), wheel("lib", "2.0")]
        await here.sync("app", name="root")
        assert here.filenames("root") == [wheel("app", "1.0"), wheel("lib", "1.0")]


async def test_a_requirement_that_no_platform_needs_is_named_and_leaves_no_empty_record(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        index.add_wheel("app", "1.0", upload_time=OLD)
        nowhere = "app ; sys_platform == 'nowhere'"
        outcome = await here.sync(nowhere)
        assert not outcome.recorded
        assert here.book.names() == ()
        said = 'app ; sys_platform == "nowhere" names nothing for the Pythons and platforms asked for'
        assert outcome.warnings == (said,)
        both = await here.sync(nowhere, "app")
        assert both.recorded
        assert both.warnings == ()
