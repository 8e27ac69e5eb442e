from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from hypothesis import given
from msgspec import structs

from inbond.model.names import Filename
from inbond.model.page import Claim, File, Page, Status
from inbond.simple.parse_html import parse_html
from inbond.simple.parse_json import parse_json
from inbond.simple.render import Entry, render_html, render_json
from simple.pages import BASE, PROJECT, SHA256, entry, pages

FILE = File(
    filename=Filename("demo-1.0.tar.gz"),
    url="https://files.example/demo-1.0.tar.gz",
    hashes={"sha256": SHA256, "blake2b": "ff", "md5": "00"},
    size=10,
)
PAGE = Page(name=PROJECT, files=(FILE,))


def as_json(page: Page, entries: list[Entry]) -> Any:
    return json.loads(render_json(page, entries))


def one(file: File = FILE, **changes: Any) -> Any:
    (found,) = as_json(PAGE, [entry(file, **changes)])["files"]
    return found


def anchor(file: File = FILE, **changes: Any) -> str:
    (found,) = re.findall(r"<a .*</a>", render_html(PAGE, [entry(file, **changes)]).decode())
    return str(found)


def published(page: Page) -> Page:
    """The page as a reader must find it once it was rendered: what an index never passes on is gone."""
    files = tuple(
        structs.replace(
            file,
            url=urljoin(BASE, f"../../packages/{quote(file.filename)}"),
            gpg_sig=None,
        )
        for file in page.files
    )
    sized = all(file.size is not None for file in files)
    versions = page.versions if page.versions is not None or not sized else derived(page)
    return replace(page, files=files, api_version=(1, 4) if sized else (1, 0), versions=versions)


def derived(page: Page) -> tuple[str, ...]:
    found = {version for file in page.files if (version := page.version_of(file)) is not None}
    return tuple(map(str, sorted(found)))


def in_html(page: Page) -> Page:
    """What HTML can say of a page."""
    files = tuple(
        structs.replace(
            file,
            size=None,
            extra={},
            provenance=Claim.SILENT if isinstance(file.provenance, Claim) else file.provenance,
        )
        for file in page.files
    )
    return replace(page, files=files, serial=None, versions=None, extra={}, meta_extra={})


@given(pages())
def test_a_reader_of_json_finds_the_same_facts(page: Page) -> None:
    rendered = render_json(page, [entry(file) for file in page.files])
    assert parse_json(rendered, project=PROJECT, base_url=BASE) == published(page)


@given(pages())
def test_a_reader_of_html_finds_the_same_facts_as_one_of_json(page: Page) -> None:
    entries = [entry(file) for file in page.files]
    found = parse_html(render_html(page, entries), project=PROJECT, base_url=BASE)
    assert found == in_html(parse_json(render_json(page, entries), project=PROJECT, base_url=BASE))


@given(pages())
def test_equal_pages_give_equal_bytes(page: Page) -> None:
    again = replace(page, files=tuple(structs.replace(file) for file in page.files))
    for render in (render_json, render_html):
        assert render(page, [entry(f) for f in page.files]) == render(again, [entry(f) for f in again.files])


def test_the_version_is_below_one_point_one_where_a_size_is_missing() -> None:
    sized, unsized = entry(FILE), entry(structs.replace(FILE, filename=Filename("demo-2.0.zip"), size=None))
    assert as_json(PAGE, [sized])["meta"] == {"api-version": "1.4"}
    assert as_json(PAGE, [sized, unsized])["meta"] == {"api-version": "1.0"}
    assert b'repository-version" content="1.4"' in render_html(PAGE, [sized])
    assert b'repository-version" content="1.0"' in render_html(PAGE, [sized, unsized])


def test_versions_are_upstreams_or_else_derived_in_their_order() -> None:
    files = [
        structs.replace(FILE, filename=Filename(name)) for name in ("demo-10.0.zip", "demo-9.0.zip", "demo-9.0.tar.gz")
    ]
    odd = structs.replace(FILE, filename=Filename("another thing.exe"))
    entries = [entry(file) for file in (*files, odd)]
    assert as_json(PAGE, entries)["versions"] == ["9.0", "10.0"]
    assert as_json(replace(PAGE, versions=("10", "9", "8")), entries)["versions"] == ["10", "9", "8"]
    assert "versions" not in as_json(PAGE, [entry(structs.replace(FILE, size=None))])
    assert as_json(PAGE, [])["versions"] == []


def test_only_sha256_is_published() -> None:
    assert one()["hashes"] == {"sha256": SHA256}
    assert one(structs.replace(FILE, hashes={"md5": "00"}))["hashes"] == {}
    assert one(structs.replace(FILE, hashes={"sha256": "nonsense"}))["hashes"] == {}
    assert f'href="../../packages/demo-1.0.tar.gz#sha256={SHA256}"' in anchor()
    assert "#" not in anchor(structs.replace(FILE, hashes={"md5": "00"}))


