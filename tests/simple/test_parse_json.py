from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.model.errors import UpstreamBroken
from inbond.model.page import Claim, File, Page, Status
from inbond.simple import fields
from inbond.simple.parse_json import parse_json
from simple.pages import BASE, PROJECT, SHA256, json_values

FILE: dict[str, Any] = {
    "filename": "demo-1.0.tar.gz",
    "url": "https://files.example/packages/aa/demo-1.0.tar.gz",
    "hashes": {},
}


def read(document: Any) -> Page:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_json(body, project=PROJECT, base_url=BASE)


def page(**keys: Any) -> dict[str, Any]:
    return {"meta": {"api-version": "1.4"}, "name": "demo", "files": [], **keys}


def one(**keys: Any) -> File:
    (file,) = read(page(files=[{**FILE, **keys}])).files
    return file


def test_a_page_as_the_python_package_index_writes_it_is_read_whole() -> None:
    uploaded = "2024-11-06T22:37:21.000000Z"
    found = read(
        {
            "meta": {"api-version": "1.4", "_last-serial": 29174627, "tracks": ["https://a.example/demo/"], "_x": 1},
            "name": "demo",
            "alternate-locations": ["https://b.example/demo/"],
            "project-status": {"status": "archived", "reason": "done"},
            "versions": ["1.0"],
            "files": [
                {
                    **FILE,
                    "hashes": {"sha256": SHA256.upper(), "md5": "A" * 32},
                    "size": 10,
                    "upload-time": uploaded,
                    "requires-python": ">=3.8",
                    "yanked": "broken",
                    "core-metadata": {"sha256": SHA256},
                    "data-dist-info-metadata": {"sha256": SHA256},
                    "gpg-sig": False,
                    "provenance": "https://index.example/integrity/demo/provenance",
                    "_signed-by": ["me"],
                }
            ],
            "_note": {"a": [1]},
        }
    )
    assert (found.name, found.api_version, found.serial) == ("demo", (1, 4), 29174627)
    assert (found.status, found.status_reason) == (Status.ARCHIVED, "done")
    assert (found.tracks, found.alternate_locations) == (("https://a.example/demo/",), ("https://b.example/demo/",))
    assert (found.versions, found.meta_extra, found.extra) == (("1.0",), {"_x": 1}, {"_note": {"a": [1]}})
    assert found.files == (
        File(
            filename=found.files[0].filename,
            url=FILE["url"],
            hashes={"sha256": SHA256, "md5": "a" * 32},
            size=10,
            upload_time=datetime(2024, 11, 6, 22, 37, 21, tzinfo=UTC),
            upload_time_text=uploaded,
            requires_python=">=3.8",
            yanked="broken",
            core_metadata={"sha256": SHA256},
            gpg_sig=False,
            provenance="https://index.example/integrity/demo/provenance",
            extra={"_signed-by": ["me"]},
        ),
    )
    assert found.files[0].filename == "demo-1.0.tar.gz"


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.4", "1.99"])
def test_any_version_one_is_accepted(version: str) -> None:
    assert read(page(meta={"api-version": version})).api_version == (1, int(version[2:]))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "not JSON"),
        (b'{"meta": {"api-ver', "not JSON, or was cut"),
        (b"<html></html>", "not JSON"),
        (b'{"a": "\xff"}', "not JSON"),
        (b'{"a": "\\ud800 "}', "not JSON"),
        (b"[" * 100_000, "nests deeper"),
        (b'{"a":' + b"[" * 100_000, "nests deeper"),
        (b'[{"meta":', "not JSON, or was cut"),
        (b'{"meta":{"api-version":"2.0"},"files":[{},{},{"filename":1e999}]}', r"out of range - at `\$\[...\]\[2\]"),
        ([], "not a JSON object"),
        ("page", "not a JSON object"),
        (page(meta=None), "`meta` of upstream's page is not a JSON object"),
        (page(meta={}), "does not say which api-version"),
        (page(meta={"api-version": 1.0}), "does not say which api-version"),
        (page(meta={"api-version": "1.0 "}), "does not say which api-version"),
        (page(meta={"api-version": "one"}), "does not say which api-version"),
        (page(meta={"api-version": "2.0"}), "api-version 2.0, not 1.x"),
        (page(meta={"api-version": "0.9"}), "api-version 0.9, not 1.x"),
        (page(files=None), "`files` of upstream's page is not a list"),
        (page(files={}), "`files` of upstream's page is not a list"),
        (page(name="other"), "the page of 'other' where demo was asked for"),
        (page(name="-"), "the page of '-' where demo"),
        (page(name=None), "the page of None where demo"),
    ],
)
def test_a_document_of_the_wrong_shape_is_refused(document: Any, message: str) -> None:
    with pytest.raises(UpstreamBroken, match=message):
        read(document)


