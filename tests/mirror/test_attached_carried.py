"""Evidence that an operator attached crosses the gap with its file, and is verified again over there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from check.support import ACME
from inbond.attest.attaching import provenance_of
from inbond.bundles.attached import decode_attached, encode_attached
from inbond.mirror.contents import Listed, Project, require_listed
from inbond.model.errors import InvalidBundle
from inbond.model.events import unobserved
from inbond.model.imports import Attached
from inbond.model.names import Filename, ProjectName
from inbond.store.ledger import open_ledger
from mirror.carrying import Receiver, Sender
from mirror.importing import FED, fed
from mirror.syncing import Connected, hashed
from sim.index import SimFile, SimIndex
from sim.sigstore import Sigstore
from stack import Inbond, LocalVerifier, inbond, sigstore

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
REQUIRE = """
[policies.default]
attestations = "require"
continuity = "off"
[[policies.default.rules]]
projects = ["*"]
publishers = ["github:acme/widgets"]
"""


def signature(file: SimFile, by: str = "ada") -> Attached:
    raw = json.dumps(sigstore().signer(ACME).bundle(file.content)).encode()
    provenance = provenance_of(raw, filename=Filename(file.filename), sha256=file.sha256)
    return Attached(
        upstream="pypi", sha256=file.sha256, filename=file.filename, provenance=provenance, reason="by the job", by=by,
        at=AT,
    )  # fmt: skip


async def attach(place: Path, *rows: Attached) -> None:
    ledger = open_ledger(place / "data" / "ledger" / "ledger.sqlite3", observer=unobserved)
    try:
        for row in rows:
            await ledger.attach(row)
    finally:
        await ledger.aclose()


async def told(side: Inbond, file: SimFile) -> tuple[str, str, str]:
    verdict = await side.verdict(file.project, file.filename)
    return verdict["decision"], verdict["evidence"]["state"], verdict["attached"]["by"]


async def test_it_crosses_the_gap_and_counts_there(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    near.mkdir()
    async with SimIndex() as index:
        files = [index.add_wheel("widgets", "1.0"), index.add_wheel("gadgets", "1.0", claim="silent")]
        connected = Connected(near, index)
        connected.configure(REQUIRE)
        await attach(near, *map(signature, files))
        await connected.sync(connected.lock([hashed(file.project, file.version, file) for file in files]))
        sender = Sender(connected)
        exported = await sender.export()
        assert not exported.gathered.left_out
        async with inbond(near, index, more=REQUIRE) as online:
            assert [await told(online, file) for file in files] == [("allow", "verified", "ada")] * 2

        taken = await Receiver(far, REQUIRE).take(sender.bundle)
        assert not taken.refused
        async with fed(far, index, config=FED, more=REQUIRE) as offline:
            found = [await told(offline, file) for file in files]
    key = exported.gathered.manifest.name, taken.key
    assert found == [("allow", "verified", f"ada (bundle {key[0]}, key {key[1]})")] * 2


async def test_over_there_it_is_judged_by_that_sides_own_trust_and_what_it_attached_stays(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    near.mkdir()
    async with SimIndex() as index:
        file = index.add_wheel("widgets", "1.0")
        connected = Connected(near, index)
        connected.configure(REQUIRE)
        await attach(near, signature(file))
        await connected.sync(connected.lock([hashed("widgets", "1.0", file)]))
        sender = Sender(connected)
        await sender.export()

        stranger = LocalVerifier(Sigstore("elsewhere.example").trusted_root())
        (refused,) = (await Receiver(tmp_path / "strange", REQUIRE, verifier=stranger).take(sender.bundle)).refused
        assert refused.filename == file.filename

        receiver = Receiver(far, REQUIRE)
        await attach(far, signature(file, "bob"))
        await receiver.take(sender.bundle)
        async with fed(far, index, config=FED, more=REQUIRE) as offline:
            assert await told(offline, file) == ("allow", "verified", "bob")


def test_the_document_has_one_spelling() -> None:
    index = SimIndex()
    rows = [signature(index.add_wheel("widgets", version)) for version in ("1.0", "2.0")]
    raw = encode_attached(rows)

    assert raw == encode_attached(rows[::-1])
    assert sorted(decode_attached(raw), key=lambda one: one.filename) == rows
    one = json.loads(raw)["attached"][0]
    broken = {
        "is of format 2": raw.replace(b'"inbond_attached":1', b'"inbond_attached":2'),
        "cannot be read": b"{",
        "names a file twice": json.dumps(
            {"inbond_attached": 1, "attached": [one, one]}, separators=(",", ":")
        ).encode(),
        "not written as inbond writes it": raw.replace(rows[0].sha256.encode(), b"X" * 64),
    }
    for said, document in broken.items():
        with pytest.raises(InvalidBundle, match=said):
            decode_attached(document)


def test_what_is_attached_to_a_file_on_no_page_is_refused() -> None:
    row = signature(SimIndex().add_wheel("widgets", "1.0"))
    listed: Listed = (row.filename, row.sha256)
    require_listed([row], {listed: {("pypi", ProjectName("widgets"))}})
    other: Listed = (row.filename, "0" * 64)
    wrong: list[dict[Listed, set[Project]]] = [
        {other: {("pypi", ProjectName("widgets"))}},
        {listed: set()},
        {listed: {("acme", ProjectName("widgets"))}},
    ]
    for places in wrong:
        with pytest.raises(InvalidBundle, match="which is on none of its pages"):
            require_listed([row], places)
