"""What is not a package: hosts, methods, health, metrics, pages for people, errors of the machine."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from inbond.model.errors import (
    ConfigurationError,
    DigestMismatch,
    InbondError,
    InvalidFilename,
    InvalidName,
    NotAcceptable,
    NotFound,
    NotYet,
    Overloaded,
    PolicyFault,
    StoreUnavailable,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from inbond.web.errors import status_of
from inbond.web.operations import CHECKS, Check
from inbond.web.origin import SERVER as SERVER_SETTINGS
from inbond.web.origin import client_of
from inbond.web.problems import reason_line
from inbond.web.settings import ListenAddress, ServerSettings, parse_network
from sim.index import SimIndex
from stack import inbond
from tools import tool

SERVER = '[server]\nlisten = "127.0.0.1:0"\nhosts = ["packages.example"]\ntrusted_proxies = ["127.0.0.0/8"]\n'
BEHIND = SERVER + '[storage]\npath = "{data}"\n[upstreams.pypi]\nurl = "{upstream}"\n'
PUBLIC = BEHIND.replace("[storage]", 'public_url = "https://pkg.example/"\n[storage]')


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[int]:
    """The application on a port of 127.0.0.1."""
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def raw_exchange(port: int, lines: list[bytes]) -> bytes:
    """The answer to a request as written, whatever its bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\r\n".join([*lines, b"", b""]))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8642", 200),
        ("LOCALHOST.", 200),
        ("pip.localhost", 200),
        ("[::1]:80", 200),
        ("127.8.8.8", 200),
        ("packages.example", 200),
        ("PACKAGES.example:99", 200),
        ("evil.example", 421),
        ("packages.example.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("10.0.0.1", 421),
        ("", 421),
    ],
)
async def test_only_own_host_names_are_answered(host: str, status: int, tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        config = BEHIND.replace('trusted_proxies = ["127.0.0.0/8"]\n', "")
        async with inbond(tmp_path, index, config=config) as proxy:
            got, body, _ = await proxy.get("/simple/demo/", Host=host)
            assert got == status
            if status == 421:
                assert b"hosts" in body
            assert (await proxy.get("/-/live", Host=host))[0] == 200


async def test_a_trusted_proxy_names_scheme_and_host(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "packages.example", "X-Forwarded-For": "9.9.9.9"}
        path = f"/-/verdict/root/demo/{wheel.filename}"
        async with inbond(tmp_path, index, config=BEHIND) as proxy:
            _, body, _ = await proxy.get(path, **forwarded)
            assert json.loads(body)["why"].startswith("https://packages.example/why/")
            assert (await proxy.get(path, **{**forwarded, "X-Forwarded-Host": "evil.example"}))[0] == 421
            await proxy.get(path, **{"X-Forwarded-For": "not an address"})


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        ([], "127.0.0.1"),
        (["192.0.2.7"], "192.0.2.7"),
        (["203.0.113.66", "192.0.2.7"], "192.0.2.7"),  # a proxy that adds a line of its own
        (["203.0.113.66, 192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7, 10.0.0.5"], "192.0.2.7"),  # two trusted proxies
        (["203.0.113.66, 192.0.2.7", "10.1.0.5", "10.0.0.5"], "192.0.2.7"),
        (["10.0.0.6, 10.0.0.5"], "10.0.0.6"),  # somebody on the proxies' own network
        (["192.0.2.7, nonsense, 10.0.0.5"], "10.0.0.5"),
        (["nonsense"], "127.0.0.1"),
        (["192.0.2.7,"], "127.0.0.1"),
        (["::FFFF:192.0.2.7"], "192.0.2.7"),
        (["2001:DB8:0::9"], "2001:db8::9"),
        (["fe80::1%eth0"], "127.0.0.1"),
        ([f"fe80::1%{chr(0xFF)}{'A' * 3000}"], "127.0.0.1"),
    ],
)
async def test_the_client_is_the_first_from_the_right_that_is_no_trusted_proxy(lines: list[str], client: str) -> None:
    settings = ServerSettings(
        listen=ListenAddress.parse("127.0.0.1:0"),
        trusted_proxies=(parse_network("127.0.0.1"), parse_network("10.0.0.0/8")),
    )
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(client_of(request))
        return web.Response()

    app = web.Application()
    app[SERVER_SETTINGS] = settings
    app.router.add_get("/", handler)
    async with serving(app) as port:
        head = [b"GET / HTTP/1.1", b"Host: x", b"Connection: close"]
        await raw_exchange(port, [*head, *(f"X-Forwarded-For: {line}".encode("latin-1") for line in lines)])
    assert seen == [client]


