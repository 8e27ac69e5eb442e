"""What is in force after several bundles, and what a bundle may decide here: by imports of bundles made by hand."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bundles.manifests import references
from bundles.support import (
    CREATED,
    KEY,
    TRUSTED,
    UPSTREAM,
    URL,
    Blobs,
    key_of,
    project,
)
from bundles.support import carried as carried_of
from inbond.bundles.container import write_bundle
from inbond.bundles.decisions import encode_pins
from inbond.bundles.keys import SigningKey
from inbond.bundles.manifest import BundledDocument, BundledProject, BundledUpstream, DocumentKind, Manifest
from inbond.bundles.memory import decode_memory, encode_memory
from inbond.mirror.in_force import ImportsKeeper
from inbond.mirror.sweeping import referenced, withdraw
from inbond.model.decisions import Pin
from inbond.model.errors import InvalidBundle
from inbond.model.memory import PageRecord
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.store.arrivals import Arrivals
from mirror.carrying import Receiver
from mirror.importing import fed
from sim.index import SimIndex
from sim.osv import malware, zipped
from stack import SetClock

NO_COOLDOWN = '[policies.default]\nmin_age = "0"\n'
HOUR = timedelta(hours=1)
LONG_AGO = CREATED - timedelta(days=100)
ASKED = """
[server]
listen = "127.0.0.1:0"
[storage]
path = "{data}"
[upstreams.pypi]
url = "https://index.example/simple/"
"""


class At(SetClock):
    """An hour after the newest bundle."""

    def __call__(self) -> datetime:
        return CREATED + HOUR + self.ahead


def receiver(place: Path, more: str = NO_COOLDOWN, **how: Any) -> Receiver:
    return Receiver(place / "far", more, clock=At(), **how)


def made(
    blobs: Blobs,
    *projects: BundledProject,
    name: str = "default",
    created: datetime = CREATED,
    documents: Sequence[BundledDocument] = (),
    key: SigningKey = KEY,
) -> bytes:
    manifest = Manifest(
        name=name,
        created_at=created,
        index="root",
        upstreams=(BundledUpstream(name=UPSTREAM, url=URL),),
        projects=tuple(replace(one, validated_at=created) for one in projects),
        documents=tuple(documents),
        blobs=(),
    )
    blobs.held = {sha256: blobs.held[sha256] for sha256 in references(manifest)}
    manifest = replace(manifest, blobs=blobs.listed(carried_of(manifest)))
    out = io.BytesIO()
    write_bundle(out, manifest, key, blobs.read)
    return out.getvalue()


def only(one: BundledProject, *versions: str) -> BundledProject:
    """The project with the bytes of these versions alone."""
    return replace(
        one,
        files=tuple(
            file
            if any(f"-{version}-" in file.filename for version in versions)
            else replace(file, carried=False, metadata=None, evidence=None)
            for file in one.files
        ),
    )


def remembering(blobs: Blobs, one: BundledProject, **changed: Any) -> BundledProject:
    record: PageRecord = decode_memory(blobs.held[one.memory], upstream=UPSTREAM, project=one.project)
    return replace(one, memory=blobs.put(encode_memory(replace(record, **changed))))


async def take(far: Receiver, content: bytes, **how: Any) -> Any:
    bundle = far.place / "one.bundle"
    bundle.write_bytes(content)
    how.setdefault("keys", TRUSTED)
    return await far.take(bundle, **how)


async def shown(far: Receiver, name: str = "demo") -> list[str]:
    async with SimIndex() as index, fed(far.place, index, more=far.more, clock=far.clock) as there:
        status, _, _ = await there.get(f"/simple/{name}/")
        return [] if status == 404 else [file["filename"] for file in (await there.page(name))["files"]]


def wheel(version: str, name: str = "demo") -> str:
    return f"{name}-{version}-py3-none-any.whl"


def of_demo(name: str, hours: int, *versions: str) -> bytes:
    blobs = Blobs()
    return made(
        blobs, only(project(blobs, "demo", ("1.0", "2.0")), *versions), name=name, created=CREATED - hours * HOUR
    )


async def test_a_name_again_keeps_what_another_name_brought_and_drops_what_its_own_did(tmp_path: Path) -> None:
    far = receiver(tmp_path)
    await take(far, of_demo("a", 9, "1.0"))
    await take(far, of_demo("b", 8, "2.0"))
    await take(far, of_demo("b", 7, "2.0"))
    assert await shown(far) == [wheel("1.0"), wheel("2.0")]
    await take(far, of_demo("a", 6, "2.0"))
    assert await shown(far) == [wheel("2.0")]


async def test_an_older_bundle_of_another_name_rolls_nothing_back(tmp_path: Path) -> None:
    far = receiver(tmp_path)

    def of(name: str, days: int, *versions: str) -> bytes:
        blobs, created = Blobs(), CREATED - timedelta(days=days)
        archive = zipped({"a.json": malware(f"MAL-{days}", "another")})
        osv = BundledDocument(kind=DocumentKind.ADVISORIES, name="osv", sha256=blobs.put(archive), as_of=created)
        demo = remembering(blobs, project(blobs, "demo", versions), first_seen=LONG_AGO, files=())
        return made(blobs, demo, name=name, created=created, documents=[osv])

    new = await take(far, of("default", 0, "1.0", "2.0"))
    assert new.brought.documents == (("advisories", "osv", None, CREATED),)
    old = await take(far, of("tools", 60, "1.0"))
    sixty = CREATED - timedelta(days=60)
    assert old.brought.documents == ()
    assert set(old.brought.not_replaced) == {
        ("advisories", "osv", CREATED, sixty),
        ("page", "pypi/demo", CREATED, sixty),
    }
    async with far.ledger() as ledger:
        assert [one.as_of for one in await ledger.imported_documents()] == [CREATED]
    assert await shown(far) == [wheel("1.0"), wheel("2.0")]


def pinning(blobs: Blobs, name: str) -> BundledDocument:
    publisher = PublisherPattern.parse("github:mallory/widgets@release.yml")
    pin = Pin(project=ProjectName(name), publisher=publisher, reason="x", by="mallory", at=CREATED)
    return BundledDocument(kind=DocumentKind.PINS, name="pins", sha256=blobs.put(encode_pins([pin])), as_of=CREATED)


async def test_a_pin_counts_only_for_what_is_taken_and_is_told(tmp_path: Path) -> None:
    far = receiver(tmp_path, NO_COOLDOWN + 'deny = ["widgets"]\n')
    blobs = Blobs()
    content = made(blobs, project(blobs, "demo"), project(blobs, "widgets"), documents=[pinning(blobs, "widgets")])
    assert (await take(far, content)).brought.pins == ()
    blobs = Blobs()
    content = made(blobs, project(blobs, "demo"), documents=[pinning(blobs, "demo")])
    told = await take(far, content, keep=False)
    (pin,) = (await take(far, content)).brought.pins
    assert (pin.project, pin.by, told.brought.pins) == ("demo", f"bundle default, key {KEY.public.id}", (pin,))
    async with far.ledger() as ledger:
        (occurrence,) = await ledger.occurrences(since=CREATED)
        assert (occurrence.kind, occurrence.project) == ("decision-made", "demo")
        assert await ledger.decisions() == (pin,)


async def test_what_is_asked_over_the_network_is_refused_and_not_remembered(tmp_path: Path) -> None:
    far = receiver(tmp_path, toml=ASKED)
    blobs = Blobs()
    taken = await take(far, made(blobs, project(blobs, "demo")))
    assert taken.nothing
    assert "upstream pypi is asked over the network here" in str(taken.refused[0].reason)
    async with far.ledger() as ledger:
        assert await ledger.page_record("pypi", ProjectName("demo")) is None
        assert await ledger.imports() == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"first_seen": CREATED + HOUR, "files": ()}, "what happened after it was made"),
        ({"highest_serial": 2**40}, "remembers serial 1099511627776 of demo, and its page has none"),
    ],
)
async def test_memory_that_cannot_be_is_refused(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    blobs = Blobs()
    content = made(blobs, remembering(blobs, project(blobs, "demo"), **changed))
    with pytest.raises(InvalidBundle, match=said):
        await take(receiver(tmp_path), content)


async def test_a_bundle_of_which_nothing_is_taken_makes_nothing_young(tmp_path: Path) -> None:
    far = receiver(tmp_path, NO_COOLDOWN + 'deny = ["other"]\n')
    blobs = Blobs()
    demo = remembering(blobs, project(blobs, "demo"), first_seen=LONG_AGO, files=())
    await take(far, made(blobs, demo, created=CREATED - timedelta(days=60)))
    blobs = Blobs()
    root = BundledDocument(kind=DocumentKind.POLICY, name="root", sha256=blobs.put(b"policy"), as_of=CREATED)
    taken = await take(far, made(blobs, project(blobs, "other"), documents=[root]))
    assert taken.nothing
    assert len(await far.imports()) == 1
    async with far.ledger() as ledger:
        keeper = ImportsKeeper(ledger, fed=["pypi"], offline=[], max_age=timedelta(days=30), clock=far.clock)
        (problem,) = await keeper.problems()
        assert "too old since 30 days" in problem
        assert [one.kind for one in await ledger.imported_documents()] == ["policy"]


async def test_a_series_goes_on_under_another_key_only_where_that_is_meant(tmp_path: Path) -> None:
    far, other = receiver(tmp_path), key_of("another sending side")
    await take(far, of_demo("default", 2, "1.0"))
    blobs = Blobs()
    content = made(blobs, project(blobs, "demo"), key=other)
    keys = (*TRUSTED, other.public)
    with pytest.raises(InvalidBundle, match=f"signed with {other.public.id}.*with {KEY.public.id}") as caught:
        await take(far, content, keys=keys)
    assert "--new-key" in str(caught.value.remedy)
    assert (await take(far, content, keys=keys, new_key=True)).taken


def mirrored(far: Receiver) -> set[str]:
    blobs = far.place / "data" / "mirror" / "blobs" / "sha256"
    return {path.name for path in blobs.rglob("*") if path.is_file()}


async def test_an_import_removes_what_it_took_the_place_of_and_nothing_else(tmp_path: Path) -> None:
    far = receiver(tmp_path)
    await take(far, of_demo("a", 9, "1.0"))
    await take(far, of_demo("b", 8, "1.0", "2.0"))
    before = mirrored(far)
    await take(far, of_demo("b", 7, "1.0"))
    assert len(before - mirrored(far)) == 2  # the wheel of 2.0 and its metadata
    async with far.ledger() as ledger:
        assert mirrored(far) == await referenced(ledger)


async def test_a_name_is_withdrawn_with_what_nothing_else_refers_to(tmp_path: Path) -> None:
    far = receiver(tmp_path)
    await take(far, of_demo("a", 9, "1.0"))
    kept = mirrored(far)
    await take(far, of_demo("b", 8, "2.0"))
    async with far.ledger() as ledger:
        found = await withdraw(ledger, far.config.storage.mirror_dir, "b")
        assert found is not None
        assert (found[0].projects, found[1].files > 0) == (1, True)
        assert await withdraw(ledger, far.config.storage.mirror_dir, "b") is None
    assert mirrored(far) == kept
    assert await shown(far) == [wheel("1.0")]


async def test_what_came_in_is_undone_whatever_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: Arrivals) -> None:
        raise RuntimeError("the disk went away")

    far = receiver(tmp_path)
    monkeypatch.setattr(Arrivals, "settle", failing)
    with pytest.raises(RuntimeError):
        await take(far, of_demo("a", 9, "1.0"))
    assert mirrored(far) == set()


async def test_what_the_ledger_refuses_is_undone(tmp_path: Path) -> None:
    far = receiver(tmp_path)
    await take(far, of_demo("a", 9, "1.0"))
    before = mirrored(far)
    with closing(sqlite3.connect(far.config.storage.ledger)) as other:
        other.execute("CREATE TRIGGER no BEFORE INSERT ON import BEGIN SELECT RAISE(ABORT, 'no'); END")
        other.commit()
    blobs = Blobs()
    with pytest.raises(Exception, match="the ledger cannot be used"):
        await take(far, made(blobs, project(blobs, "other"), name="b"))
    assert mirrored(far) == before
