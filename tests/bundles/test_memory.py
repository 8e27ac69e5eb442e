"""What is remembered of a page crosses the gap whole, and is of the page that it is said to be of."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from hypothesis import given

from bundles.manifests import records
from bundles.support import CREATED
from inbond.bundles.memory import decode_memory, encode_memory
from inbond.model.errors import InvalidBundle
from inbond.model.memory import FileRecord, PageRecord
from inbond.model.names import Filename, ProjectName

DEMO = ProjectName("demo")
FILE = FileRecord(filename=Filename("demo-1.0.zip"), first_seen=CREATED)
RECORD = PageRecord(upstream="public", project=DEMO, first_seen=CREATED, highest_serial=7, files=(FILE,))
EAST = timezone(timedelta(hours=1))


@given(records)
def test_what_was_written_is_read(record: PageRecord) -> None:
    raw = encode_memory(record)
    found = decode_memory(raw, upstream=record.upstream, project=record.project)
    assert found == record
    assert encode_memory(found) == raw


@pytest.mark.parametrize(
    ("message", "record"),
    [
        ("twice", replace(RECORD, files=(FILE, FILE))),
        ("order", replace(RECORD, files=(FILE, replace(FILE, filename=Filename("a.zip"))))),
        ("no sha256", replace(RECORD, files=(replace(FILE, first_sha256="x"),))),
        ("a serial", replace(RECORD, highest_serial=-1)),
        ("a serial", replace(RECORD, highest_serial=2**53)),
        ("in UTC", replace(RECORD, first_seen=CREATED.astimezone(EAST))),
        ("in UTC", replace(RECORD, files=(replace(FILE, first_seen=CREATED.replace(tzinfo=None)),))),
        ("in UTC", replace(RECORD, files=(replace(FILE, vanished_at=CREATED.astimezone(EAST)),))),
    ],
)
def test_what_no_ledger_holds_is_neither_written_nor_read(message: str, record: PageRecord) -> None:
    with pytest.raises(InvalidBundle, match=message) as caught:
        encode_memory(record)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("message", "raw"),
    [
        ("cannot be read", b""),
        ("cannot be read", b'{"inbond_memory":1}'),
        ("cannot be read", b"[" * 100_000),
        ("not written as inbond writes it", encode_memory(RECORD) + b"\n"),
        ("of format 2", encode_memory(RECORD).replace(b":1,", b":2,", 1)),
        ("a serial", encode_memory(RECORD).replace(b'"highest_serial":7', b'"highest_serial":-7')),
        ("not told in UTC|in UTC", encode_memory(RECORD).replace(b"12:00:00Z", b"12:00:00+01:00", 1)),
    ],
)
def test_other_bytes_are_refused(message: str, raw: bytes) -> None:
    with pytest.raises(InvalidBundle, match=message):
        decode_memory(raw, upstream="public", project=DEMO)


@pytest.mark.parametrize(("upstream", "project"), [("public", "other"), ("acme", "demo")])
def test_memory_of_another_page_is_refused(upstream: str, project: str) -> None:
    with pytest.raises(InvalidBundle, match="is that of demo of 'public'"):
        decode_memory(encode_memory(RECORD), upstream=upstream, project=ProjectName(project))
