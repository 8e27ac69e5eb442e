from __future__ import annotations

from inbond.upstream.exchange import Exchange
from inbond.upstream.settings import UpstreamSettings
from inbond.upstream.witness import WITNESS_SECONDS, Witness
from upstream.support import QUICK


def test_what_the_index_answered_counts_for_a_while() -> None:
    now = 1000.0
    settings = UpstreamSettings(name="sim", url="http://index.acme.example/simple/")
    exchange = Exchange(settings, QUICK, user_agent="inbond/test")
    witness = Witness(exchange, settings.url, clock=lambda: now)
    assert not witness.is_recent()
    witness.answered()
    assert witness.is_recent()
    now += WITNESS_SECONDS
    assert not witness.is_recent()
