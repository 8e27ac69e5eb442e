"""What operators attached: seen at once, kept apart from what indexes say, never mixed up with what it was before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from inbond.attest.attaching import provenance_of
from inbond.gateway.attached import AttachedChanged, AttachedKeeper
from inbond.gateway.known_evidence import ASK_REJECTED_AFTER
from inbond.gateway.provenance import ABSENT_FOR
from inbond.model.acts import Act
from inbond.model.evidence import Absent, Derivation, Verified
from inbond.model.imports import Attached
from inbond.model.names import Filename
from inbond.model.page import File
from inbond.store.ledger import Ledger
from sim.index import SimFile, SimIndex
from sim.sigstore import GitHub
from stack import Inbond, SetClock, inbond, sigstore

ACME = GitHub(owner="acme", repo="widgets", workflow="release.yml")
EVIL = GitHub(owner="evil", repo="widgets", workflow="release.yml")
NAME = "widgets-1.0-py3-none-any.whl"
SHA256 = "1" * 64
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FILE = File(filename=Filename(NAME), url="https://files.example/w.whl", hashes={"sha256": SHA256})
REQUIRE = '[policies.default]\nattestations = "require"\n'


def attached(provenance: bytes = b"{}", *, sha256: str = SHA256, filename: str = NAME) -> Attached:
    return Attached(
        upstream="pypi", sha256=sha256, filename=filename, provenance=provenance, reason="", by="ada", at=NOW
    )


@dataclass
class Memory:
    """A ledger's part, in memory; counts how often everything is read."""

    rows: list[Attached] = field(default_factory=list)
    version: int = 1
    numbers: int = 0
    read: int = 0

    def decisions_version(self) -> int:
        return self.version

    def attached_version(self) -> tuple[int, int]:
        return self.numbers, len(self.rows)

    async def attach(self, attached: Attached, told: Act | None = None) -> bool:
        self.rows.insert(0, attached)
        self.numbers += 1
        self.version += 1
        return True

    async def attached_to(self, upstream: str, sha256: str) -> Attached | None:
        return next((one for one in self.rows if (one.upstream, one.sha256) == (upstream, sha256)), None)

    async def all_attached(self) -> tuple[Attached, ...]:
        self.read += 1
        return tuple(self.rows)

    async def detach(self, upstream: str, sha256: str, told: Act | None = None) -> bool:
        self.rows = [one for one in self.rows if (one.upstream, one.sha256) != (upstream, sha256)]
        self.version += 1
        return True


async def keeper(*rows: Attached) -> tuple[AttachedKeeper, Memory]:
    memory = Memory()
    for row in rows:
        await memory.attach(row)
    made = AttachedKeeper(memory)
    await made.refresh()
    return made, memory


async def test_the_ledger_is_read_again_only_where_something_else_is_attached() -> None:
    made, memory = await keeper()
    assert (made.version(), memory.read) == ("", 0)

    memory.version += 1  # a pin, say
    await made.refresh()
    assert (made.version(), memory.read) == ("", 0)

    await memory.attach(attached())
    unread = made.version()
    await made.refresh()
    assert len({"", unread, made.version()}) == 3  # what was made between is made again
    await made.refresh()
    assert memory.read == 1

    await memory.detach("pypi", SHA256)
    await made.refresh()
    assert made.version() != unread
    assert made.of("pypi", FILE) is None


@pytest.mark.parametrize(
    "other",
    [
        structs.replace(FILE, filename=Filename("widgets-2.0-py3-none-any.whl")),
        structs.replace(FILE, hashes={"sha256": "2" * 64}),
        structs.replace(FILE, hashes={}),
    ],
    ids=["name", "digest", "no digest"],
)
async def test_it_is_of_the_file_of_that_name_with_those_bytes(other: File) -> None:
    made, _ = await keeper(attached())
    assert made.of("pypi", FILE) is not None
    assert made.of("pypi", other) is None
    assert await made.published("pypi", other) is None


