"""What changed in trust between two locks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from check.support import ACME, EVIL, OLD, check, dependency, lock, locked, signed_by, young
from inbond.check.compare import GRAVE, Change
from inbond.locks.lock import FromDirectory, FromIndex, FromUrl, Lock, LockedFile
from sim.index import SimIndex, Status
from stack import SetClock

NO_COOLDOWN = '[policies.default]\nmin_age = "0"\n'


async def changes(
    place: Path, index: SimIndex, old: Lock, new: Lock, more: str = NO_COOLDOWN
) -> dict[tuple[str, Change], str]:
    found = (await check(place, index, new, older=old, more=more)).changes
    return {(str(change.project), change.change): change.message for change in found}


async def test_the_same_lock_changes_nothing(tmp_path: Path) -> None:
    async with SimIndex() as index:
        one = lock(dependency("demo", "1.0", locked(index.add_wheel("demo", "1.0", provenance=signed_by()))))
        assert await changes(tmp_path, index, one, one) == {}


async def test_new_and_removed_projects(tmp_path: Path) -> None:
    async with SimIndex() as index:
        old = lock(dependency("gone", "1.0", locked(index.add_wheel("gone", "1.0", upload_time=OLD))))
        new = lock(dependency("come", "2.0", locked(index.add_wheel("come", "2.0", upload_time=OLD))))
        found = await changes(tmp_path, index, old, new)
    assert found == {("come", Change.NEW): "2.0, not attested", ("gone", Change.REMOVED): "was 1.0"}


async def test_an_upgrade_by_the_same_publisher_is_not_grave(tmp_path: Path) -> None:
    async with SimIndex() as index:
        first = index.add_wheel("demo", "1.0", provenance=signed_by(ACME), upload_time=OLD)
        second = index.add_wheel("demo", "1.10", provenance=signed_by(ACME), upload_time=OLD)
        up = await changes(tmp_path, index, lock(dependency("demo", "1.0", locked(first))),
                           lock(dependency("demo", "1.10", locked(second))))  # fmt: skip
        down = await changes(tmp_path, index, lock(dependency("demo", "1.10", locked(second))),
                             lock(dependency("demo", "1.0", locked(first))))  # fmt: skip
    assert up == {("demo", Change.UPGRADED): "1.0 -> 1.10"}
    assert down == {("demo", Change.DOWNGRADED): "1.10 -> 1.0"}
    assert Change.UPGRADED not in GRAVE
    assert Change.DOWNGRADED in GRAVE


async def test_another_publisher_is_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        first = index.add_wheel("demo", "1.0", provenance=signed_by(ACME), upload_time=OLD)
        second = index.add_wheel("demo", "2.0", provenance=signed_by(EVIL), upload_time=OLD)
        found = await changes(tmp_path, index, lock(dependency("demo", "1.0", locked(first))),
                              lock(dependency("demo", "2.0", locked(second))))  # fmt: skip
    told = found["demo", Change.PUBLISHER]
    assert told == "was github:acme/widgets@release.yml, is now github:evil/widgets@release.yml"


async def test_attestations_lost_partly_lost_and_gained(tmp_path: Path) -> None:
    async with SimIndex() as index:
        signed = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        half = [
            index.add_wheel("demo", "2.0", provenance=signed_by(), upload_time=OLD),
            index.add_sdist("demo", "2.0", upload_time=OLD),
        ]
        bare = index.add_wheel("demo", "3.0", upload_time=OLD)
        full, partial, none = (
            lock(dependency("demo", version, locked(*files)))
            for version, files in (("1.0", [signed]), ("2.0", half), ("3.0", [bare]))
        )
        partly = await changes(tmp_path, index, full, partial)
        lost = await changes(tmp_path, index, full, none)
        gained = await changes(tmp_path, index, none, full)
    assert partly["demo", Change.PARTLY_LOST] == "1 of 1 files were verified, now 1 of 2"
    assert "3.0 is not" in lost["demo", Change.LOST]
    assert gained["demo", Change.GAINED] == "signed by github:acme/widgets@release.yml"


async def test_what_could_not_be_had_is_not_lost(tmp_path: Path) -> None:
    async with SimIndex() as index:
        first = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        second = index.add_wheel("demo", "2.0", provenance=signed_by(), upload_time=OLD)
        index.fault(second.provenance_path, Status(503))
        found = await changes(tmp_path, index, lock(dependency("demo", "1.0", locked(first))),
                              lock(dependency("demo", "2.0", locked(second))))  # fmt: skip
    assert set(found) == {("demo", Change.UPGRADED)}


async def test_a_release_younger_than_the_projects_own_cooldown_is_told(tmp_path: Path) -> None:
    more = '[policies.default]\nmin_age = "0"\n[[policies.default.rules]]\nprojects = ["demo"]\nmin_age = "7d"\n'
    async with SimIndex() as index:
        wheels = {
            name: (index.add_wheel(name, "1.0", upload_time=OLD), index.add_wheel(name, "2.0", upload_time=young(50)))
            for name in ("demo", "other")
        }
        old = lock(*(dependency(name, "1.0", locked(first)) for name, (first, _) in wheels.items()))
        new = lock(*(dependency(name, "2.0", locked(second)) for name, (_, second) in wheels.items()))
        found = await changes(tmp_path, index, old, new, more)
    assert found["demo", Change.YOUNG] == "2.0 is 2 days old, younger than 7d"
    assert ("other", Change.YOUNG) not in found


async def test_several_entries_of_one_project_count_together(tmp_path: Path) -> None:
    async with SimIndex() as index:
        first = index.add_wheel("demo", "1.0", upload_time=OLD)
        second = index.add_wheel("demo", "2.0", upload_time=OLD)
        both = lock(dependency("demo", "1.0", locked(first)), dependency("demo", "2.0", locked(second)))
        found = await changes(tmp_path, index, lock(dependency("demo", "1.0", locked(first))), both)
    assert found == {("demo", Change.UPGRADED): "1.0 -> 1.0, 2.0"}


async def test_a_project_that_comes_from_somewhere_else_is_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        old = lock(dependency("demo", "1.0", locked(wheel)))
        moved = {
            "a directory": lock(dependency("demo", "1.0", source=FromDirectory("vendor/demo", own=True))),
            "https://other.example/simple": lock(
                dependency("demo", "1.0", locked(wheel), source=FromIndex("https://other.example/simple"))
            ),
            "a URL at https://evil.example": lock(
                dependency("demo", "1.0", locked(wheel), source=FromUrl("https://evil.example/demo.whl"))
            ),
        }
        for said, new in moved.items():
            found = await changes(tmp_path, index, old, new)
            assert found["demo", Change.SOURCE] == f"came from the index, comes from {said}"
        same = lock(dependency("demo", "1.0", locked(wheel), source=FromIndex(index.url)))
        assert await changes(tmp_path, index, old, same) == {}
    assert Change.SOURCE in GRAVE


async def test_the_order_of_entries_changes_nothing(tmp_path: Path) -> None:
    async with SimIndex() as index:
        files = {version: index.add_wheel("demo", version, upload_time=OLD) for version in ("0.5", "1.0", "2.0", "3.0")}

        def of(*versions: str) -> Lock:
            return lock(*(dependency("demo", version, locked(files[version])) for version in versions))

        assert await changes(tmp_path, index, of("1.0", "2.0"), of("2.0", "1.0")) == {}
        down = await changes(tmp_path, index, of("1.0", "3.0"), of("3.0", "0.5"))
        fewer = await changes(tmp_path, index, of("1.0", "3.0"), of("3.0"))
    assert down == {("demo", Change.DOWNGRADED): "1.0, 3.0 -> 0.5, 3.0"}
    assert set(fewer) == {("demo", Change.DOWNGRADED)} or set(fewer) == {("demo", Change.UPGRADED)}


async def test_a_smaller_share_of_verified_files_is_a_loss(tmp_path: Path) -> None:
    async with SimIndex() as index:

        def wheels(version: str, signed: int) -> tuple[LockedFile, ...]:
            made = []
            for number, tag in enumerate(("py3-none-any", "py310-none-any", "py311-none-any")):
                provenance = signed_by() if number < signed else None
                made.append(index.add_wheel("demo", version, tag=tag, upload_time=OLD, provenance=provenance))
            return locked(*made)

        old, new = (lock(dependency("demo", v, wheels(v, signed))) for v, signed in (("1.0", 2), ("2.0", 1)))
        found = await changes(tmp_path, index, old, new)
    assert found["demo", Change.PARTLY_LOST] == "2 of 3 files were verified, now 1 of 3"


async def test_the_gravest_comes_first(tmp_path: Path) -> None:
    clock = SetClock()
    clock.advance(timedelta(days=30))
    async with SimIndex() as index:
        first = index.add_wheel("z", "1.0", provenance=signed_by(ACME), upload_time=OLD)
        second = index.add_wheel("z", "2.0", provenance=signed_by(EVIL), upload_time=OLD)
        new = index.add_wheel("a", "1.0", upload_time=OLD)
        old = lock(dependency("z", "1.0", locked(first)))
        newer = lock(dependency("a", "1.0", locked(new)), dependency("z", "2.0", locked(second)))
        found = (await check(tmp_path, index, newer, older=old, clock=clock)).changes
    assert [change.change for change in found] == [Change.PUBLISHER, Change.NEW, Change.UPGRADED]
