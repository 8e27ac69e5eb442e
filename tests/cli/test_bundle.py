"""`inbond bundle`: keys, export, verify, import, list and show, as an operator types them."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import termios
from array import array
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from check.support import signed_by
from cli.desk import Desk, configured
from inbond.bundles.keys import PublicKey, SigningKey
from inbond.cli import bundle_scratch
from inbond.cli.config import load_config
from inbond.cli.main import cli
from inbond.cli.telling import INTERRUPTED
from inbond.mirror import receiving
from inbond.store.ledger_file import connect
from inbond.store.migrations import STEPS, migrate
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
    assert "imported default: 2 files" in await gap.far.beside("bundle", "list")
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
    await gap.export()
    mirror = gap.far.place / "data" / "mirror"
    mirror.mkdir(parents=True)
    with (mirror / "import.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = await gap.far.beside("bundle", "import", gap.bundle, code=2)
    assert "another import is under way here" in told


async def test_import_tells_what_it_changed_besides_files(gap: Gap) -> None:
    await gap.near.beside("pins", "accept", "demo", "github:octo/demo", "--reason", "known")
    await gap.export()
    first = await gap.far.beside("bundle", "import", gap.bundle)
    assert "new pin: github:octo/demo may publish demo: known" in first
    assert "root public: as of" in first
    assert "the first of its name" in first
    brought = (await gap.json(gap.far, "bundle", "import", gap.bundle))["brought"]
    assert brought["pins"] == brought["documents"] == brought["not_replaced"] == []


async def test_where_nothing_is_taken_it_says_so_and_ends_with_2(gap: Gap) -> None:
    await gap.export()
    gap.configure_far(NO_COOLDOWN + 'deny = ["other", "demo"]\n')
    refused = await asyncio.to_thread(gap.far.run, "bundle", "import", gap.bundle)
    assert refused.exit_code == 2
    assert "not imported, signed with k-" in refused.stdout
    assert "root public: as of" in refused.stdout  # documents count: they may be why all is refused
    assert "No file of it was taken." in refused.stdout
    verified = await asyncio.to_thread(gap.far.run, "bundle", "verify", gap.bundle, "--format", "json")
    assert verified.exit_code == 2
    assert json.loads(verified.stdout)["nothing_taken"] is True
    assert await gap.far.beside("bundle", "list") == "nothing was imported or synced here\n"


async def test_another_key_needs_a_word(gap: Gap) -> None:
    await gap.export()
    await gap.far.beside("bundle", "import", gap.bundle)
    key = SigningKey(bytes(32))
    (gap.near.place / "company.key").write_bytes(key.pem)
    (gap.near.place / "company.pub").write_bytes(key.public.pem)
    await gap.export()
    assert "--new-key takes it" in await gap.far.beside("bundle", "import", gap.bundle, code=2)
    assert f"signed with {key.public.id}" in await gap.far.beside("bundle", "import", gap.bundle, "--new-key")


async def test_what_was_imported_is_taken_back(gap: Gap) -> None:
    assert "nothing of a bundle named default is here" in await gap.far.beside(
        "bundle", "remove", "default", "--yes", code=1
    )
    await gap.export()
    await gap.far.beside("bundle", "import", gap.bundle)
    blobs = gap.far.place / "data" / "mirror" / "blobs" / "sha256"
    wheel = blobs / gap.demo.sha256[:2] / gap.demo.sha256
    asked = await asyncio.to_thread(gap.far.run, "bundle", "remove", "default")  # nobody says yes
    assert asked.exit_code == 1
    assert "default: 1 import, 2 projects; what no bundle of another name brought is not served" in asked.stderr
    assert wheel.is_file()
    removed = await gap.json(gap.far, "bundle", "remove", "default", "--yes")
    assert removed["removed"] == {"imports": 1, "projects": 2, "attached": 0}
    assert removed["bytes"] > len(gap.demo.content)
    assert not wheel.exists()
    assert await gap.far.beside("bundle", "list") == "nothing was imported or synced here\n"
    assert (await gap.json(gap.far, "bundle", "remove", "default", "--yes", code=1))["removed"] is None
    assert "imported, signed" in await gap.far.beside("bundle", "import", gap.bundle)
    text = await gap.far.beside("bundle", "remove", "default", "--yes")
    assert text.startswith("removed default: 1 import, 2 projects, evidence attached to 0 files")
    assert "inbond pins revoke takes back a pin" in text
    kinds = [(kind, target) for kind, _, target in await gap.far.did()]
    assert kinds == [("bundle-imported", "default"), ("bundle-removed", "default")] * 2


@pytest.mark.parametrize("schema", [len(STEPS), len(STEPS) - 1])
async def test_verifying_leaves_the_ledger_as_it_is(gap: Gap, schema: int) -> None:
    await gap.export()
    data = gap.far.place / "data"
    ledger = data / "ledger" / "ledger.sqlite3"
    ledger.parent.mkdir(parents=True)
    with closing(connect(ledger)) as connection:  # also of an earlier inbond
        migrate(connection, STEPS[:schema])
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
    before = ledger.read_bytes()
    assert "verified, signed with k-" in await gap.far.beside("bundle", "verify", gap.bundle)
    assert ledger.read_bytes() == before
    assert list(data.iterdir()) == [ledger.parent]


async def test_verifying_wants_room_for_documents_alone(gap: Gap, monkeypatch: pytest.MonkeyPatch) -> None:
    await gap.export()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=receiving.SPARE_BYTES))
    told = await gap.far.beside("bundle", "verify", gap.bundle, code=2)
    assert "the bundle carries" in told
    assert "besides its files" in told
    assert "set TMPDIR to a directory on a larger disk" in told
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=receiving.SPARE_BYTES + 60_000))
    assert "verified" in await gap.far.beside("bundle", "verify", gap.bundle)


async def test_what_is_scratched_lies_where_there_is_room(gap: Gap, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(file=gap.far.place / "inbond.toml", overrides={}, environ={})
    data = config.storage.mirror_dir.parent
    assert bundle_scratch.roomiest(config) == Path(tempfile.gettempdir())  # there is no data directory
    data.mkdir(parents=True)
    room = {str(data): 10, tempfile.gettempdir(): 1}
    monkeypatch.setattr(bundle_scratch, "free_below", lambda place: room[str(place)])
    assert bundle_scratch.roomiest(config) == data
    room[str(data)] = 0
    assert bundle_scratch.roomiest(config) == Path(tempfile.gettempdir())


@pytest.mark.parametrize("command", ["import", "verify"])
@pytest.mark.parametrize("sent", [100, 20_000])
async def test_an_interrupt_ends_the_wait_for_standard_input(gap: Gap, command: str, sent: int) -> None:
    """Its writer lives on, and sends no more."""
    await gap.export()
    coming, going = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "inbond", "bundle", command, "-",
            "--config", str(gap.far.place / "inbond.toml"), "--data", str(gap.far.place / "data"),
            stdin=coming, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "INBOND_TRUST__PUBLIC__ROOT": str(gap.near.place / "root.json")},
        )  # fmt: skip
        os.write(going, Path(gap.bundle).read_bytes()[:sent])
        while unread(coming):
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, told = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == INTERRUPTED, told
    finally:
        os.close(coming)
        os.close(going)


def unread(pipe: int) -> int:
    """Bytes that nobody has taken out yet."""
    count = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


async def test_an_export_never_takes_the_place_of_what_is_no_file(gap: Gap) -> None:
    place = gap.near.place
    key = str(place / "company.key")
    pipe, link, directory = place / "pipe", place / "link", place / "directory"
    os.mkfifo(pipe)
    link.symlink_to("/dev/null")
    directory.mkdir()
    for output in (pipe, link):
        told = await gap.near.beside("bundle", "export", "--key", key, "-o", str(output), code=2)
        assert f"{output} is no regular file, and is not replaced" in told
        assert '"-" for standard output' in told
    for typed in (str(directory), "."):
        told = await gap.near.beside("bundle", "export", "--key", key, "-o", typed, code=2)
        assert f"{typed} is a directory, and is not replaced" in told
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert link.is_symlink()
    (place / "out.bundle.manifest.json").mkdir()
    assert "out.bundle.manifest.json is a directory" in await gap.export(code=2)
    assert not Path(gap.bundle).exists()


async def test_an_export_without_a_directory_to_write_to_names_the_file(gap: Gap) -> None:
    key, nowhere = str(gap.near.place / "company.key"), str(gap.near.place / "nowhere" / "out.bundle")
    told = await gap.near.beside("bundle", "export", "--key", key, "-o", nowhere, code=2)
    assert f"refused to write {nowhere}" in told


async def test_a_name_that_is_none_is_a_usage_error(gap: Gap) -> None:
    told = await gap.export("--name", "Bad Name", code=2)
    assert "--name 'Bad Name' is no name" in told
    assert "defect" not in told


async def test_a_short_file_is_no_bundle_either(gap: Gap) -> None:
    for raw in (b"", b"hello\n"):
        Path(gap.bundle).write_bytes(raw)
        for command in ("verify", "import", "show"):
            assert "this is no bundle" in await gap.far.beside("bundle", command, gap.bundle, code=2)


OFFLINE_AND_PRESET = """
[server]
{offline}
[storage]
path = "{data}"
[imports]
keys = ["{key}"]
[policies.default]
min_age = "0"
"""


async def test_the_preset_upstream_is_fed_where_inbond_is_offline_and_refused_where_it_is_asked(gap: Gap) -> None:
    await gap.export()
    for offline, code in (("", 2), ("offline = true", 0)):
        text = OFFLINE_AND_PRESET.format(
            offline=offline, data=gap.far.place / "data", key=gap.near.place / "company.pub"
        )
        (gap.far.place / "inbond.toml").write_text(text)
        for command in ("verify", "import"):
            done = await asyncio.to_thread(gap.far.run, "bundle", command, gap.bundle)
            assert done.exit_code == code, done.output
            assert ("asked over the network" in done.stdout) == bool(code), done.output


async def test_what_is_imported_and_not_used_is_told_by_whatever_judges(gap: Gap) -> None:
    await gap.export()
    await gap.far.beside("bundle", "import", gap.bundle)
    config = gap.far.place / "inbond.toml"
    config.write_text(config.read_text().replace('"imports"', '"http://127.0.0.1:9/simple/"'))
    done = await asyncio.to_thread(gap.far.run, "why", "demo")
    said = "upstream pypi is asked over the network, and what was imported for it is not used"
    assert said in done.stderr
    done = await asyncio.to_thread(gap.far.run, "why", "demo", "--offline")
    assert done.exit_code == 0, done.output
    assert said not in done.stderr


async def test_a_list_fits_a_terminal(gap: Gap) -> None:
    await gap.export()
    await gap.far.beside("bundle", "import", gap.bundle)
    shown = await gap.far.beside("bundle", "list")
    assert shown.startswith("imported default: 2 files, ")
    assert "signed with k-" in shown
    assert max(map(len, shown.splitlines())) <= 80


async def test_an_upstream_that_no_index_has_is_told_in_one_line(gap: Gap) -> None:
    await gap.export()
    config = gap.far.place / "inbond.toml"
    text = config.read_text().replace("[upstreams.pypi]", "[upstreams.acme]")
    config.write_text(f'{text}\n[indexes.root]\npolicy = "default"\nupstreams = ["acme"]\n')
    told = (await asyncio.to_thread(gap.far.run, "bundle", "import", gap.bundle, "--offline")).stdout
    (line,) = [line for line in told.splitlines() if line.startswith("refused: ")]
    assert line.startswith("refused: 2 files of demo, other (pypi): no index here has an upstream called pypi")
    assert "the same on both sides" in line


async def test_an_import_says_that_it_was_here_already_and_what_a_running_server_needs(gap: Gap) -> None:
    await gap.export()
    config = gap.far.place / "inbond.toml"
    config.write_text(config.read_text().replace('url = "imports"', 'url = "http://127.0.0.1:9/simple/"'))
    restarted = "A server that runs offline here serves upstream pypi once it is restarted."
    first = await gap.far.beside("bundle", "import", gap.bundle, "--offline")
    assert "here already" not in first
    assert restarted in first
    again = await gap.far.beside("bundle", "import", gap.bundle, "--offline")
    assert "This very bundle was here already." in again
    assert restarted not in again
