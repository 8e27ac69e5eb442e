from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.model.errors import UpstreamBroken
from inbond.model.names import ProjectName
from inbond.simple.listing import (
    BATCH_BYTES,
    MAX_PIECE_BYTES,
    HtmlNames,
    JsonNames,
    NameSplitter,
    render_list_html,
    render_list_json,
)

AFTER_DECOYS = b'[{"name":"a"},{"name":"b"}],"meta":{"api-version":"1.1"}}'
META = {"api-version": "1.4", "_last-serial": 5}

project_names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,10}[A-Za-z0-9])?", fullmatch=True)


def split(splitter: NameSplitter, body: bytes, size: int = 10_000) -> list[str]:
    found: list[str] = []
    for at in range(0, len(body), size):
        found += splitter.feed(body[at : at + size])
    return found + splitter.close()


def document(projects: Any, **keys: Any) -> bytes:
    return json.dumps({"meta": META, "projects": projects, **keys}).encode()


def many(count: int) -> Iterator[str]:
    return (f"Project-{number}.x" for number in range(count))


@given(st.lists(project_names, max_size=20), st.integers(min_value=1, max_value=500))
def test_names_survive_both_forms_however_they_are_chunked(names: list[str], size: int) -> None:
    assert split(JsonNames(), b"".join(render_list_json(names, serial=5)), size) == names
    assert split(HtmlNames(), b"".join(render_list_html(names)), size) == names


@pytest.mark.parametrize("size", [1000, 65_536, 10**9])
def test_long_lists_survive_both_forms(size: int) -> None:
    names = list(many(20_000))
    assert split(JsonNames(), b"".join(render_list_json(names, serial=None)), size) == names
    assert split(HtmlNames(), b"".join(render_list_html(names)), size) == names


def test_names_are_given_as_they_arrive() -> None:
    for splitter, pieces in (
        (JsonNames(), render_list_json(many(50_000))),
        (HtmlNames(), render_list_html(many(50_000))),
    ):
        counts = [len(splitter.feed(piece)) for piece in pieces]
        assert max(counts) < 20_000
        assert sum(counts) + len(splitter.close()) == 50_000


def test_rendered_lists_are_as_the_standards_have_them() -> None:
    names = ["Django", "zope.interface", "not a name", "a_b"]
    assert json.loads(b"".join(render_list_json(names, serial=7))) == {
        "meta": {"api-version": "1.4", "_last-serial": 7},
        "projects": [{"name": "Django"}, {"name": "zope.interface"}, {"name": "a_b"}],
    }
    assert json.loads(b"".join(render_list_json([]))) == {"meta": {"api-version": "1.4"}, "projects": []}
    html = b"".join(render_list_html(names)).decode()
    assert '<meta name="pypi:repository-version" content="1.4">' in html
    assert '<a href="django/">Django</a><br>\n<a href="zope-interface/">zope.interface</a><br>' in html
    assert "not a name" not in html


def test_rendered_pieces_are_of_even_size() -> None:
    for pieces in (list(render_list_json(many(20_000))), list(render_list_html(many(20_000)))):
        assert len(pieces) > 8
        assert max(map(len, pieces)) < 100_000


def peak_bytes(splitter: NameSplitter, pieces: Iterable[bytes], count: int) -> int:
    tracemalloc.start()
    try:
        assert sum(len(splitter.feed(piece)) for piece in pieces) + len(splitter.close()) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", ["json", "html"])
def test_memory_does_not_grow_with_the_length_of_the_list(form: str) -> None:
    def peak(count: int) -> int:
        if form == "json":
            return peak_bytes(JsonNames(), render_list_json(many(count)), count)
        return peak_bytes(HtmlNames(), render_list_html(many(count)), count)

    peak(5_000)  # what is made once is made
    assert peak(60_000) < 1.2 * peak(12_000) < 6 * 2**20


# JSON


@pytest.mark.parametrize(
    "body",
    [
        document([{"name": "a"}, {"_last-serial": 1, "name": "b"}]),
        b' {\n"projects" : [ {"name":"a"} , {"name" : "b"} ] , "meta": {"api-version": "1.0"} } \n',
        document([{"name": "a", "x": {"y": [1, {"z": "]}"}]}}, {"x": '},{"name":"c"},\\', "name": "b"}]),
        document([{"name": "a"}, {"name": "b"}], more={"deep": [[["x"]]]}),
        b'{"x":"\\"projects\\":[","y":{"projects":[{"name":"c"}]},"projects":%b' % AFTER_DECOYS,
        b'{"meta":{"api-version":"1.1"},"projects":[{"name":"\\u0061"},{"name":"b"}]}',
        document([{"name": "a"}, {"name": "not a name"}, {"name": 5}, {}, {"name": "b"}]),
    ],
)
@pytest.mark.parametrize("size", [1, 10_000])
def test_json_lists_are_read_in_all_their_forms(body: bytes, size: int) -> None:
    assert split(JsonNames(), body, size) == ["a", "b"]


