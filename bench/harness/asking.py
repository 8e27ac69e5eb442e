"""Asking a server for one thing, waiting for it: to warm it, and to learn where it has its files."""

from __future__ import annotations

import gzip
import html
import http.client
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from harness.catalog import JSON

PATIENCE = 120.0  # seconds
MOST_REDIRECTS = 5
GZIP = b"\x1f\x8b"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back; names of headers in small letters."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(url: str, headers: Mapping[str, str] | None = None) -> Answer:
    """One request; redirects are followed. Nothing of the environment, a proxy say, has a part in it."""
    for _ in range(MOST_REDIRECTS):
        answer = _once(url, headers or {})
        if answer.status not in (301, 302, 303, 307, 308):
            return answer
        url = urljoin(url, answer.headers["location"])
    raise RuntimeError(f"{url}: too many redirects")


def _once(url: str, headers: Mapping[str, str]) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=dict(headers))
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(url=url, status=answer.status, headers=told, body=answer.read())
    finally:
        connection.close()


def must(url: str, headers: Mapping[str, str] | None = None) -> Answer:
    """As `ask`; anything but 200 ends the run."""
    answer = ask(url, headers)
    if answer.status != 200:
        raise RuntimeError(f"{url} answers {answer.status}: {answer.body[:300]!r}")
    return answer


def file_urls(page: str) -> dict[str, str]:
    """Where a page's files are, by name. Whatever format the server has is read."""
    answer = must(page, {"Accept": f"{JSON}, text/html; q=0.1"})
    return urls_on(answer.body, answer.url)


def urls_on(body: bytes, page: str) -> dict[str, str]:
    """Where the files of a page are, by name."""
    return {name: urljoin(page, url) for name, (url, _) in files_on(body).items()}


def files_on(body: bytes) -> dict[str, tuple[str, str]]:
    """URL, as it stands there, and sha256 of each file of a page, by name; in either format, compressed or not."""
    plain = gzip.decompress(body) if body.startswith(GZIP) else body
    if plain.lstrip().startswith(b"{"):
        return {file["filename"]: _whole(file["url"], file["hashes"]) for file in json.loads(plain)["files"]}
    links = re.findall(r'<a [^>]*href="([^"]+)"[^>]*>([^<]+)</a>', plain.decode())
    return {html.unescape(name).strip(): _whole(html.unescape(href), {}) for href, name in links}


def projects_on(body: bytes) -> set[str]:
    """The names on a project list."""
    plain = gzip.decompress(body) if body.startswith(GZIP) else body
    return {project["name"] for project in json.loads(plain)["projects"]}


def _whole(url: str, hashes: Mapping[str, str]) -> tuple[str, str]:
    """URL without its fragment; the digest is there or among the hashes."""
    url, _, fragment = url.partition("#")
    return url, hashes.get("sha256") or fragment.removeprefix("sha256=")


def until_kept(url: str, origin: str) -> Answer:
    """Asks until the server answers itself, without sending the client past it; what it answers then."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        answer = ask(url)
        if answer.status == 200 and answer.url.startswith(origin):
            return answer
        time.sleep(0.2)
    raise RuntimeError(f"{url} is still not answered by {origin}")
