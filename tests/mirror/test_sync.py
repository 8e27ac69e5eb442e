"""`inbond sync`: what is fetched of locks and requirements, what is told of the rest, and what a second run asks."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from check.support import EVIL, OLD, signed_by, young
from inbond.mirror.outcomes import State
from inbond.mirror.settings import Wheels
from inbond.model.events import unobserved
from inbond.store.ledger import open_ledger
from mirror.syncing import Connected, hashed
from sim.index import Cut, SimIndex, Status, WrongBytes


async def test_a_lock_is_fetched_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        sdist = index.add_sdist("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        index.add_wheel("demo", "2.0", upload_time=OLD)
        outcome = await here.sync(here.lock([hashed("demo", "1.0", wheel, sdist)]))
        assert outcome.state is State.FETCHED
        assert here.filenames() == sorted([wheel.filename, sdist.filename])
        assert {file.sha256: file.size for file in here.record().files} == {
            one.sha256: one.size for one in (wheel, sdist)
        }
        assert index.count("file") == 2
        assert index.count(path=wheel.metadata_path) == 1
        assert index.count("provenance") == 2
        assert outcome.fetched == wheel.size + sdist.size


async def test_a_second_run_asks_for_pages_alone(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        files = [index.add_wheel(f"demo{n}", "1.0", provenance=signed_by(), upload_time=OLD) for n in range(3)]
        lock = here.lock([hashed(f"demo{n}", "1.0", file) for n, file in enumerate(files)])
        first = await here.sync(lock)
        index.forget_requests()
        here.clock.advance(timedelta(hours=1))  # pages have to be asked for again
        second = await here.sync(lock)
        assert Counter(seen.kind for seen in index.requests) == {"page": 3}
        assert second.state is State.KEPT
        assert second.fetched == 0
        assert second.synced.files == first.synced.files
        assert second.synced.at > first.synced.at


async def test_what_is_denied_held_or_gone_does_not_stop_the_rest(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        good = index.add_wheel("good", "1.0", upload_time=OLD)
        forged = index.add_wheel("forged", "1.0", provenance=signed_by(EVIL, sct="badsig"), upload_time=OLD)
        fresh = index.add_wheel("fresh", "1.0", upload_time=young())
        broken = index.add_wheel("broken", "1.0", upload_time=OLD)
        index.fault(broken.path, Status(503))
        lock = here.lock(
            [hashed(file.project, "1.0", file) for file in (good, forged, fresh, broken)] + ["absent==1.0"]
        )
        outcome = await here.sync(lock)
        states = {str(entry.project): entry.state for entry in outcome.entries}
        assert states == {
            "good": State.FETCHED,
            "forged": State.DENIED,
            "fresh": State.HELD,
            "broken": State.MISSING,
            "absent": State.MISSING,
        }
        assert all(entry.troubles for entry in outcome.entries if entry.project != "good")
        assert outcome.recorded
        assert here.filenames() == [good.filename]
        assert index.count(path=forged.path) == index.count(path=fresh.path) == 0


async def test_only_what_fits_is_judged_and_fetched(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        tags = ("cp311-cp311-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-win_amd64")
        wheels = [index.add_wheel("demo", "1.0", tag=tag, provenance=signed_by(), upload_time=OLD) for tag in tags]
        index.add_sdist("demo", "1.0", upload_time=OLD)
        only_windows = index.add_wheel("winonly", "1.0", tag="cp312-cp312-win_amd64", upload_time=OLD)
        lock = here.lock(["demo==1.0", hashed("winonly", "1.0", only_windows)])
        wanted = Wheels(pythons=("3.12",), platforms=("linux-x86_64",), wheels_only=True)
        outcome = await here.sync(lock, wheels=wanted)
        assert here.filenames() == [wheels[1].filename]
        assert {entry.project: entry.state for entry in outcome.entries} == {
            "demo": State.FETCHED,
            "winonly": State.UNFIT,
        }
        assert index.count("provenance") == 1
        assert outcome.state is State.UNFIT


async def test_requirements_are_resolved_as_the_policy_allows(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        index.add_wheel("app", "1.0", requires=["lib>=1", "extra ; sys_platform == 'win32'"], upload_time=OLD)
        index.add_wheel("lib", "1.0", upload_time=OLD)
        index.add_wheel("lib", "2.0", upload_time=young())  # in its cooldown
        index.add_wheel("extra", "1.0", upload_time=OLD)
        wheels = Wheels(pythons=("3.11", "3.12"), platforms=("linux-x86_64", "windows-x86_64"))
        outcome = await here.sync("app", wheels=wheels)
        assert outcome.state is State.FETCHED, outcome
        assert here.filenames() == [f"{name}-1.0-py3-none-any.whl" for name in ("app", "extra", "lib")]


async def test_a_transfer_that_breaks_off_is_begun_again(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", size=300_000, upload_time=OLD)
        index.fault(wheel.path, Cut(after=100_000), times=2)
        outcome = await here.sync(here.lock([hashed("demo", "1.0", wheel)]))
        assert outcome.state is State.FETCHED
        assert index.count(path=wheel.path) == 3


async def test_a_transfer_that_goes_on_breaking_off_is_missing_and_other_bytes_are_denied(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        cut = index.add_wheel("cut", "1.0", size=600_000, upload_time=OLD)
        wrong = index.add_wheel("wrong", "1.0", upload_time=OLD)
        index.fault(cut.path, Cut(after=100_000))
        index.fault(wrong.path, WrongBytes())
        outcome = await here.sync(here.lock([hashed(one.project, "1.0", one) for one in (cut, wrong)]))
        by_name = {str(entry.project): entry.files[0] for entry in outcome.entries}
        assert by_name["cut"].state is State.MISSING
        assert by_name["wrong"].state is State.DENIED
        assert "sha256" in str(by_name["wrong"].trouble)
        assert not outcome.recorded  # nothing is here
        assert here.book.names() == ()


LOCKS = {
    "uv.lock": """version = 1
