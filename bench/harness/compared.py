"""Whether what a server gives is what upstream has: files by their sha256, pages by the files that they name."""

from __future__ import annotations

import hashlib
from urllib.parse import unquote, urlsplit

from harness.asking import files_on
from harness.upstream import Upstream


class OtherBytes(RuntimeError):
    """A server has given something else than upstream has."""


def same_file(upstream: Upstream, project: str, url: str, given: str | bytes | None) -> None:
    """Fails where a file, or its sha256, is another than upstream's of that name, or the project's only one."""
    files = upstream.files(project)
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    expected = files.get(name) or (next(iter(files.values())) if len(files) == 1 else None)
    sha256 = hashlib.sha256(given).hexdigest() if isinstance(given, bytes) else given
    if sha256 is None or sha256 != expected:
        raise OtherBytes(f"{url}: sha256 {sha256}, and upstream's is {expected}")


def same_page(upstream: Upstream, project: str, url: str, body: bytes) -> None:
    """Fails where a page does not name just the files that upstream's names, each with its digest."""
    given = {name: sha256 for name, (_, sha256) in files_on(body).items()}
    expected = upstream.files(project)
    if other := given.items() ^ expected.items():
        raise OtherBytes(f"{url}: {len(given)} files where upstream names {len(expected)}; {min(other)[0]} is another")
