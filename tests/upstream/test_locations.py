from __future__ import annotations

import contextlib
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from inbond.model.errors import UpstreamBroken
from inbond.upstream.locations import check, origin, page_url, parse, provenance_url, redirected, shown


@pytest.mark.parametrize(
    "text",
    [
        "https://files.example/a%2Fb/x-1.0.tar.gz",
        "https://files.example/x-1.0.tar.gz?signature=a%2Fb%3D%2B",
        "https://files.example/x-1.0%2Blocal.whl",
        "https://files.example//double//slash/../kept",
    ],
)
def test_a_url_goes_out_exactly_as_upstream_wrote_it(text: str) -> None:
    assert str(parse(text)) == text


def test_a_url_with_characters_that_cannot_go_out_is_quoted() -> None:
    assert str(parse("https://files.example/ü x.whl")) == "https://files.example/%C3%BC%20x.whl"


@pytest.mark.parametrize("text", ["https://[::1/x", "https://h:99999999/x", "http://h:x/", "\udcff://x"])
def test_what_is_no_url_is_broken(text: str) -> None:
    with pytest.raises(UpstreamBroken):
        check(parse(text), secure=False)


@pytest.mark.parametrize("text", ["https://u:s3cret@h:99999/x", "https://[::1/x?sig=s3cret", "s3cret://\udcff"])
def test_what_is_no_url_is_not_quoted(text: str) -> None:
    with pytest.raises(UpstreamBroken, match="no URL") as caught:
        redirected(URL("https://a.example/x"), text)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "host", ["a..b", "a" * 64, "8.8.8.8%40127.0.0.1", "a%2eb", "[2606:4700::1%25127.0.0.1]", "a,b"]
)
def test_a_host_as_nobody_can_have_it_is_not_asked(host: str) -> None:
    with pytest.raises(UpstreamBroken, match="a host written in a form that is not asked"):
        check(parse(f"https://{host}/x"), secure=True)


@pytest.mark.parametrize("text", ["ftp://h/x", "file:///etc/passwd", "data:,x", "/x", "javascript:x", "unix:///run/x"])
def test_other_schemes_are_not_asked(text: str) -> None:
    with pytest.raises(UpstreamBroken, match="only http and https"):
        check(parse(text), secure=False)


def test_a_url_without_host_is_not_asked() -> None:
    with pytest.raises(UpstreamBroken, match="without a host"):
        check(parse("https:///x"), secure=False)


@pytest.mark.parametrize("text", ["https://user:secret@h.example/x", "https://secret@h.example/x"])
def test_a_url_with_a_user_in_it_is_not_asked_and_not_shown(text: str) -> None:
    with pytest.raises(UpstreamBroken, match=r"user or password in it, at h\.example") as caught:
        check(parse(text), secure=False)
    assert "secret" not in caught.value.message


def test_https_never_leads_to_http() -> None:
    with pytest.raises(UpstreamBroken, match="not encrypted"):
        check(parse("http://files.example/x"), secure=True)
    with pytest.raises(UpstreamBroken, match="not encrypted"):
        redirected(URL("https://a.example/x"), "http://a.example/x")
    assert redirected(URL("http://a.example/x"), "https://a.example/x").scheme == "https"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("y", "https://a.example/simple/y"),
        ("/y?q=%2F", "https://a.example/y?q=%2F"),
        ("//b.example/y", "https://b.example/y"),
        ("https://b.example/y#fragment", "https://b.example/y"),
    ],
)
def test_a_redirect_is_relative_to_where_it_stands(location: str, expected: str) -> None:
    assert str(redirected(URL("https://a.example/simple/x"), location)) == expected


@pytest.mark.parametrize("location", [None, ""])
def test_a_redirect_to_nowhere_is_broken(location: str | None) -> None:
    with pytest.raises(UpstreamBroken, match="redirects to nowhere"):
        redirected(URL("https://a.example/x"), location)


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin(URL("https://A.example/x")) == origin(URL("https://a.example:443/y"))
    assert origin(URL("https://a.example/x")) != origin(URL("https://a.example:8443/x"))
    assert origin(URL("https://a.example/x")) != origin(URL("http://a.example/x"))
    assert origin(URL("https://a.example/x")) != origin(URL("https://b.a.example/x"))


def test_what_is_shown_holds_no_secret_and_is_not_long() -> None:
    assert shown(URL("https://user:pw@h.example:8443/x?token=secret#f")) == "https://h.example:8443/x"
    assert shown(URL("http://[::1]:80/x")) == "http://[::1]/x"
    assert len(shown(URL("https://h.example/" + "x" * 5000))) == 200


def test_where_things_are_beside_an_index() -> None:
    index = "https://h.example/root/pypi/+simple/"
    assert str(page_url(index, "demo")) == "https://h.example/root/pypi/+simple/demo/"
    asked = provenance_url(index, "demo", "1!2.0+local", "demo-1!2.0+local.tar.gz")
    assert str(asked) == "https://h.example/root/pypi/integrity/demo/1!2.0+local/demo-1!2.0+local.tar.gz/provenance"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_no_filename_leaves_its_segment(filename: str) -> None:
    asked = provenance_url("https://h.example/simple/", "demo", "1.0", filename)
    if filename not in (".", ".."):  # `Filename` never begins with a dot
        assert len(asked.raw_path.split("/")) == 6
        assert asked.host == "h.example"
        assert not asked.query_string


@given(st.text())
def test_reading_a_url_gives_one_or_a_fault(text: str) -> None:
    with contextlib.suppress(UpstreamBroken):
        assert parse(text).raw_fragment == ""