@pytest.mark.parametrize(
    ("served", "in_json", "attribute"),
    [
        (False, None, None),
        (True, True, "true"),
        ({"sha256": SHA256, "md5": "00"}, {"sha256": SHA256}, f"sha256={SHA256}"),
        ({"md5": "00"}, True, "true"),
        ({"sha256": "nonsense"}, True, "true"),
    ],
)
def test_core_metadata_is_announced_under_both_names_only_where_it_is_served(
    served: Any, in_json: Any, attribute: str | None
) -> None:
    file = structs.replace(FILE, core_metadata={"sha256": "upstream's"})
    found = one(file, core_metadata=served)
    assert found.get("core-metadata") == in_json
    assert ("core-metadata" in found) == (in_json is not None)
    assert "dist-info-metadata" not in found  # PEP 714: pip 22.3 to 23.1 end in a traceback where JSON has it
    for name in ("data-core-metadata", "data-dist-info-metadata"):
        assert (f'{name}="{attribute}"' in anchor(file, core_metadata=served)) == (attribute is not None)


@pytest.mark.parametrize(
    ("yanked", "in_json", "attribute"),
    [
        (False, False, None),
        (True, True, ""),
        ("", True, ""),
        ('"no" <why>', '"no" <why>', "&quot;no&quot; &lt;why&gt;"),
    ],
)
def test_the_entry_decides_what_is_yanked(yanked: bool | str, in_json: Any, attribute: str | None) -> None:
    file = structs.replace(FILE, yanked="upstream's reason")
    assert one(file, yanked=yanked)["yanked"] == in_json
    found = anchor(file, yanked=yanked)
    assert "data-yanked" not in found if attribute is None else f'data-yanked="{attribute}"' in found


def test_provenance_is_named_null_or_left_out() -> None:
    url = "http://127.0.0.1:8642/integrity/demo/1.0/demo-1.0.tar.gz/provenance"
    assert one(provenance=url)["provenance"] == url
    assert one(provenance=Claim.NONE)["provenance"] is None
    assert "provenance" not in one(provenance=Claim.SILENT)
    assert f'data-provenance="{url}"' in anchor(provenance=url)
    assert "data-provenance" not in anchor(provenance=Claim.NONE)


def test_the_upload_time_is_passed_on_as_upstream_wrote_it() -> None:
    file = structs.replace(FILE, upload_time_text="2024-01-01T12:00:00.5+02:00")
    assert one(file)["upload-time"] == "2024-01-01T12:00:00.5+02:00"
    assert 'data-upload-time="2024-01-01T12:00:00.5+02:00"' in anchor(file)
    assert "upload-time" not in one()


def test_signatures_are_not_announced() -> None:
    file = structs.replace(FILE, gpg_sig=True, extra={"gpg-sig": True})
    assert "gpg-sig" not in one(file)
    assert "gpg-sig" not in anchor(file)


def test_an_unknown_key_is_kept_and_never_replaces_a_known_one() -> None:
    file = structs.replace(
        FILE, extra={"url": "https://evil.example/", "yanked": False, "data-dist-info-metadata": True, "_note": 1}
    )
    page = replace(PAGE, extra={"files": [], "name": "evil", "_page": 2}, meta_extra={"api-version": "9.9", "_meta": 3})
    found = as_json(page, [entry(file, yanked=True)])
    assert (found["name"], found["_page"]) == ("demo", 2)
    assert found["meta"] == {"api-version": "1.4", "_meta": 3}
    assert found["files"] == [
        {
            "filename": "demo-1.0.tar.gz",
            "url": "../../packages/demo-1.0.tar.gz",
            "hashes": {"sha256": SHA256},
            "size": 10,
            "yanked": True,
            "_note": 1,
        }
    ]


def test_status_serial_and_places_are_shown_where_there_are_any() -> None:
    plain = as_json(PAGE, [])
    assert plain.keys() == {"meta", "name", "versions", "files"}
    page = replace(
        PAGE, serial=7, status=Status.QUARANTINED, status_reason="mal<ware", tracks=("a",), alternate_locations=("b",)
    )
    found = as_json(page, [])
    assert found["meta"] == {"api-version": "1.4", "_last-serial": 7, "tracks": ["a"]}
    assert found["project-status"] == {"status": "quarantined", "reason": "mal<ware"}
    assert found["alternate-locations"] == ["b"]
    html = render_html(page, []).decode()
    for name, content in [
        ("project-status", "quarantined"),
        ("project-status-reason", "mal&lt;ware"),
        ("tracks", "a"),
        ("alternate-locations", "b"),
    ]:
        assert f'<meta name="pypi:{name}" content="{content}">' in html
    assert as_json(replace(PAGE, status=Status.ARCHIVED), [])["project-status"] == {"status": "archived"}


def test_a_quarantined_page_is_rendered_with_the_entries_it_is_given() -> None:
    page = replace(PAGE, status=Status.QUARANTINED)
    assert len(as_json(page, [entry(FILE)])["files"]) == 1
    assert anchor()


def test_an_address_is_quoted_and_cannot_leave_its_attribute() -> None:
    url = '../packages/demo 1"><script>&é%20.zip'
    assert one(url=url)["url"] == "../packages/demo%201%22%3E%3Cscript%3E&%C3%A9%20.zip"
    assert 'href="../packages/demo%201%22%3E%3Cscript%3E&amp;%C3%A9%20.zip#sha256=' in anchor(url=url)


def test_what_html_cannot_say_is_replaced_and_not_lost_with_the_rest() -> None:
    assert 'data-yanked="a\ufffdb&#13;\nc"' in render_html(PAGE, [entry(FILE, yanked="a\0b\r\nc")]).decode()