revision = 3
requires-python = ">=3.11"
[[package]]
name = "demo"
version = "1.0"
source = {{ registry = "{index}" }}
sdist = {{ url = "{sdist.url}", hash = "sha256:{sdist.sha256}", size = {sdist.size} }}
wheels = [{{ url = "{wheel.url}", hash = "sha256:{wheel.sha256}", size = {wheel.size} }}]
[[package]]
name = "own"
version = "0.1"
source = {{ virtual = "." }}
""",
    "pylock.toml": """lock-version = "1.0"
created-by = "by hand"
[[packages]]
name = "demo"
version = "1.0"
sdist = {{ name = "{sdist.filename}", url = "{sdist.url}", hashes = {{ sha256 = "{sdist.sha256}" }} }}
wheels = [{{ name = "{wheel.filename}", url = "{wheel.url}", hashes = {{ sha256 = "{wheel.sha256}" }} }}]
""",
    "poetry.lock": """# This file is automatically @generated by Poetry 2.1.0 and should not be changed by hand.
[[package]]
name = "demo"
version = "1.0"
optional = false
python-versions = ">=3.8"
groups = ["main"]
files = [
    {{file = "{wheel.filename}", hash = "sha256:{wheel.sha256}"}},
    {{file = "{sdist.filename}", hash = "sha256:{sdist.sha256}"}},
]
[metadata]
lock-version = "2.1"
python-versions = ">=3.11"
content-hash = "{sdist.sha256}"
""",
    "pdm.lock": """[metadata]
