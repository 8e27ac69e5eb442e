"""inbond in a company's network: docs/networks.md, tried with the whole stack and with the real process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from e2e.service import Service, new_environment, pip, serving
from sim.forward_proxy import ForwardProxy
from sim.index import SimFile, SimIndex
from sim.tls import Authority
from stack import JSON, ONE_INDEX, inbond

HOST = "pkgs.acme.example"


async def fetched(service: Service, file: SimFile) -> bytes:
    """A file through inbond, found by way of its page."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{service.index_url}{file.project}/", headers={"Accept": JSON}) as answer:
            assert answer.status == 200, await answer.text()
            page = await answer.json(content_type=None)
        [entry] = page["files"]
        async with session.get(f"{service.index_url}{file.project}/{entry['url']}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()


@pytest.mark.parametrize(
    ("credentials", "how"), [("user:s3cret", "env:ACME_LOGIN"), ("Bearer s3cret-t0ken", "file:{place}/login")]
)
async def test_the_real_process_behind_a_proxy_with_a_private_authority_and_credentials(
    tmp_path: Path, credentials: str, how: str
) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "login").write_text(f"{credentials}\n")
    (tmp_path / "login").chmod(0o644)
    async with (
        SimIndex(tls=authority.server(HOST), public_host=HOST, credentials=credentials) as index,
        ForwardProxy(credentials="me:pr0xy") as proxy,
    ):
        wheel = index.add_wheel("demo", "1.0")
        config = tmp_path / "inbond.toml"
        config.write_text(
            f'[upstreams.acme]\nurl = "{index.url}"\nca_bundle = "{authority.bundle}"\n'
            f'credentials = "{how.format(place=tmp_path)}"\n'
        )
        environ = {"HTTPS_PROXY": proxy.signed_url, "ACME_LOGIN": credentials}
        with serving(tmp_path, "acme", "--config", str(config), **environ) as service:
            assert await fetched(service, wheel) == wheel.content
            service.process.terminate()
            assert service.process.stdout is not None
            printed = service.process.stdout.read() + service.log.read_text()
    assert set(proxy.targets) == {f"CONNECT {HOST}:{index.port}"}
    assert {seen.headers["Authorization"].split()[0] for seen in index.requests} <= {"Basic", "Bearer"}
    assert ("everybody on this machine may use the file" in printed) == how.startswith("file")
    for secret in ("s3cret", "pr0xy"):
        assert secret not in printed


def test_the_start_says_which_proxy_is_used(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9/simple/"
    with serving(tmp_path, nowhere, HTTP_PROXY="http://me:pr0xy@127.0.0.1:8") as service:
        assert f"<-  {nowhere} through proxy http://127.0.0.1:8  policy default" in service.announced
    with serving(tmp_path, nowhere, HTTP_PROXY="http://127.0.0.1:8", NO_PROXY="127.0.0.0/8") as service:
        assert f"<-  {nowhere}  policy default" in service.announced


async def test_the_real_process_trusts_what_openssl_trusts(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with SimIndex(tls=authority.server()) as index:
        wheel = index.add_wheel("demo", "1.0")
        with serving(tmp_path, index.url, SSL_CERT_FILE=str(authority.bundle)) as service:
            assert await fetched(service, wheel) == wheel.content


async def test_an_installer_behind_it_all_notices_nothing(tmp_path: Path) -> None:
    async with SimIndex() as index, ForwardProxy(credentials="me:pr0xy", routes={HOST: 0}) as proxy:
        proxy.routes[HOST] = index.port
        index.public_host = HOST
        index.add_wheel("demo", "1.0")
        url = f"http://{HOST}/simple/"
        with serving(tmp_path, url, HTTP_PROXY=proxy.signed_url, NO_PROXY="localhost") as service:
            env = new_environment(tmp_path, "env")
            done = await asyncio.to_thread(pip, tmp_path, env, service.index_url, "demo==1.0")
            assert done.returncode == 0, done.stdout + done.stderr
    assert f"GET http://{HOST}/simple/demo/" in proxy.targets


async def test_a_proxy_that_refuses_is_named_to_whoever_asks(tmp_path: Path) -> None:
    async with SimIndex() as index, ForwardProxy(credentials="me:pr0xy") as proxy:
        index.add_wheel("demo", "1.0")
        environ = {"HTTP_PROXY": proxy.url.replace("://", "://me:wr0ng@")}
        async with inbond(tmp_path, index, environ=environ) as served:
            status, body, _ = await served.get("/simple/demo/", Accept=JSON)
    assert status == 502
    assert f"through proxy {proxy.url}: the proxy answered 407".encode() in body
    assert b"wr0ng" not in body


async def test_credentials_that_rotate_in_their_file_need_no_restart(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("Bearer one\n")
    token.chmod(0o600)
    config = ONE_INDEX + f'credentials = "file:{token}"\n'
    async with SimIndex(credentials="Bearer one") as index:
        index.add_wheel("demo", "1.0")
        index.add_wheel("other", "1.0")
        async with inbond(tmp_path, index, config=config) as served:
            await served.page("demo")
            index.credentials = "Bearer two"
            status, body, _ = await served.get("/simple/other/")
            assert status == 502
            assert b"credentials in [upstreams.pypi]" in body
            token.write_text("Bearer two\n")
            await served.page("other")
