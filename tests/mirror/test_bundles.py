"""What is synced on one side is there on the other: exported, verified, imported; and what may not be is named."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from check.support import ACME, signed_by, young
from inbond.bundles.container import open_bundle
from inbond.bundles.manifest import BundledFile, Claimed, Manifest
from inbond.model.errors import ConfigurationError, InvalidBundle, OperatorFault
from mirror.carrying import Receiver, Sender, signing_key
from mirror.importing import blob_path, fed
from mirror.syncing import NO_COOLDOWN, Connected, hashed
from sim.index import SimFile, SimIndex
from stack import sigstore

DENY_YANKED = '[policies.default]\nmin_age = "0"\nyanked = "deny"\n'
DENY_OTHER = NO_COOLDOWN + 'deny = ["other"]\n'


@dataclass(frozen=True)
class Synced(Sender):
    """A connected side that has synced two wheels of one index."""

    demo: SimFile  # with provenance
    other: SimFile  # without

    @property
    def place(self) -> Path:
        return self.near.place


@asynccontextmanager
async def synced(place: Path) -> AsyncIterator[Synced]:
    async with connected(place) as near:
        demo = near.index.add_wheel("demo", "1.0", provenance=signed_by())
        other = near.index.add_wheel("other", "2.0")
        await near.sync(near.lock([hashed("demo", "1.0", demo), hashed("other", "2.0", other)]))
        yield Synced(near, demo, other)


@asynccontextmanager
async def connected(place: Path, more: str = NO_COOLDOWN) -> AsyncIterator[Connected]:
    near = place / "near"
    near.mkdir()
    async with SimIndex() as index:
        yield Connected(near, index, more)


def manifest_of(bundle: Path) -> Manifest:
    with bundle.open("rb") as stream:
        return open_bundle(stream, [signing_key().public]).manifest


def file_of(manifest: Manifest, filename: str) -> BundledFile:
    return next(file for project in manifest.projects for file in project.files if file.filename == filename)


def mirrored(place: Path) -> set[str]:
    return {path.name for path in (place / "data" / "mirror" / "blobs" / "sha256").rglob("*") if path.is_file()}


async def test_what_was_synced_is_served_on_the_other_side(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        exported = await sender.export()
        assert not exported.gathered.left_out
        far = Receiver(tmp_path / "far", NO_COOLDOWN)
        taken = await far.take(sender.bundle)
        assert [str(file.filename) for file in taken.taken] == [
            "demo-1.0-py3-none-any.whl",
            "other-2.0-py3-none-any.whl",
        ]
        assert not taken.refused
        assert not taken.held
        assert not taken.different
        assert (taken.kept, taken.sha256) == (True, exported.sha256)
        asked = sender.near.index.count()
        async with fed(far.place, sender.near.index, more=NO_COOLDOWN) as there:
            status, body, _ = await there.get(await there.path_of("demo", sender.demo.filename))
            assert (status, body) == (200, sender.demo.content)
            verdict = await there.verdict("demo", "demo-1.0-py3-none-any.whl")
            assert verdict["evidence"]["state"] == "verified"
        assert sender.near.index.count() == asked


async def test_the_same_content_is_the_same_file_also_made_by_another_process(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        await sender.export()
        first = sender.bundle.read_bytes()
        await sender.export(to="second.bundle")
        assert (sender.near.place / "second.bundle").read_bytes() == first
        made = await asyncio.gather(*[commanded(sender, number) for number in (1, 2)])
        assert made[0] == made[1]
        assert open_bundle_blobs(made[0]) == open_bundle_blobs(first)


async def commanded(sender: Sender, seed: int) -> bytes:
    """What `inbond bundle export` writes, under a hash seed of its own."""
    name = f"seed{seed}.bundle"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "inbond", "bundle", "export", "--key", "own.key", "-o", name, "--config", "inbond.toml"],
        cwd=sender.near.place, capture_output=True, text=True, check=False, timeout=100,
        env={
            "PATH": os.environ["PATH"], "HOME": str(sender.near.place), "PYTHONHASHSEED": str(seed),
            "INBOND_TRUST__PUBLIC__ROOT": str(sender.near.place / "root.json"),
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return (sender.near.place / name).read_bytes()


def open_bundle_blobs(raw: bytes) -> list[str]:
    """The distribution files that lie in a bundle's bytes."""
    manifest = open_bundle(io.BytesIO(raw), [signing_key().public]).manifest
    return [str(file.sha256) for project in manifest.projects for file in project.files if file.carried]


