"""`inbond bundle`: keys, export, verify, import, list and show, as an operator types them."""

from __future__ import annotations

import asyncio
import io
import json
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from check.support import signed_by
from cli.desk import Desk, configured
from inbond.bundles.keys import PublicKey, SigningKey
from inbond.cli.main import cli
from mirror.importing import FED
from mirror.syncing import NO_COOLDOWN, Connected, hashed
from sim.index import SimFile, SimIndex

IMPORTS = '\n[imports]\nkeys = ["{key}"]\n'


@dataclass(frozen=True)
class Gap:
    """Both sides at their desks; `near` has synced, and made a key, `far` trusts it."""

    near: Desk
    far: Desk
    demo: SimFile
    other: SimFile

    @property
    def bundle(self) -> str:
        return str(self.near.place / "out.bundle")

    async def export(self, *more: str, code: int = 0) -> str:
        key = str(self.near.place / "company.key")
        return await self.near.beside("bundle", "export", "--key", key, "-o", self.bundle, *more, code=code)

    def configure_far(self, more: str = NO_COOLDOWN) -> None:
        text = FED.format(data=self.far.place / "data") + IMPORTS.format(key=self.near.place / "company.pub")
        (self.far.place / "inbond.toml").write_text(text + more)

    async def json(self, desk: Desk, *arguments: str, code: int = 0) -> Any:
        return json.loads(await desk.beside(*arguments, "--format", "json", code=code))


@pytest.fixture
async def gap(tmp_path: Path) -> AsyncIterator[Gap]:
    near, far = tmp_path / "near", tmp_path / "far"
    near.mkdir()
    far.mkdir()
    async with SimIndex() as index:
        demo = index.add_wheel("demo", "1.0", provenance=signed_by())
        other = index.add_wheel("other", "2.0")
        connected = Connected(near, index, NO_COOLDOWN)
        await connected.sync(connected.lock([hashed("demo", "1.0", demo), hashed("other", "2.0", other)]))
        key = SigningKey(bytes(range(32)))
        (near / "company.key").write_bytes(key.pem)
        (near / "company.pub").write_bytes(key.public.pem)
        found = Gap(Desk(near), configured(far), demo, other)
        found.configure_far()
        yield found


def keygen(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["bundle", "keygen", *arguments])


def test_keygen_makes_a_pair_and_says_where_each_half_belongs(tmp_path: Path) -> None:
    made = keygen(str(tmp_path / "company.key"))
    assert made.exit_code == 0, made.output
    private, public = tmp_path / "company.key", tmp_path / "company.pub"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    key = SigningKey.parse(private.read_bytes())
    assert PublicKey.parse(public.read_bytes()) == key.public
    assert f"made the key {key.public.id}" in made.stdout
    assert '[imports]\nkeys = ["company.pub"]' in made.stdout
    assert "PRIVATE" not in made.output


def test_keygen_never_replaces_a_key(tmp_path: Path) -> None:
    (tmp_path / "company.pub").write_text("mine")
    again = keygen(str(tmp_path / "company"))
    assert again.exit_code == 2
    assert "company.pub is there already" in again.stderr
    assert not (tmp_path / "company.key").exists()
    assert (tmp_path / "company.pub").read_text() == "mine"


def test_keygen_for_programs(tmp_path: Path) -> None:
    made = json.loads(keygen(str(tmp_path / "company.key"), "--format", "json").stdout)
    key = SigningKey.parse(Path(made["private"]).read_bytes())
    assert made == {"id": key.public.id, "private": made["private"], "public": str(tmp_path / "company.pub")}


async def test_from_one_side_to_the_other(gap: Gap) -> None:
    exported = await gap.export()
    assert "default: 2 files of 2 projects" in exported
    assert f"written to {gap.bundle}" in exported
    assert "2 files of 2 projects" in await gap.far.beside("bundle", "show", gap.bundle)
    verified = await gap.far.beside("bundle", "verify", gap.bundle)
    assert "verified, signed with k-" in verified
    assert "nothing was kept" in verified
    assert await gap.far.beside("bundle", "list") == "nothing was imported or synced here\n"
    taken = await gap.json(gap.far, "bundle", "import", gap.bundle)
    assert (taken["kept"], taken["taken"], taken["refused"], taken["different"]) == (True, 2, [], [])
    assert [document["kind"] for document in taken["documents"]] == ["policy", "repositories", "root"]
    listed = await gap.json(gap.far, "bundle", "list")
    assert [(one["name"], one["files"], one["manifest"]) for one in listed["imported"]] == [
        ("default", 2, taken["manifest"])
    ]
    assert "imported default, made" in await gap.far.beside("bundle", "list")
    assert "synced default" in await gap.near.beside("bundle", "list")


