"""URLs in locks: what is taken, and what two readers might take for two places."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inbond.locks.lock import InvalidLock, Lock, Place
from inbond.locks.pdm_lock import read_pdm_lock
from inbond.locks.pipfile_lock import read_pipfile_lock
from inbond.locks.poetry_lock import read_poetry_lock
from inbond.locks.pylock import read_pylock
from inbond.locks.requirements import read_requirements
from inbond.locks.urls import bare_url, is_url, masked_url, url_problem
from inbond.locks.uv_lock import read_uv_lock

PLACE = Place("a.lock", 3)

REFUSED = [
    (r"http://evil.example:1\@127.0.0.1:8642/x-1.zip", "a backslash"),
    ("http://evil.example/\tx-1.zip", "a blank or a character that is not printable"),
    ("http://evil.example/x y-1.zip", "a blank or a character that is not printable"),
    ("\x1fhttp://evil.example/x-1.zip", "a blank or a character that is not printable"),
    ("https://h.example/\u202ex-1.zip", "a blank or a character that is not printable"),
    ("https://h.example/\x9bx-1.zip", "a blank or a character that is not printable"),
    ("http:evil.example/x-1.zip", "it does not begin with SCHEME://"),
    ("http:/evil.example/x-1.zip", "it does not begin with SCHEME://"),
    ("https:///evil.example/x-1.zip", "it names no host"),
    ("https://me@/x-1.zip", "it names no host"),
    ("https://[x/x-1.zip", "its host or port cannot be read"),
    ("https://h.example:99999/x-1.zip", "its host or port cannot be read"),
    ("https://h.example:80x/@127.0.0.1:8642/x-1.zip", "its host or port cannot be read"),
]


@pytest.mark.parametrize(("url", "why"), REFUSED)
def test_what_is_refused(url: str, why: str) -> None:
    with pytest.raises(InvalidLock) as caught:
        bare_url(PLACE, url, "package x")
    assert caught.value.place == PLACE
    assert str(caught.value).startswith("a.lock:3: package x: '")
    assert why in str(caught.value)
    assert "lock again" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("url", "bare", "masked"),
    [
        ("https://h.example/x-1.zip", "https://h.example/x-1.zip", "https://h.example/x-1.zip"),
        ("HTTPS://u:p@[::1]:80/é?a#b", "HTTPS://[::1]:80/é?a#b", "HTTPS://***@[::1]:80/é?a#b"),
        ("https://me@corp.example:pw@h.example", "https://h.example", "https://***@h.example"),
        ("https://h.example/?u=http://a:b@c", "https://h.example/?u=http://c", "https://h.example/?u=http://***@c"),
        ("https://${U}:${P}@h.example:${PORT}/", "https://h.example:${PORT}/", "https://***@h.example:${PORT}/"),
        # the port is a variable: what follows the slash is no host
        ("http://e.example:${N}/@h.example/", "http://e.example:${N}/@h.example/", "http://e.example:${N}/@h.example/"),
        ("${WHEELS}/x-1.zip", "${WHEELS}/x-1.zip", "${WHEELS}/x-1.zip"),
        ("${SCHEME}://u:p@h.example/", "${SCHEME}://h.example/", "${SCHEME}://***@h.example/"),
        ("$INDEX/simple", "$INDEX/simple", "$INDEX/simple"),
        ("file:///w/x-1.zip", "file:///w/x-1.zip", "file:///w/x-1.zip"),
        ("file://${PROJECT_ROOT}/x-1.zip", "file://${PROJECT_ROOT}/x-1.zip", "file://${PROJECT_ROOT}/x-1.zip"),
    ],
)
def test_what_is_taken_without_credentials(url: str, bare: str, masked: str) -> None:
    assert url_problem(url) is None
    assert bare_url(PLACE, url) == bare
    assert masked_url(PLACE, url) == masked


def test_a_message_holds_no_password() -> None:
    with pytest.raises(InvalidLock) as caught:
        bare_url(PLACE, r"https://u:secret@h.example/\x")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://h.example", True), ("http:h", True), ("x+y:z", True), (" https://h.example", True),
        ("links", False), ("../links", False), ("C:/links", False), (r"C:\links", False), ("a/b:c", False), ("", False),
    ],
)  # fmt: skip
def test_what_is_a_url_and_no_path(text: str, url: bool) -> None:
    assert is_url(text) is url


def basic(url: str) -> str:
    return '"' + "".join(f"\\u{ord(one):04x}" if one in '\\"' or not one.isprintable() else one for one in url) + '"'


def requirements(source: str, raw: bytes) -> Lock:
    return read_requirements(source, raw, open_beside=lambda *_: b"")


PACKAGE = '[[package]]\nname = "x"\nversion = "1"\n'
PYPACKAGE = 'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "x"\nversion = "1"\n'
HASHES = 'hashes = { sha256 = "00" }'
PDM = '[metadata]\nlock_version = "4.5"\n'
PIPFILE = '{"_meta": {"pipfile-spec": 6, "sources": [%s]}, "default": {"x": %s}}'
Reader = Callable[[str, bytes], Lock]
UV = f'version = 1\n{PACKAGE}source = {{ registry = "https://i.example" }}\n'
FLAT = f'version = 1\n{PACKAGE}source = {{ registry = "links" }}\n'
WHERE: list[tuple[str, Reader, str]] = [
    ("uv registry", read_uv_lock, f"version = 1\n{PACKAGE}source = {{ registry = %s }}\n"),
    ("uv url", read_uv_lock, f"version = 1\n{PACKAGE}source = {{ url = %s }}\n"),
    ("uv file", read_uv_lock, f"{UV}sdist = {{ url = %s }}\n"),
    ("uv flat file", read_uv_lock, f"{FLAT}wheels = [{{ url = %s }}]\n"),
    ("pylock index", read_pylock, f"{PYPACKAGE}index = %s\nwheels = []\n"),
    ("pylock archive", read_pylock, f"{PYPACKAGE}archive = {{ url = %s, {HASHES} }}\n"),
    ("pylock file", read_pylock, f'{PYPACKAGE}sdist = {{ name = "x-1.tar.gz", url = %s, {HASHES} }}\n'),
    ("poetry index", read_poetry_lock, f'{PACKAGE}source = {{ type = "legacy", url = %s }}\n[metadata]\n'),
    ("poetry url", read_poetry_lock, f'{PACKAGE}source = {{ type = "url", url = %s }}\n[metadata]\n'),
    ("pdm url", read_pdm_lock, f"{PDM}{PACKAGE}url = %s\n"),
    ("pdm file", read_pdm_lock, f"{PDM}{PACKAGE}files = [{{ url = %s }}]\n"),
    ("Pipfile source", read_pipfile_lock, PIPFILE % ('{"name": "x", "url": %s}', "{}")),
    ("Pipfile file", read_pipfile_lock, PIPFILE % ("", '{"file": %s}')),
]  # fmt: skip


@pytest.mark.parametrize("url", [url for url, _ in REFUSED])
@pytest.mark.parametrize(("read", "text"), [one[1:] for one in WHERE], ids=[one[0] for one in WHERE])
def test_wherever_it_stands(read: Reader, text: str, url: str) -> None:
    with pytest.raises(InvalidLock, match=r"^a\.lock"):
        read("a.lock", (text % basic(url)).encode())


@pytest.mark.parametrize("url", [url for url, _ in REFUSED])
@pytest.mark.parametrize("text", ["x @ %s", "-i '%s'\nx", "--extra-index-url '%s'\nx", "-f '%s'\nx"])
def test_in_requirements(text: str, url: str) -> None:
    with pytest.raises(InvalidLock, match=r"^a\.lock"):
        requirements("a.lock", (text % url.replace("\t", "\\t")).encode())


@pytest.mark.parametrize("text", ["-f //[x", "-i //[x", "x @ foo:bar/x-1.zip", "x @ \x1fhttp:evil.example/x"])
def test_what_else_is_refused_in_requirements(text: str) -> None:
    with pytest.raises(InvalidLock, match=r"^a\.lock:1"):
        requirements("a.lock", text.encode())


def test_a_relative_url_is_refused() -> None:
    with pytest.raises(InvalidLock, match="does not begin with SCHEME://"):
        read_uv_lock("a.lock", (WHERE[2][2] % '"x-1.tar.gz"').encode())
