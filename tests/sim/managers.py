"""Repository managers on 127.0.0.1: indexes that are proxies or directories themselves, and look like it.

HTML only, no sizes, no upload times, no PEP 658, no Integrity API, and addresses of their own making. Each class is a
kind that is met in companies; what a page gives of digests is an argument. `requests` holds what was asked, in order.
"""

from __future__ import annotations

import hashlib
import html
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import quote, unquote

from aiohttp import web

from sim.index import Gate
from sim.index_dists import build_wheel, escaped

Unknown = Callable[[str], web.Response]  # the answer for a path that the manager does not know


def not_found(path: str) -> web.Response:
    """404 with a page for people."""
    return web.Response(status=404, text=f"<html><body>{html.escape(path)}: not found</body></html>")


def refused(path: str) -> web.Response:
    """403: what managers answer where somebody may not know whether there is anything."""
    return web.Response(status=403, text=path)


def not_allowed(path: str) -> web.Response:
    """405."""
    return web.Response(status=405, text=path)


def front_page(path: str) -> web.Response:
    """200 with the page of a web application, whatever was asked."""
    return web.Response(text=f"<html><body><script>app({path!r})</script></body></html>", content_type="text/html")


def sign_in(path: str) -> web.Response:
    """A redirect to a form."""
    if path == "/login":
        return web.Response(text="<html><form action='/login'><input></form></html>", content_type="text/html")
    return web.Response(status=302, headers={"Location": "/login"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A file of a manager."""

    project: str
    version: str
    filename: str
    content: bytes
    requires_python: str | None = None

    def hex(self, algorithm: str = "sha256") -> str:
        """A digest of the content."""
        return hashlib.new(algorithm, self.content).hexdigest()


class Manager:
    """What all have in common. `digest`: the algorithm that pages name digests of, or None."""

    index: ClassVar[str]  # the index's path

    def __init__(self, *, digest: str | None = "sha256", unknown: Unknown = not_found) -> None:
        self.digest = digest
        self.unknown = unknown
        self.files: dict[str, Held] = {}
        self.requests: list[str] = []
        self.loads = 0  # of pages
        self.port = 0
        self._gates: dict[str, Gate] = {}
        self._runner: web.ServerRunner | None = None

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(
            web.Server(self._answer, handler_cancellation=True), handle_signals=False, shutdown_timeout=0.1
        )
        await self._runner.setup()
        listener = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(self._runner, listener).start()
        self.port = int(listener.getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gate in self._gates.values():
            gate.open()
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The index URL, as one gives it to pip."""
        return f"{self.origin}{self.index}"

    def add(
        self,
        project: str,
        version: str,
        *,
        requires: Iterable[str] = (),
        requires_python: str | None = None,
        size: int | None = None,
    ) -> Held:
        """Builds and adds a real wheel."""
        dist = build_wheel(project, version, requires=requires, requires_python=requires_python, size=size)
        held = Held(
            project=escaped(project).replace("_", "-"),
            version=version,
            filename=dist.filename,
            content=dist.content,
            requires_python=requires_python,
        )
        self.files[held.filename] = held
        return held

    def swap(self, held: Held, content: bytes) -> Held:
        """Puts other bytes behind a filename; where they are does not change."""
        changed = self.files[held.filename] = replace(held, content=content)
        return changed

    def gate(self, held: Held) -> Gate:
        """Holds a file's bytes until the gate is opened."""
        gate = self._gates[held.filename] = Gate(0)
        return gate

    def downloads(self, held: Held) -> int:
        """How often a file's bytes were asked for."""
        return sum(path.partition("?")[0] == self.place(held) for path in self.requests)

    def place(self, held: Held) -> str:
        """The path of a file's bytes, as it stands in addresses."""
        raise NotImplementedError

    def href(self, held: Held) -> str:
        """How a page writes a file's address, without its fragment."""
        raise NotImplementedError

    def page(self, project: str) -> web.Response:
        """A project's page."""
        links = [self.link(held) for held in self.files.values() if held.project == project]
        return web.Response(
            text="<!DOCTYPE html><html><body>" + "<br>\n".join(links) + "</body></html>", content_type="text/html"
        )

    def link(self, held: Held) -> str:
        """A file on its page."""
        fragment = "" if self.digest is None else f"#{self.digest}={held.hex(self.digest)}"
        python = "" if held.requires_python is None else f' data-requires-python="{html.escape(held.requires_python)}"'
        address = html.escape(self.href(held) + fragment)
        return f'<a href="{address}" rel="internal"{python}>{held.filename}</a>'

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        raw = request.raw_path
        self.requests.append(raw)
        path = unquote(raw.partition("?")[0])
        project = path.removeprefix(unquote(self.index)).strip("/")
        if path.startswith(unquote(self.index)) and any(held.project == project for held in self.files.values()):
            if not path.endswith("/"):
                return web.Response(status=302, headers={"Location": f"{self.index}{project}/"})
            self.loads += 1
            return self.page(project)
        for held in self.files.values():
            if path == unquote(self.place(held)):
                return await self.file(held, request)
        return self.unknown(path)

    async def file(self, held: Held, _request: web.BaseRequest) -> web.StreamResponse:
        """A file's bytes."""
        gate = self._gates.get(held.filename)
        if gate is not None:
            await gate.passed()
        return web.Response(body=held.content, content_type="application/octet-stream")


class Devpi(Manager):
    """devpi: an index below user and name; files under the first digits of the digest that its own upstream gave."""

    index = "/root/pypi/+simple/"

    def place(self, held: Held) -> str:
        if self.digest is None:
            return f"/root/pypi/+e/https_files.example/{held.filename}"
        digest = hashlib.new(self.digest, held.filename.encode()).hexdigest()
        return f"/root/pypi/+f/{digest[:3]}/{digest[3:16]}/{held.filename}"

    def href(self, held: Held) -> str:
        return "../../" + self.place(held).removeprefix("/root/pypi/")


class Artifactory(Manager):
    """A remote repository under an API path; files below two `packages`, in PyPI's shards."""

    index = "/artifactory/api/pypi/pypi-remote/simple/"

    def place(self, held: Held) -> str:
        digest = hashlib.blake2b(held.filename.encode(), digest_size=32).hexdigest()
        shards = f"{digest[:2]}/{digest[2:4]}/{digest[4:]}"
        return f"/artifactory/api/pypi/pypi-remote/packages/packages/{shards}/{held.filename}"

    def href(self, held: Held) -> str:
        return "../../" + self.place(held).removeprefix("/artifactory/api/pypi/pypi-remote/")


class Nexus(Manager):
    """A proxy repository; files below project and version."""

    index = "/repository/pypi-proxy/simple/"

    def place(self, held: Held) -> str:
        return f"/repository/pypi-proxy/packages/{held.project}/{held.version}/{held.filename}"

    def href(self, held: Held) -> str:
        return "../../" + self.place(held).removeprefix("/repository/pypi-proxy/")


class Directory(Manager):
    """Files in directories, listed by a web server: links to sort by, a link upwards, no digests."""

    index = "/wheels/"

    def __init__(self, *, digest: str | None = None, unknown: Unknown = not_found) -> None:
        super().__init__(digest=digest, unknown=unknown)

    def place(self, held: Held) -> str:
        return f"/wheels/{held.project}/{quote(held.filename)}"

    def href(self, held: Held) -> str:
        return quote(held.filename)

    def page(self, project: str) -> web.Response:
        rows = [f"{self.link(held)}  20-Nov-2026 10:00  {len(held.content)}" for held in self.files.values()
                if held.project == project]  # fmt: skip
        sorting = '<a href="?C=N;O=D">Name</a> <a href="?C=M;O=A">Last modified</a>'
        listing = "\n".join([sorting, '<a href="../">../</a>', '<a href="index.json">index.json</a>', *rows])
        text = f"<html><head><title>Index of /wheels/{project}/</title></head><body><pre>{listing}</pre></body></html>"
        return web.Response(text=text, content_type="text/html", charset="utf-8")


class Signed(Manager):
    """A cloud's repository: addresses that are signed anew at every load of a page, bytes at a storage host.

    Only the signatures of the newest page are good. Everything that may be escaped in an address is, in capitals.
    """

    index = "/d/acme/my%20repo~1/simple/"

    def place(self, held: Held) -> str:
        name = quote(held.filename, safe="").replace("-", "%2D")
        return f"/d/acme/my%20repo~1/assets/{held.project}/{quote(held.version, safe='')}/{name}"

    def href(self, held: Held) -> str:
        return f"{self.origin}{self.place(held)}?X-Amz-Expires=60&X-Amz-Signature={self._signature}%2Fx%3D"

    @property
    def _signature(self) -> str:
        return f"load{self.loads}"

    def page(self, project: str) -> web.Response:
        response = super().page(project)
        response.headers["Content-Type"] = "text/html;charset=utf-8"
        return response

    async def file(self, held: Held, request: web.BaseRequest) -> web.StreamResponse:
        if not request.raw_path.endswith(f"X-Amz-Signature={self._signature}%2Fx%3D"):
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>", content_type="text/xml")
        key = f"/storage/{held.hex('sha1')}?token=a%2Bb"
        return web.Response(status=302, headers={"Location": key})

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        for held in self.files.values():
            if request.raw_path == f"/storage/{held.hex('sha1')}?token=a%2Bb":
                self.requests.append(request.raw_path)
                return await super().file(held, request)
        return await super()._answer(request)
