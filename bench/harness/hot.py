"""Hot works: what is known already, asked for as fast as it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from harness import plan as names
from harness.asking import ask, must, until_kept
from harness.catalog import HTML, JSON
from harness.figures import Sample
from harness.servers import ALL, DIRECT, INBOND, STATIC, Server
from harness.work import Bench, NotOffered, Work
from harness.wrk import wrk

CONNECTIONS = 32
LARGE_CONNECTIONS = 4
SERVERS = tuple(name for name in ALL if name != DIRECT)
RANGE = {"Range": "bytes=1048576-1114111"}  # 64 KiB, not at the beginning
_FORMATS: dict[str, dict[str, str]] = {
    "json": {"Accept": JSON},
    "json-gzip": {"Accept": JSON, "Accept-Encoding": "gzip"},
    "html": {"Accept": HTML},
}
Located = Callable[[Bench, Server], str]
LIST = ""  # the project list is asked for as the page of a project without a name


def works() -> list[Work]:
    """All of them."""
    pages = [
        _page("hot page, 60 files", names.SMALL, "json", ("small",)),
        _page("hot page, 60 files, gzip", names.SMALL, "json-gzip", ("small",)),
        _page("hot page, 60 files, HTML", names.SMALL, "html", ("small",)),
        _page("hot page, 5,000 files", names.VAST, "json", ("vast",), connections=LARGE_CONNECTIONS),
        _page("hot page, 5,000 files, gzip", names.VAST, "json-gzip", ("vast",), connections=LARGE_CONNECTIONS),
        _page("hot page, 5,000 files, HTML", names.VAST, "html", ("vast",), connections=LARGE_CONNECTIONS),
        _page("project list", LIST, "json-gzip", ("listed",), connections=LARGE_CONNECTIONS),
    ]
    files = [
        _file("hot file, 100 kB", names.MEDIUM, CONNECTIONS, {}),
        _file("hot file, 64 MiB", names.LARGE, LARGE_CONNECTIONS, {}),
        _file("hot range, 64 KiB of 64 MiB", names.LARGE, CONNECTIONS, RANGE),
    ]
    return [*pages, _not_modified(), *files]


def _page(name: str, project: str, variant: str, parts: tuple[str, ...], *, connections: int = CONNECTIONS) -> Work:
    where, headers = page_of(project, variant), _FORMATS[variant]
    warm = _settled(where, headers)
    return _work(name, where=where, headers=headers, connections=connections, parts=parts, warm=warm)


def _file(name: str, project: str, connections: int, headers: Mapping[str, str]) -> Work:
    def warm(bench: Bench, to: Server) -> None:
        kept(bench, to, project)

    by_bytes = project == names.LARGE and not headers  # few are whole when the time is over
    return _work(
        name, where=file_of(project), headers=headers, connections=connections, parts=("files",), warm=warm,
        by_bytes=by_bytes,
    )  # fmt: skip


def _work(
    name: str, *, where: Located, headers: Mapping[str, str], connections: int, parts: tuple[str, ...],
    warm: Callable[[Bench, Server], None], by_bytes: bool = False,
) -> Work:  # fmt: skip
    def run(bench: Bench, to: Server, _: int) -> Sample:
        url = where(bench, to)
        if "Range" in headers and (status := ask(url, headers).status) != 206:
            raise NotOffered(f"answers {status} where a range is asked for")
        return wrk(
            url, headers, connections=connections, seconds=bench.plan.seconds, running=to.running, by_bytes=by_bytes
        )

    return Work(
        name=name, group="hot", client="wrk", unit="MB/s" if by_bytes else "requests/s", less_is_better=False,
        servers=SERVERS, reference=STATIC, parts=parts, run=run, warm=warm,
    )  # fmt: skip


def page_of(project: str, variant: str = "json") -> Located:
    """Where a server has a page in a format; the static one gets the very bytes that inbond gives."""

    def where(bench: Bench, to: Server) -> str:
        if to.www is None:
            return to.page(project) if project else to.index
        path = to.www / variant / (project or "list")
        if not path.exists():
            _put(path, must(page_of(project)(bench, bench.servers[INBOND]), _FORMATS[variant]).body)
        return f"{to.origin}/{variant}/{path.name}"

    return where


def file_of(project: str) -> Located:
    """Where a server has a project's file."""

    def where(bench: Bench, to: Server) -> str:
        if to.www is None:
            return to.file(project)
        path = to.www / project
        if not path.exists():
            _put(path, must(bench.servers[INBOND].file(project)).body)
        return f"{to.origin}/{project}"

    return where


def kept(bench: Bench, to: Server, project: str) -> None:
    """Waits until the server has the file itself."""
    until_kept(file_of(project)(bench, to), to.origin)


def _settled(where: Located, headers: Mapping[str, str]) -> Callable[[Bench, Server], None]:
    def warm(bench: Bench, to: Server) -> None:
        for _ in range(3):
            must(where(bench, to), headers)

    return warm


def _not_modified() -> Work:
    page = page_of(names.SMALL)

    def run(bench: Bench, to: Server, _: int) -> Sample:
        url, seconds = page(bench, to), bench.plan.seconds
        etag = must(url, {"Accept": JSON}).headers.get("etag")
        if etag is None:
            raise NotOffered("gives no ETag")
        headers = {"Accept": JSON, "If-None-Match": etag}
        if (status := ask(url, headers).status) != 304:
            raise NotOffered(f"answers {status} to its own ETag")
        return wrk(url, headers, connections=CONNECTIONS, seconds=seconds, running=to.running)

    return Work(
        name="hot 304", group="hot", client="wrk", unit="requests/s", less_is_better=False, servers=SERVERS,
        reference=STATIC, parts=("small",), run=run, warm=_settled(page, {"Accept": JSON}),
    )  # fmt: skip


def _put(path: Path, body: bytes) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.write_bytes(body)
