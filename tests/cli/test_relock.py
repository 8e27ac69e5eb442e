"""`inbond relock`, as typed: what it says, what it writes, and its exit codes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from inbond.cli import relock_run
from inbond.cli.config import load_config
from inbond.cli.main import cli
from inbond.cli.relock_run import Wanted, base_url
from inbond.model.errors import ConfigurationError
from sim.index import SimFile, SimIndex

AT = "https://inbond.example"
FILES = "https://files.example/packages/"
INDEX = "https://index.example/simple"


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("INBOND_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("INBOND_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def relock(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["relock", *arguments])


async def relocked(index: SimIndex, *arguments: str) -> Result:
    """With that upstream, while its server runs in this thread."""
    return await asyncio.to_thread(relock, *arguments, "--at", AT, "--upstream", index.url)


def offline(*arguments: str) -> Result:
    return relock(*arguments, "--at", AT, "--files-at", FILES, "--simple-at", INDEX)


def lock(*urls: str, registry: str = INDEX) -> str:
    entries = [f'source = {{ registry = "{registry}" }}\nsdist = {{ url = "{url}" }}\n' for url in urls]
    names = [url.rsplit("/", 1)[-1].partition("-")[0] for url in urls]
    return "version = 1\n" + "".join(
        f'[[package]]\nname = "{name}"\nversion = "1.0"\n{entry}' for name, entry in zip(names, entries, strict=True)
    )


def written(text: str, name: str = "uv.lock") -> Path:
    file = Path(name)
    file.write_text(text, encoding="utf-8")
    return file


def test_without_network_when_the_addresses_are_given() -> None:
    file = written(lock(f"{FILES}aa/demo-1.0.tar.gz"))
    before = file.read_bytes()
    file.chmod(0o640)
    there = offline("uv.lock")
    assert (there.exit_code, there.stdout) == (0, f"uv.lock: 1 file URL and 1 index now point to {AT}/\n")
    assert file.read_text() == lock(f"{AT}/packages/aa/demo-1.0.tar.gz", registry=f"{AT}/simple")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in Path().iterdir()] == ["uv.lock"]
    again = offline("uv.lock")
    assert (again.exit_code, again.stdout) == (0, f"uv.lock: nothing to do: 1 file URL pointed to {AT}/ before\n")
    back = offline("uv.lock", "--back")
    assert (back.exit_code, back.stdout) == (0, "uv.lock: 1 file URL and 1 index now point to where they came from\n")
    assert file.read_bytes() == before


def test_a_lock_that_names_no_index() -> None:
    name, url = "demo-1.0.tar.gz", f"{FILES}aa/demo-1.0.tar.gz"
    head = '[metadata]\nlock_version = "4.5.0"\n[[package]]\nname = "demo"\nversion = "1.0"\n'
    file = written(f'{head}files = [{{url = "{url}", hash = "sha256:00"}}]\n', "pdm.lock")
    assert offline("pdm.lock").stdout == f"pdm.lock: 1 file URL now points to {AT}/\n"
    assert f"{AT}/packages/aa/{name}" in file.read_text()


def test_check_writes_nothing() -> None:
    file = written(lock(f"{FILES}aa/demo-1.0.tar.gz"))
    before = file.read_bytes()
    there = offline("uv.lock", "--check")
    assert (there.exit_code, there.stdout) == (1, f"uv.lock: 1 file URL and 1 index would point to {AT}/\n")
    assert file.read_bytes() == before
    offline("uv.lock")
    assert offline("uv.lock", "--check").exit_code == 0
    assert offline("uv.lock", "--check", "--back").exit_code == 1


def test_output_goes_elsewhere() -> None:
    file = written(lock(f"{FILES}aa/demo-1.0.tar.gz"))
    before = file.read_bytes()
    there = offline("uv.lock", "-o", "-")
    assert there.stdout == lock(f"{AT}/packages/aa/demo-1.0.tar.gz", registry=f"{AT}/simple")
    assert "now point" in there.stderr
    assert offline("uv.lock", "--output", "other.lock").exit_code == 0
    assert Path("other.lock").read_text() == there.stdout
    assert Path("other.lock").stat().st_mode & 0o777 == 0o666 & ~umask()
    assert file.read_bytes() == before


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_link_stays_a_link() -> None:
    Path("below").mkdir()
    written(lock(f"{FILES}aa/demo-1.0.tar.gz"), "below/uv.lock")
    Path("uv.lock").symlink_to("below/uv.lock")
    assert offline("uv.lock").exit_code == 0
    assert Path("uv.lock").is_symlink()
    assert AT in Path("below/uv.lock").read_text()


def test_what_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(lock(f"{FILES}aa/demo-1.0.tar.gz"))
    result = offline("uv.lock", "-o", "no/such/place")
    assert result.exit_code == 2
    assert result.stderr == "inbond: no/such/place cannot be written: No such file or directory\n"
    before = file.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    result = offline("uv.lock")
    assert (result.exit_code, result.stderr) == (2, "inbond: uv.lock cannot be written: No space left on device\n")
    assert file.read_bytes() == before
    assert [path.name for path in Path().iterdir()] == ["uv.lock"]


def test_what_is_no_file_is_neither_read_nor_replaced() -> None:
    os.mkfifo("uv.lock")  # to open it would wait for a writer
    Path("below").mkdir()
    pipe, directory = offline("uv.lock"), offline("below")
    assert (pipe.exit_code, pipe.stderr) == (2, "inbond: uv.lock: cannot be read: not a regular file\n")
    assert (directory.exit_code, directory.stderr.splitlines()[0]) == (2, "inbond: below: a directory, not a lock")
    written(lock(f"{FILES}aa/demo-1.0.tar.gz"), "pylock.lock")
    Path("loop").symlink_to("loop")
    result = offline("pylock.lock", "-o", "loop")
    assert (result.exit_code, result.stderr.startswith("inbond: loop cannot be written: ")) == (2, True)
    assert offline("pylock.lock", "-o", os.devnull).exit_code == 0
    assert not Path(os.devnull).is_file()


def test_names_give_a_terminal_no_orders() -> None:
    written(lock("https://else.example/x-1.0.tar.gz"), "x\x1b[31m.lock")
    result = offline("x\x1b[31m.lock")
    assert "x\\x1b[31m.lock" in result.stdout
    assert "\x1b" not in result.output


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_what_is_left_is_listed() -> None:
    urls = [f"https://else.example/{number}/x{number}-1.0.tar.gz" for number in range(25)]
    written(lock(f"{FILES}aa/demo-1.0.tar.gz", *urls))
    lines = offline("uv.lock").stdout.splitlines()
    assert lines[0] == f"uv.lock: 1 file URL and 1 index now point to {AT}/; 25 left:"
    assert lines[1] == "  uv.lock:11: https://else.example/0/x0-1.0.tar.gz"
    assert len(lines) == 22
    assert lines[-1] == "  … and 5 more"
    assert offline("uv.lock", "--check").exit_code == 1  # still not all of it


def test_nothing_that_could_be_swapped_is_not_done() -> None:
    written(lock("https://else.example/x-1.0.tar.gz", registry="https://else.example/simple"))
    result = offline("uv.lock")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == f"uv.lock: nothing points to {AT}/, and nothing was changed; 2 left:"
    assert offline("uv.lock", "--back").stdout.startswith("uv.lock: nothing points to inbond, and nothing was changed")


def test_a_lock_without_files_of_an_index() -> None:
    written("version = 1\n")
    result = offline("uv.lock")
    assert (result.exit_code, result.stdout) == (0, f"uv.lock: nothing points to {AT}/, and nothing was changed\n")


def test_a_mixed_lock_is_refused() -> None:
    file = written(lock(f"{FILES}aa/demo-1.0.tar.gz", f"{AT}/packages/aa/deep-1.0.tar.gz"))
    before = file.read_bytes()
    result = offline("uv.lock")
    assert result.exit_code == 1
    assert result.stderr.startswith("inbond: uv.lock:11: swapping could not be undone")
    assert "lock again with one index" in result.stderr
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", ["poetry.lock", "requirements.txt"])
def test_formats_that_name_no_file_urls(name: str) -> None:
    written('[metadata]\nlock-version = "2.1"\n' if name == "poetry.lock" else "demo==1.0\n", name)
    result = relock(name)
    assert result.exit_code == 0
    assert result.stdout == (
        f"{name}: nothing to do: a lock of {name.partition('.')[0]} names no file URLs, the index decides\n"
    )


def test_includes_are_read_beside_the_lock() -> None:
    written("-r more.txt\n", "requirements.txt")
    written("demo==1.0\n", "more.txt")
    assert relock("requirements.txt").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.lock"], "inbond: no.lock: cannot be read: No such file or directory\n"),
        (["uv.lock", "--files-at", "ftp://x"], "inbond: 'ftp://x/' is not an address whose prefix can be swapped\n"),
        (["uv.lock", "--simple-at", "x"], "inbond: 'x' is not an address whose prefix can be swapped\n"),
        (["uv.lock", "--index", "no"], "inbond: there is no index 'no'\n  configured are: root\n"),
        (["uv.lock", "--listen", "0.0.0.0:80"], "inbond: inbond listens on 0.0.0.0:80, which is no address"),
        (["bad.lock"], "inbond: bad.lock: not a lock of a known format"),
    ],
)
def test_what_could_not_be_told(arguments: list[str], message: str) -> None:
    written(lock(f"{FILES}aa/demo-1.0.tar.gz"))
    written("?", "bad.lock")
    result = relock(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(message)


@pytest.mark.parametrize("arguments", [[], ["--check"], ["--back"]])
def test_a_url_that_other_readers_take_for_another_host(arguments: list[str]) -> None:
    file = written(lock(rf"http://evil.example:1\\@{AT.removeprefix('https://')}/packages/demo-1.0.tar.gz"))
    before = file.read_bytes()
    result = offline("uv.lock", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "uv.lock:2: package demo 1.0: sdist: 'http://" in result.stderr
    assert "it holds a backslash" in result.stderr
    assert file.read_bytes() == before


def test_an_address_that_is_none() -> None:
    written(lock(f"{FILES}aa/demo-1.0.tar.gz"))
    result = relock("uv.lock", "--at", "inbond")
    assert result.exit_code == 2
    assert "--at" in result.stderr


@pytest.mark.parametrize(
    ("overrides", "wanted", "base"),
    [
        ({}, Wanted(), "http://127.0.0.1:8642/"),
        ({"listen": "[::1]:9"}, Wanted(index="acme"), "http://[::1]:9/acme/"),
        ({"listen": "0.0.0.0:80"}, Wanted(at="https://inbond.example"), "https://inbond.example/"),
    ],
)
def test_the_address_at_inbond(overrides: dict[str, str], wanted: Wanted, base: str) -> None:
    assert base_url(load_config(file=None, overrides=overrides, environ={}), wanted) == base


def test_the_public_address_comes_first() -> None:
    file = written('[server]\npublic_url = "https://inbond.example"\nlisten = "127.0.0.1:0"', "inbond.toml")
    assert base_url(load_config(file=file, overrides={}, environ={}), Wanted()) == f"{AT}/"
    with pytest.raises(ConfigurationError, match="no address that clients can be sent to"):
        base_url(load_config(file=None, overrides={"listen": "127.0.0.1:0"}, environ={}), Wanted())


# --- learning from upstream's pages ----------------------------------------------------------------------------------


def lock_of(index: SimIndex, *files: SimFile) -> Path:
    return written(lock(*(file.url for file in files), registry=index.url.rstrip("/")))


async def test_one_page_of_each_host_is_asked(tmp_path: Path) -> None:
    async with SimIndex(files_origin=True) as index:
        files = [index.add_sdist(name, "1.0") for name in ("one", "two", "three")]
        file = lock_of(index, *files)
        before = file.read_bytes()
        there = await relocked(index, "uv.lock")
        assert there.stdout == f"uv.lock: 3 file URLs and 1 index now point to {AT}/\n", there.output
        assert [(seen.kind, seen.path) for seen in index.requests] == [("page", "/simple/one/")]
        assert index.files_base not in file.read_text()
        assert f"{AT}{files[2].path}" in file.read_text()
        await index.stop()  # the page is in the cache
        back = await relocked(index, "uv.lock", "--back")
        assert back.exit_code == 0, back.output
        assert file.read_bytes() == before


async def test_a_named_index() -> None:
    async with SimIndex() as index:
        file = lock_of(index, index.add_sdist("one", "1.0"))
        before = file.read_bytes()
        config = f'[upstreams.acme]\nurl = "{index.url}"\n[indexes.acme]\nupstreams = ["acme"]\n'
        written(config, "inbond.toml")
        arguments = ["uv.lock", "--config", "inbond.toml", "--index", "acme", "--at", AT]
        assert (await asyncio.to_thread(relock, *arguments)).exit_code == 0
        assert f"{AT}/acme/packages/" in file.read_text()
        assert f'"{AT}/acme/simple"' in file.read_text()
        assert (await asyncio.to_thread(relock, *arguments, "--back")).exit_code == 0
        assert file.read_bytes() == before


async def test_files_of_another_shape_and_of_two_hosts() -> None:
    async with SimIndex() as index:
        odd = index.add_file("one", "one-1.0.tar.gz", b"1", url="https://repo.example/api/one/one-1.0.tar.gz")
        plain = index.add_sdist("two", "1.0")
        file = lock_of(index, odd, plain)
        before = file.read_bytes()
        there = await relocked(index, "uv.lock")
        assert there.stdout == f"uv.lock: 2 file URLs and 1 index now point to {AT}/\n"
        assert f"{AT}/packages/-/api/one/one-1.0.tar.gz" in file.read_text()
        assert f"{AT}{plain.path}" in file.read_text()
        assert (await relocked(index, "uv.lock", "--back")).exit_code == 0
        assert file.read_bytes() == before


async def test_why_a_host_was_left() -> None:
    async with SimIndex() as index:
        index.add_sdist("one", "1.0")
        index.add_file("two", "two-1.0.tar.gz", b"2", url="https://files.example/get/two-1.0.tar.gz?token=2")
        url = index.url.rstrip("/")
        for other, reason in [
            ("https://mirror.example/x/one-1.0.tar.gz", f"upstream has one-1.0.tar.gz at {index.origin}/packages/"),
            ("https://mirror.example/x/one-2.0.tar.gz", "index root has no one-2.0.tar.gz"),
            ("https://mirror.example/x/three-1.0.tar.gz", "index root has no three-1.0.tar.gz"),
            ("https://mirror.example/x/two-1.0.tar.gz", "its URL has a query, which inbond does not publish"),
        ]:
            written(lock(other, registry=url))
            there = await relocked(index, "uv.lock")
            assert there.stdout.splitlines() == [
                f"uv.lock: 1 index now points to {AT}/; 1 left:",
                f"  uv.lock:6: {other}",
                f"  https://mirror.example: {reason}",
            ]


async def test_a_strange_host_is_given_up_after_a_few_pages() -> None:
    async with SimIndex() as index:
        written(lock(*(f"https://mirror.example/x{number}-1.0.tar.gz" for number in range(9))))
        there = await relocked(index, "uv.lock")
        assert there.exit_code == 1
        assert index.count("page") == relock_run.MAX_ASKED_PER_HOST


async def test_an_upstream_that_does_not_answer() -> None:
    async with SimIndex() as index:
        file = lock_of(index, index.add_sdist("one", "1.0"))
        before = file.read_bytes()
    there = await relocked(index, "uv.lock")
    assert there.exit_code == 2
    assert there.stderr.startswith("inbond: ")
    assert file.read_bytes() == before


def test_help_says_what_it_does() -> None:
    text = relock("--help").stdout
    assert "refuses" in text
    assert "Exit codes:" in text
    assert max(map(len, text.splitlines())) <= 100
