"""Threat: a hostile index makes this process talk to its own machine, its network or a metadata service."""

from __future__ import annotations

import socket

import pytest
from aiohttp import ThreadedResolver

from inbond.model.errors import UpstreamBroken, UpstreamUnavailable
from inbond.model.names import ProjectName
from inbond.upstream.addresses import Reach
from inbond.upstream.guard import AddressGuard, AddressRefused, LearningResolver
from sim.index import RedirectTo, SimIndex, Status, index_fixture
from upstream.support import DEMO, ONCE, QUICK, Heard, Names, fetched, only_file, read, upstream_at

index = index_fixture()

FORBIDDEN = [
    ("http://169.254.169.254/latest/meta-data/", "169.254.169.254", "link-local"),
    ("http://10.0.0.1/x", "10.0.0.1", "private"),
    ("http://[fe80::1]/x", "fe80::1", "link-local"),
    ("http://[::ffff:10.0.0.1]/x", "::ffff:10.0.0.1", "private"),
    ("http://[64:ff9b::a9fe:a9fe]/x", "64:ff9b::a9fe:a9fe", "link-local"),
]


def tcp(address: str) -> tuple[int, int, int, str, tuple[str, int]]:
    return (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))


@pytest.mark.parametrize(("url", "address", "kind"), FORBIDDEN)
async def test_a_file_at_another_kind_of_address_is_refused_by_name(
    index: SimIndex, url: str, address: str, kind: str
) -> None:
    index.add_wheel("demo", "1.0", url=url)
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream:
        file = await only_file(upstream)
        with pytest.raises(UpstreamBroken, match=f"is at {address}, a {kind} address; nothing was sent") as caught:
            await read(upstream, file.url)
    assert "sim: " in caught.value.message
    assert heard.outcomes == ["page ok", "file broken"]


@pytest.mark.parametrize(("url", "address", "kind"), FORBIDDEN)
async def test_a_redirect_to_another_kind_of_address_is_refused(
    index: SimIndex, url: str, address: str, kind: str
) -> None:
    index.fault(index.page_path("demo"), RedirectTo(url))
    async with upstream_at(index.url) as upstream:
        with pytest.raises(UpstreamBroken, match=f"is at {address}, a {kind} address"):
            await upstream.page(DEMO)
    assert index.count("page") == 1