groups = ["default"]
strategy = []
lock_version = "4.5.0"
content_hash = "sha256:{sdist.sha256}"
[[package]]
name = "demo"
version = "1.0"
files = [
    {{file = "{wheel.filename}", hash = "sha256:{wheel.sha256}"}},
    {{file = "{sdist.filename}", hash = "sha256:{sdist.sha256}"}},
]
""",
    "Pipfile.lock": """{{"_meta": {{"hash": {{"sha256": "{sdist.sha256}"}}, "pipfile-spec": 6,
"requires": {{}}, "sources": []}},
"default": {{"demo": {{"hashes": ["sha256:{wheel.sha256}", "sha256:{sdist.sha256}"], "version": "==1.0"}}}},
"develop": {{}}}}""",
    "requirements.txt": "demo==1.0 --hash=sha256:{wheel.sha256} --hash=sha256:{sdist.sha256}\n",
}


@pytest.mark.parametrize("name", LOCKS)
async def test_locks_of_every_format_bring_the_files_that_they_name(tmp_path: Path, name: str) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        sdist = index.add_sdist("demo", "1.0", upload_time=OLD)
        other = index.add_wheel("demo", "1.0", tag="cp312-cp312-win_amd64", upload_time=OLD)  # added after locking
        (tmp_path / name).write_text(LOCKS[name].format(index=index.url, wheel=wheel, sdist=sdist))
        outcome = await here.sync(str(tmp_path / name))
        assert outcome.state is State.FETCHED, outcome.entries
        assert here.filenames() == sorted([wheel.filename, sdist.filename])
        assert index.count(path=other.path) == 0


async def test_several_locks_make_one_record_and_what_they_share_is_told_once(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        sdist = index.add_sdist("demo", "1.0", upload_time=OLD)
        one = here.lock([hashed("demo", "1.0", wheel), "winonly==1.0"], "one.txt")
        other = here.lock([hashed("demo", "1.0", wheel, sdist)], "other.txt")
        outcome = await here.sync(one, other)
        assert [(str(entry.project), len(entry.files)) for entry in outcome.entries] == [("demo", 2), ("winonly", 0)]
        assert here.filenames() == sorted([wheel.filename, sdist.filename])


async def test_an_sdist_that_the_policy_takes_none_of_is_no_trouble_beside_a_wheel(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index, more='[policies.default]\nsdists = "deny"\n')
        wheel = index.add_wheel("both", "1.0", upload_time=OLD)
        index.add_sdist("both", "1.0", upload_time=OLD)
        index.add_sdist("alone", "1.0", upload_time=OLD)
        outcome = await here.sync(here.lock(["both==1.0", "alone==1.0"]))
        states = {str(entry.project): entry.counts for entry in outcome.entries}
        assert states == {"both": {State.FETCHED: 1, State.LEFT_OUT: 1}, "alone": {State.DENIED: 1}}
        assert here.filenames() == [wheel.filename]


async def test_other_bytes_than_the_lock_says_are_denied_and_what_is_gone_is_missing(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        old = index.add_wheel("old", "1.0", upload_time=OLD)
        index.remove(old)
        text = LOCKS["poetry.lock"].format(wheel=wheel, sdist=wheel).replace(wheel.sha256, "0" * 64)
        (tmp_path / "poetry.lock").write_text(text)
        outcome = await here.sync(str(tmp_path / "poetry.lock"), here.lock([hashed("old", "1.0", old)]))
        assert {str(entry.project): entry.state for entry in outcome.entries} == {
            "demo": State.DENIED,
            "old": State.MISSING,
        }
        assert index.count("file") == 0
        assert not outcome.recorded


async def test_a_file_without_a_digest_is_fetched_where_the_policy_takes_the_first(tmp_path: Path) -> None:
    async with SimIndex(hashes=False) as index:
        here = Connected(tmp_path, index, more='[policies.default]\nhashes = "allow"\n')
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        outcome = await here.sync(here.lock(["demo==1.0"]))
        assert outcome.state is State.FETCHED
        assert [(file.filename, file.sha256, file.size) for file in here.record().files] == [
            (wheel.filename, wheel.sha256, wheel.size)
        ]


async def test_core_metadata_that_cannot_be_had_is_told_and_the_file_is_here(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        index.fault(wheel.metadata_path, Status(404))
        outcome = await here.sync(here.lock([hashed("demo", "1.0", wheel)]))
        ((file, trouble),) = outcome.entries[0].troubles
        assert file is not None
        assert file.state is State.FETCHED
        assert trouble.reason.startswith("without its core metadata")


async def test_nobody_is_told_that_anybody_was_served(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", requires=["lib"], upload_time=OLD)
        index.add_wheel("lib", "1.0", upload_time=OLD)
        fresh = index.add_wheel("fresh", "1.0", upload_time=young())
        await here.sync(here.lock([hashed("demo", "1.0", wheel), hashed("fresh", "1.0", fresh)]), "demo")
        ledger = await asyncio.to_thread(open_ledger, here.config.storage.ledger, observer=unobserved)
        try:
            assert await ledger.asked(since=OLD) == ()
        finally:
            await ledger.aclose()


async def test_what_one_lock_has_no_use_for_another_may_have(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        windows = index.add_wheel("demo", "1.0", tag="cp312-cp312-win_amd64", upload_time=OLD)
        linux = index.add_wheel("demo", "1.0", tag="cp312-cp312-manylinux_2_17_x86_64", upload_time=OLD)
        locks = [
            here.lock([hashed("demo", "1.0", file)], f"{number}.txt") for number, file in enumerate((windows, linux))
        ]
        for order in (locks, locks[::-1]):
            outcome = await here.sync(*order, wheels=Wheels(platforms=("linux-x86_64",)))
            (entry,) = outcome.entries
            assert entry.state.is_here
            assert entry.trouble is None
        assert here.filenames() == [linux.filename]