async def test_it_counts_for_the_upstream_by_whose_trust_it_was_verified_alone() -> None:
    made, _ = await keeper(attached())
    assert made.of("acme", FILE) is None
    assert await made.published("acme", FILE) is None
    assert await made.published("pypi", FILE) == b"{}"


async def test_what_was_attached_last_counts() -> None:
    made, _ = await keeper(attached(b"first"), attached(b"last"))
    note = made.of("pypi", FILE)
    assert note is not None
    assert note.provenance_sha256 == hashlib.sha256(b"last").hexdigest()
    assert await made.published("pypi", FILE) == b"last"


async def test_evidence_is_said_to_be_attached_only_where_it_was_made_from_that() -> None:
    made, _ = await keeper(attached())
    of = Derivation(provenance_sha256=hashlib.sha256(b"{}").hexdigest(), trusted_root_sha256="a" * 64, verified_at=NOW)

    assert made.behind("pypi", FILE, Verified(attestations=(), derivation=of)) == made.of("pypi", FILE)
    assert (
        made.behind("pypi", FILE, Verified(attestations=(), derivation=replace(of, provenance_sha256="b" * 64))) is None
    )
    assert made.behind("pypi", FILE, Absent()) is None


# --- in a whole inbond


def signature(file: SimFile, by: GitHub = ACME) -> Attached:
    raw = json.dumps(sigstore().signer(by).bundle(file.content)).encode()
    return attached(
        provenance_of(raw, filename=Filename(file.filename), sha256=file.sha256),
        sha256=file.sha256,
        filename=file.filename,
    )


def ledger_of(proxy: Inbond) -> Ledger:
    return proxy.up.parts.base.ledger


async def state(proxy: Inbond, file: SimFile) -> str:
    found: str = (await proxy.verdict("widgets", file.filename))["evidence"]["state"]
    return found


async def test_what_changes_during_a_check_is_checked_anew(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, more=REQUIRE) as proxy:
        file = index.add_wheel("widgets", "1.0")
        await ledger_of(proxy).attach(signature(file))
        made = proxy.up.parts.base.evidence._attached
        await made.refresh()
        page = await proxy.up.parts.base.pages.current("pypi", "widgets")  # type: ignore[arg-type]
        assert page is not None
        key = made.key(page, page.page.files[0])
        await ledger_of(proxy).attach(signature(file, EVIL))
        with pytest.raises(AttachedChanged):
            await made.provenance(key)
        await ledger_of(proxy).detach("pypi", file.sha256)
        with pytest.raises(AttachedChanged):
            await made.provenance(key)
        assert await state(proxy, file) == "absent"


async def test_it_outlives_a_restart_and_is_verified_once(tmp_path: Path) -> None:
    async with SimIndex() as index:
        files = [index.add_wheel("widgets", "1.0"), index.add_wheel("widgets", "2.0", claim="silent")]
        async with inbond(tmp_path, index, more=REQUIRE) as proxy:
            for file in files:
                await ledger_of(proxy).attach(signature(file))
                assert await state(proxy, file) == "verified"
        async with inbond(tmp_path, index, more=REQUIRE) as proxy:
            listed = {one["filename"]: one["yanked"] for one in (await proxy.page("widgets"))["files"]}
            assert listed == {file.filename: False for file in files}
            assert [await state(proxy, file) for file in files] == ["verified", "verified"]
            assert proxy.verifier.calls == 0


async def test_an_index_cannot_send_what_only_an_operator_attaches(tmp_path: Path) -> None:
    """Nothing in it names the file: an index could give one release's signature to another."""
    async with SimIndex() as index:
        file = index.add_wheel("widgets", "1.0")
        form = signature(file)
        file = index.change(file, provenance=form.provenance, claim=f"{index.files_base}{file.provenance_path}")
        async with inbond(tmp_path, index, more=REQUIRE) as proxy:
            await ledger_of(proxy).attach(form)  # so that the finding itself is known
            verdict = await proxy.verdict("widgets", NAME)
            assert (verdict["decision"], verdict["attached"]) == ("deny", None)
            assert verdict["evidence"]["state"] == "rejected"
            assert "only an operator's command may attach" in verdict["evidence"]["reason"]
            assert await proxy.metric("inbond_alerts_total", name="provenance-of-a-foreign-form") == 1
            await ledger_of(proxy).detach("pypi", file.sha256)
            assert await state(proxy, file) == "rejected"


