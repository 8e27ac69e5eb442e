"""Behind a forward proxy. Threats: credentials reach the wrong one, and a page aims the proxy at the inside."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inbond.model.errors import InbondError, UpstreamBroken, UpstreamTimeout, UpstreamUnavailable
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File
from inbond.upstream.answers import ProjectUnknown, ProvenanceAbsent
from inbond.upstream.certificates import trusting
from inbond.upstream.proxies import Proxies, Proxy
from sim.forward_proxy import ForwardProxy
from sim.index import RedirectTo, SimIndex, Status, index_fixture
from sim.tls import Authority
from upstream.support import DEMO, ONCE, QUICK, Heard, Names, fetched, only_file, read, upstream_at

index = index_fixture()
SECRETS = ("s3cret", "pr0xy", base64.b64encode(b"user:s3cret").decode(), base64.b64encode(b"me:pr0xy").decode())


def via(url: str, *, exempt: str = "") -> Proxies:
    proxy = Proxy.parse(url, source="HTTPS_PROXY")
    return Proxies(http=proxy, https=proxy, exempt=exempt)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def secure(authority: Authority) -> AsyncIterator[SimIndex]:
    """An https index under a name that only the proxy can resolve, with files on another port, and credentials."""
    tls = authority.server("index.acme.example")
    async with SimIndex(
        tls=tls, public_host="index.acme.example", credentials="user:s3cret", files_origin=True
    ) as index:
        yield index


@pytest.fixture
async def proxy() -> AsyncIterator[ForwardProxy]:
    async with ForwardProxy(credentials="me:pr0xy") as proxy:
        yield proxy


async def test_https_goes_through_a_tunnel_and_nobody_gets_anothers_credentials(
    secure: SimIndex, proxy: ForwardProxy, authority: Authority
) -> None:
    wheel = secure.add_wheel("demo", "1.0")
    url = secure.url.replace("://", "://user:s3cret@")
    names = Names({})  # the name is known to the proxy alone
    tls = trusting(authority.bundle)
    async with upstream_at(url, names=names, tls=tls, proxies=via(proxy.signed_url)) as upstream:
        file = await only_file(upstream)
        assert await read(upstream, file.url) == wheel.content
        await upstream.metadata(file)
    assert set(proxy.targets) == {
        f"CONNECT index.acme.example:{secure.port}", f"CONNECT index.acme.example:{secure.files_port}",
    }  # fmt: skip
    for asked in proxy.asked:
        assert "authorization" not in asked.headers
        assert asked.headers["proxy-authorization"] == "Basic " + SECRETS[3]
    for seen in secure.requests:
        assert "Proxy-Authorization" not in seen.headers
        assert ("Authorization" in seen.headers) == (seen.port == secure.port)
    assert names.asked == []


async def test_http_is_asked_for_in_absolute_form(index: SimIndex, proxy: ForwardProxy) -> None:
    wheel = index.add_wheel("demo", "1.0")
    async with upstream_at(index.url, proxies=via(proxy.signed_url)) as upstream:
        file = await only_file(upstream)
        assert await read(upstream, file.url) == wheel.content
    assert proxy.targets == [f"GET {index.url}demo/", f"GET {wheel.url}"]
    assert all("Proxy-Authorization" not in seen.headers for seen in index.requests)
    assert all("proxy-authorization" in asked.headers for asked in proxy.asked)


async def test_exempt_hosts_are_asked_directly_and_get_nothing_that_is_the_proxys(
    index: SimIndex, proxy: ForwardProxy
) -> None:
    index.add_wheel("demo", "1.0")
    async with upstream_at(index.url, proxies=via(proxy.signed_url, exempt="127.0.0.1")) as upstream:
        await fetched(upstream)
    assert proxy.asked == []
    assert "Proxy-Authorization" not in index.requests[0].headers


async def test_a_proxy_may_speak_tls_itself(secure: SimIndex, authority: Authority) -> None:
    secure.add_wheel("demo", "1.0")
    url = secure.url.replace("://", "://user:s3cret@")
    async with ForwardProxy(tls=authority.server(), credentials="me:pr0xy") as proxy:
        settings: dict[str, Any] = {"tls": trusting(authority.bundle), "proxies": via(proxy.signed_url)}
        async with upstream_at(url, **settings) as upstream:
            assert (await fetched(upstream)).page.files
        assert proxy.targets == [f"CONNECT index.acme.example:{secure.port}"]


# --- where the proxy may not be sent ---------------------------------------------------------------------------------

INSIDE = [
    ("http://169.254.169.254/latest/meta-data/", "169.254.169.254 is a link-local address"),
    ("http://10.0.0.1/x", "10.0.0.1 is a private address"),
    ("http://127.0.0.1/x", "127.0.0.1 is a loopback address"),
    ("http://[::1]/x", "::1 is a loopback address"),
    ("http://[::ffff:10.0.0.1]/x", "::ffff:10.0.0.1 is a private address"),
    ("http://[fe80::1%25eth0]/x", "is a link-local address"),
    ("http://localhost/x", "localhost is a loopback address"),
    ("http://LocalHost./x", "is a loopback address"),
    ("http://a.localhost/x", "a.localhost is a loopback address"),
    ("http://ip6-loopback/x", "ip6-loopback is a loopback address"),
    ("http://intranet/x", "intranet is a private address"),
    ("http://wiki.acme.internal/x", "wiki.acme.internal is a private address"),
    ("http://printer.local./x", "is a private address"),
    ("http://8.8.8.8%40169.254.169.254/x", "written in a form that is not asked"),
    ("http://8.8.8.8%.internal/x", "written in a form that is not asked"),
    ("http://[2606:4700::1%25127.0.0.1]/x", "written in a form that is not asked"),
    ("http://a..b/x", "written in a form that is not asked"),
    ("http://2130706433/x", "written in a form that is not asked"),
    ("http://0x7f000001/x", "written in a form that is not asked"),
    ("http://127.1/x", "written in a form that is not asked"),
    ("http://0177.0.0.1/x", "written in a form that is not asked"),
    ("http://%31%32%37.0.0.1/x", "is a loopback address|written in a form that is not asked|is no URL"),
]


@pytest.mark.parametrize(("url", "why"), INSIDE)
async def test_a_page_cannot_aim_the_proxy_at_the_inside(
    index: SimIndex, proxy: ForwardProxy, url: str, why: str
) -> None:
    index.add_wheel("demo", "1.0", url=url)
    proxy.routes["index.acme.example"] = index.port
    heard = Heard()
    names = Names({})
    async with upstream_at(
        "http://index.acme.example/simple/", proxies=via(proxy.signed_url), heard=heard, names=names
    ) as upstream:
        file = await only_file(upstream)
        with pytest.raises(UpstreamBroken, match=why):
            await read(upstream, file.url)
    assert proxy.targets == ["GET http://index.acme.example/simple/demo/"]
    assert heard.outcomes == ["page ok", "file broken"]


@pytest.mark.parametrize(("url", "why"), INSIDE[:8])
async def test_a_redirect_cannot_either(index: SimIndex, proxy: ForwardProxy, url: str, why: str) -> None:
    index.fault(index.page_path("demo"), RedirectTo(url))
    proxy.routes["index.acme.example"] = index.port
    async with upstream_at("http://index.acme.example/simple/", proxies=via(proxy.signed_url)) as upstream:
        with pytest.raises(UpstreamBroken, match=why):
            await upstream.page(DEMO)
    assert len(proxy.asked) == 1


async def test_an_upstream_that_is_inside_itself_leads_to_others_of_the_kind_and_no_other(
    index: SimIndex, proxy: ForwardProxy
) -> None:
    wheel = index.add_wheel("demo", "1.0")
    proxy.routes |= {"nexus": index.port, "files.internal": index.port}
    async with upstream_at("http://nexus/simple/", proxies=via(proxy.signed_url)) as upstream:
        await fetched(upstream)
        assert await read(upstream, f"http://files.internal{wheel.path}") == wheel.content
        with pytest.raises(UpstreamBroken, match="loopback"):
            await read(upstream, wheel.url)
    async with upstream_at(index.url, proxies=via(proxy.signed_url)) as upstream:
        assert await read(upstream, wheel.url.replace("127.0.0.1", "localhost")) == wheel.content


async def test_an_own_host_that_is_asked_directly_is_still_looked_up(index: SimIndex, proxy: ForwardProxy) -> None:
    wheel = index.add_wheel("demo", "1.0")
    names = Names({"index.test": ["127.0.0.1"]})
    proxies = via(proxy.signed_url, exempt="index.test")
    async with upstream_at(f"http://index.test:{index.port}/simple/", names=names, proxies=proxies) as upstream:
        assert await read(upstream, wheel.url) == wheel.content  # through the proxy: the own host is of the kind
    assert proxy.targets == [f"GET {wheel.url}"]


@pytest.mark.parametrize("exempt", ["localhost,127.0.0.1", "files.test"])
async def test_the_dns_of_an_own_host_that_a_proxy_asks_for_opens_nothing(
    index: SimIndex, proxy: ForwardProxy, exempt: str
) -> None:
    wheel = index.add_wheel("demo", "1.0")
    names = Names({"index.test": ["127.0.0.1"], "files.test": ["127.0.0.1"]})  # the index's owner says so
    proxies = via(proxy.signed_url, exempt=exempt)
    async with upstream_at("http://index.test/simple/", names=names, proxies=proxies) as upstream:
        for host in ("127.0.0.1", "files.test", "127.0.0.1"):
            if host == "files.test" and exempt != host:
                continue
            with pytest.raises(UpstreamBroken, match="a loopback address") as caught:
                await read(upstream, f"http://{host}:{index.port}{wheel.path}")
            assert 'NO_PROXY, or proxy = "none"' in str(caught.value.remedy)
    assert index.requests == []
    assert proxy.asked == []
    assert "index.test" not in names.asked


async def test_a_host_that_is_asked_directly_is_guarded_as_ever(index: SimIndex, proxy: ForwardProxy) -> None:
    wheel = index.add_wheel("demo", "1.0")
    names = Names({"files.test": ["127.0.0.1"]})
    proxies = via(proxy.signed_url, exempt="files.test")
    async with upstream_at("http://index.acme.example/simple/", names=names, proxies=proxies) as upstream:
        with pytest.raises(UpstreamBroken, match=r"files\.test is at 127\.0\.0\.1, a loopback address"):
            await read(upstream, f"http://files.test:{index.port}{wheel.path}")
    assert index.requests == []


async def test_the_proxy_itself_may_be_anywhere(index: SimIndex, proxy: ForwardProxy) -> None:
    index.add_wheel("demo", "1.0")
    proxy.routes["index.acme.example"] = index.port
    names = Names({"proxy.test": ["127.0.0.1"]})
    proxies = via(proxy.signed_url.replace("127.0.0.1", "proxy.test"))
    async with upstream_at("http://index.acme.example/simple/", names=names, proxies=proxies) as upstream:
        await fetched(upstream)
    assert set(names.asked) == {"proxy.test"}


# --- what goes wrong -------------------------------------------------------------------------------------------------


def unshown(error: InbondError) -> None:
    for secret in SECRETS:
        assert secret not in f"{error!r} {error.message} {error.remedy}"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("given", ["", "me:wr0ng@"])
async def test_a_proxy_that_asks_for_credentials_is_named_and_not_asked_again(
    proxy: ForwardProxy, scheme: str, given: str
) -> None:
    heard = Heard()
    proxies = via(proxy.url.replace("://", f"://{given}"))
    async with upstream_at(f"{scheme}://index.acme.example/simple/", proxies=proxies, heard=heard) as upstream:
        with pytest.raises(UpstreamUnavailable, match=rf"through proxy {proxy.url}: the proxy answered 407") as caught:
            await upstream.page(DEMO)
    assert caught.value.remedy is not None
    assert "HTTPS_PROXY" in caught.value.remedy
    assert "proxy of [upstreams.sim]" in caught.value.remedy
    assert "wr0ng" not in f"{caught.value!r} {caught.value.message}"
    assert heard.outcomes == ["page unavailable"]
    assert len(proxy.asked) == 1


@pytest.mark.parametrize(("status", "tries"), [(403, 1), (404, 1), (502, 3)])
async def test_what_a_proxy_refuses_is_no_answer_of_the_index(secure: SimIndex, status: int, tries: int) -> None:
    secure.add_wheel("demo", "1.0")
    heard = Heard()
    async with ForwardProxy(answer=status) as proxy:
        url = secure.url.replace("://", "://user:s3cret@")
        async with upstream_at(url, proxies=via(proxy.url), heard=heard, limits=QUICK) as upstream:
            with pytest.raises(
                UpstreamUnavailable, match=rf"through proxy {proxy.url}: the proxy answered {status}"
            ) as caught:
                await upstream.page(DEMO)
    unshown(caught.value)
    assert heard.outcomes == ["page unavailable"] * tries


async def test_a_proxy_that_is_not_there_is_named(secure: SimIndex) -> None:
    async with ForwardProxy(credentials="me:pr0xy") as proxy:
        gone = proxy.signed_url
    url = secure.url.replace("://", "://user:s3cret@")
    async with upstream_at(url, proxies=via(gone), limits=ONCE) as upstream:
        with pytest.raises(
            UpstreamUnavailable, match=rf"through proxy {proxy.url}: no connection to the proxy: "
        ) as caught:
            await upstream.page(DEMO)
    unshown(caught.value)
    assert "[upstreams.sim]" in str(caught.value.remedy)


async def test_a_proxy_whose_name_is_unknown_is_named() -> None:
    proxies = via("http://proxy.test:3128")
    async with upstream_at("https://index.test/simple/", proxies=proxies, names=Names({}), limits=ONCE) as upstream:
        with pytest.raises(UpstreamUnavailable, match=r"through proxy http://proxy\.test:3128: the name proxy\.test"):
            await upstream.page(DEMO)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_says_nothing_is_a_timeout_that_names_it(scheme: str) -> None:
    async with ForwardProxy(mute=True) as proxy:
        limits = type(ONCE)(connect=1.0, idle=0.3, deadline=0.5, attempts=1)
        url = f"{scheme}://index.acme.example/simple/"
        async with upstream_at(url, proxies=via(proxy.url), limits=limits) as upstream:
            with pytest.raises(UpstreamTimeout, match=rf"through proxy {proxy.url}: "):
                await upstream.page(DEMO)


async def test_an_answer_of_the_index_stays_its_own(index: SimIndex, proxy: ForwardProxy) -> None:
    index.fault(index.page_path("demo"), Status(503))
    async with upstream_at(index.url, proxies=via(proxy.signed_url), limits=ONCE) as upstream:
        with pytest.raises(UpstreamUnavailable, match="answered 503"):
            await upstream.page(DEMO)


async def test_a_certificate_that_is_not_trusted_behind_a_proxy(secure: SimIndex, proxy: ForwardProxy) -> None:
    url = secure.url.replace("://", "://user:s3cret@")
    async with upstream_at(url, proxies=via(proxy.signed_url)) as upstream:
        with pytest.raises(UpstreamBroken, match=r"certificate of index\.acme\.example is not to be trusted") as caught:
            await upstream.page(DEMO)
    assert caught.value.remedy == "name the file of its certificate authority as ca_bundle in [upstreams.sim]"
    assert secure.requests == []


async def test_a_certificate_that_is_not_trusted_behind_a_proxy_that_speaks_tls(
    secure: SimIndex, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "Other root")
    url = secure.url.replace("://", "://user:s3cret@")
    heard = Heard()
    async with ForwardProxy(tls=other.server(), credentials="me:pr0xy") as proxy:
        settings: dict[str, Any] = {"tls": trusting(other.bundle), "proxies": via(proxy.signed_url)}
        async with upstream_at(url, heard=heard, **settings) as upstream:
            with pytest.raises(UpstreamBroken, match=r"the certificate of .* is not to be trusted") as caught:
                await upstream.page(DEMO)
    unshown(caught.value)
    assert caught.value.remedy == "name the file of its certificate authority as ca_bundle in [upstreams.sim]"
    assert heard.outcomes == ["page broken"]


# --- a 404 that a proxy may have made up -----------------------------------------------------------------------------

BARE = File(filename=Filename("demo-1.0.tar.gz"), url="http://index.acme.example/demo-1.0.tar.gz")
UNKNOWN = ProjectName("unknown")
PLAIN = "http://index.acme.example/simple/"


async def test_a_404_of_the_proxy_itself_is_no_absence() -> None:
    async with ForwardProxy(answer=404) as proxy:
        heard = Heard()
        async with upstream_at(PLAIN, proxies=via(proxy.url), heard=heard) as upstream:
            for asking in (upstream.page(DEMO), upstream.provenance(DEMO, "1.0", BARE)):
                with pytest.raises(UpstreamUnavailable, match="404, which may be the proxy's own") as caught:
                    await asking
                assert "https" in str(caught.value.remedy)
        assert heard.outcomes == ["page unavailable", "provenance unavailable"]


async def test_a_404_counts_where_the_index_answers_through_the_proxy(index: SimIndex, proxy: ForwardProxy) -> None:
    proxy.routes["index.acme.example"] = index.port
    async with upstream_at(PLAIN, proxies=via(proxy.signed_url)) as upstream:
        assert isinstance(await upstream.page(UNKNOWN), ProjectUnknown)
        assert isinstance(await upstream.page(UNKNOWN), ProjectUnknown)
        assert isinstance(await upstream.provenance(DEMO, "1.0", BARE), ProvenanceAbsent)
    assert index.count("list") == 1


async def test_a_page_shows_that_the_index_answers(index: SimIndex, proxy: ForwardProxy) -> None:
    index.add_wheel("demo", "1.0")
    proxy.routes["index.acme.example"] = index.port
    async with upstream_at(PLAIN, proxies=via(proxy.signed_url)) as upstream:
        await fetched(upstream)
        assert isinstance(await upstream.provenance(DEMO, "1.0", BARE), ProvenanceAbsent)
    assert index.count("list") == 0


@pytest.mark.parametrize("status", [404, 403, 502])
async def test_an_index_without_a_list_shows_nothing(index: SimIndex, proxy: ForwardProxy, status: int) -> None:
    index.fault("/simple/", Status(status))
    proxy.routes["index.acme.example"] = index.port
    async with upstream_at(PLAIN, proxies=via(proxy.signed_url)) as upstream:
        with pytest.raises(UpstreamUnavailable, match="may be the proxy's own"):
            await upstream.page(UNKNOWN)


async def test_a_404_out_of_a_tunnel_or_from_a_host_asked_directly_is_its_own(
    index: SimIndex, secure: SimIndex, proxy: ForwardProxy, authority: Authority
) -> None:
    url = secure.url.replace("://", "://user:s3cret@")
    tls = trusting(authority.bundle)
    async with upstream_at(url, tls=tls, proxies=via(proxy.signed_url)) as upstream:
        assert isinstance(await upstream.page(UNKNOWN), ProjectUnknown)
    async with upstream_at(index.url, proxies=via(proxy.signed_url, exempt="127.0.0.1")) as upstream:
        assert isinstance(await upstream.page(UNKNOWN), ProjectUnknown)
    assert index.count("list") + secure.count("list") == 0


# --- a 407 that is nobody's ------------------------------------------------------------------------------------------


async def test_a_407_without_a_proxy_that_could_have_answered_it_is_broken(
    index: SimIndex, secure: SimIndex, proxy: ForwardProxy, authority: Authority
) -> None:
    for there in (index, secure):
        there.fault(there.page_path("demo"), Status(407))
    async with upstream_at(index.url) as upstream:
        with pytest.raises(UpstreamBroken, match="answered 407, which answers nothing that was asked"):
            await upstream.page(DEMO)
    url, tls = secure.url.replace("://", "://user:s3cret@"), trusting(authority.bundle)
    async with upstream_at(url, tls=tls, proxies=via(proxy.signed_url)) as upstream:
        with pytest.raises(UpstreamBroken, match="answered 407, which answers nothing that was asked"):
            await upstream.page(DEMO)
