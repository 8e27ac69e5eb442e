"""A simulated index: real sockets on 127.0.0.1, the shapes PyPI answers in, and every misdeed on demand.

    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        index.fault(wheel.path, Cut(after=100), times=1)
        ...                                      # point a client at index.url
        assert index.count("file") == 2

Everything is deterministic: same calls, same bytes, digests, serials and upload times.
"""

from __future__ import annotations

import asyncio
import base64
import fnmatch
import gzip
import hashlib
import html
import json as jsonlib
import socket
import ssl
import struct
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import pytest
from aiohttp import web

from sim.index_dists import Dist, build_sdist, build_wheel, core_metadata, escaped
from sim.index_faults import (
    Cut,
    Endless,
    Fault,
    Gate,
    GzipBomb,
    HangUp,
    Headers,
    HtmlInsteadOfJson,
    InvalidUtf8,
    Mute,
    NotJson,
    RedirectLoop,
    RedirectTo,
    Reset,
    SerialGoesBack,
    Slow,
    Stall,
    Status,
    TooLong,
    WrongBytes,
    WrongLength,
)

__all__ = [
    "Cut", "Dist", "Endless", "Fault", "Gate", "GzipBomb", "HangUp", "Headers", "HtmlInsteadOfJson", "InvalidUtf8",
    "Mute", "NotJson", "RedirectLoop", "RedirectTo", "Reset", "Seen", "SerialGoesBack", "SimFile", "SimIndex", "Slow",
    "Stall", "Status", "TooLong", "WrongBytes", "WrongLength", "build_sdist", "build_wheel", "core_metadata",
    "index_fixture",
]  # fmt: skip

JSON_TYPE: Final = "application/vnd.pypi.simple.v1+json"
HTML_TYPE: Final = "application/vnd.pypi.simple.v1+html"
INTEGRITY_TYPE: Final = "application/vnd.pypi.integrity.v1+json"
FIRST_UPLOAD: Final = datetime(2024, 1, 1, tzinfo=UTC)
_PIECE: Final = 64 * 1024
_UNKNOWN: Final = object()


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived. `kind`: list, page, file, metadata, provenance or other; `port`: where it arrived."""

    method: str
    path: str  # with the query, as the client wrote it
    headers: Mapping[str, str]
    kind: str
    port: int
    client: int  # the client's port: the same on one connection


@dataclass(frozen=True, slots=True)
class SimFile:
    """A file on the simulated index. What the page says of it may be made to lie; `content` is what is served."""

    project: str
    version: str
    filename: str
    content: bytes
    path: str
    url: str  # as the page says it
    hashes: Mapping[str, str]
    upload_time: datetime
    metadata: bytes | None = None
    metadata_hashes: Mapping[str, str] = field(default_factory=dict)
    requires_python: str | None = None
    yanked: bool | str = False
    provenance: bytes | None = None
    claim: str | None = None  # the URL on the page; None: null there
    silent: bool = False  # the key is missing
    page_size: int | None = None

    @property
    def sha256(self) -> str:
        """The true digest of the content."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def size(self) -> int:
        """The true length of the content."""
        return len(self.content)

    @property
    def metadata_path(self) -> str:
        """Where the core metadata is (PEP 658)."""
        return f"{self.path}.metadata"

    @property
    def provenance_path(self) -> str:
        """Where the Integrity API has the provenance."""
        return f"/integrity/{self.project}/{self.version}/{self.filename}/provenance"


@dataclass(slots=True)
class _Project:
    name: str
    serial: int
    status: str | None = None
    status_reason: str | None = None
    files: dict[str, SimFile] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: Callable[[], Iterable[bytes]] | None = None  # instead of `body`: a body without announced length


@dataclass(slots=True)
class _Planned:
    pattern: str
    fault: Fault
    left: int | None