async def test_provenance_that_the_index_has_later_takes_its_place(tmp_path: Path) -> None:
    clock = SetClock()
    async with SimIndex() as index:
        file = index.add_wheel("widgets", "1.0", claim="silent")
        async with inbond(tmp_path, index, more=REQUIRE, clock=clock) as proxy:
            await ledger_of(proxy).attach(signature(file))
            assert await state(proxy, file) == "verified"
            index.change(file, provenance=sigstore().provenance_for(NAME, file.sha256, EVIL))
            clock.advance(ABSENT_FOR + timedelta(minutes=1))
            verdict = await proxy.verdict("widgets", NAME)
    assert verdict["attached"] is None
    assert verdict["evidence"]["attestations"][0]["identity"]["name"].startswith("github:evil/widgets")


async def test_what_is_attached_and_rejected_stays_so_and_is_asked_about_again(tmp_path: Path) -> None:
    clock = SetClock()
    async with SimIndex() as index:
        file, other = index.add_wheel("widgets", "1.0"), index.add_wheel("widgets", "2.0")
        async with inbond(tmp_path, index, clock=clock) as proxy:
            await ledger_of(proxy).attach(replace(signature(other), sha256=file.sha256, filename=file.filename))
            assert await state(proxy, file) == "rejected"
            clock.advance(ASK_REJECTED_AFTER + timedelta(minutes=1))
            verdict = await proxy.verdict("widgets", NAME)
    assert (verdict["decision"], verdict["evidence"]["state"]) == ("deny", "rejected")
    assert verdict["attached"]["by"] == "ada"


async def test_what_one_upstreams_trust_verified_counts_for_no_other(tmp_path: Path) -> None:
    """The same bytes on an index whose own trust knows nothing of who signed: there nothing is attached."""
    more = REQUIRE + (
        '[upstreams.acme]\nurl = "{upstream1}"\n[indexes.own]\npolicy = "default"\nupstreams = ["acme"]\n'
    )
    async with SimIndex() as public, SimIndex() as own:
        file, same = (index.add_wheel("widgets", "1.0") for index in (public, own))
        assert file.sha256 == same.sha256
        async with inbond(tmp_path, public, own, more=more) as proxy:
            await ledger_of(proxy).attach(replace(signature(file), upstream="acme"))
            assert await state(proxy, file) == "absent"
            _, body, _ = await proxy.get(f"/-/verdict/own/widgets/{file.filename}")
            verdict = json.loads(body)
            assert (verdict["evidence"]["state"], verdict["attached"]["by"]) == ("verified", "ada")


@pytest.mark.parametrize("by", [EVIL, None], ids=["by another", "not attested"])
async def test_continuity_goes_by_what_is_attached_to_earlier_releases(tmp_path: Path, by: GitHub | None) -> None:
    """Three releases by ACME, all attached: the next is stopped as if an index had their provenance."""
    uploaded = datetime.now(UTC) - timedelta(hours=1)
    async with SimIndex() as index:
        old = [index.add_wheel("widgets", f"1.{number}") for number in range(3)]
        provenance = sigstore().signer(by).provenance if by is not None else None
        young = index.add_wheel("widgets", "2.0", provenance=provenance, upload_time=uploaded)
        async with inbond(tmp_path, index) as proxy:
            before = await proxy.verdict("widgets", young.filename)
            for file in old:
                await ledger_of(proxy).attach(signature(file))
            after = await proxy.verdict("widgets", young.filename)
    assert continuity(before) == []
    assert continuity(after) != []


def continuity(verdict: dict[str, Any]) -> list[str]:
    return [one["id"] for one in verdict["findings"] if one["rule"] == "continuity"]
