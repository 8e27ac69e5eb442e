"""Hot works: what is known already, asked for as fast as it goes. One answer is looked at before, and one after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from harness import plan as names
from harness.asking import ask, must, projects_on, until_kept
from harness.catalog import HTML, JSON
from harness.compared import OtherBytes, same_file, same_page
from harness.figures import Sample
from harness.servers import ALL, BARE, DIRECT, INBOND, READY, STATIC, Server
from harness.work import Bench, NotOffered, Work
from harness.wrk import wrk

CONNECTIONS = 32
LARGE_CONNECTIONS = 4
SERVERS = tuple(name for name in ALL if name not in (DIRECT, BARE))
NOT_READY = tuple(name for name in SERVERS if name != READY)  # of what the floor does not offer: large files, ranges
RANGE = {"Range": "bytes=1048576-1114111"}  # 64 KiB, not at the beginning
_FORMATS: dict[str, dict[str, str]] = {
    "json": {"Accept": JSON},
    "json-gzip": {"Accept": JSON, "Accept-Encoding": "gzip"},
    "html": {"Accept": HTML},
}
Located = Callable[[Bench, Server], str]
Look = Callable[[Bench, Server], int]  # asks once, fails unless the answer is right; the length of its body
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
    return _work(
        name, where=where, headers=headers, connections=connections, parts=parts, warm=_settled(where, headers),
        look=page_seen(project, variant),
    )  # fmt: skip


def _file(name: str, project: str, connections: int, headers: Mapping[str, str]) -> Work:
    def warm(bench: Bench, to: Server) -> None:
        until_kept(file_of(project)(bench, to), to.origin)

    by_bytes = project == names.LARGE and not headers  # few are whole when the time is over
    return _work(
        name, where=file_of(project), headers=headers, connections=connections, parts=("files",), warm=warm,
        look=_range_seen(project) if headers else _file_seen(project), by_bytes=by_bytes,
        servers=SERVERS if project == names.MEDIUM else NOT_READY,
    )  # fmt: skip


def _work(
    name: str, *, where: Located, headers: Mapping[str, str], connections: int, parts: tuple[str, ...],
    warm: Callable[[Bench, Server], None], look: Look, by_bytes: bool = False, servers: tuple[str, ...] = SERVERS,
) -> Work:  # fmt: skip
    def run(bench: Bench, to: Server, _: int) -> Sample:
        each = look(bench, to)
        sample = wrk(
            where(bench, to), headers, connections=connections, seconds=bench.plan.seconds, running=to.running,
            by_bytes=by_bytes, each=each,
        )  # fmt: skip
        look(bench, to)
        return sample

    return Work(
        name=name, group="hot", client="wrk", unit="MB/s" if by_bytes else "requests/s", less_is_better=False,
        servers=servers, reference=STATIC, parts=parts, run=run, warm=warm,
    )  # fmt: skip


def page_seen(project: str, variant: str) -> Look:
    """Asks for one page: it is of that format and coding, and names what upstream's names."""

    def look(bench: Bench, to: Server) -> int:
        url, headers = page_of(project, variant)(bench, to), _FORMATS[variant]
        answer = must(url, headers)
        media, coding = answer.headers.get("content-type", "none"), answer.headers.get("content-encoding", "no coding")
        if ("html" in variant) is not ("html" in media):
            raise NotOffered(f"answers with {media}")
        if coding != ("gzip" if "gzip" in variant else "no coding"):
            raise NotOffered(f"answers with {coding}")
        if project:
            same_page(bench.upstream, project, url, answer.body)
        elif (found := len(projects_on(answer.body))) < bench.plan.listed:
            raise RuntimeError(f"{url} lists {found} projects; upstream lists {bench.plan.listed} and more")
        return len(answer.body)

    return look


def _file_seen(project: str) -> Look:
    """Asks for the file: its bytes are upstream's."""

    def look(bench: Bench, to: Server) -> int:
        url = file_of(project)(bench, to)
        body = must(url).body
        same_file(bench.upstream, project, url, body)
        return len(body)

    return look


def _range_seen(project: str) -> Look:
    """Asks for the range: it is that part of the file."""

    def look(bench: Bench, to: Server) -> int:
        url = file_of(project)(bench, to)
        answer = ask(url, RANGE)
        if answer.status != 206:
            raise NotOffered(f"answers {answer.status} where a range is asked for")
        whole = must(url).body
        same_file(bench.upstream, project, url, whole)
        first, _, last = RANGE["Range"].removeprefix("bytes=").partition("-")
        if answer.body != whole[int(first) : int(last) + 1]:
            raise OtherBytes(f"{url}: the range is not that part of the file")
        return len(answer.body)

    return look


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


def _settled(where: Located, headers: Mapping[str, str]) -> Callable[[Bench, Server], None]:
    def warm(bench: Bench, to: Server) -> None:
        for _ in range(3):
            must(where(bench, to), headers)

    return warm


def _not_modified() -> Work:
    page = page_of(names.SMALL)

    def headers(bench: Bench, to: Server) -> dict[str, str]:
        etag = must(page(bench, to), {"Accept": JSON}).headers.get("etag")
        if etag is None:
            raise NotOffered("gives no ETag")
        return {"Accept": JSON, "If-None-Match": etag}

    def look(bench: Bench, to: Server, given: Mapping[str, str]) -> int:
        answer = ask(page(bench, to), given)
        if answer.status != 304:
            raise NotOffered(f"answers {answer.status} to its own ETag")
        return len(answer.body)

    def run(bench: Bench, to: Server, _: int) -> Sample:
        given = headers(bench, to)
        each = look(bench, to, given)
        sample = wrk(
            page(bench, to), given, connections=CONNECTIONS, seconds=bench.plan.seconds, running=to.running, each=each
        )
        look(bench, to, given)
        return sample

    return Work(
        name="hot 304", group="hot", client="wrk", unit="requests/s", less_is_better=False, servers=SERVERS,
        reference=STATIC, parts=("small",), run=run, warm=_settled(page, {"Accept": JSON}),
    )  # fmt: skip


def _put(path: Path, body: bytes) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.write_bytes(body)