async def test_what_this_side_denies_is_told_and_ends_with_1(gap: Gap) -> None:
    await gap.export()
    gap.configure_far(NO_COOLDOWN + 'deny = ["other"]\n')
    told = await gap.far.beside("bundle", "import", gap.bundle, code=1)
    assert f"refused: {gap.other.filename} (pypi): {gap.other.filename} is denied by rule deny" in told
    again = await gap.json(gap.far, "bundle", "verify", gap.bundle, code=1)
    assert [(one["filename"], one["evidence"]) for one in again["refused"]] == [
        (gap.other.filename, {"sender": "absent", "here": "absent"})
    ]
    assert again["refused"][0]["findings"]["root"][0]["rule"] == "deny"


async def test_what_is_denied_by_now_is_not_exported(gap: Gap) -> None:
    with (gap.near.place / "inbond.toml").open("a") as file:
        file.write('deny = ["other"]\n')
    left = await gap.json(gap.near, "bundle", "export", "--key", str(gap.near.place / "company.key"),
                          "-o", gap.bundle, code=1)  # fmt: skip
    assert [one["filename"] for one in left["left_out"]] == [gap.other.filename]
    assert "left out: other-2.0-py3-none-any.whl (pypi)" in await gap.export(code=1)


async def test_a_key_that_nobody_trusts(gap: Gap) -> None:
    stranger = gap.near.place / "stranger.key"
    stranger.write_bytes(SigningKey(bytes(32)).pem)
    await gap.near.beside("bundle", "export", "--key", str(stranger), "-o", gap.bundle)
    for command in ("verify", "import"):
        told = await gap.far.beside("bundle", command, gap.bundle, code=2)
        assert "the bundle is signed with the key" in told
        assert "[imports] keys" in told
    shown = await gap.far.beside("bundle", "show", gap.bundle)
    assert "NOT VERIFIED" in shown
    public = gap.near.place / "stranger.pub"
    public.write_bytes(SigningKey(bytes(32)).public.pem)
    assert "verified" in await gap.far.beside("bundle", "verify", gap.bundle, "--key", str(public))


async def test_without_any_key_nothing_is_taken(gap: Gap) -> None:
    (gap.far.place / "inbond.toml").write_text(FED.format(data=gap.far.place / "data"))
    told = await gap.far.beside("bundle", "import", gap.bundle, code=2)
    assert "no key is trusted here" in told


async def test_through_a_pipe(gap: Gap) -> None:
    await gap.export()
    raw = Path(gap.bundle).read_bytes()
    arguments = ["--config", str(gap.far.place / "inbond.toml"), "--data", str(gap.far.place / "data")]
    environ = {"INBOND_TRUST__PUBLIC__ROOT": str(gap.near.place / "root.json")}

    def piped(*words: str, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(cli, ["bundle", *words, *arguments], input=io.BytesIO(stdin), env=environ)

    taken = await asyncio.to_thread(piped, "import", "-", stdin=raw)
    assert taken.exit_code == 0, taken.output
    assert "2 files of 2 projects" in taken.stdout
    cut = await asyncio.to_thread(piped, "import", "-", stdin=raw[:-700])
    assert cut.exit_code == 2
    assert "the bundle ends after" in cut.stderr
    arguments[:] = ["--config", str(gap.near.place / "inbond.toml"), "--data", str(gap.near.place / "data")]
    sent = await asyncio.to_thread(piped, "export", "--key", str(gap.near.place / "company.key"), "-o", "-")
    assert sent.exit_code == 0, sent.stderr
    assert sent.stdout_bytes == raw
    assert "default: 2 files" in sent.stderr


async def test_what_is_no_bundle(gap: Gap) -> None:
    Path(gap.bundle).write_bytes(b"PK\x03\x04" * 1000)
    for command in ("verify", "import", "show"):
        assert "this is no bundle" in await gap.far.beside("bundle", command, gap.bundle, code=2)
    assert "cannot be read" in await gap.far.beside("bundle", "import", "nowhere.bundle", code=2)


async def test_one_import_at_a_time(gap: Gap) -> None:
    import fcntl  # noqa: PLC0415 (this test's alone)

    await gap.export()
    mirror = gap.far.place / "data" / "mirror"
    mirror.mkdir(parents=True)
    with (mirror / "import.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = await gap.far.beside("bundle", "import", gap.bundle, code=2)
    assert "another import is under way here" in told