class SimIndex:
    """An index in this process. The switches say what its pages carry; each defaults to what PyPI does.

    `files_origin=True` serves files, metadata and provenance URLs from a second port; `public_host` is the name that
    page URLs use for it (and for the first port), where a test resolves another name to 127.0.0.1.
    `credentials` ("user:password", or "Bearer TOKEN") asks for authentication on the first port.
    `tls` makes both ports speak TLS.
    `listed` adds so many generated names to the project list, which is then sent in pieces.
    """

    def __init__(
        self,
        *,
        json: bool = True,
        html: bool = True,
        gzip: bool = True,
        etag: bool = True,
        last_modified: bool = False,
        serials: bool = True,
        sizes: bool = True,
        upload_times: bool = True,
        hashes: bool = True,
        metadata: bool = True,
        claims: bool = True,
        files_origin: bool = False,
        public_host: str = "127.0.0.1",
        credentials: str | None = None,
        tls: ssl.SSLContext | None = None,
        listed: int = 0,
    ) -> None:
        self.json, self.html, self.gzip = json, html, gzip
        self.etag, self.last_modified, self.serials = etag, last_modified, serials
        self.sizes, self.upload_times, self.hashes = sizes, upload_times, hashes
        self.metadata, self.claims = metadata, claims
        self.files_origin, self.public_host, self.listed = files_origin, public_host, listed
        self.credentials = credentials
        self.tls = tls
        self.requests: list[Seen] = []
        self.bytes_sent: Counter[str] = Counter()  # body bytes handed to the socket, by path
        self.port = 0
        self.files_port = 0
        self._serial = 0
        self._uploads = 0
        self._projects: dict[str, _Project] = {}
        self._objects: dict[str, SimFile] = {}
        self._faults: list[_Planned] = []
        self._gates: dict[str, Gate] = {}
        self._runner: web.ServerRunner | None = None

    # --- running ---------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        server = web.Server(self._answer, handler_cancellation=True)
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        self.port = await self._listen(0)
        self.files_port = await self._listen(0) if self.files_origin else self.port
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gate in self._gates.values():
            gate.open()
        await self.stop()

    async def stop(self) -> None:
        """Takes the index down: its ports refuse connections afterwards."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _listen(self, port: int) -> int:
        assert self._runner is not None
        listener = socket.create_server(("127.0.0.1", port))
        await web.SockSite(self._runner, listener, ssl_context=self.tls).start()
        return int(listener.getsockname()[1])

    @property
    def _scheme(self) -> str:
        return "http" if self.tls is None else "https"

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash."""
        return f"{self._scheme}://{self.public_host}:{self.port}"

    @property
    def files_base(self) -> str:
        """The origin that the pages' file URLs name."""
        return f"{self._scheme}://{self.public_host}:{self.files_port}"

    @property
    def url(self) -> str:
        """The index URL, as one gives it to pip."""
        return f"{self.origin}/simple/"

    # --- content ---------------------------------------------------------------------------------------------------

    def add_project(
        self, name: str, *, status: str | None = None, status_reason: str | None = None, **extra: Any
    ) -> None:
        """Makes a project, or changes its status (PEP 792). `extra`: further top-level keys of its JSON page.

        A quarantined project's page lists no files, as PyPI's does.
        """
        project = self._project(name)
        project.status, project.status_reason = status, status_reason
        project.extra.update(extra)
        project.serial = self._next_serial()

    def add_wheel(
        self,
        project: str,
        version: str,
        *,
        requires: Iterable[str] = (),
        requires_python: str | None = None,
        size: int | None = None,
        tag: str = "py3-none-any",
        extras: Iterable[str] = (),
        module: str | None = None,
        **options: Any,
    ) -> SimFile:
        """Builds and adds a real wheel. `module`: what its module holds; `options` are those of `add_file`."""
        dist = build_wheel(
            project, version, requires=requires, requires_python=requires_python, size=size, tag=tag,
            extras=extras, module=module,
        )  # fmt: skip
        return self._add_dist(project, version, dist, requires_python=requires_python, **options)

    def add_sdist(
        self,
        project: str,
        version: str,
        *,
        requires: Iterable[str] = (),
        requires_python: str | None = None,
        **options: Any,
    ) -> SimFile:
        """Builds and adds a real sdist. `options` are those of `add_file`."""
        dist = build_sdist(project, version, requires=requires, requires_python=requires_python)
        return self._add_dist(
            project, version, replace(dist, metadata=None), requires_python=requires_python, **options
        )

    def add_file(
        self,
        project: str,
        filename: str,
        content: bytes,
        *,
        version: str = "1.0",
        metadata: bytes | None = None,
        metadata_hashes: Mapping[str, str] | None = None,
        upload_time: datetime | None = None,
        requires_python: str | None = None,
        yanked: bool | str = False,
        provenance: bytes | Callable[[str, str], bytes] | None = None,
        claim: Any = _UNKNOWN,
        hashes: Mapping[str, str] | None = None,
        page_size: int | None = None,
        url: str | None = None,
    ) -> SimFile:
        """Adds a file as given; a file of that name is replaced.

        `provenance`: what the Integrity API answers, or a function of (filename, sha256) that makes it; None: 404.
        `claim`: what the page says of it: "silent" (no key), None (null) or a URL; by default the Integrity API's
        URL where there is provenance and null where not. `hashes`, `page_size`, `url` and `metadata_hashes` let the
        page lie.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        place = hashlib.blake2b(content + filename.encode(), digest_size=32).hexdigest()
        path = f"/packages/{place[:2]}/{place[2:4]}/{place[4:]}/{quote(filename)}"
        self._uploads += 1
        if callable(provenance):
            provenance = provenance(filename, sha256)
        normalised = escaped(project).replace("_", "-")
        integrity = f"{self.files_base}/integrity/{normalised}/{version}/{filename}/provenance"
        if claim is _UNKNOWN:
            claim = integrity if provenance is not None else None
        silent = claim == "silent"
        if metadata_hashes is None:
            metadata_hashes = {} if metadata is None else {"sha256": hashlib.sha256(metadata).hexdigest()}
        file = SimFile(
            project=normalised,
            version=version,
            filename=filename,
            content=content,
            path=path,
            url=url if url is not None else f"{self.files_base}{path}",
            hashes=hashes if hashes is not None else {"sha256": sha256},
            upload_time=upload_time or FIRST_UPLOAD + timedelta(minutes=self._uploads),
            metadata=metadata,
            metadata_hashes=metadata_hashes,
            requires_python=requires_python,
            yanked=yanked,
            provenance=provenance,
            claim=None if silent else claim,
            silent=silent,
            page_size=page_size,
        )
        return self._put(file)

    def change(self, file: SimFile, **changes: Any) -> SimFile:
        """Replaces fields of a file in place, for example its `content` or `provenance`; the serial rises."""
        return self._put(replace(file, **changes))

    def yank(self, file: SimFile, reason: str | bool = True) -> SimFile:
        """Yanks a file (PEP 592)."""
        return self.change(file, yanked=reason)

    def remove(self, thing: SimFile | str) -> None:
        """Takes a file off its page and its bytes away, or a whole project (404 afterwards)."""
        self._next_serial()
        if isinstance(thing, SimFile):
            project = self._projects[thing.project]
            del project.files[thing.filename]
            project.serial = self._serial
            self._objects.pop(thing.path, None)
        else:
            for file in self._projects.pop(escaped(thing).replace("_", "-")).files.values():
                self._objects.pop(file.path, None)

    def _add_dist(self, project: str, version: str, dist: Dist, **options: Any) -> SimFile:
        options.setdefault("metadata", dist.metadata)
        return self.add_file(project, dist.filename, dist.content, version=version, **options)

    def _put(self, file: SimFile) -> SimFile:
        project = self._project(file.project)
        old = project.files.get(file.filename)
        if old is not None:
            self._objects.pop(old.path, None)
        project.files[file.filename] = file
        project.serial = self._next_serial()
        self._objects[file.path] = file
        return file

    def _project(self, name: str) -> _Project:
        normalised = escaped(name).replace("_", "-")
        if normalised not in self._projects:
            self._projects[normalised] = _Project(normalised, self._next_serial())
        return self._projects[normalised]

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial

    # --- misbehaviour and what was seen ----------------------------------------------------------------------------

    @staticmethod
    def page_path(project: str) -> str:
        """The path of a project's page, for `fault` and `gate`."""
        return f"/simple/{escaped(project).replace('_', '-')}/"

    def fault(self, path: str, fault: Fault, *, times: int | None = None) -> None:
        """From now on requests for `path` (which may hold `*`) meet this fault, `times` times or always.

        Faults on one path queue up: the first that is not used up counts.
        """
        self._faults.append(_Planned(path, fault, times))

    def heal(self, path: str | None = None) -> None:
        """Ends the faults of a path, or all."""
        self._faults = [planned for planned in self._faults if path is not None and planned.pattern != path]

    def gate(self, path: str, *, after: int = 0) -> Gate:
        """Holds the responses for `path` after so many body bytes, until the gate is opened."""
        gate = self._gates[path] = Gate(after)
        return gate

    def count(self, kind: str | None = None, *, path: str | None = None) -> int:
        """How many requests arrived: of a kind, for a path, or at all."""
        return sum(1 for seen in self.requests if kind in (None, seen.kind) and path in (None, seen.path))

    def seen(self, kind: str) -> list[Seen]:
        """The requests of a kind, in order of arrival."""
        return [seen for seen in self.requests if seen.kind == kind]

    def forget_requests(self) -> None:
        """Counting starts anew."""
        self.requests.clear()
        self.bytes_sent.clear()

    # --- answering -------------------------------------------------------------------------------------------------

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        kind = _kind(request.path)
        assert request.transport is not None
        port, client = (int(request.transport.get_extra_info(end)[1]) for end in ("sockname", "peername"))
        headers = dict(request.headers.items())
        self.requests.append(Seen(request.method, request.raw_path, headers, kind, port, client))
        fault = self._due(request.raw_path)
        return await self._send(request, self._spoilt(self._reply(request, kind, fault), request, fault), fault)

    def _due(self, path: str) -> Fault | None:
        for planned in self._faults:
            if planned.left != 0 and fnmatch.fnmatchcase(path, planned.pattern):
                if planned.left is not None:
                    planned.left -= 1
                return planned.fault
        return None

    def _reply(self, request: web.BaseRequest, kind: str, fault: Fault | None) -> _Reply:
        if request.method not in ("GET", "HEAD"):
            return _Reply(405, {"Allow": "GET, HEAD"})
        if self.credentials is not None and kind in ("list", "page", "other"):
            token = self.credentials.startswith("Bearer ")
            basic = "Basic " + base64.b64encode(self.credentials.encode()).decode()
            wanted = self.credentials if token else basic
            if request.headers.get("Authorization") != wanted:
                return _Reply(401, {"WWW-Authenticate": 'Basic realm="index"'})
        match kind:
            case "list":
                return self._list(request)
            case "page":
                return self._page(request, fault)
            case "file" | "metadata":
                return self._object(request, kind)
            case "provenance":
                return self._provenance(request)
        return _Reply(404, {"Content-Type": "text/plain"}, b"not here\n")

    def _format(self, request: web.BaseRequest) -> str | None:
        accept = request.headers.get("Accept", "*/*")
        offers = [JSON_TYPE] if self.json else []
        offers += [HTML_TYPE, "text/html"] if self.html else []
        ranked = sorted(_accepted(accept, offers), key=lambda pair: -pair[1])
        if "*/*" in accept and not ranked:
            return "text/html" if self.html else JSON_TYPE
        return ranked[0][0] if ranked else None

    def _list(self, request: web.BaseRequest) -> _Reply:
        media = self._format(request)
        if media is None:
            return _Reply(406)
        names = sorted(self._projects)
        generated = (f"generated-{number:07}" for number in range(self.listed))
        headers = self._page_headers(media, self._serial)

        def pieces() -> Iterable[bytes]:
            buffer: list[str] = []
            if media == JSON_TYPE:
                meta = {"api-version": "1.4", **({"_last-serial": self._serial} if self.serials else {})}
                yield f'{{"meta":{jsonlib.dumps(meta)},"projects":['.encode()
                form = '{{"_last-serial":1,"name":"{0}"}}' if self.serials else '{{"name":"{0}"}}'
                separator, end = ",", "]}"
            else:
                yield b'<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.4"></head><body>\n'
                form, separator, end = '<a href="/simple/{0}/">{0}</a>', "<br />\n", "</body></html>"
            first = True
            for name in chain(names, generated):
                buffer.append(("" if first else separator) + form.format(name))
                first = False
                if len(buffer) == 1000:
                    yield "".join(buffer).encode()
                    buffer.clear()
            yield ("".join(buffer) + end).encode()

        if self.listed:
            return _Reply(200, headers, chunks=pieces)
        return self._coded(request, headers, b"".join(pieces()))

    def _page(self, request: web.BaseRequest, fault: Fault | None) -> _Reply:
        project = self._projects.get(request.path.removeprefix("/simple/").rstrip("/"))
        if project is None:
            return _Reply(404, {"Content-Type": "text/plain"}, b"404 Not Found")
        if not request.path.endswith("/"):
            return _Reply(301, {"Location": f"{request.path}/"})
        media = self._format(request)
        if media is None:
            return _Reply(406)
        serial = project.serial - fault.by if isinstance(fault, SerialGoesBack) else project.serial
        body = self._json_page(project, serial) if media == JSON_TYPE else self._html_page(project)
        return self._coded(request, self._page_headers(media, serial), body)

    def _page_headers(self, media: str, serial: int) -> dict[str, str]:
        headers = {
            "Content-Type": media if media == JSON_TYPE else f"{media}; charset=UTF-8",
            "Cache-Control": "max-age=600, public",
            "Vary": "Accept, Accept-Encoding",
        }
        if self.serials:
            headers["X-PyPI-Last-Serial"] = str(serial)
        if self.last_modified:
            moment = FIRST_UPLOAD + timedelta(minutes=serial)
            headers["Last-Modified"] = moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return headers

    def _coded(self, request: web.BaseRequest, headers: dict[str, str], body: bytes) -> _Reply:
        if self.etag:
            headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            if request.headers.get("If-None-Match") == headers["ETag"]:
                return _Reply(304, headers)
        modified = headers.get("Last-Modified")
        if modified is not None and request.headers.get("If-Modified-Since") == modified:
            return _Reply(304, headers)
        if self.gzip and "gzip" in request.headers.get("Accept-Encoding", ""):
            return _Reply(200, {**headers, "Content-Encoding": "gzip"}, gzip.compress(body, 6, mtime=0))
        return _Reply(200, headers, body)

    def _json_page(self, project: _Project, serial: int) -> bytes:
        meta: dict[str, Any] = {"api-version": "1.4" if self.sizes else "1.0"}
        if self.serials:
            meta["_last-serial"] = serial
        files = self._visible(project)
        page: dict[str, Any] = {"meta": meta, "name": project.name, "files": [self._json_file(file) for file in files]}
        if self.sizes:
            page["versions"] = sorted({file.version for file in files})
        if project.status is not None:
            page["project-status"] = {"status": project.status}
            if project.status_reason is not None:
                page["project-status"]["reason"] = project.status_reason
        return jsonlib.dumps({**page, **project.extra}).encode()

    def _json_file(self, file: SimFile) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "filename": file.filename,
            "url": file.url,
            "hashes": dict(file.hashes) if self.hashes else {},
            "requires-python": file.requires_python,
            "yanked": file.yanked,
        }
        if self.sizes:
            entry["size"] = file.size if file.page_size is None else file.page_size
        if self.upload_times:
            entry["upload-time"] = file.upload_time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if self.metadata:
            offered: Any = (dict(file.metadata_hashes) or True) if file.metadata is not None else False
            entry["core-metadata"] = entry["data-dist-info-metadata"] = offered
        if self.claims and not file.silent:
            entry["provenance"] = file.claim
        return entry

    def _html_page(self, project: _Project) -> bytes:
        head = f'<meta name="pypi:repository-version" content="{"1.4" if self.sizes else "1.0"}">\n'
        if project.status is not None:
            head += f'<meta name="pypi:project-status" content="{html.escape(project.status)}">\n'
            if project.status_reason is not None:
                head += f'<meta name="pypi:project-status-reason" content="{html.escape(project.status_reason)}">\n'
        links = "".join(self._html_link(file) for file in self._visible(project))
        title = f"Links for {project.name}"
        return (
            f"<!DOCTYPE html>\n<html>\n<head>\n{head}<title>{title}</title>\n</head>\n"
            f"<body>\n<h1>{title}</h1>\n{links}</body>\n</html>\n"
        ).encode()

    def _html_link(self, file: SimFile) -> str:
        fragment = f"#sha256={file.hashes['sha256']}" if self.hashes and "sha256" in file.hashes else ""
        attributes = {"href": file.url + fragment}
        if file.requires_python is not None:
            attributes["data-requires-python"] = file.requires_python
        if self.metadata and file.metadata is not None:
            digest = file.metadata_hashes.get("sha256")
            offered = f"sha256={digest}" if digest is not None else "true"
            attributes["data-core-metadata"] = attributes["data-dist-info-metadata"] = offered
        if file.yanked is not False:
            attributes["data-yanked"] = file.yanked if isinstance(file.yanked, str) else ""
        if self.claims and file.claim is not None:
            attributes["data-provenance"] = file.claim
        written = " ".join(f'{key}="{html.escape(value)}"' for key, value in attributes.items())
        return f"<a {written}>{html.escape(file.filename)}</a><br />\n"

    @staticmethod
    def _visible(project: _Project) -> list[SimFile]:
        return [] if project.status == "quarantined" else list(project.files.values())

    def _object(self, request: web.BaseRequest, kind: str) -> _Reply:
        path = request.raw_path.split("?", 1)[0]
        if kind == "metadata":
            file = self._objects.get(path.removesuffix(".metadata"))
            if file is None or file.metadata is None:
                return _Reply(404)
            return _Reply(200, {"Content-Type": "application/octet-stream"}, file.metadata)
        file = self._objects.get(path)
        if file is None:
            return _Reply(404)
        headers = {
            "Content-Type": "application/octet-stream",
            "Accept-Ranges": "bytes",
            "ETag": f'"{file.sha256}"',
            "Cache-Control": "max-age=365000000, immutable, public",
        }
        return _ranged(request, headers, file.content)

    def _provenance(self, request: web.BaseRequest) -> _Reply:
        file = self._attested(request.path)
        if file is None or file.provenance is None:
            return _Reply(404, {"Content-Type": "application/json"}, b'{"message": "No provenance available"}')
        if not _accepted(request.headers.get("Accept", "*/*"), [INTEGRITY_TYPE, "application/json"]):
            return _Reply(406, {"Content-Type": "application/json"}, b'{"message": "Request not acceptable"}')
        return _Reply(200, {"Content-Type": INTEGRITY_TYPE}, file.provenance)

    def _attested(self, path: str) -> SimFile | None:
        match path.split("/"):
            case ["", "integrity", project, version, filename, "provenance"] if project in self._projects:
                file = self._projects[project].files.get(filename)
                return file if file is not None and file.version == version else None
        return None

    # --- misbehaving -----------------------------------------------------------------------------------------------

    @staticmethod
    def _spoilt(reply: _Reply, request: web.BaseRequest, fault: Fault | None) -> _Reply:
        match fault:
            case Status(code, headers, body):
                return _Reply(code, headers, body)
            case Headers(headers):
                changed = {**reply.headers, **headers}
                return replace(reply, headers={name: value for name, value in changed.items() if value is not None})
            case RedirectTo(url, code):
                return _Reply(code, {"Location": url})
            case RedirectLoop(code):
                return _Reply(code, {"Location": request.raw_path})
            case WrongBytes(at):
                spoilt = bytearray(reply.body)
                spoilt[at] ^= 0x01
                return replace(reply, body=bytes(spoilt))
            case TooLong(extra, announced):
                body = reply.body + b"\0" * extra
                return replace(reply, body=body) if announced else replace(reply, body=b"", chunks=lambda: [body])
            case GzipBomb(size):
                return _Reply(200, {**reply.headers, "Content-Encoding": "gzip"}, chunks=lambda: _bomb(size))
            case Endless():
                return _Reply(200, reply.headers, chunks=_zeros)
            case HtmlInsteadOfJson():
                return _Reply(
                    200, {"Content-Type": "text/html; charset=utf-8"}, b"<html><h1>Please sign in</h1></html>"
                )
            case InvalidUtf8():
                return _Reply(200, _uncoded(reply.headers), b'{"name": "\xff\xfe"}')
            case NotJson():
                return _Reply(200, _uncoded(reply.headers), b"<html>not what it says</html>")
        return reply

    async def _send(self, request: web.BaseRequest, reply: _Reply, fault: Fault | None) -> web.StreamResponse:
        if isinstance(fault, HangUp):
            return _ended(request, web.Response())
        if isinstance(fault, Mute):
            await asyncio.Event().wait()
        if isinstance(fault, Slow):
            await asyncio.sleep(fault.delay)
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        if reply.chunks is None and reply.status not in (204, 304):
            claimed = fault.claimed if isinstance(fault, WrongLength) else len(reply.body)
            response.content_length = claimed
        elif reply.chunks is not None:
            response.enable_chunked_encoding()
        await response.prepare(request)
        if request.method == "HEAD" or reply.status in (204, 304):
            return response
        return await self._send_body(request, response, reply, fault)

    async def _send_body(
        self, request: web.BaseRequest, response: web.StreamResponse, reply: _Reply, fault: Fault | None
    ) -> web.StreamResponse:
        path = request.raw_path
        sent = 0
        limit = fault.after if isinstance(fault, Cut | Reset | Stall) else None
        gate = self._gates.get(path)
        async for piece in self._paced(reply, fault, *(mark for mark in (limit, gate and gate.after) if mark)):
            if gate is not None and sent >= gate.after:
                await gate.passed()
            if limit is not None and sent >= limit:
                break
            await response.write(piece)
            sent += len(piece)
            self.bytes_sent[path] += len(piece)
        if gate is not None:
            await gate.passed()
        match fault:
            case Cut():
                return _ended(request, response)
            case Reset():
                return _ended(request, response, reset=True)
            case Stall():
                await asyncio.Event().wait()
            case WrongLength(claimed) if claimed > sent:
                return _ended(request, response)
        return response

    @staticmethod
    async def _paced(reply: _Reply, fault: Fault | None, *marks: int) -> AsyncIterator[bytes]:
        rate = fault.rate if isinstance(fault, Slow) else None
        step = _PIECE if rate is None else max(1, min(_PIECE, rate // 20))
        begin = 0  # where the chunk begins in the body
        for chunk in reply.chunks() if reply.chunks is not None else [reply.body]:
            at = 0
            while at < len(chunk):
                end = min(at + step, len(chunk), *(mark - begin for mark in marks if mark > begin + at))
                yield chunk[at:end]
                if rate is not None:
                    await asyncio.sleep((end - at) / rate)
                at = end
            begin += len(chunk)
            await asyncio.sleep(0)


def index_fixture(**switches: Any) -> Any:
    """A pytest fixture that runs a `SimIndex` with these switches: `index = index_fixture(json=False)`."""

    @pytest.fixture
    async def running() -> AsyncIterator[SimIndex]:
        async with SimIndex(**switches) as index:
            yield index

    return running


def _kind(path: str) -> str:
    if path == "/simple/":
        return "list"
    if path.startswith("/simple/"):
        return "page"
    if path.startswith("/packages/"):
        return "metadata" if path.endswith(".metadata") else "file"
    return "provenance" if path.startswith("/integrity/") else "other"


def _accepted(accept: str, offers: Iterable[str]) -> list[tuple[str, float]]:
    wanted: dict[str, float] = {}
    for part in accept.split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((float(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        wanted[media] = quality
    return [(offer, wanted.get(offer, 0.0)) for offer in offers if wanted.get(offer, 0.0) > 0] or [
        (offer, wanted["*/*"]) for offer in offers if wanted.get("*/*", 0.0) > 0
    ][-1:]


def _ranged(request: web.BaseRequest, headers: dict[str, str], content: bytes) -> _Reply:
    wanted = request.headers.get("Range")
    if_range = request.headers.get("If-Range")
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return _Reply(304, headers)
    if wanted is None or (if_range is not None and if_range != headers["ETag"]) or "," in wanted:
        return _Reply(200, headers, content)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start = int(first) if first else max(0, len(content) - int(last))
    end = min(int(last), len(content) - 1) if first and last else len(content) - 1
    if start > end:
        return _Reply(416, {**headers, "Content-Range": f"bytes */{len(content)}"})
    return _Reply(206, {**headers, "Content-Range": f"bytes {start}-{end}/{len(content)}"}, content[start : end + 1])


def _ended(request: web.BaseRequest, response: web.StreamResponse, *, reset: bool = False) -> web.StreamResponse:
    transport = request.transport
    assert transport is not None
    if reset:
        linger_none = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_none)
        transport.abort()
    else:
        transport.close()  # what was written is flushed first
    response.force_close()
    return response


def _uncoded(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "Content-Encoding"}


def _bomb(size: int) -> Iterable[bytes]:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    block = b"\0" * (1 << 20)
    for _ in range(size >> 20):
        yield packer.compress(block) + packer.flush(zlib.Z_SYNC_FLUSH)  # at once: else nothing comes for a long while
    yield packer.compress(b"\0" * (size & 0xFFFFF)) + packer.flush()


def _zeros() -> Iterable[bytes]:
    while True:
        yield b"\0" * _PIECE
