"""docs/bundles.md: its commands are run, and what it says of fields and limits is so."""

from __future__ import annotations

import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from bundles.support import CREATED, KEY, genuine, key_of, opened
from inbond.bundles import limits, tar
from inbond.bundles.attached import encode_attached
from inbond.bundles.decisions import encode_pins, encode_repositories
from inbond.bundles.manifest import (
    BundledBlob,
    BundledDocument,
    BundledFile,
    BundledProject,
    BundledUpstream,
    DocumentKind,
    Manifest,
)
from inbond.bundles.memory import encode_memory
from inbond.bundles.signature import Signature
from inbond.model.decisions import Pin
from inbond.model.errors import InvalidBundle
from inbond.model.imports import Attached
from inbond.model.memory import FileRecord, PageRecord
from inbond.model.names import Filename, ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.model.standing import Established

PAGE = (Path(__file__).parents[2] / "docs" / "bundles.md").read_text()
COMMANDS = re.findall(r"<!-- run: no, a test of its own does it -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
DEMO = ProjectName("demo")


def run(commands: str, place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-euc", commands], cwd=place, capture_output=True, text=True, check=False)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "out.bundle").write_bytes(genuine().content)
    (tmp_path / "sender.pub").write_bytes(KEY.public.pem)
    return tmp_path


def test_tar_lists_and_unpacks_a_bundle(place: Path) -> None:
    done = run(COMMANDS[0], place)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].endswith(" signature.json")
    assert lines[1].endswith(" manifest.json")
    assert len(lines) == 2 + len(genuine().manifest.blobs)
    assert all(line.startswith("-rw-r--r-- 0/0 ") for line in lines)


def test_openssl_verifies_its_signature(place: Path) -> None:
    done = run(COMMANDS[1], place)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout


def test_openssl_finds_another_key_wrong(place: Path) -> None:
    (place / "sender.pub").write_bytes(key_of("somebody").public.pem)
    assert run(COMMANDS[1], place).returncode != 0


def test_what_tar_has_made_anew_is_no_bundle(place: Path) -> None:
    run(COMMANDS[0], place)
    names = [line.rpartition(" ")[2] for line in run("tar tvf out.bundle", place).stdout.splitlines()]
    made = run(f"cd looked-at && tar cf ../again --format=ustar {' '.join(names)}", place)
    assert made.returncode == 0
    with pytest.raises(InvalidBundle, match="this is no bundle"):
        opened((place / "again").read_bytes())


@pytest.mark.parametrize("kind", [Manifest, BundledProject, BundledFile, BundledUpstream, BundledDocument, BundledBlob])
def test_every_field_is_told_in_its_order(kind: type) -> None:
    names = [field.name for field in fields(kind)]
    assert all(f"`{name}`" in PAGE for name in names)
    if kind is BundledFile:
        assert (
            re.findall(r"^\| `(\w+)` \|", PAGE.partition("those of which more is known")[2], re.MULTILINE)[: len(names)]
            == names
        )


def test_every_kind_of_document_is_told() -> None:
    assert all(f"| `{kind}` |" in PAGE for kind in DocumentKind)


def keys_of(line: str) -> list[str]:
    return re.findall(r'"(\w+)":', line)


def test_the_json_on_the_page_has_the_fields_that_are_written() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("{")]
    by_first = {keys_of(line)[0]: keys_of(line) for line in lines}
    record = PageRecord(
        upstream="a",
        project=DEMO,
        first_seen=CREATED,
        files=(FileRecord(filename=Filename("demo-1.0.zip"), first_seen=CREATED),),
    )
    pin = Pin(project=DEMO, publisher=PublisherPattern.parse("github:a/b"), reason="x", by="y")
    repository = Established(repository="github:a/b", repository_id="1", owner_id=None, since=CREATED)
    assert by_first["inbond_bundle"] == list(Signature.__struct_fields__)
    assert by_first["inbond_manifest"][2:] == [field.name for field in fields(Manifest)]
    assert by_first["inbond_memory"] == keys_of(encode_memory(record).decode())
    attached = Attached(
        upstream="pypi", sha256="0" * 64, filename="a.zip", provenance=b"{}", reason="x", by="y", at=CREATED
    )
    assert by_first["inbond_attached"] == keys_of(encode_attached([attached]).decode())
    assert by_first["inbond_pins"] == keys_of(encode_pins([pin]).decode())
    assert by_first["inbond_repositories"] == keys_of(encode_repositories([("a", DEMO, [repository])]).decode())


def test_limits_are_told() -> None:
    told = {
        "signature.json`, at most 4096 bytes": limits.MAX_SIGNATURE_BYTES == 4096,
        "manifest.json`, at most 64 MiB": limits.MAX_MANIFEST_BYTES == 64 * 2**20,
        "no page or memory has more than 64 MiB": limits.MAX_PAGE_BYTES == limits.MAX_MEMORY_BYTES == 64 * 2**20,
        "no core metadata more than 16 MiB": limits.MAX_METADATA_BYTES == 16 * 2**20,
        "no provenance more than 1 MiB": limits.MAX_PROVENANCE_BYTES == 2**20,
        "no advisories more than 512 MiB": limits.MAX_ADVISORIES_BYTES == 512 * 2**20,
        "no other document more than 64 MiB": limits.MAX_DOCUMENT_BYTES == 64 * 2**20,
        "no file more than 16 GiB": limits.MAX_FILE_BYTES == 16 * 2**30,
    }
    text = " ".join(PAGE.lower().split())
    for sentence, so in told.items():
        assert sentence.lower() in text
        assert so, sentence


def test_the_fields_of_a_header_are_where_the_page_says() -> None:
    block = tar.header("signature.json", 254)
    rows = re.findall(r"^\| [\w ,]+ \| (\d+)(?: to (\d+))? \| ", PAGE, re.MULTILINE)
    spans = [(int(first), int(last or first)) for first, last in rows]
    assert [first for first, _ in spans] == [0, *(last + 1 for _, last in spans[:-1])]
    assert spans[-1][1] == 511
    assert block[100:108] == b"0000644\0"
    assert block[257:265] == b"ustar\x0000"
    assert block[329:345] == b"0000000\x00" * 2
    assert int(block[148:154], 8) == sum(block[:148] + b" " * 8 + block[156:])
