"""A tree of plain files: what is in it, what is left out, and how it changes while it is served."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from archive.building import WHEEL, files_of, member
from archive.building import wheel as built
from check.support import OLD, signed_by, young
from inbond.bundles.keys import SigningKey
from inbond.mirror.adopting import Adopter, candidates_below
from inbond.mirror.static_disk import TreeWriter, writing
from inbond.mirror.static_pages import TreePage
from inbond.mirror.static_tree import Left
from inbond.model.errors import ConfigurationError, OperatorFault, StoreUnavailable
from inbond.store.taking_over import BlobTaker, How
from mirror.static_support import fetched, json_page, paths, problems, record, served, tree, written
from sim.index import SimIndex, Status
from stack import ONE_INDEX, SetClock, inbond


async def test_a_tree_holds_files_metadata_provenance_and_three_forms_of_each_page(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD, requires_python=">=3.8")
        sdist = index.add_sdist("demo", "1.0", upload_time=OLD, yanked="broken")
        async with inbond(tmp_path, index) as proxy:
            report = await tree(proxy, tmp_path / "tree", wheel, sdist)
    root = tmp_path / "tree"
    at = wheel.path.lstrip("/")
    page = {f"simple/demo/{name}" for name in ("index.html", "index.v1_html", "index.v1_json")}
    listed = {f"simple/{name}" for name in ("index.html", "index.v1_html", "index.v1_json")}
    assert paths(root) == {at, f"{at}.metadata", f"{at}.provenance", sdist.path.lstrip("/"), *page, *listed}
    assert (root / at).read_bytes() == wheel.content
    assert (root / f"{at}.metadata").read_bytes() == wheel.metadata
    assert (root / f"{at}.provenance").read_bytes() == wheel.provenance
    assert (report.files, report.projects, report.size) == (2, 1, wheel.size + sdist.size)
    assert (report.left_out, report.removed) == ((), 0)
    files = {file["filename"]: file for file in json_page(root, "demo")["files"]}
    assert files[wheel.filename] == {
        "filename": wheel.filename,
        "url": f"../../{at}",
        "hashes": {"sha256": wheel.sha256},
        "size": wheel.size,
        "upload-time": files[wheel.filename]["upload-time"],
        "requires-python": ">=3.8",
        "yanked": False,
        "core-metadata": {"sha256": wheel.metadata_hashes["sha256"]},
        "provenance": f"../../{at}.provenance",
    }
    assert (files[sdist.filename]["yanked"], files[sdist.filename]["provenance"]) == ("broken", None)
    assert "core-metadata" not in files[sdist.filename]
    assert problems(root) == {}


async def test_a_server_under_another_user_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        async with SimIndex() as index:
            wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
            async with inbond(tmp_path, index) as proxy:
                await tree(proxy, tmp_path / "srv" / "tree", wheel)
    finally:
        os.umask(before)
    for path in (tmp_path / "srv" / "tree").rglob("[!.]*"):
        wanted = 0o755 if path.is_dir() else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


async def test_what_the_policy_stops_by_now_is_left_out_and_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        good = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        plain = index.add_wheel("plain", "1.0", upload_time=OLD)
        fresh = index.add_wheel("fresh", "1.0", provenance=signed_by(), upload_time=young())
        async with inbond(tmp_path, index) as proxy:
            synced = await fetched(proxy, good, plain)
        more = '[policies.default]\nattestations = "require"\nmin_age = "7d"\n'
        synced = record(good, plain, fresh)
        async with inbond(tmp_path, index, more=more) as proxy:
            report = await written(proxy, tmp_path / "tree", synced)
    why = {one.file.filename: (one.left, one.reason) for one in report.left_out}
    assert {name: left for name, (left, _) in why.items()} == {
        plain.filename: Left.STOPPED,
        fresh.filename: Left.STOPPED,
    }
    assert "denied by rule attestations" in why[plain.filename][1]
    assert "held by rule cooldown" in why[fresh.filename][1]
    assert {path.name for path in (tmp_path / "tree" / "simple").iterdir() if path.is_dir()} == {"demo"}


async def test_what_cannot_be_had_is_named_and_never_fetched(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        never = index.add_wheel("demo", "2.0", upload_time=OLD)
        other = index.add_wheel("other", "1.0", upload_time=OLD)
        async with inbond(tmp_path, index) as proxy:
            await fetched(proxy, wheel, other)
            lost = record(wheel, never, other)
            changed = [one if one.project != "other" else replace(one, sha256="0" * 64) for one in lost.files]
            index.forget_requests()
            report = await written(proxy, tmp_path / "tree", replace(lost, files=tuple(changed)))
            assert index.count("file") == 0
    reasons = {one.file.filename: (one.left, one.reason) for one in report.left_out}
    assert reasons[never.filename] == (Left.MISSING, "it is no longer in the cache: run inbond sync again")
    assert reasons[other.filename] == (Left.MISSING, "its page no longer lists it with these bytes")
    assert [file["filename"] for file in json_page(tmp_path / "tree", "demo")["files"]] == [wheel.filename]


async def test_a_second_run_writes_nothing_and_mends_what_differs(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        async with inbond(tmp_path, index) as proxy:
            first = await tree(proxy, root, wheel)
            manifest = (root / "inbond-tree.json").read_bytes()
            again = await written(proxy, root, record(wheel))
            assert (first.written, first.kept) == (len(paths(root)) + 2, 0)  # the manifest twice: first and last
            assert (again.written, again.kept) == (0, len(paths(root)) + 1)
            (root / wheel.path.lstrip("/")).write_bytes(b"EVIL" * 100)
            page = root / "simple" / "demo" / "index.html"
            page.unlink()
            page.symlink_to("/etc/hostname")
            (root / "packages" / "extra.whl").write_bytes(b"extra")
            mended = await written(proxy, root, record(wheel))
    assert (mended.written, mended.removed) == (2, 1)
    assert problems(root) == {}
    assert (root / "inbond-tree.json").read_bytes() == manifest


async def test_what_is_no_longer_named_goes_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    async with SimIndex() as index:
        old = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        new = index.add_wheel("demo", "2.0", upload_time=OLD)
        gone = index.add_wheel("gone", "1.0", upload_time=OLD)
        async with inbond(tmp_path, index) as proxy:
            await tree(proxy, root, old, gone)
            (root / "robots.txt").write_text("mine")
            report = await tree(proxy, root, new)
    assert {path for path in paths(root) if "packages" in path} == {new.path[1:], f"{new.path[1:]}.metadata"}
    assert not (root / "simple" / "gone").exists()
    assert report.removed == 3 + 2 + 3  # the old file, the file of the project that is gone, and its pages
    assert (root / "robots.txt").read_text() == "mine"
    assert problems(root) == {"robots.txt": "the manifest does not name it"}


async def test_no_page_ever_names_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at between any two steps of an update from one release to another."""
    root = tmp_path / "tree"
    seen: list[set[str]] = []
    original = TreeWriter._move

    def looked(self: TreeWriter, growing: Path, path: str) -> None:
        original(self, growing, path)
        page = root / "simple" / "demo" / "index.v1_json"
        if page.exists():
            named = {file["url"].removeprefix("../../") for file in json_page(root, "demo")["files"]}
            assert all((root / one).is_file() for one in named)
            seen.append(named)

    async with SimIndex() as index:
        old = index.add_wheel("demo", "1.0", upload_time=OLD)
        new = index.add_wheel("demo", "2.0", upload_time=OLD)
        monkeypatch.setattr(TreeWriter, "_move", looked)
        async with inbond(tmp_path, index) as proxy:
            await tree(proxy, root, old)
            await tree(proxy, root, new)
    assert {old.path[1:]} in seen
    assert {new.path[1:]} in seen