async def test_nobody_else_does(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            _, body, _ = await proxy.get(
                f"/-/verdict/root/demo/{wheel.filename}",
                **{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"},
            )
            assert json.loads(body)["why"].startswith(f"{proxy.origin}/why/")


async def test_public_url_is_the_origin_of_links(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, config=PUBLIC) as proxy:
            _, body, _ = await proxy.get(f"/-/verdict/root/demo/{wheel.filename}", Host="pkg.example")
            assert json.loads(body)["why"] == f"https://pkg.example/why/{wheel.sha256[:12]}"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/simple/", "/simple/demo/", "/legacy/", "/"])
async def test_uploads_are_told_where_they_belong(method: str, path: str, tmp_path: Path) -> None:
    async with (
        SimIndex() as index,
        inbond(tmp_path, index) as proxy,
        proxy.session.request(method, proxy.url(path), data=b"x") as response,
    ):
        assert response.status == 405
        assert response.headers["Content-Type"] == "application/problem+json"
        assert "GET" in response.headers["Allow"]
        assert "does not take uploads" in (await response.json(content_type=None))["detail"]
        assert str(response.reason).startswith("inbond does not take uploads; send distributions to")


async def test_an_unknown_path_is_a_problem_too(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        for path in ("/nothing", "/simple/demo/extra/", "/why/short", "/noindex/simple/demo/"):
            status, body, response = await proxy.get(path)
            assert status == 404
            assert response.headers["Content-Type"] == "application/problem+json"
            assert json.loads(body)["detail"]


@pytest.mark.parametrize("name", ["-", "a--", "%20", "d%C3%A9mo", "a" * 300])
async def test_what_is_no_name_is_not_found_and_not_asked_for(name: str, tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        status, _, _ = await proxy.get(f"/simple/{name}/")
        assert status == 404
        assert index.count() == 0


async def test_ready_gives_reasons(tmp_path: Path) -> None:
    async def broken() -> Check:
        return Check(problem="it is broken")

    async def fine() -> Check:
        return Check(advice="look at this")

    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        assert (await proxy.get("/-/ready"))[0] == 200
        checks = proxy.app[CHECKS]
        checks["one"], checks["two"] = broken, fine
        status, body, _ = await proxy.get("/-/ready")
        assert status == 503
        assert json.loads(body) == {
            "ready": False,
            "checks": ["access", "ledger", "one", "storage", "two", "upstreams"],
            "problems": {"one": "it is broken"},
            "advice": {"two": "look at this"},
        }


async def test_metrics_are_well_formed_and_bounded(tmp_path: Path) -> None:
    promtool = tool("promtool")
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            for path in ("/simple/demo/", wheel.path, f"/{wheel.filename}", "/simple/x/", "/a/b/c", "/-/live"):
                await proxy.get(path)
            _, body, response = await proxy.get("/metrics")
            assert response.headers["Content-Type"].startswith("text/plain")
            text = body.decode()
            assert "demo" not in text  # no project names in labels
            for name in (
                "inbond_requests_total", "inbond_request_seconds_bucket", "inbond_cache_lookups_total",
                "inbond_file_bytes_total", "inbond_upstream_requests_total", "inbond_verdicts_total",
                "inbond_downloads_in_flight", "inbond_event_loop_lag_seconds_count",
            ):  # fmt: skip
                assert name in text
            assert 'inbond_requests_total{route="page",status="200"} 1.0' in text
            checked = await asyncio.to_thread(
                subprocess.run, [promtool, "check", "metrics"], input=body, capture_output=True, check=False
            )
            assert checked.returncode == 0, checked.stdout + checked.stderr


async def test_the_page_for_people_says_how_to_use_it(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        status, body, response = await proxy.get("/-/use")
        assert status == 200
        assert f"pip install --index-url {proxy.origin}/simple/" in body.decode()
        assert "script" not in response.headers["Content-Security-Policy"]
        status, body, response = await proxy.get("/-/static/inbond.css")
        assert (status, response.headers["Content-Type"]) == (200, "text/css; charset=utf-8")


async def test_a_defect_is_500_without_its_entrails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:

        def fail(*_: object) -> None:
            raise RuntimeError("secret detail")

        monkeypatch.setattr(proxy.up.gateway.why, "find", fail)
        status, body, response = await proxy.get("/why/000000000000")
        assert status == 500
        assert b"secret" not in body
        assert response.headers["Content-Type"] == "application/problem+json"


async def test_a_provenance_of_another_version_is_not_found(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=b"{}")
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.get(f"/integrity/demo/1.0/{wheel.filename}/provenance"))[1] == b"{}"
            assert (await proxy.get(f"/integrity/demo/2.0/{wheel.filename}/provenance"))[0] == 404
            assert (await proxy.get(f"/integrity/demo/x.y/{wheel.filename}/provenance"))[0] == 404
            bare = index.add_wheel("bare", "1.0")
            assert (await proxy.get(f"/integrity/bare/1.0/{bare.filename}/provenance"))[0] == 404
            assert (await proxy.get("/-/verdict/root/demo/nothing-1.0.tar.gz"))[0] == 404


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidName("x y"), 404),
        (InvalidFilename("/"), 404),
        (NotFound("x"), 404),
        (NotAcceptable("x"), 406),
        (UpstreamUnavailable("x"), 502),
        (UpstreamTimeout("x"), 504),
        (UpstreamBroken("x"), 502),
        (UpstreamRefused("x", status=403), 502),
        (UpstreamRefused("x", status=404), 404),
        (DigestMismatch("x", expected="a", actual="b"), 403),
        (PolicyFault("x"), 403),
        (StoreUnavailable("x"), 503),
        (Overloaded("x"), 503),
        (NotYet("x"), 503),
        (ConfigurationError("x"), 500),
        (InbondError("x"), 500),
    ],
)
def test_whose_fault_it_is_decides_the_status(error: InbondError, status: int) -> None:
    assert status_of(error) == status


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("two\r\nlines\tand tab", "two lines and tab"),
        ("Bloqué ✓", "Bloqu? ?"),
        ("x" * 300, "x" * 196 + "..."),
        ("bell\x07", "bell?"),
    ],
)
def test_a_reason_is_one_printable_line(text: str, line: str) -> None:
    assert reason_line(text) == line
