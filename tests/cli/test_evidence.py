"""`inbond evidence`: a Sigstore bundle beside a file whose index has no provenance of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.desk import Desk, configured
from sim.index import SimFile, SimIndex
from sim.sigstore import GitHub, Signer, Sigstore
from stack import ONE_INDEX, Inbond, inbond, sigstore

ACME = GitHub(owner="acme", repo="widgets", workflow="release.yml")
EVIL = GitHub(owner="evil", repo="widgets", workflow="release.yml")
REQUIRE = """
[policies.default]
attestations = "require"
[[policies.default.rules]]
projects = ["widgets"]
publishers = ["github:acme/widgets@release.yml"]
"""


def placed(desk: Desk, file: SimFile, bundle: Any = None) -> tuple[str, ...]:
    """The words of `add` for a file, which is put beside its bundle first: one by ACME unless another is given."""
    own = desk.place / file.filename
    own.write_bytes(file.content)
    beside = own.with_name(f"{file.filename}.sigstore.json")
    beside.write_text(json.dumps(bundle if bundle is not None else signer().bundle(file.content)), encoding="utf-8")
    return "evidence", "add", str(own), "--bundle", str(beside)


def signer(identity: GitHub = ACME, by: Sigstore | None = None, **faults: Any) -> Signer:
    return (by or sigstore()).signer(identity, **faults)


async def decision(proxy: Inbond, file: SimFile) -> tuple[str, str]:
    verdict = await proxy.verdict("widgets", file.filename)
    listed = await proxy.listed("widgets", file.filename)
    assert (verdict["decision"] != "allow") is isinstance(listed["yanked"], str)
    return verdict["decision"], verdict["evidence"]["state"]


@pytest.mark.parametrize("claimed", [True, False], ids=["the page says none", "the page says nothing"])
async def test_a_signature_counts_from_the_next_request_on_and_so_does_its_removal(
    tmp_path: Path, claimed: bool
) -> None:
    async with SimIndex() as index:
        file = index.add_wheel("widgets", "1.0", **({} if claimed else {"claim": "silent"}))
        desk = Desk(tmp_path)
        async with inbond(tmp_path, index, more=REQUIRE) as proxy:
            assert await decision(proxy, file) == ("deny", "absent")
            told = await desk.beside(*placed(desk, file), "--reason", "from the release job")
            assert await decision(proxy, file) == ("allow", "verified")
            assert "attached already" in await desk.beside(*placed(desk, file, signer_bundle(desk, file)))
            await desk.beside("evidence", "remove", file.filename)
            assert await decision(proxy, file) == ("deny", "absent")
    assert told.splitlines() == []


def signer_bundle(desk: Desk, file: SimFile) -> Any:
    """The bundle that lies beside a file already."""
    return json.loads((desk.place / f"{file.filename}.sigstore.json").read_text())
