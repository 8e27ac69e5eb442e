"""`inbond check --write-pylock`: which package gets which identities, and what stays as it was."""

from __future__ import annotations

import tomllib
from pathlib import Path

from check.support import ACME, EVIL, OLD, signed_by
from cli.test_check import NO_COOLDOWN, Here, pylock
from sim.index import SimFile, SimIndex

IDENTITIES = 'attestation-identities = [{kind = "GitHub", repository = "acme/widgets", workflow = "release.yml"}]'


def package(file: SimFile, origin: str, *, version: str = "1.0", name: str = "signed") -> str:
    return (
        f'{{ name = "{name}", version = "{version}", wheels = [{{ name = "{file.filename}", '
        f'url = "{origin}{file.path}", hashes = {{ sha256 = "{file.sha256}" }} }}] }}'
    )


def identities(path: Path) -> list[list[str]]:
    packages = tomllib.loads(path.read_bytes().decode("utf-8-sig"))["packages"]
    return [[one["repository"] for one in entry.get("attestation-identities", [])] for entry in packages]


async def test_every_package_gets_its_own_also_where_all_stand_on_one_line(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        here.configure(NO_COOLDOWN)
        acme = index.add_wheel("signed", "1.0", provenance=signed_by(ACME), upload_time=OLD)
        evil = index.add_wheel("signed", "2.0", provenance=signed_by(EVIL), upload_time=OLD)
        plain = index.add_wheel("plain", "1.0", upload_time=OLD)
        own = '{ name = "signed", directory = { path = "." } }'
        entries = [
            own,
            package(plain, index.origin, name="plain"),
            package(evil, index.origin, version="2.0"),
            package(acme, index.origin),
        ]
        text = 'lock-version = "1.0"\ncreated-by = "by hand"\npackages = [\n  ' + ",\n  ".join(entries) + ",\n]\n"
        (tmp_path / "pylock.toml").write_text(text)
        result = await here.check("pylock.toml", "--write-pylock", "out.toml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert identities(tmp_path / "out.toml") == [[], [], ["evil/widgets"], ["acme/widgets"]]


async def test_line_ends_a_byte_order_mark_comments_and_a_link_stay(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        here.configure(NO_COOLDOWN)
        signed = index.add_wheel("signed", "1.0", provenance=signed_by(), upload_time=OLD)
        more = index.add_wheel("more", "1.0", provenance=signed_by(), upload_time=OLD)
        text = pylock({"signed": ("1.0", signed), "more": ("1.0", more)}, index.origin)
        text = text.replace("[[packages]]", "# about what follows\n[[packages]]") + "# the end"
        raw = ("\ufeff" + text.replace("\n", "\r\n")).encode()
        (tmp_path / "below").mkdir()
        (tmp_path / "below" / "pylock.toml").write_bytes(raw)
        (tmp_path / "below" / "pylock.toml").chmod(0o640)
        (tmp_path / "pylock.toml").symlink_to("below/pylock.toml")
        result = await here.check("pylock.toml", "--write-pylock", "pylock.toml")
    assert result.returncode == 0, result.stdout + result.stderr
    written = (tmp_path / "pylock.toml").read_bytes()
    assert written.replace(f"{IDENTITIES}\r\n".encode(), b"") == raw
    assert identities(tmp_path / "pylock.toml") == [["acme/widgets"]] * 2
    lines = written.decode().split("\r\n")
    assert lines[-2:] == [IDENTITIES, "# the end"]
    assert (tmp_path / "pylock.toml").is_symlink()
    assert (tmp_path / "below" / "pylock.toml").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in (tmp_path / "below").iterdir()] == ["pylock.toml"]


async def test_identities_that_were_there_are_replaced_in_their_place(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        here.configure(NO_COOLDOWN)
        signed = index.add_wheel("signed", "1.0", provenance=signed_by(), upload_time=OLD)
        plain = index.add_wheel("plain", "1.0", upload_time=OLD)
        text = pylock({"signed": ("1.0", signed), "plain": ("1.0", plain)}, index.origin)
        old = 'attestation-identities = [\n  { kind = "GitHub", repository = "old/one", workflow = "x.yml" },\n]\n'
        (tmp_path / "pylock.toml").write_text(text.replace("wheels", f"{old}wheels"))
        result = await here.check("pylock.toml", "--write-pylock", "out.toml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "out.toml").read_text() == text.replace("wheels", f"{IDENTITIES}\nwheels", 1)


async def test_nothing_is_written_unless_the_check_passes(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        signed = index.add_wheel("signed", "1.0", provenance=signed_by(), upload_time=OLD)
        (tmp_path / "pylock.toml").write_text(pylock({"signed": ("1.0", signed)}, index.origin))
        here.configure('[policies.default]\ndeny = ["signed"]\n')
        denied = await here.check("pylock.toml", "--write-pylock", "out.toml")
        here.configure(NO_COOLDOWN)
        strict = await here.check("pylock.toml", "--write-pylock", "out.toml", "--strict")
        partly = await here.check("pylock.toml", "--write-pylock", "out.toml", "--here")
    assert (denied.returncode, strict.returncode, partly.returncode) == (1, 1, 2)
    assert denied.stderr == "inbond: out.toml was not written: that takes a check whose exit code is 0\n"
    assert "--here leaves out some of it" in partly.stderr
    assert not (tmp_path / "out.toml").exists()