async def test_an_interrupted_first_run_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "tree"
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        async with inbond(tmp_path, index) as proxy:
            synced = await fetched(proxy, wheel)
            with monkeypatch.context() as patch:
                patch.setattr(TreePage, "rendered", _broken)
                with pytest.raises(StoreUnavailable, match="No space left on device"):
                    await written(proxy, root, synced)
            assert not (root / "simple").exists()
            assert set(problems(root).values()) == {"the manifest does not name it"}
            report = await written(proxy, root, synced)
    assert (report.files, problems(root)) == (1, {})
    assert not (root / ".inbond-incoming").exists()


def _broken(_: TreePage) -> dict[str, bytes]:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "page")


async def test_a_directory_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "photos").mkdir()
    (tmp_path / "link").symlink_to(other)
    (tmp_path / "file").write_text("x")
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        for name, message in (("other", "holds 'photos'"), ("link", "is a link"), ("file", "no directory")):
            with pytest.raises(ConfigurationError, match=message):
                await written(proxy, tmp_path / name, record())
        empty = tmp_path / "empty"
        empty.mkdir()
        assert (await written(proxy, empty, record())).files == 0
    assert problems(empty) == {}


async def test_links_share_their_bytes_with_the_cache_and_nobody_may_write_them(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        async with inbond(tmp_path, index) as proxy:
            await tree(proxy, root, wheel, link=True)
            found = (root / wheel.path[1:]).stat()
            blob = await proxy.up.parts.blobs.find(wheel.sha256)
            assert blob is not None
            assert blob.path.stat().st_ino == found.st_ino
            assert stat.S_IMODE(found.st_mode) == 0o444
    assert problems(root) == {}


@pytest.mark.parametrize("link", [False, True])
async def test_a_file_that_was_damaged_in_the_cache_is_not_taken(tmp_path: Path, link: bool) -> None:
    root = tmp_path / "tree"
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        async with inbond(tmp_path, index) as proxy:
            synced = await fetched(proxy, wheel)
            blob = await proxy.up.parts.blobs.find(wheel.sha256)
            assert blob is not None
            blob.path.write_bytes(b"E" * wheel.size)
            report = await written(proxy, root, synced, link=link)
            assert await proxy.up.parts.blobs.find(wheel.sha256) is None
    assert [one.reason for one in report.left_out] == [
        "it was damaged in the cache, and is removed there: run inbond sync again"
    ]
    assert report.files == 0


async def test_provenance_that_cannot_be_had_is_not_said_to_be_none(tmp_path: Path) -> None:
    allow = '[policies.default]\nattestations = "off"\n'
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        async with inbond(tmp_path, index, more=allow) as proxy:
            synced = await fetched(proxy, wheel)
            index.fault("/integrity/*", Status(403))
            report = await written(proxy, tmp_path / "tree", synced)
    assert [one.left for one in report.left_out] == [Left.MISSING]
    assert "its provenance could not be had" in report.left_out[0].reason


async def test_metadata_is_promised_only_where_it_lies_beside(tmp_path: Path) -> None:
    async with SimIndex() as index:
        lost = index.add_wheel("lost", "1.0", upload_time=OLD)
        none = index.add_wheel("none", "1.0", upload_time=OLD, metadata=None)
        async with inbond(tmp_path, index) as proxy:
            for file in (lost, none):
                await proxy.get(file.path)
            index.fault(lost.metadata_path, Status(404))
            await written(proxy, tmp_path / "tree", record(lost, none))
    (entry,) = json_page(tmp_path / "tree", "lost")["files"]
    assert "core-metadata" not in entry
    assert f"{lost.path[1:]}.metadata" not in paths(tmp_path / "tree")
    # inbond takes it out of the wheel where the index has none
    (entry,) = json_page(tmp_path / "tree", "none")["files"]
    assert (tmp_path / "tree" / f"{none.path[1:]}.metadata").read_bytes()
    assert "sha256" in entry["core-metadata"]
    assert problems(tmp_path / "tree") == {}


async def test_a_tree_that_knows_its_address_names_provenance_by_it(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        async with inbond(tmp_path, index) as proxy:
            await tree(proxy, tmp_path / "tree", wheel, url="https://packages.acme.example/tree/")
    (entry,) = json_page(tmp_path / "tree", "demo")["files"]
    assert entry["provenance"] == f"https://packages.acme.example/tree{wheel.path}.provenance"
    assert entry["url"] == f"../..{wheel.path}"


async def test_two_files_under_one_path_are_not_mixed_up(tmp_path: Path) -> None:
    async with SimIndex() as index:
        one = index.add_file("demo", "demo-1.0.tar.gz", b"one", upload_time=OLD)
        two = index.add_file("demo.x", "demo.x-1.0.tar.gz", b"two", upload_time=OLD)
        below = f"/packages/f/{one.filename}"
        one = index.change(one, path=below, url=f"{index.origin}{below}")
        inside = f"{below}/{two.filename}"
        two = index.change(two, path=inside, url=f"{index.origin}{inside}")
        more = '[policies.default]\narchive = "off"\n'
        async with inbond(tmp_path, index, more=more) as proxy:
            report = await tree(proxy, tmp_path / "tree", one, two)
    assert [left.file.filename for left in report.left_out] == [two.filename]
    assert "cannot stand in the tree, or is another file's" in report.left_out[0].reason
    assert (tmp_path / "tree" / below[1:]).read_bytes() == one.content


async def test_a_signed_tree_is_vouched_for_until_it_is_written_without_a_key(tmp_path: Path) -> None:
    key, other = SigningKey.generate(), SigningKey.generate()
    root = tmp_path / "tree"
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        async with inbond(tmp_path, index) as proxy:
            report = await tree(proxy, root, wheel, key=key)
            assert report.signed_by == key.public.id
            assert problems(root, other, key) == {}
            assert "not signed with" in problems(root, other)["inbond-tree.json.sig"]
            await written(proxy, root, record(wheel))
    assert "there is no signature" in problems(root, key)["inbond-tree.json.sig"]


@pytest.mark.parametrize("negotiates", [True, False], ids=["json", "html"])
async def test_a_tree_works_as_an_upstream_and_attestations_are_verified_there(
    tmp_path: Path, negotiates: bool
) -> None:
    (tmp_path / "second").mkdir()
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        plain = index.add_wheel("plain", "1.0", upload_time=OLD)
        async with inbond(tmp_path, index) as proxy:
            await tree(proxy, tmp_path / "tree", wheel, plain)
    async with served(tmp_path / "tree", negotiates=negotiates) as server:
        config = ONE_INDEX.replace("{upstream}", server.url)
        async with inbond(tmp_path / "second", index, config=config) as second:
            status, body, _ = await second.get(wheel.path)
            assert (status, body) == (200, wheel.content)
            assert (await second.get(wheel.metadata_path))[1] == wheel.metadata
            assert (await second.verdict("demo", wheel.filename))["evidence"]["state"] == "verified"
            assert (await second.verdict("plain", plain.filename))["evidence"]["state"] == "absent"
            assert (await second.get(plain.path))[1] == plain.content
            status, body, _ = await second.get("/simple/")
            assert b"demo" in body


async def test_only_one_writes_a_tree_at_a_time(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        with writing(tmp_path / "tree"), pytest.raises(OperatorFault, match="another inbond is writing"):
            await written(proxy, tmp_path / "tree", record())
        assert (await written(proxy, tmp_path / "tree", record())).files == 0


async def test_links_that_somebody_put_in_the_way_are_replaced_and_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "tree", tmp_path / "outside"
    outside.mkdir()
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        async with inbond(tmp_path, index) as proxy:
            await tree(proxy, root, wheel)
            shutil.rmtree(root / "packages")
            (root / "packages").symlink_to(outside)
            shutil.rmtree(root / "simple" / "demo")
            (root / "simple" / "demo").write_text("in the way")
            (root / "simple" / "index.html").unlink()
            (root / "simple" / "index.html").mkdir()
            await written(proxy, root, record(wheel))
            assert problems(root) == {}
            (root / "packages").rename(root / "aside")
            (root / "packages").symlink_to(outside)
            assert (await written(proxy, root, record())).removed == 3 + 1
    assert list(outside.iterdir()) == []


async def test_a_page_that_is_not_kept_is_asked_for_and_one_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        broken = index.add_wheel("broken", "1.0", upload_time=OLD)
        gone = index.add_wheel("gone", "1.0", upload_time=OLD)
        index.fault(index.page_path("broken"), Status(500))
        index.remove("gone")
        async with inbond(tmp_path, index) as proxy:
            report = await written(proxy, tmp_path / "tree", record(wheel, broken, gone))
    reasons = {one.file.filename: one.reason for one in report.left_out}
    assert reasons[wheel.filename] == "it is no longer in the cache: run inbond sync again"
    assert "500" in reasons[broken.filename]
    assert reasons[gone.filename] == "pypi knows no project gone any more"


async def test_a_project_of_two_upstreams_is_taken_from_the_first(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        async with inbond(tmp_path, index) as proxy:
            synced = await fetched(proxy, wheel)
            (file,) = synced.files
            twice = replace(synced, files=(file, replace(file, upstream="zweite")))
            report = await written(proxy, tmp_path / "tree", twice)
    assert [one.reason for one in report.left_out] == ["the tree has demo from another upstream already"]
    assert report.files == 1


async def test_what_is_in_an_archive_is_known_before_it_is_in_a_tree(tmp_path: Path) -> None:
    """A file that was adopted, and that nobody has asked for yet."""
    more = '[policies.default]\nmin_age = "0"\n'
    async with SimIndex() as index:
        content = built(files_of(), member("evil.py", b"import os"))
        odd = index.add_file("demo", WHEEL, content, upload_time=datetime(2026, 2, 1, tzinfo=UTC))
        place = tmp_path / "wheels"
        place.mkdir()
        (place / WHEEL).write_bytes(content)
        with closing(BlobTaker(tmp_path / "data" / "cache" / "blobs")) as taker:
            Adopter(taker=taker, how=How.COPY, room=10**6).adopt(place, candidates_below(place), lambda _: None)
        async with inbond(tmp_path, index, more=more) as proxy:
            report = await written(proxy, tmp_path / "tree", record(odd))
    assert [one.left for one in report.left_out] == [Left.STOPPED]
    assert "rule archive" in report.left_out[0].reason


async def test_a_link_to_another_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        async with inbond(tmp_path, index) as proxy:
            synced = await fetched(proxy, wheel)
            monkeypatch.setattr(os, "link", refused)
            report = await written(proxy, tmp_path / "tree", synced, link=True)
    assert "lies on another file system than the tree" in report.left_out[0].reason


async def test_a_tree_is_written_again_without_asking_anybody(tmp_path: Path) -> None:
    """Days later, by another process, with the index down."""
    clock = SetClock()
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        plain = index.add_wheel("plain", "1.0", upload_time=OLD)
        async with inbond(tmp_path, index, clock=clock) as proxy:
            synced = await fetched(proxy, wheel, plain)
        index.forget_requests()
        clock.advance(timedelta(days=9))
        async with inbond(tmp_path, index, clock=clock) as proxy:
            report = await written(proxy, tmp_path / "tree", synced)
        assert index.requests == []
    assert (report.files, report.left_out) == (2, ())
    for file in (wheel, plain):
        assert (tmp_path / "tree" / f"{file.path[1:]}.metadata").read_bytes() == file.metadata