def test_an_empty_json_list_is_legal() -> None:
    assert split(JsonNames(), document([])) == []
    assert split(JsonNames(), b'{"projects":[ ],"meta":{"api-version":"1.4"}}') == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"<html></html>",
        document([])[:-1],
        document([{"name": "a"}])[:-3],
        document([{"name": "a"}, {"name": "b"}])[:-8],
        document(None),
        document({}),
        document(["a"]),
        document([["a"]]),
        document([[]]),
        document([{"name": "a"}]) + b"x",
        b'{"meta":{"api-version":"1.4"},"projects":[{"name":"a"},]}',
        b'{"meta":{"api-version":"1.4"},"projects":[{"name":"a"} {"name":"b"}]}',
        b'{"meta":{"api-version":"1.4"},"projects":[{name:"a"}]}',
        b'{"meta":{"api-version":"1.4"},"projects":[{"name":"a"]]}',
        b'{"meta":{"api-version":"1.4"},"projects":[{"name":"\xff"}]}',
        b'{"projects":[]}',
        b'{"meta":[],"projects":[]}',
        b'{"meta":{},"projects":[]}',
        b'{"meta":{"api-version":"2.0"},"projects":[]}',
        b'{"meta":{"api-version":"1.0"},"projects":[{"name":"a"}],"projects":[{"name":"b"}]}',
        b'{"meta":{"api-version":"1.0"},"projects":[{"a":[[[[[[[[[[]]]]]]]]]]}]}',
    ],
)
def test_what_is_no_whole_json_list_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        split(JsonNames(), body)


@given(st.integers(min_value=0, max_value=200))
def test_a_json_list_cut_anywhere_is_refused(length: int) -> None:
    body = document([{"name": name} for name in ("a", "b", "c")])
    with pytest.raises(UpstreamBroken):
        split(JsonNames(), body[: min(length, len(body) - 1)])


# HTML


@pytest.mark.parametrize(
    "body",
    [
        "<!DOCTYPE html><html><body><a href=a/>a</a><A HREF='b/'>\n b </A></body></html>",
        '<a href="/simple/a/"></a><a href="/simple/b/"><b>what is it</b></a>',
        '<a href="a/">a</a>\n<a href="b/">b</a>',
        '<a href="/simple/a/">a</a><br/><a href="x y/">x y</a><a>?</a><a href="b/">b</a><a href="-/">-</a>',
        '<a href="a/">a</a><!-- <a href="c/">c</a> --><a href="b/">b</a>',
        '<a href="a/">&#97;</a><a href="b/">b</a>',
    ],
)
@pytest.mark.parametrize("size", [1, 10_000])
def test_html_lists_are_read_in_all_their_forms(body: str, size: int) -> None:
    assert split(HtmlNames(), body.encode(), size) == ["a", "b"]


@pytest.mark.parametrize("body", ["<html><body></body></html>", "<h1>Simple index</h1>"])
def test_an_empty_html_list_is_legal(body: str) -> None:
    assert split(HtmlNames(), body.encode()) == []


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Forbidden",
        '<html><body><a href="a/">a</a>',
        '<a href="a/">a</a><a href="b/"',
        '<a href="a/">a</a><a href="b/">b',
        '<a href="a/">a</a><!-- ',
    ],
)
def test_what_is_no_whole_html_list_is_refused(body: str) -> None:
    with pytest.raises(UpstreamBroken):
        split(HtmlNames(), body.encode())


# both


@pytest.mark.parametrize("splitter", [HtmlNames(), JsonNames()], ids=["html", "json"])
def test_an_entry_without_end_is_refused_at_the_limit(splitter: NameSplitter) -> None:
    start = b'<a href="a/">' if isinstance(splitter, HtmlNames) else b'{"projects":[{"name":"'
    held = len(start)
    splitter.feed(start)
    while held + 1000 <= MAX_PIECE_BYTES:
        assert splitter.feed(b"a" * 1000) == []
        held += 1000
    with pytest.raises(UpstreamBroken, match="longer than 262144 bytes"):
        splitter.feed(b"a" * BATCH_BYTES)


HOSTILE = {
    "objects": b'{"projects":[' + b"{" * 250_000,
    "nesting": b'{"projects":[' + b'{"a":[' * 40_000,
    "closed inside": b'{"projects":[{"a":[' + b"[[[1]]]," * 30_000,
    "strings": b'{"projects":[{"a":[' + b'"a","' * 50_000,
    "backslashes": b'{"projects":[{"a":"' + b"\\\\" * 120_000,
    "keys": b"{" + b'"a":1,' * 40_000,
    "key blanks": b"{" + b'"a" : [[1]] , ' * 17_000,
    "blanks": b" " * 250_000,
    "row blanks": b'{"projects":[{"name":"a"}' + b" " * 250_000,
    "scalars": b"{" + b'"a":' + b"1" * 250_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_json_costs_little(name: str) -> None:
    begin = time.process_time()
    with pytest.raises(UpstreamBroken):
        split(JsonNames(), HOSTILE[name] + b" " * 100_000, 1000)
    assert time.process_time() - begin < 20


@given(
    st.lists(
        st.sampled_from([b'{"projects":[', b'{"name":"a"}', b",", b"]", b"}", b'"', b"\\", b"[", b"{", b" ", b"1"])
    )
)
def test_any_json_is_a_list_or_is_refused(parts: list[bytes]) -> None:
    try:
        assert all(ProjectName(name) for name in split(JsonNames(), b"".join(parts)))
    except UpstreamBroken as refused:
        assert refused.message  # noqa: PT017 (either outcome is right)
