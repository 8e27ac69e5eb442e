from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from inbond.model.publisher import Forge, SigningIdentity
from inbond.web.identity_facts import identity_facts, identity_json
from sim.index import SimIndex
from sim.sigstore import GitHub
from stack import inbond, sigstore

WHOLE = SigningIdentity(
    forge=Forge.GITHUB,
    issuer="https://issuer.example",
    repository="https://github.com/acme/demo",
    ref="refs/tags/v1",
    commit="c" * 40,
    trigger="release",
    workflow_name="Release",
    legacy_issuer="https://issuer.example",
    legacy_trigger="release",
    legacy_commit="c" * 40,
    legacy_repository="acme/demo",
    legacy_ref="refs/tags/v1",
)


def test_json_has_every_field_under_its_own_name() -> None:
    shown = identity_json(WHOLE)

    assert shown.pop("name") == "github:acme/demo"
    assert shown == {field.name: getattr(WHOLE, field.name) for field in fields(WHOLE) if field.name != "forge"}


def test_people_are_told_once_what_the_certificate_says_twice() -> None:
    assert identity_facts(identity_json(WHOLE)) == {
        "issuer": "https://issuer.example",
        "repository": "https://github.com/acme/demo",
        "ref": "refs/tags/v1",
        "commit": "c" * 40,
        "trigger": "release",
        "workflow name": "Release",
        "older form": "the same issuer, trigger, commit, repository, ref",
    }


def test_what_stands_in_the_older_form_alone_is_told_as_such() -> None:
    facts = identity_facts(identity_json(replace(WHOLE, repository=None)))

    assert facts["legacy repository"] == "acme/demo"
    assert facts["older form"] == "the same issuer, trigger, commit, ref"


def test_a_certificate_without_the_older_form_has_no_word_of_it() -> None:
    plain = SigningIdentity(forge=Forge.OIDC, issuer="https://issuer.example")

    assert identity_facts(identity_json(plain)) == {"issuer": "https://issuer.example"}
    assert identity_facts({}) == {}


async def test_the_verdict_and_the_page_show_the_whole_certificate(tmp_path: Path) -> None:
    signer = GitHub(environment="pypi", commit="c" * 40)
    async with SimIndex() as index:
        wheel = index.add_wheel(
            "demo", "1.0", provenance=lambda name, sha256: sigstore().provenance_for(name, sha256, signer)
        )
        async with inbond(tmp_path, index) as proxy:
            verdict = await proxy.verdict("demo", wheel.filename)
            _, body, _ = await proxy.get(f"/why/{wheel.sha256[:12]}")
    page = body.decode()
    [attestation] = verdict["evidence"]["attestations"]
    said = signer.claims()
    assert set(said.values()) <= set(attestation["identity"].values())
    for arc, value in said.items():
        assert value in page, f".{arc}"
    for label in ("Token subject", "Environment", "Build signer digest", "Workflow digest", "Older form"):
        assert f"<dt>{label}</dt>" in page
