"""Files signed in production, served by a simulated index, through a whole inbond. The full table: docs/evidence.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from inbond.gateway.trust import bundled_root_path
from sim.index import SimIndex
from sim.production import ProductionFile, download_assets, production_files, staging_files
from stack import LocalVerifier, inbond

pytestmark = [pytest.mark.network, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return download_assets(tmp_path_factory.mktemp("assets"))


async def verdict_on(file: ProductionFile, place: Path, *, content: bytes | None = None) -> tuple[str, str, str, int]:
    """State, decision, identity and the status of a download."""
    body = content or (file.path.read_bytes() if file.path is not None else b"not at hand")
    project, version = file.filename.split("-")[:2]
    async with SimIndex() as index:
        added = index.add_file(
            project, file.filename, body, version=version.removesuffix(".tar.gz"), provenance=file.provenance,
            hashes=None if content else {"sha256": file.sha256},
        )  # fmt: skip
        verifier = LocalVerifier(root=bundled_root_path().read_bytes())
        async with inbond(place, index, verifier=verifier) as proxy:
            verdict = await proxy.verdict(added.project, added.filename)
            status, _, _ = await proxy.get(added.path)
    identities = [a["identity"]["name"] for a in verdict["evidence"]["attestations"] if a["identity"]]
    return verdict["evidence"]["state"], verdict["decision"], " ".join(identities), status


@pytest.mark.parametrize("number", range(5), ids=["github", "github-older", "gitlab", "google", "circleci"])
async def test_a_production_file_is_verified_and_served(number: int, assets: Path, tmp_path: Path) -> None:
    file = production_files(assets)[number]
    state, decision, identity, status = await verdict_on(file, tmp_path)
    assert (state, decision, identity) == ("verified", "allow", file.signer)
    assert status == (200 if file.path is not None else 403)


async def test_other_bytes_under_its_provenance_are_refused(assets: Path, tmp_path: Path) -> None:
    found = await verdict_on(production_files(assets)[0], tmp_path, content=b"other bytes")
    assert found == ("rejected", "deny", "", 403)


async def test_the_staging_sigstore_does_not_vouch(assets: Path, tmp_path: Path) -> None:
    state, decision, _, status = await verdict_on(staging_files(assets)[0], tmp_path)
    assert (state, decision, status) == ("unsupported", "deny", 403)
