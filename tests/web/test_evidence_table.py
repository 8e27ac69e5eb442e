"""Every row of the evidence table (docs/design.md), from the wire to the client: state, decision, answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sim.index import Fault, HangUp, HtmlInsteadOfJson, SimIndex, Status
from sim.sigstore import CircleCI, GitHub, GitLab, Google, Identity, Sigstore
from stack import THREE_POLICIES, inbond, sigstore

Provenance = Callable[[str, str], bytes]
GITHUB = GitHub(owner="acme", repo="widgets", workflow="release.yml")


def signed(identity: Identity = GITHUB, **faults: Any) -> Provenance:
    return lambda filename, sha256: sigstore().provenance_for(filename, sha256, identity, **faults)


def for_another_file(_filename: str, sha256: str) -> bytes:
    return sigstore().provenance_for("other-1.0-py3-none-any.whl", sha256, GITHUB)


def for_other_bytes(filename: str, _sha256: str) -> bytes:
    return sigstore().provenance_for(filename, "0" * 64, GITHUB)


def under_another_publisher(filename: str, sha256: str) -> bytes:
    attestation = sigstore().attest(filename, sha256, GITHUB)
    return sigstore().provenance([(GitHub(owner="evil", repo="widgets").publisher(), [attestation])])


def under_an_unknown_kind(filename: str, sha256: str) -> bytes:
    attestation = sigstore().attest(filename, sha256, GITHUB)
    return sigstore().provenance([({"kind": "Forgejo", "repository": "acme/widgets"}, [attestation])])


def of_another_sigstore(filename: str, sha256: str) -> bytes:
    return Sigstore("staging.example").provenance_for(filename, sha256, GITHUB)


def truncated(filename: str, sha256: str) -> bytes:
    return sigstore().provenance_for(filename, sha256, GITHUB)[:-40]


@dataclass(frozen=True)
class Row:
    state: str
    off: str
    if_present: str
    require: str
    provenance: bytes | Provenance | None = None
    claim: str | None = "api"  # "api": the page names the Integrity API's URL
    fault: Fault | None = None
    said: str = ""


ALLOW, DENY, HOLD = "allow", "deny", "hold"
FINE = (ALLOW, ALLOW, ALLOW)
WRONG = (ALLOW, DENY, DENY)
ROWS = {
    "null on the page": Row("absent", ALLOW, ALLOW, DENY, claim=None),
    "nothing claimed and 404": Row("absent", ALLOW, ALLOW, DENY, claim="silent"),
    "GitHub": Row("verified", *FINE, provenance=signed()),
    "GitLab": Row("verified", *FINE, provenance=signed(GitLab())),
    "Google": Row("verified", *FINE, provenance=signed(Google())),
    "CircleCI": Row("verified", *FINE, provenance=signed(CircleCI())),
    "nothing claimed and there": Row("verified", *FINE, provenance=signed(), claim="silent"),
    "other bytes": Row("rejected", *WRONG, provenance=for_other_bytes, said="digest"),
    "another filename": Row("rejected", *WRONG, provenance=for_another_file),
    "another publisher": Row("rejected", *WRONG, provenance=under_another_publisher),
    "truncated": Row("rejected", *WRONG, provenance=truncated, said="JSON"),
    "empty": Row("rejected", *WRONG, provenance=b""),
    "not JSON": Row("rejected", *WRONG, provenance=b"<html>hello</html>", said="JSON"),
    "no attestation in it": Row("rejected", *WRONG, provenance=b'{"version":1,"attestation_bundles":[]}'),
    "over a limit": Row("rejected", *WRONG, provenance=b" " * (3 * 2**20)),
    "bad signature": Row("rejected", *WRONG, provenance=signed(signature="badsig")),
    "unknown publisher kind": Row("unsupported", ALLOW, ALLOW, DENY, provenance=under_an_unknown_kind),
    "unknown key": Row("unsupported", *WRONG, provenance=of_another_sigstore),
    "403": Row("unavailable", ALLOW, HOLD, HOLD, provenance=signed(), fault=Status(403)),
    "500": Row("unavailable", ALLOW, HOLD, HOLD, provenance=signed(), fault=Status(500)),
    "no answer": Row("unavailable", ALLOW, HOLD, HOLD, provenance=signed(), fault=HangUp()),
    "404 where the page names it": Row("unavailable", ALLOW, HOLD, HOLD, provenance=signed(), fault=Status(404)),
    "403, nothing claimed": Row("unavailable", ALLOW, HOLD, HOLD, claim="silent", fault=Status(403)),
    "500, nothing claimed": Row("unavailable", ALLOW, HOLD, HOLD, claim="silent", fault=Status(500)),
    "a sign-in page, nothing claimed": Row("unavailable", ALLOW, HOLD, HOLD, claim="silent", fault=HtmlInsteadOfJson()),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
async def test_row(row: Row, tmp_path: Path) -> None:
    async with SimIndex() as index:
        options: dict[str, Any] = {"provenance": row.provenance}
        if row.claim != "api":
            options["claim"] = row.claim
        elif row.provenance is None:
            options["claim"] = f"{index.files_base}/integrity/demo/1.0/demo-1.0-py3-none-any.whl/provenance"
        wheel = index.add_wheel("demo", "1.0", **options)
        if row.fault is not None:
            index.fault(wheel.provenance_path, row.fault)
        async with inbond(tmp_path, index, more=THREE_POLICIES) as proxy:
            for name, decision in (("root", row.if_present), ("off", row.off), ("require", row.require)):
                prefix = "" if name == "root" else f"/{name}"
                verdict = await proxy.verdict("demo", wheel.filename, name)
                assert verdict["evidence"]["state"] == row.state, verdict
                assert verdict["decision"] == decision, verdict
                status, body, response = await proxy.get(prefix + wheel.path)
                if decision == ALLOW:
                    assert (status, body) == (200, wheel.content)
                    continue
                assert status == 403
                assert response.headers["Content-Type"] == "application/problem+json"
                assert response.headers["Cache-Control"] == "no-store"
                assert response.reason is not None
                assert response.reason.startswith("Blocked by policy: demo 1.0")
                assert f"/why/{wheel.sha256[:12]}" in response.reason
                assert row.said in body.decode()
                status, _, _ = await proxy.get(f"{prefix}{wheel.path}.metadata")
                assert status == 403
                entry = await proxy.listed("demo", wheel.filename, prefix)
                assert str(entry["yanked"]).startswith("Blocked by policy"), entry


async def test_identity_stands_in_the_verdict(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed())
        async with inbond(tmp_path, index) as proxy:
            verdict = await proxy.verdict("demo", wheel.filename)
            [attestation] = verdict["evidence"]["attestations"]
            assert attestation["publisher"] == "github:acme/widgets@release.yml"
            assert attestation["identity"]["repository"] == "https://github.com/acme/widgets"
            assert attestation["identity"]["repository_id"] == "1001"
            assert attestation["log_index"] is not None
            entry = await proxy.listed("demo", wheel.filename)
            assert entry["provenance"] == f"{proxy.origin}/integrity/demo/1.0/{wheel.filename}/provenance"
            status, body, response = await proxy.get(entry["provenance"].removeprefix(proxy.origin))
            assert (status, body) == (200, wheel.provenance)
            assert response.headers["Content-Type"] == "application/vnd.pypi.integrity.v1+json"


async def test_evidence_is_established_once_and_found_again_after_a_restart(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed())
        async with inbond(tmp_path, index) as proxy:
            for _ in range(3):
                assert (await proxy.get(wheel.path))[0] == 200
            assert (proxy.verifier.calls, index.count("provenance")) == (1, 1)
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.verdict("demo", wheel.filename))["evidence"]["state"] == "verified"
            assert (await proxy.get(wheel.path))[0] == 200
            assert (proxy.verifier.calls, index.count("provenance")) == (0, 1)
