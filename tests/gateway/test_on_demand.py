"""The verifier that starts at its first question."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from gateway.trust_support import NAME, SHA256, UPSTREAM, Heard, SetSource, ask, keeper, signed, started, with_impostor
from inbond.gateway.on_demand import VerifierOnDemand
from inbond.gateway.verifier import VerifierFailed
from inbond.model.errors import ConfigurationError
from inbond.model.evidence import Rejected, Verified
from sim.sigstore import GitHub, Sigstore
from stack import sigstore

ROOT = sigstore().trusted_root()
GOOD = sigstore().provenance_for(NAME, SHA256, GitHub())


def digest(root: bytes) -> str:
    return hashlib.sha256(root).hexdigest()


async def opened(directory: Path, source: SetSource, heard: Heard | None = None) -> VerifierOnDemand:
    return await VerifierOnDemand.open(keeper([source], directory, heard or Heard()))


async def accept(directory: Path, root: bytes) -> None:
    """As a server does that runs meanwhile."""
    async with started(keeper([SetSource(root)], directory, Heard())) as kept:
        await ask(kept, GOOD)


async def test_the_roots_digest_is_known_before_anything_starts(tmp_path: Path) -> None:
    verifier = await opened(tmp_path, SetSource(ROOT))

    assert verifier.trust_of(UPSTREAM) == digest(ROOT)
    assert not verifier.started
    await verifier.aclose()


async def test_questions_at_once_start_one_process(tmp_path: Path) -> None:
    verifier = await opened(tmp_path, SetSource(ROOT))
    try:
        found = await asyncio.gather(ask(verifier, GOOD), ask(verifier, b"junk"), ask(verifier, GOOD))
        assert [type(one) for one in found] == [Verified, Rejected, Verified]
        assert verifier.started
    finally:
        await verifier.aclose()


async def test_a_root_that_is_replaced_before_the_process_starts_is_not_the_one_that_counts(tmp_path: Path) -> None:
    """The digest was given out already."""
    source = SetSource(ROOT)
    verifier = await opened(tmp_path, source)
    try:
        source.root = Sigstore().trusted_root()
        finding = await ask(verifier, GOOD)
    finally:
        await verifier.aclose()

    assert isinstance(finding, Verified)
    assert finding.derivation.trusted_root_sha256 == digest(ROOT)


async def test_a_root_that_is_none_is_told_by_each_question(tmp_path: Path) -> None:
    verifier = await opened(tmp_path, SetSource(b"{}"))
    try:
        for _ in range(2):
            with pytest.raises(VerifierFailed, match="trusted root"):
                await ask(verifier, b"{}")
    finally:
        await verifier.aclose()


async def test_a_root_that_cannot_be_read_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="missing"):
        await opened(tmp_path, SetSource(ConfigurationError("it is missing")))


@pytest.mark.parametrize("broken", [b"{}", ConfigurationError("it is missing"), with_impostor(sigstore())])
async def test_the_last_good_root_counts_where_the_source_s_is_no_good(
    tmp_path: Path, broken: bytes | ConfigurationError
) -> None:
    await accept(tmp_path, ROOT)
    heard = Heard()
    verifier = await opened(tmp_path, SetSource(broken), heard)
    try:
        assert verifier.trust_of(UPSTREAM) == digest(ROOT)
        assert isinstance(await ask(verifier, GOOD), Verified)
    finally:
        await verifier.aclose()

    assert len(heard.named("trusted-root-refused")) == 1


async def test_a_new_root_is_tried_before_its_digest_is_given_out(tmp_path: Path) -> None:
    await accept(tmp_path, ROOT)
    newer = Sigstore("newer.example")
    verifier = await opened(tmp_path, SetSource(sigstore().trusted_root(newer)))
    try:
        assert verifier.started
        assert verifier.trust_of(UPSTREAM) == digest(sigstore().trusted_root(newer))
        assert isinstance(await ask(verifier, signed(newer)), Verified)
    finally:
        await verifier.aclose()
