from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page, Status
from inbond.simple.document import decode_page, encode_page
from simple.pages import PROJECT, pages


@given(pages())
def test_a_page_survives_storage_without_loss(page: Page) -> None:
    stored = encode_page(page)
    found = decode_page(stored)
    assert found == page
    assert encode_page(found) == stored
    for before, after in zip(page.files, found.files, strict=True):
        assert type(after.filename) is type(before.filename)
        assert isinstance(after.provenance, Claim) == isinstance(before.provenance, Claim)
    assert isinstance(found.status, Status) == isinstance(page.status, Status)


@given(pages(), st.data())
def test_a_cut_document_is_refused(page: Page, data: st.DataObject) -> None:
    stored = encode_page(page)
    length = data.draw(st.integers(min_value=0, max_value=len(stored) - 1))
    with pytest.raises(ValueError, match="not a stored page"):
        decode_page(stored[:length])


ONE = Page(name=PROJECT, files=(File(filename=Filename("demo-1.zip"), url="https://files.example/demo-1.zip"),))
ROW = json.loads(encode_page(ONE))["files"][0]


def tampered(**changes: Any) -> bytes:
    return json.dumps({**json.loads(encode_page(ONE)), **changes}).encode()


def row(position: int, value: Any) -> list[Any]:
    return [*ROW[:position], value, *ROW[position + 1 :]]


def test_the_untampered_document_is_accepted() -> None:
    assert decode_page(tampered()) == ONE


@pytest.mark.parametrize(
    "changes",
    [
        {"inbond_page": 0},
        {"inbond_page": 2},
        {"inbond_page": "1"},
        {"unknown": 1},
        {"name": "-"},
        {"name": "Demo"},
        {"name": None},
        {"files": None},
        {"files": [ROW, ROW]},
        {"files": [ROW[:-1]]},
        {"files": [[*ROW, 1]]},
        {"files": [row(0, "../demo-1.zip")]},
        {"files": [row(3, -1)]},
        {"files": [row(4, "2024-01-01T00:00:00")]},
        {"files": [row(10, None)]},
        {"api_version": [1]},
        {"api_version": [1, -1]},
        {"serial": -1},
        {"extra": None},
    ],
)
def test_a_document_that_was_not_written_here_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        decode_page(tampered(**changes))


@pytest.mark.parametrize("stored", [b"", b"{}", b"null", b"\x80\x04\x95.", b"[" * 100_000, b'{"extra":' * 50_000])
def test_what_is_no_document_is_refused(stored: bytes) -> None:
    with pytest.raises(ValueError, match="not a stored page of format 1"):
        decode_page(stored)


def test_a_status_that_nobody_knows_is_kept_as_it_is() -> None:
    page = Page(name=ProjectName("demo"), status="embargoed")
    assert decode_page(encode_page(page)).status == "embargoed"