NO_JSON = [b"1e999", b'"\xff"', b'"\xed\xa0\x80"', b'{"a": [1e999]}', b"7" * 5_000]


@pytest.mark.parametrize("key", [b"meta", b"files", b"name", b"m\\u0065ta", b"f\\u0069les", b"_unknown"])
def test_a_value_that_is_no_json_is_refused_also_where_its_key_comes_again(key: bytes) -> None:
    rest = b'"_unknown": 1, "meta": {"api-version": "1.4"}, "name": "demo", "files": []}'
    assert read(b"{" + rest).files == ()
    for value in NO_JSON:
        for wrong in (value, b"[" + value + b"]"):
            with pytest.raises(UpstreamBroken, match="not JSON, or was cut"):
                read(b'{"' + key + b'": ' + wrong + b", " + rest)


def test_of_a_key_that_occurs_twice_the_last_counts() -> None:
    body = json.dumps(page(files=[FILE], _note=2)).encode()
    other = b'{"files": [], "name": 5, "meta": 5, "_note": 1, '
    assert read(other + body[1:]) == read(body)
    (found,) = read(body.replace(b'"hashes"', b'"filename": "demo-2.0.zip", "hashes"', 1)).files
    assert found.filename == "demo-2.0.zip"


def test_a_version_two_page_tells_what_helps() -> None:
    with pytest.raises(UpstreamBroken) as refused:
        read(page(meta={"api-version": "2.0"}))
    assert refused.value.remedy is not None
    assert "newer inbond" in refused.value.remedy


def test_the_name_may_be_missing_or_written_otherwise() -> None:
    without = page()
    del without["name"]
    assert read(without).name == read(page(name="DEMO")).name == "demo"


def test_more_files_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "MAX_FILES", 2)
    assert len(read(page(files=[FILE] * 2)).files) == 1
    with pytest.raises(UpstreamBroken, match="more than 2 files"):
        read(page(files=[FILE] * 3))


@pytest.mark.parametrize(
    "entry",
    [
        "demo-1.0.tar.gz",
        None,
        {"filename": "demo-1.0.tar.gz"},
        {"url": FILE["url"]},
        {**FILE, "filename": "../demo-1.0.tar.gz"},
        {**FILE, "filename": ".hidden"},
        {**FILE, "filename": ""},
        {**FILE, "filename": 5},
        {**FILE, "url": 5},
        {**FILE, "url": "file:///etc/passwd"},
        {**FILE, "url": "ftp://files.example/demo-1.0.tar.gz"},
        {**FILE, "url": "data:,x"},
        {**FILE, "url": "javascript:alert(1)"},
        {**FILE, "url": "http://"},
    ],
)
def test_a_file_that_could_never_be_fetched_is_left_out(entry: object) -> None:
    good = {**FILE, "filename": "demo-2.0.tar.gz"}
    assert [file.filename for file in read(page(files=[entry, good])).files] == ["demo-2.0.tar.gz"]


def test_the_first_of_two_files_with_one_name_counts() -> None:
    second = {**FILE, "url": "https://elsewhere.example/demo-1.0.tar.gz"}
    assert [file.url for file in read(page(files=[FILE, second])).files] == [FILE["url"]]


