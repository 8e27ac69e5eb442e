"""`inbond static write|verify` as an operator meets them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner

from check.support import OLD, signed_by
from cli.desk import Desk, configured
from inbond.bundles.keys import SigningKey
from inbond.cli.main import cli
from inbond.mirror.synced import SyncedBook
from mirror.static_support import fetched, record
from sim.index import SimFile, SimIndex
from stack import inbond


async def synced(
    place: Path, index: SimIndex, *files: SimFile, name: str = "default", also: tuple[SimFile, ...] = ()
) -> Desk:
    """A desk where these files were synced; `also`: recorded, and not there."""
    async with inbond(place, index) as proxy:
        await fetched(proxy, *files)
    SyncedBook(place / "data" / "mirror" / "synced").write(record(*files, *also, name=name))
    return Desk(place)


def keys(place: Path) -> tuple[str, str]:
    key = SigningKey.generate()
    (place / "bundle.key").write_bytes(key.pem)
    (place / "bundle.pub").write_bytes(key.public.pem)
    return str(place / "bundle.key"), str(place / "bundle.pub")


def verify(*arguments: str) -> tuple[int, str]:
    """`verify` reads no configuration."""
    result = CliRunner().invoke(cli, ["static", "verify", *arguments])
    return result.exit_code, result.stdout + result.stderr


async def test_a_tree_is_written_signed_and_verified(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        desk = await synced(tmp_path, index, wheel, name="team")
        root = str(tmp_path / "tree")
        private, public = keys(tmp_path)
        told = await desk.beside("static", "write", root, "--name", "team", "--key", private)
        assert f"{root}: 1 file of 1 project," in told
        assert "signed with k-" in told
        assert "written, 0 kept, 0 removed" in told
        again = json.loads(await desk.beside("static", "write", root, "--name", "team", "--format", "json"))
        assert (again["files"], again["left_out"], again["signed_by"], again["written"]) == (1, [], None, 0)
    code, told = verify(root)
    assert (code, "nothing is wrong" in told, "no key that was named vouches" in told) == (0, True, True)
    code, told = verify(root, "--key", public)
    assert (code, "there is no signature" in told) == (1, True)
    code, told = verify(root, "--max-age", "7d", "--format", "json")
    assert (code, json.loads(told)["problems"][0]["path"]) == (1, "")
    for number in range(60):
        (tmp_path / "tree" / "packages" / f"{number}").write_text("extra")
    assert "and 10 more (--format json)" in verify(root)[1]
    (tmp_path / "tree" / "packages" / " new\n").write_text("extra")
    code, told = verify(root)
    assert (code, "packages/ new\\n: the manifest does not name it" in told) == (1, True)


async def test_what_is_left_out_decides_the_exit_code(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        lost = index.add_wheel("lost", "1.0", provenance=signed_by(), upload_time=OLD)
        desk = await synced(tmp_path, index, wheel)
        denied = (tmp_path / "inbond.toml").read_text() + '[policies.default]\nattestations = "require"\n'
        (tmp_path / "inbond.toml").write_text(denied)
        told = await desk.beside("static", "write", str(tmp_path / "tree"), code=1)
        assert f"left out (stopped): {wheel.filename}: {wheel.filename} is denied by rule attestations" in told
        SyncedBook(tmp_path / "data" / "mirror" / "synced").write(record(wheel, lost))
        arguments = ("static", "write", str(tmp_path / "tree"), "--format", "json")
        result = await asyncio.to_thread(desk.run, *arguments)
    assert result.exit_code == 2
    assert {one["filename"]: one["why"] for one in json.loads(result.stdout)["left_out"]} == {
        wheel.filename: "stopped",
        lost.filename: "missing",
    }


def test_mistakes_are_told_with_what_helps(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    result = desk.run("static", "write", str(tmp_path / "tree"))
    assert result.exit_code == 2
    assert "nothing was synced under the name 'default'" in result.stderr
    SyncedBook(tmp_path / "data" / "mirror" / "synced").write(record())
    for arguments, message in (
        (("--name", "Not a name"), "is no name"),
        (("--key", str(tmp_path / "none")), "cannot be read"),
        (("--key", str(tmp_path / "inbond.toml")), "no private key in PEM"),
        (("--url", "packages.acme.example"), "is no address"),
    ):
        result = desk.run("static", "write", str(tmp_path / "tree"), *arguments)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    result = desk.run("static", "write", str(tmp_path / "mine"))
    assert (result.exit_code, "is not a tree that inbond wrote" in result.stderr) == (2, True)
    code, told = verify(str(tmp_path / "mine"))
    assert (code, "this is no tree that inbond wrote" in told) == (1, True)
    code, told = verify(str(tmp_path / "mine"), "--max-age", "soon")
    assert (code, "--max-age" in told) == (2, True)
    code, told = verify(str(tmp_path / "mine"), "--key", str(tmp_path / "none"))
    assert (code, "cannot be read" in told) == (2, True)
