"""What commands that judge without a server have in common: upstreams, and a verifier that starts when it is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inbond.cli.config import Config
from inbond.cli.config_presets import written_predicate_type
from inbond.cli.trusting import verifier_on_demand
from inbond.gateway.on_demand import VerifierOnDemand
from inbond.upstream.settings import UpstreamSettings


@asynccontextmanager
async def verifying(config: Config) -> AsyncIterator[tuple[tuple[UpstreamSettings, ...], VerifierOnDemand]]:
    """The configured upstreams, and the real verifier, which is ended afterwards. Raises `OperatorFault`."""
    verifier = await verifier_on_demand(config)
    try:
        predicate_type = written_predicate_type() or (await verifier.hello()).publish_predicate_type
        yield config.upstreams_at(predicate_type), verifier
    finally:
        await verifier.aclose()