def test_the_last_of_two_equal_keys_counts() -> None:
    body = b'{"meta": {"api-version": "1.0"}, "files": 5, "files": []}'
    assert read(body).files == ()


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("../../packages/demo-1.0.tar.gz", "https://index.example/packages/demo-1.0.tar.gz"),
        ("//files.example/demo-1.0.tar.gz#egg=demo", "https://files.example/demo-1.0.tar.gz"),
        ("demo 1.0.tar.gz?x=é#frag", "https://index.example/simple/demo/demo%201.0.tar.gz?x=%C3%A9"),
    ],
)
def test_addresses_are_resolved_and_lose_their_fragment(url: str, resolved: str) -> None:
    assert one(url=url).url == resolved


def test_a_digest_in_the_address_completes_those_beside_it_and_replaces_none() -> None:
    md5 = "b" * 32
    url = f"{FILE['url']}#sha256={'A' * 64}&egg=demo&md5={md5}"
    assert one(url=url).hashes == {"sha256": "a" * 64, "md5": md5}
    assert one(url=url, hashes={"sha256": SHA256}).hashes == {"sha256": SHA256, "md5": md5}
    assert one(url=url, hashes={"SHA256": SHA256}).hashes == {"sha256": SHA256, "md5": md5}


@pytest.mark.parametrize(
    ("hashes", "read"),
    [
        ({"MD5": "A" * 32, "SHA3_256": "b" * 64}, {"md5": "a" * 32, "sha3_256": "b" * 64}),
        ({"sha256": "a" * 64, "SHA256": "b" * 64}, {"sha256": "a" * 64}),
        ({"sha256": "none", "SHA256": "b" * 64}, {"sha256": "b" * 64}),
        ({"sha256": ""}, {}),
        ({"sha256": "none", "md5": "", "sha1": "0" * 39, "sha512": "g" * 128}, {}),
        ({"md5": "0" * 31 + "\u0660"}, {}),
        ({"blake2b_256": "0" * 64}, {"blake2b_256": "0" * 64}),
        ({"Odd-Name": "what IT is"}, {"odd-name": "what it is"}),
    ],
)
def test_digests_are_named_in_any_case_and_only_what_can_be_one_is_kept(
    hashes: dict[str, str], read: dict[str, str]
) -> None:
    assert one(hashes=hashes).hashes == read
    assert one(**{"core-metadata": hashes}).core_metadata == (read or True)


def test_optional_values_of_the_wrong_type_count_as_absent() -> None:
    plain = one()
    wrong: dict[str, list[Any]] = {
        "hashes": [None, [], {"sha256": 5}],
        "size": [-1, 2**53, True, "5", 1.5, None],
        "upload-time": [5, "", "yesterday", "2024-01-01", "2024-01-01T00:00:00", "0001-01-01T00:00:00+23:00", None],
        "requires-python": [5, "", None, []],
        "yanked": [None, 0, 1, "", [], {}],
        "core-metadata": [None, 5, "true", []],
        "gpg-sig": [None, "yes"],
        "provenance": [5, "", [], False],
    }
    for key, values in wrong.items():
        for value in values:
            assert one(**{key: value}) == plain, (key, value)