async def test_history_is_carried_without_its_bytes(tmp_path: Path) -> None:
    async with connected(tmp_path) as near:
        for version in ("1.0", "1.1", "1.2"):
            near.index.add_wheel("demo", version, provenance=signed_by())
        new = near.index.add_wheel("demo", "1.3", provenance=signed_by(), upload_time=young())
        await near.sync(near.lock([hashed("demo", "1.3", new)]))
        sender = Sender(near)
        await sender.export()
        manifest = manifest_of(sender.bundle)
        history = file_of(manifest, "demo-1.2-py3-none-any.whl")
        assert not history.carried
        assert history.claimed is Claimed.FOUND
        assert history.provenance is not None
        assert file_of(manifest, new.filename).carried
        sizes = {blob.sha256 for blob in manifest.blobs}
        assert history.sha256 not in sizes
        assert history.provenance in sizes
        taken = await Receiver(tmp_path / "far", NO_COOLDOWN).take(sender.bundle)
        assert [file.reason for file in taken.files] == [None]


async def test_a_delta_carries_what_is_new_and_needs_its_base(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        await sender.export(to="monday.bundle")
        near = sender.near
        new = near.index.add_wheel("demo", "1.1", provenance=signed_by())
        near.clock.advance(timedelta(hours=1))
        await near.sync(
            near.lock([hashed("demo", "1.0", sender.demo)], "old.txt"),
            near.lock([hashed("demo", "1.1", new)], "new.txt"),
        )
        await sender.export(to="tuesday.bundle", since=near.place / "monday.bundle.manifest.json")
        by_manifest = (near.place / "tuesday.bundle").read_bytes()
        await sender.export(to="tuesday.bundle", since=near.place / "monday.bundle")
        assert (near.place / "tuesday.bundle").read_bytes() == by_manifest
        delta = manifest_of(near.place / "tuesday.bundle")
        carried = {blob.sha256 for blob in delta.blobs if blob.carried}
        assert new.sha256 in carried
        assert sender.demo.sha256 not in carried
        far = Receiver(tmp_path / "far", NO_COOLDOWN, clock=near.clock)
        with pytest.raises(InvalidBundle, match="is a delta against the one with the manifest") as refused:
            await far.take(near.place / "tuesday.bundle")
        assert "import that one first" in str(refused.value.remedy)
        await far.take(near.place / "monday.bundle")
        taken = await far.take(near.place / "tuesday.bundle")
        assert len(taken.taken) == 2
        assert not taken.refused


async def test_what_the_receiving_policy_denies_is_named_and_left_out(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        await sender.export()
        far = Receiver(tmp_path / "far", DENY_OTHER)
        taken = await far.take(sender.bundle)
        assert [file.filename for file in taken.refused] == ["other-2.0-py3-none-any.whl"]
        assert "other-2.0-py3-none-any.whl is denied by rule" in str(taken.refused[0].reason)
        assert taken.refused[0].sha256 not in mirrored(far.place)
        assert taken.taken[0].sha256 in mirrored(far.place)
        async with fed(far.place, sender.near.index, more=DENY_OTHER) as there:
            status, _, _ = await there.get("/simple/other/")
            assert status == 404
        far.configure(NO_COOLDOWN)
        assert not (await far.take(sender.bundle)).refused


def of_another_file(filename: str, sha256: str) -> bytes:
    return sigstore().provenance_for(filename, hashlib.sha256(sha256.encode()).hexdigest(), ACME)


async def test_forged_provenance_is_found_again(tmp_path: Path) -> None:
    """The sending side trusted another Sigstore, or nobody looked: this side verifies by itself."""
    off = '[policies.default]\nmin_age = "0"\nattestations = "off"\n'
    async with connected(tmp_path, off) as near:
        wheel = near.index.add_wheel("demo", "1.0", provenance=of_another_file)
        await near.sync(near.lock([hashed("demo", "1.0", wheel)]))
        sender = Sender(near)
        await sender.export()
        taken = await Receiver(tmp_path / "far", NO_COOLDOWN).take(sender.bundle)
        assert [file.found for file in taken.refused] == ["rejected"]


async def test_an_older_bundle_is_taken_only_where_it_is_meant(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        await sender.export(to="old.bundle")
        near = sender.near
        near.clock.advance(timedelta(hours=1))
        await near.sync(near.lock([hashed("demo", "1.0", sender.demo)]))
        await sender.export(to="new.bundle")
        far = Receiver(tmp_path / "far", NO_COOLDOWN, clock=near.clock)
        await far.take(near.place / "new.bundle")
        with pytest.raises(InvalidBundle, match="was imported already") as refused:
            await far.take(near.place / "old.bundle")
        assert "--allow-older" in str(refused.value.remedy)
        assert len(await far.imports()) == 1
        await far.take(near.place / "old.bundle", allow_older=True)
        assert len(await far.imports()) == 2


async def test_a_clock_before_the_bundle_refuses_it(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        await sender.export()
        far = Receiver(tmp_path / "far", NO_COOLDOWN)
        far.clock.advance(-timedelta(days=1))
        with pytest.raises(InvalidBundle, match="the clock here says") as refused:
            await far.take(sender.bundle)
        assert "set the clock" in str(refused.value.remedy)


async def test_verifying_keeps_nothing(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        await sender.export()
        far = Receiver(tmp_path / "far", NO_COOLDOWN)
        looked = await far.take(sender.bundle, keep=False)
        assert not looked.kept
        assert len(looked.taken) == 2
        assert not looked.refused
        assert not (far.place / "data").exists()


async def test_a_damaged_bundle_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        await sender.export()
        raw = bytearray(sender.bundle.read_bytes())
        raw[-2000] ^= 1
        sender.bundle.write_bytes(raw)
        far = Receiver(tmp_path / "far", NO_COOLDOWN)
        with pytest.raises(InvalidBundle):
            await far.take(sender.bundle)
        assert await far.imports() == ()
        assert mirrored(far.place) == set()


async def test_a_blob_that_was_damaged_here_is_mended_by_importing_again(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        await sender.export()
        far = Receiver(tmp_path / "far", NO_COOLDOWN)
        first = await far.take(sender.bundle)
        path = blob_path(far.place, sender.demo.sha256)
        path.write_bytes(bytes(sender.demo.size))
        again = await far.take(sender.bundle)
        assert path.read_bytes() == sender.demo.content
        assert again.written == sender.demo.size < first.written


async def test_what_is_no_longer_in_the_cache_is_named(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        path = sender.near.place / "data" / "cache" / "blobs" / "sha256" / sender.demo.sha256[:2] / sender.demo.sha256
        path.unlink()
        with pytest.raises(OperatorFault, match=r"demo-1\.0-py3-none-any\.whl is no longer in the cache") as fault:
            await sender.export()
        assert "inbond sync --name default again" in str(fault.value.remedy)
        assert not sender.bundle.exists()


async def test_what_is_denied_by_now_is_left_out(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        sender.near.configure(DENY_OTHER)
        exported = await sender.export()
        assert [one.filename for one in exported.gathered.left_out] == ["other-2.0-py3-none-any.whl"]
        manifest = manifest_of(sender.bundle)
        assert [str(project.project) for project in manifest.projects] == ["demo"]
        assert "other" not in json.dumps([document.name for document in manifest.documents])


async def test_a_name_that_was_never_synced(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        with pytest.raises(ConfigurationError, match="nothing was synced under the name 'other'"):
            await sender.export("other")


async def test_two_bundles_of_different_names_stand_side_by_side(tmp_path: Path) -> None:
    async with connected(tmp_path) as near:
        wheels = {version: near.index.add_wheel("demo", version) for version in ("1.0", "2.0")}
        sender, far = Sender(near), Receiver(tmp_path / "far", NO_COOLDOWN)
        for name, version in (("first", "1.0"), ("second", "2.0")):
            await near.sync(near.lock([hashed("demo", version, wheels[version])]), name=name)
            await sender.export(name)
            await far.take(sender.bundle)
        async with fed(far.place, near.index, more=NO_COOLDOWN) as there:
            files = (await there.page("demo"))["files"]
        assert {file["filename"] for file in files} == {wheel.filename for wheel in wheels.values()}


async def test_what_a_name_brings_no_more_is_gone_and_told(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        await sender.export()
        far = Receiver(tmp_path / "far", NO_COOLDOWN, clock=sender.near.clock)
        await far.take(sender.bundle)
        near = sender.near
        near.clock.advance(timedelta(hours=1))
        await near.sync(near.lock([hashed("demo", "1.0", sender.demo)]))
        await sender.export()
        taken = await far.take(sender.bundle)
        assert [str(project) for _, project in taken.brought.dropped] == ["other"]
        assert sender.other.sha256 not in mirrored(far.place)
        async with fed(far.place, near.index, more=NO_COOLDOWN) as there:
            assert (await there.get(sender.other.path))[0] == 404
            assert (await there.get(sender.demo.path))[0] == 200


async def test_what_is_yanked_by_now_is_denied_although_an_earlier_bundle_brought_it(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        await sender.export()
        far = Receiver(tmp_path / "far", DENY_YANKED, clock=sender.near.clock)
        assert not (await far.take(sender.bundle)).refused
        near = sender.near
        near.index.yank(sender.other, "malware")
        near.clock.advance(timedelta(hours=1))
        await near.sync(
            near.lock([hashed("demo", "1.0", sender.demo)], "one.txt"),
            near.lock([hashed("other", "2.0", sender.other)], "two.txt"),
        )
        await sender.export()
        taken = await far.take(sender.bundle)
        assert [file.filename for file in taken.refused] == [sender.other.filename]
        async with fed(far.place, near.index, more=DENY_YANKED) as there:
            assert (await there.get(sender.other.path))[0] in {403, 404}
            assert (await there.get(sender.demo.path))[0] == 200


async def test_what_was_imported_is_passed_on(tmp_path: Path) -> None:
    """From one gap to the next: the middle has neither network nor the first one's cache."""
    async with synced(tmp_path) as sender:
        await sender.export()
        middle = Receiver(tmp_path / "middle", NO_COOLDOWN)
        await middle.take(sender.bundle)
        toml = (middle.place / "inbond.toml").read_text()
        passing = Connected(middle.place, sender.near.index)
        (middle.place / "inbond.toml").write_text(toml)
        await passing.sync(passing.lock([hashed("demo", "1.0", sender.demo)]))
        await Sender(passing).export()
        found = file_of(manifest_of(Sender(passing).bundle), sender.demo.filename)
        assert found == file_of(manifest_of(sender.bundle), sender.demo.filename)
        taken = await Receiver(tmp_path / "far", NO_COOLDOWN).take(Sender(passing).bundle)
        assert [file.found for file in taken.taken] == ["verified"]


async def delta_of(sender: Synced) -> tuple[Path, Path]:
    """A bundle, and one against it that carries no distribution file."""
    near = sender.near
    await sender.export(to="base.bundle")
    near.clock.advance(timedelta(hours=1))
    await near.sync(
        near.lock([hashed("demo", "1.0", sender.demo)], "one.txt"),
        near.lock([hashed("other", "2.0", sender.other)], "two.txt"),
    )
    await sender.export(to="delta.bundle", since=sender.place / "base.bundle")
    return sender.place / "base.bundle", sender.place / "delta.bundle"


async def test_a_delta_is_verified_with_what_is_here(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        base, delta = await delta_of(sender)
        far = Receiver(tmp_path / "far", NO_COOLDOWN, clock=sender.near.clock)
        await far.take(base)
        before = mirrored(far.place)
        looked = await far.take(delta, keep=False)
        assert len(looked.taken) == 2
        assert not looked.different
        assert mirrored(far.place) == before


async def test_a_delta_does_not_bring_back_what_was_refused_from_its_base(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        base, delta = await delta_of(sender)
        far = Receiver(tmp_path / "far", DENY_OTHER, clock=sender.near.clock)
        await far.take(base)
        far.configure(NO_COOLDOWN)
        taken = await far.take(delta)
        assert [file.filename for file in taken.refused] == [sender.other.filename]
        assert "export it without --since" in str(taken.refused[0].reason)
        assert [file.filename for file in taken.taken] == [sender.demo.filename]


async def test_a_delta_whose_documents_are_gone_is_refused_whole(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        base, delta = await delta_of(sender)
        far = Receiver(tmp_path / "far", NO_COOLDOWN, clock=sender.near.clock)
        await far.take(base)
        page = next(project.page for project in manifest_of(base).projects if project.project == "other")
        assert not next(blob for blob in manifest_of(delta).blobs if blob.sha256 == page).carried
        blob_path(far.place, page).unlink()
        with pytest.raises(InvalidBundle, match="it is not here as it was") as refused:
            await far.take(delta)
        assert "import the earlier bundle again" in str(refused.value.remedy)
        assert len(await far.imports()) == 1


async def test_a_project_that_no_index_takes_from_there(tmp_path: Path) -> None:
    """Names of one's own stay one's own, whatever a bundle brings."""
    owned = '\n[upstreams.acme]\nurl = "imports"\nprojects = ["demo"]\n' + NO_COOLDOWN
    async with synced(tmp_path) as sender:
        await sender.export()
        taken = await Receiver(tmp_path / "far", owned).take(sender.bundle)
        assert [file.reason for file in taken.refused] == ["no index here takes demo from an upstream called pypi"]


async def test_a_page_does_not_go_back_whichever_bundle_brings_it(tmp_path: Path) -> None:
    async with synced(tmp_path) as sender:
        await sender.export(to="old.bundle")
        near = sender.near
        near.index.add_wheel("demo", "3.0")
        near.clock.advance(timedelta(hours=1))
        await near.sync(near.lock([hashed("demo", "1.0", sender.demo)]), name="another")
        await sender.export("another", to="new.bundle")
        far = Receiver(tmp_path / "far", NO_COOLDOWN, clock=near.clock)
        await far.take(sender.place / "new.bundle")
        serial = (await far.rows("demo"))[0].serial
        taken = await far.take(sender.place / "old.bundle")
        assert not taken.refused
        assert ("page", "pypi/demo") in [change[:2] for change in taken.brought.not_replaced]
        newest, older = await far.rows("demo")
        assert (newest.name, newest.serial, older.name) == ("another", serial, "default")
        async with fed(far.place, near.index, more=NO_COOLDOWN, clock=near.clock) as there:
            assert (await there.listed("demo", sender.demo.filename))["filename"] == sender.demo.filename
