"""The verifier that starts at its first question."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inbond.gateway.on_demand import VerifierOnDemand
from inbond.gateway.verifier import VerifierFailed
from inbond.model.errors import ConfigurationError
from inbond.model.evidence import Rejected, Verified
from inbond.model.names import Filename
from sim.sigstore import GitHub
from stack import sigstore

NAME = Filename("demo-1.0-py3-none-any.whl")
UPSTREAM = "pypi"
SHA256 = "a" * 64


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    path = tmp_path / "trusted_root.json"
    path.write_bytes(sigstore().trusted_root())
    return path


@pytest.fixture
async def verifier(root: Path) -> AsyncIterator[VerifierOnDemand]:
    verifier = VerifierOnDemand(root)
    yield verifier
    await verifier.aclose()


async def ask(verifier: VerifierOnDemand, provenance: bytes) -> object:
    return await verifier.verify(provenance, upstream=UPSTREAM, filename=NAME, sha256=SHA256, now=datetime.now(UTC))


async def test_the_roots_digest_is_known_before_anything_starts(verifier: VerifierOnDemand, root: Path) -> None:
    assert verifier.trust_of(UPSTREAM) == hashlib.sha256(root.read_bytes()).hexdigest()
    assert not verifier.started


async def test_questions_at_once_start_one_process(verifier: VerifierOnDemand) -> None:
    provenance = sigstore().provenance_for(NAME, SHA256, GitHub())
    found = await asyncio.gather(ask(verifier, provenance), ask(verifier, b"junk"), ask(verifier, provenance))
    assert [type(one) for one in found] == [Verified, Rejected, Verified]
    assert verifier.started


async def test_a_root_that_is_replaced_before_the_process_starts_verifies_nothing(
    verifier: VerifierOnDemand, root: Path
) -> None:
    root.write_bytes(root.read_bytes() + b"\n")
    with pytest.raises(VerifierFailed, match="replaced"):
        await ask(verifier, sigstore().provenance_for(NAME, SHA256, GitHub()))


async def test_a_root_that_is_none_is_told_by_each_question(tmp_path: Path) -> None:
    path = tmp_path / "trusted_root.json"
    path.write_text("{}")
    verifier = VerifierOnDemand(path)
    try:
        for _ in range(2):
            with pytest.raises(VerifierFailed, match="trusted root"):
                await ask(verifier, b"{}")
    finally:
        await verifier.aclose()


async def test_a_root_that_cannot_be_read_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="missing"):
        VerifierOnDemand(tmp_path / "missing.json")
