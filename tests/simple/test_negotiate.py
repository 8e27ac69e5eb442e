from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.model.errors import NotAcceptable
from inbond.simple.negotiate import MAX_HEADER_CHARS, Coding, Format, negotiate, negotiate_coding, preferred

JSON, HTML_V1, HTML = Format.JSON_V1, Format.HTML_V1, Format.HTML
J, H, T = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html", "text/html"


def test_content_types_are_exactly_those_installers_take() -> None:
    assert [(f.content_type, f.is_json) for f in (JSON, HTML_V1, HTML)] == [(J, True), (H, False), (T, False)]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (f"{J}, {H}; q=0.1, {T}; q=0.01", JSON),  # pip
        (f"{J}, {H};q=0.2, {T};q=0.01", JSON),  # uv
        (f"{J}, */*;q=0.1", JSON),  # poetry
        (f"{J}, */*", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", HTML),  # browsers
        (None, HTML),
        ("", HTML),
        (" , ", HTML),
        ("*/*", HTML),
        ("text/*", HTML),
        ("application/*", JSON),
        (J, JSON),
        (H, HTML_V1),
        (T, HTML),
        (J.upper(), JSON),
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("application/vnd.pypi.simple.latest+html", HTML_V1),
        (f"application/vnd.pypi.simple.latest+json;q=0.1, {J};q=0.9, {T};q=0.5", JSON),
        (f"{T}, {H}, {J}", JSON),
        (f"{T}, {H}", HTML_V1),
        (f"{J};q=0.5, {T};q=0.6", HTML),
        (f"{J};q=0, */*", HTML),
        (f"{T};q=0, */*", JSON),
        (f"{T};q=0, {J};q=0, */*", HTML_V1),
        ("text/*;q=0, */*", JSON),
        ("application/*;q=0.9, */*;q=0.1", JSON),
        ("application/json, */*;q=0.1", HTML),
        (f"{T};charset=utf-8;q=0.2, {J};q=0.1", HTML),
        (f"{T};q=0.001, {J};q=0.000", HTML),
        (f"{J};q=1.000, {T};q=0.999", JSON),
        (f"{J};q=0, {J}", JSON),
        # malformed members do not count
        (f"{J};q=2, {T};q=0.1", HTML),
        (f"{J};q=-1, {T};q=0.1", HTML),
        (f"{J};q=, {T};q=0.1", HTML),
        (f"{J};q=0.5555, {T};q=0.1", HTML),
        (f"{J};q=nan, {T};q=0.1", HTML),
        (f'{J} extra, ;;q, "a/b", text, /, {T};q=0.1', HTML),
        ("nonsense", HTML),
        ("\x00\xff\u0131", HTML),
    ],
)
def test_the_format_that_accept_wants_most_is_chosen(accept: str | None, expected: Format) -> None:
    assert negotiate(accept, None) is expected


@pytest.mark.parametrize(
    "accept",
    ["application/json", "image/*", f"{T};q=0", "*/*;q=0", f"{J};q=0.0", "application/vnd.pypi.simple.v2+json"],
)
def test_where_nothing_fits_nothing_is_answered(accept: str) -> None:
    with pytest.raises(NotAcceptable) as refused:
        negotiate(accept)
    assert refused.value.remedy is not None
    assert J in refused.value.remedy


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("json", JSON),
        ("HTML", HTML),
        (J, JSON),
        (J.replace("+", " "), JSON),
        (H, HTML_V1),
        (T, HTML),
        ("application/vnd.pypi.simple.latest json", JSON),
        (" json ", JSON),
    ],
)
def test_the_parameter_wins_over_accept(parameter: str, expected: Format) -> None:
    for accept in (None, "image/png", T, J):
        assert negotiate(accept, parameter) is expected


@pytest.mark.parametrize("parameter", ["", "xml", "application/json", "*/*", "é" * 500, f"{J};q=1"])
def test_an_unknown_parameter_is_not_acceptable_whatever_accept_says(parameter: str) -> None:
    with pytest.raises(NotAcceptable, match="is not offered here") as refused:
        negotiate(J, parameter)
    assert len(refused.value.message) < 1000


def test_a_very_long_header_is_read_to_a_limit_and_not_within_a_member() -> None:
    begin = time.process_time()
    assert negotiate(f"{T};q=0.5," + f"{H};q=0.1," * 1_000_000 + J) is HTML
    assert time.process_time() - begin < 10
    start = f"{T};q=0.1,".ljust(MAX_HEADER_CHARS - len(f"{J};q=0."))
    assert negotiate(f"{start}{J};q=0.9") is HTML
    assert negotiate("x" * (MAX_HEADER_CHARS + 1)) is HTML


header = st.lists(
    st.sampled_from([J, H, T, "*/*", "text/*", "gzip", "zstd", "*", ";", ",", "q=", "0.5", "1", '"', " "])
    | st.text(max_size=3)
).map("".join)


@given(header, st.none() | header)
def test_any_header_is_answered_or_not_acceptable(accept: str, parameter: str | None) -> None:
    try:
        assert negotiate(accept, parameter) in Format
    except NotAcceptable as refused:
        assert refused.remedy  # noqa: PT017 (either outcome is right)


@given(header)
def test_any_accept_encoding_is_answered(accept_encoding: str) -> None:
    assert negotiate_coding(accept_encoding) in Coding


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        (None, Coding.IDENTITY),
        ("", Coding.IDENTITY),
        ("identity", Coding.IDENTITY),
        ("Identity", Coding.IDENTITY),
        ("gzip, deflate", Coding.GZIP),  # pip
        ("gzip, deflate, zstd", Coding.ZSTD),  # uv
        ("zstd,gzip,deflate", Coding.ZSTD),
        ("zstd;q=0.5, gzip", Coding.GZIP),
        ("zstd;q=0, gzip;q=0.1", Coding.GZIP),
        ("zstd;q=0, gzip;q=0", Coding.IDENTITY),
        ("x-gzip", Coding.GZIP),
        ("GZIP;Q=0.5", Coding.GZIP),
        ("br", Coding.IDENTITY),
        ("deflate", Coding.IDENTITY),
        ("*", Coding.GZIP),
        ("*, gzip;q=0", Coding.IDENTITY),
        ("*;q=0", Coding.IDENTITY),
        ("identity;q=0", Coding.IDENTITY),
        ("identity;q=0.5, gzip;q=0.1", Coding.IDENTITY),
        ("identity, gzip", Coding.GZIP),
        ("gzip;q=bad, zstd;q=0.1", Coding.ZSTD),
    ],
)
def test_only_gzip_and_zstd_are_spoken(accept_encoding: str | None, expected: Coding) -> None:
    assert negotiate_coding(accept_encoding) is expected
    assert str(expected) in {"identity", "gzip", "zstd"}


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, "text/html"),
        ("*/*", "text/html"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("application/json", "application/json"),
        ("application/*", "application/json"),
        ("application/json;q=0.5, text/html;q=0.4", "application/json"),
        ("application/json;q=0.5, text/*", "text/html"),
        ("application/json, text/html", "text/html"),
        ("*/*;q=0.1, application/json;q=0", "text/html"),
        ("image/png", "text/html"),
        ("application/json;q=many", "text/html"),
        ("x" * 5000, "text/html"),
    ],
)
def test_of_what_is_offered_the_most_wanted_is_given_and_the_first_of_equals(accept: str | None, wanted: str) -> None:
    assert preferred(accept, ("text/html", "application/json")) == wanted
