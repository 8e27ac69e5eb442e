"""The keys of an issuer: what of its answers counts, how often it is asked, and how long what it said is believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from inbond.model.errors import StatementUnchecked, UpstreamFault
from inbond.oidc.issuers import IssuerKeys
from inbond.oidc.limits import ASKS, ASKS_WITHIN_SECONDS, FRESH_SECONDS, STALE_SECONDS
from inbond.oidc.offline import OfflineKeys
from inbond.oidc.settings import IssuerSettings
from inbond.oidc.source import PublishedKeys
from inbond.upstream.proxies import Proxies, Proxy
from oidc.support import QUICK, Heard, Timer
from sim.forward_proxy import ForwardProxy
from sim.issuer import Defect, SimIssuer

ONCE = ["/.well-known/openid-configuration", "/keys"]


def source(issuer: str, heard: Heard | None = None, proxies: Proxies | None = None) -> PublishedKeys:
    settings = IssuerSettings(issuer=issuer) if proxies is None else IssuerSettings(issuer=issuer, proxies=proxies)
    return PublishedKeys.open(settings, observer=heard or Heard(), user_agent="inbond/test", limits=QUICK)


@asynccontextmanager
async def keys_of(issuer: SimIssuer, timer: Timer, heard: Heard | None = None) -> AsyncIterator[IssuerKeys]:
    observer = heard or Heard()
    keys = IssuerKeys(issuer.issuer, source(issuer.issuer, observer), observer, timer=timer)
    try:
        yield keys
    finally:
        await keys.aclose()


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        (Defect.DOWN, "answered 503"),
        (Defect.CUT, "the connection was lost"),
        (Defect.SILENT, "it fell silent"),
        (Defect.ANOTHER_ISSUER, "its discovery document speaks of another issuer, 'https://other.example'"),
        (Defect.REDIRECTS, "redirects more than 0 times"),
        (Defect.KEYS_REDIRECT, "redirects more than 0 times"),
        (Defect.ENDLESS, "is larger than 256.0 KiB, the limit here"),
        (Defect.NOT_JSON, "its discovery document is not what OpenID Connect Discovery says"),
        (Defect.NO_KEYS, "its set of keys holds none that can be used"),
        (Defect.COMPRESSED, "came with content coding 'gzip'"),
        (Defect.KEYS_IN_FILE, "upstream names a URL of scheme 'file'; only http and https are asked"),
        (Defect.KEYS_NOWHERE, "upstream names an address that is no URL"),
    ],
)
async def test_what_an_issuer_does_wrong_leaves_nothing_checked(defect: Defect, said: str) -> None:
    heard = Heard()
    async with SimIssuer() as issuer, keys_of(issuer, Timer(), heard) as keys:
        issuer.defect = defect
        with pytest.raises(StatementUnchecked) as raised:
            await keys.find("k1", "RS256")
        assert said in raised.value.detail
        assert [said in alert.message for alert in heard.alerts] == [True]


@pytest.mark.parametrize(
    "unusable",
    [
        {"use": "enc"},
        {"kid": None},
        {"kid": 7},
        {"kid": "x" * 300},
        {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
        {"alg": "HS256"},
        {"alg": ["RS256"]},
        {"alg": "none"},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"n": "AQAB"},  # a modulus of 17 bits
        {"n": None},
        {"n": 5},
        {"d": "AQAB"},  # a private key, for all to see
    ],
)
async def test_keys_that_cannot_vouch_for_anything_are_passed_over(unusable: dict[str, Any]) -> None:
    async with SimIssuer() as issuer, keys_of(issuer, Timer()) as keys:
        issuer.add_key("k2", **unusable)
        assert await keys.find("k1", "RS256") is not None
        for algorithm in ("RS256", "HS256", "none"):
            assert await keys.find("k2", algorithm) is None


async def test_a_key_without_an_algorithm_is_for_that_of_its_kind() -> None:
    async with SimIssuer() as issuer, keys_of(issuer, Timer()) as keys:
        issuer.add_key("rsa", alg=None)
        issuer.add_key("ec", "ES384", alg=None, use=None)
        assert await keys.find("rsa", "RS256") is not None
        assert await keys.find("rsa", "PS256") is None
        assert await keys.find("ec", "ES384") is not None
        assert await keys.find("ec", "ES256") is None


async def test_whoever_invents_keys_drives_few_requests_and_keeps_nobody_out() -> None:
    timer = Timer()
    async with SimIssuer() as issuer, keys_of(issuer, timer) as keys:
        assert await keys.find("k1", "RS256") is not None
        refused = unchecked = 0
        for number in range(100):
            try:
                assert await keys.find(f"invented-{number}", "RS256") is None
                refused += 1
            except StatementUnchecked as error:
                unchecked += "too often" in error.detail
        assert (refused, unchecked) == (ASKS - 1, 100 - ASKS + 1)
        assert issuer.asked == ONCE * ASKS
        assert await keys.find("k1", "RS256") is not None
        timer.now += ASKS_WITHIN_SECONDS
        issuer.rotate("k2")
        assert await keys.find("k2", "RS256") is not None


async def test_all_who_ask_at_once_are_one_request() -> None:
    async with SimIssuer() as issuer, keys_of(issuer, Timer()) as keys:
        found = await asyncio.gather(*(keys.find("k1", "RS256") for _ in range(20)))
        assert all(found)
        assert issuer.asked == ONCE


async def test_who_hangs_up_does_not_end_it_for_others() -> None:
    async with SimIssuer() as issuer, keys_of(issuer, Timer()) as keys:
        first, second = (asyncio.create_task(keys.find("k1", "RS256")) for _ in range(2))
        while not issuer.asked:
            await asyncio.sleep(0.01)
        first.cancel()
        assert await second is not None
        assert issuer.asked == ONCE


async def test_who_waits_while_it_is_asked_in_another_way_has_an_answer() -> None:
    async with SimIssuer() as issuer, keys_of(issuer, Timer()) as keys:
        issuer.defect = Defect.SILENT
        waiting = asyncio.create_task(keys.find("k1", "RS256"))
        while not issuer.asked:
            await asyncio.sleep(0.01)
        issuer.defect = Defect.NONE
        await keys.ask_by(source(issuer.issuer))
        with pytest.raises(StatementUnchecked):
            await waiting
        assert await keys.find("k1", "RS256") is not None


async def test_keys_are_believed_for_an_hour_and_for_a_day_while_nobody_answers() -> None:
    timer = Timer()
    async with SimIssuer() as issuer, keys_of(issuer, timer) as keys:
        await keys.find("k1", "RS256")
        timer.now += FRESH_SECONDS - 1
        await keys.find("k1", "RS256")
        assert issuer.asked == ONCE
        issuer.defect = Defect.DOWN
        timer.now += 2
        assert await keys.find("k1", "RS256") is not None
        assert len(issuer.asked) == 3
        with pytest.raises(StatementUnchecked):
            await keys.find("k2", "RS256")
        timer.now += STALE_SECONDS
        with pytest.raises(StatementUnchecked):
            await keys.find("k1", "RS256")
        timer.now += ASKS_WITHIN_SECONDS
        issuer.defect = Defect.NONE
        issuer.rotate("k2")
        assert await keys.find("k1", "RS256") is None


async def test_while_an_issuer_does_not_answer_one_job_waits_for_it_and_no_other() -> None:
    timer = Timer()
    async with SimIssuer() as issuer, keys_of(issuer, timer) as keys:
        await keys.find("k1", "RS256")
        issuer.defect = Defect.DOWN
        timer.now += FRESH_SECONDS + 1
        await keys.find("k1", "RS256")
        before = len(issuer.asked)
        issuer.defect = Defect.NONE
        assert await keys.find("k1", "RS256") is not None
        assert len(issuer.asked) == before  # it is asked behind
        while len(issuer.asked) < before + 2:
            await asyncio.sleep(0.01)


async def test_offline_no_issuer_is_asked() -> None:
    async with SimIssuer() as issuer:
        settings = IssuerSettings(issuer=issuer.issuer)
        keys = IssuerKeys(issuer.issuer, OfflineKeys(settings), Heard())
        with pytest.raises(StatementUnchecked) as raised:
            await keys.find("k1", "RS256")
        await keys.aclose()
        assert "inbond runs offline" in raised.value.detail
        assert issuer.asked == []


async def test_keys_are_fetched_through_the_proxy_that_is_configured() -> None:
    async with SimIssuer() as issuer, ForwardProxy() as proxy:
        through = Proxies(http=Proxy.parse(proxy.url, source="test"))
        keys = source(issuer.issuer, proxies=through)
        assert (await keys.fetch()).find("k1", "RS256") is not None
        await keys.aclose()
        assert issuer.asked == ONCE
        assert len(proxy.asked) == 2


async def test_requests_to_issuers_are_counted() -> None:
    heard = Heard()
    async with SimIssuer() as issuer:
        keys = source(issuer.issuer, heard)
        await keys.fetch()
        issuer.defect = Defect.DOWN
        with pytest.raises(UpstreamFault):
            await keys.fetch()
        await keys.aclose()
    assert heard.outcomes == ["ok", "ok", "unavailable"]