def test_optional_values_of_the_page_of_the_wrong_type_count_as_absent() -> None:
    plain = read(page())
    assert read(page(versions="1.0")) == plain
    assert read(page(**{"alternate-locations": {"a": 1}, "project-status": 5})) == plain
    meta = {"api-version": "1.4", "_last-serial": -5, "tracks": "x", "project-status": {"status": ""}}
    assert read(page(meta=meta)) == plain
    assert read(page(meta={"api-version": "1.4", "_last-serial": "5"})) == plain
    assert read(page(versions=["1", 2, "1", None, "3"])).versions == ("1", "3")


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2024-01-01T12:00:00Z", 12), ("2024-01-01T12:00:00.5+02:00", 10), ("2024-01-01t12:00:00z", 12)],
)
def test_upload_times_are_in_utc_and_keep_their_writing(text: str, hour: int) -> None:
    file = one(**{"upload-time": text})
    assert file.upload_time is not None
    assert (file.upload_time.hour, file.upload_time.tzinfo) == (hour, UTC)
    assert file.upload_time_text == text


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, False),
        ({"core-metadata": True}, True),
        ({"core-metadata": {}}, True),
        ({"core-metadata": {"sha256": "AB" * 32}}, {"sha256": "ab" * 32}),
        ({"core-metadata": {"sha256": "ab"}}, True),
        ({"dist-info-metadata": {"sha256": "ab" * 32}}, {"sha256": "ab" * 32}),
        ({"data-dist-info-metadata": True}, True),
        ({"core-metadata": False, "dist-info-metadata": True}, False),
        (
            {"core-metadata": {"sha256": "a" * 64}, "dist-info-metadata": {"sha256": "b" * 64}},
            {"sha256": "a" * 64},
        ),
        ({"core-metadata": 5, "dist-info-metadata": True}, True),
    ],
)
def test_the_newest_name_of_core_metadata_counts(keys: dict[str, Any], expected: Any) -> None:
    file = one(**keys)
    assert file.core_metadata == expected
    assert file.extra == {}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, Claim.SILENT),
        ({"provenance": None}, Claim.NONE),
        ({"provenance": "/integrity/x"}, "https://index.example/integrity/x"),
        ({"provenance": "https://index.example/x#f"}, "https://index.example/x"),
    ],
)
def test_provenance_null_missing_and_named_stay_three_things(keys: dict[str, Any], expected: str) -> None:
    assert one(**keys).provenance == expected


def test_a_provenance_address_that_cannot_be_fetched_is_still_a_claim() -> None:
    assert one(provenance="ftp://index.example/x").provenance == "ftp://index.example/x"


@pytest.mark.parametrize(
    ("top", "meta", "expected"),
    [
        ({"project-status": {"status": "quarantined", "reason": "malware"}}, {}, (Status.QUARANTINED, "malware")),
        ({"project-status": {"status": "Quarantined"}}, {}, (Status.QUARANTINED, None)),
        ({"project-status": "deprecated", "project-status-reason": "old"}, {}, (Status.DEPRECATED, "old")),
        ({}, {"project-status": {"status": "archived"}}, (Status.ARCHIVED, None)),
        ({}, {"project-status": "archived", "project-status-reason": "x"}, (Status.ARCHIVED, "x")),
        ({"project-status": {"status": "On Holiday", "reason": 5}}, {}, ("On Holiday", None)),
        ({"project-status": {"reason": "x"}}, {}, (Status.ACTIVE, None)),
    ],
)
def test_project_status_is_read_where_indexes_write_it(
    top: dict[str, Any], meta: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    found = read(page(**top, meta={"api-version": "1.4", **meta}))
    assert (found.status, found.status_reason) == expected
    assert (found.extra, found.meta_extra) == ({}, {})


def test_an_unknown_value_too_deep_to_be_written_again_is_not_kept() -> None:
    def nested(depth: int, inner: Any) -> Any:
        for level in range(depth):
            inner = [inner] if level % 2 else {"k": inner}
        return inner

    assert one(_x=nested(32, 1)).extra == {"_x": nested(32, 1)}
    assert one(_x=nested(33, 1), _y=1).extra == {"_y": 1}
    assert one(_x=nested(34, 1), _y=1).extra == {"_y": 1}


@given(json_values)
def test_any_json_is_a_page_or_is_refused(value: Any) -> None:
    for document in (value, page(files=value), page(files=[value]), page(meta=value), page(name=value)):
        try:
            assert read(document).name == PROJECT
        except UpstreamBroken:
            continue


@given(st.sampled_from(sorted({*FILE, "size", "yanked", "provenance", "core-metadata", "upload-time"})), json_values)
def test_no_value_of_a_file_takes_the_other_files_away(key: str, value: Any) -> None:
    good = {**FILE, "filename": "demo-2.0.tar.gz"}
    assert "demo-2.0.tar.gz" in [file.filename for file in read(page(files=[{**FILE, key: value}, good])).files]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_are_refused(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        read(body)