async def test_an_upstream_elsewhere_does_not_lead_to_this_machine(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    names = Names({"index.test": ["192.0.2.1"], "files.test": ["127.0.0.1"]})
    async with upstream_at("http://index.test/simple/", names=names) as upstream:
        for host in ("127.0.0.1", "files.test", "localhost.", "[::ffff:127.0.0.1]"):
            names.addresses["localhost."] = ["127.0.0.1"]
            with pytest.raises(UpstreamBroken, match="a loopback address"):
                await read(upstream, f"http://{host}:{index.port}{wheel.path}")
    assert index.requests == []


async def test_the_own_host_is_looked_up_before_another_host_is_judged(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    names = Names({"index.test": ["127.0.0.1"], "files.test": ["127.0.0.1"]})
    async with upstream_at(f"http://index.test:{index.port}/simple/", names=names) as upstream:
        assert await read(upstream, f"http://files.test:{index.port}{wheel.path}") == wheel.content
        assert await read(upstream, wheel.url) == wheel.content
    assert names.asked[0] == "index.test"
    assert names.asked.count("index.test") == 1


async def test_an_own_host_that_does_not_resolve_vouches_for_nothing(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    names = Names({})
    async with upstream_at("http://index.test/simple/", names=names, limits=ONCE) as upstream:
        with pytest.raises(UpstreamBroken, match="loopback"):
            await read(upstream, wheel.url)
        with pytest.raises(UpstreamUnavailable, match=r"the name index\.test does not resolve"):
            await upstream.page(DEMO)
        names.addresses["index.test"] = ["127.0.0.1"]
        assert await read(upstream, wheel.url) == wheel.content


async def test_of_a_name_with_several_addresses_only_an_allowed_one_is_used(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    names = Names({"files.test": ["169.254.169.254", "10.0.0.1", "127.0.0.1"]})
    async with upstream_at(index.url, names=names) as upstream:
        assert await read(upstream, f"http://files.test:{index.port}{wheel.path}") == wheel.content


async def test_a_name_with_only_forbidden_addresses_is_refused(index: SimIndex) -> None:
    names = Names({"files.test": ["169.254.169.254", "fe80::1", "10.0.0.1"]})
    async with upstream_at(index.url, names=names) as upstream:
        with pytest.raises(UpstreamBroken, match=r"files\.test is at"):
            await read(upstream, "http://files.test/x")


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
async def test_an_address_in_disguise_reaches_nothing_the_plain_one_does_not(index: SimIndex, host: str) -> None:
    wheel = index.add_wheel("demo", "1.0")
    names = Names({"index.test": ["192.0.2.1"], "0x7f000001": ["127.0.0.1"]})
    async with upstream_at("http://index.test/simple/", names=names, limits=ONCE) as upstream:
        with pytest.raises(UpstreamBroken):
            await read(upstream, f"http://{host}:{index.port}{wheel.path}")
    assert index.requests == []


async def test_an_upstream_on_this_machine_is_used_by_name_and_by_address(index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    names = Names({"index.test": ["127.0.0.1"]})
    async with upstream_at(f"http://INDEX.test:{index.port}/simple/", names=names) as upstream:
        assert (await fetched(upstream)).page.files
    async with upstream_at(index.url) as upstream:
        assert (await fetched(upstream)).page.files


async def test_what_the_own_host_resolves_to_later_opens_nothing() -> None:
    guard = AddressGuard("index.test.")
    assert not guard.knows_own_host
    guard.learn(["8.8.8.8"])
    guard.learn(["127.0.0.1"])  # rebinding
    with pytest.raises(AddressRefused) as caught:
        guard.new_socket(tcp("127.0.0.1"))
    assert (caught.value.address, caught.value.reach) == ("127.0.0.1", Reach.LOOPBACK)
    guard.new_socket(tcp("8.8.8.8")).close()


async def test_one_public_address_among_the_own_hosts_lets_none_of_the_others_count() -> None:
    guard = AddressGuard("index.test")
    guard.learn(["93.184.216.34", "10.0.0.1", "127.0.0.1"])
    guard.new_socket(tcp("93.184.216.34")).close()
    for address in ("10.0.0.1", "10.9.9.9", "127.0.0.1"):
        with pytest.raises(AddressRefused):
            guard.new_socket(tcp(address))


async def test_where_a_proxy_asks_for_the_own_host_only_its_name_counts() -> None:
    guard = AddressGuard("index.test", asked_directly=False)
    guard.learn(["127.0.0.1"])
    with pytest.raises(AddressRefused) as caught:
        guard.new_socket(tcp("127.0.0.1"))
    assert "NO_PROXY" in caught.value.remedy
    inside = AddressGuard("nexus", asked_directly=False)
    inside.learn(["127.0.0.1"])
    inside.new_socket(tcp("10.0.0.1")).close()
    with pytest.raises(AddressRefused):
        inside.new_socket(tcp("127.0.0.1"))


@pytest.mark.parametrize("address", ["8.8.8.8%eth0", "2606:4700::1%1", "ff02::1%eth0", "fec0::1%2"])
async def test_an_address_with_a_zone_that_none_has_is_not_public(address: str) -> None:
    guard = AddressGuard("index.test")
    guard.learn([address])
    with pytest.raises(AddressRefused):
        AddressGuard("8.8.8.8").new_socket(tcp(address))


async def test_a_private_upstream_reaches_other_private_addresses_and_no_other_kind() -> None:
    guard = AddressGuard("10.0.0.5")
    guard.new_socket(tcp("192.168.7.7")).close()
    guard.new_socket(tcp("8.8.8.8")).close()
    for address in ("127.0.0.1", "169.254.169.254", "::1", "fe80::1", "0.0.0.0"):
        with pytest.raises(AddressRefused):
            guard.new_socket(tcp(address))


async def test_a_refusal_is_not_tried_again(index: SimIndex) -> None:
    names = Names({"files.test": ["10.0.0.1"]})
    heard = Heard()
    async with upstream_at(index.url, names=names, heard=heard, limits=QUICK) as upstream:
        with pytest.raises(UpstreamBroken):
            await read(upstream, "http://files.test/x")
    assert heard.outcomes == ["file broken"]


async def test_the_guard_stands_before_provenance_and_metadata_too(index: SimIndex) -> None:
    index.add_wheel("demo", "1.0", url="http://10.0.0.1/x.whl", claim="http://169.254.169.254/provenance")
    async with upstream_at(index.url) as upstream:
        file = await only_file(upstream)
        with pytest.raises(UpstreamBroken, match="a link-local address"):
            await upstream.provenance(DEMO, "1.0", file)
        with pytest.raises(UpstreamBroken, match="a private address"):
            await upstream.metadata(file)


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".example", "a." * 130 + "b", "8.8.8.8%40x", "a!b"])
async def test_a_host_that_nobody_can_have_is_broken_in_a_page_and_in_a_redirect(index: SimIndex, host: str) -> None:
    index.add_wheel("demo", "1.0", url=f"http://{host}/demo-1.0-py3-none-any.whl")
    index.fault(index.page_path("other"), RedirectTo(f"http://{host}/simple/other/"))
    async with upstream_at(index.url) as upstream:
        file = await only_file(upstream)
        with pytest.raises(UpstreamBroken, match="written in a form that is not asked"):
            await read(upstream, file.url)
        with pytest.raises(UpstreamBroken, match="written in a form that is not asked"):
            await upstream.page(ProjectName("other"))


async def test_a_name_that_cannot_be_looked_up_does_not_resolve() -> None:
    resolver = LearningResolver(ThreadedResolver(), AddressGuard("index.test"))
    with pytest.raises(OSError, match="cannot be looked up"):
        await resolver.resolve("a..b", 80)
    await resolver.close()


async def test_an_answer_is_no_address_fault(index: SimIndex) -> None:
    index.fault(index.page_path("demo"), Status(500))
    async with upstream_at(index.url, limits=ONCE) as upstream:
        with pytest.raises(UpstreamUnavailable, match="answered 500"):
            await upstream.page(DEMO)
