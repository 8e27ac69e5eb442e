"""Trust scopes: which roots vouch, for whose identities, and that none vouches for another's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from inbond.attest.verify import Finding, ProvenanceVerifier
from inbond.model.errors import ConfigurationError
from inbond.model.evidence import Rejected, Unsupported, UnsupportedCause, Verified, VerifiedAttestation
from inbond.model.names import Filename
from inbond.model.publisher import PublisherPattern
from inbond.model.trust import PUBLIC, TrustScope, trust_digest
from sim.sigstore import DEFAULT_NOW, CircleCI, GitHub, GitLab, Google, Sigstore

NAME = Filename("widgets-1.0.tar.gz")
SHA256 = hashlib.sha256(b"widgets").hexdigest()
PUBLIC_STORE = Sigstore()
OWN_STORE = Sigstore("own.example")
GITLAB = "https://gitlab.acme.example"
GITHUB = "https://ghes.acme.example"
GITHUB_TOKENS = f"{GITHUB}/_services/token"

THE_PUBLIC = TrustScope(name=PUBLIC, root=PUBLIC_STORE.trusted_root())
OWN = TrustScope(name="acme", root=OWN_STORE.trusted_root(), issuers=(GITLAB, GITHUB_TOKENS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Enterprise(GitHub):
    """A workflow on a GitHub server of one's own."""

    host: str = GITHUB
    issuer: str = GITHUB_TOKENS

    def claims(self) -> dict[int, str]:
        moved = {arc: text.replace("https://github.com", self.host) for arc, text in GitHub.claims(self).items()}
        return moved | {1: self.issuer, 8: self.issuer}


def judged(provenance: bytes, *scopes: TrustScope) -> Finding:
    verifier = ProvenanceVerifier(scopes)
    finding = verifier.verify(provenance, filename=NAME, sha256=SHA256, now=DEFAULT_NOW + timedelta(days=1))
    assert finding.derivation.trusted_root_sha256 == trust_digest(scopes)
    return finding


def vouching(finding: Finding) -> list[str]:
    return [one.trust for one in finding.attestations if isinstance(one, VerifiedAttestation)]


def signed(identity: Any, by: Sigstore = OWN_STORE, **faults: Any) -> bytes:
    return by.provenance_for(NAME, SHA256, identity, **faults)


@pytest.mark.parametrize("identity", [GitLab(host=GITLAB), Enterprise()], ids=["GitLab", "GitHub"])
def test_a_server_of_one_s_own_is_vouched_for_by_the_scope_that_names_its_issuer(identity: Any) -> None:
    finding = judged(signed(identity), OWN)

    assert isinstance(finding, Verified)
    assert vouching(finding) == ["acme"]
    assert finding.identities[0].issuer == identity.claims()[8]


def test_a_commit_in_place_of_the_ref_names_the_workflow_too() -> None:
    identity = GitLab(host=GITLAB)
    claims = identity.claims()
    by_commit = claims[18].rpartition("@")[0] + f"@{identity.commit}"

    assert isinstance(judged(signed(identity, claims={18: by_commit}), OWN), Verified)


def test_several_scopes_each_vouch_for_their_own() -> None:
    ours, theirs = signed(GitLab(host=GITLAB)), signed(GitHub(), by=PUBLIC_STORE)

    for scopes in ((THE_PUBLIC, OWN), (OWN, THE_PUBLIC)):
        first, second = judged(ours, *scopes), judged(theirs, *scopes)
        assert isinstance(first, Verified)
        assert isinstance(second, Verified)
        assert [vouching(first), vouching(second)] == [["acme"], [PUBLIC]]


@pytest.mark.parametrize(
    "identity", [GitHub(), GitLab(), Google(), CircleCI()], ids=["GitHub", "GitLab", "Google", "CircleCI"]
)
def test_a_scope_with_issuers_does_not_vouch_for_the_public_ones(identity: Any) -> None:
    finding = judged(signed(identity), OWN)

    assert isinstance(finding, Rejected)
    assert finding.reason == f"its issuer is {identity.claims()[8]}, for which [trust.acme] does not vouch"


@pytest.mark.parametrize("identity", [GitHub(), GitLab()], ids=["GitHub", "GitLab"])
def test_a_scope_may_vouch_for_a_public_issuer(identity: Any) -> None:
    scope = replace(OWN, issuers=(identity.claims()[8],))

    assert isinstance(judged(signed(identity), scope), Verified)
    assert isinstance(judged(signed(GitLab(host=GITLAB)), scope), Rejected)


@pytest.mark.parametrize("identity", [GitLab(host=GITLAB), Enterprise()], ids=["GitLab", "GitHub"])
def test_the_public_scope_does_not_vouch_for_an_own_server(identity: Any) -> None:
    """Whatever the public Sigstore's authority should have signed."""
    assert isinstance(judged(signed(identity, by=PUBLIC_STORE), THE_PUBLIC), Rejected)


def test_neither_root_vouches_for_what_the_other_signed() -> None:
    public, own = judged(signed(GitHub(), by=PUBLIC_STORE), OWN), judged(signed(GitLab(host=GITLAB)), THE_PUBLIC)

    for finding in (public, own):
        assert isinstance(finding, Unsupported)
        assert finding.cause is UnsupportedCause.UNKNOWN_KEY


def test_roots_are_not_merged() -> None:
    """An authority of one and a log of the other are in no root together."""
    mixed = [
        signed(GitHub(), by=PUBLIC_STORE, log=OWN_STORE),
        signed(GitLab(host=GITLAB), sct_by=PUBLIC_STORE),
        signed(GitLab(host=GITLAB), ca=PUBLIC_STORE, log=OWN_STORE),
    ]

    assert not [one for one in mixed if isinstance(judged(one, THE_PUBLIC, OWN), Verified)]


def test_an_attestation_of_each_scope_in_one_file() -> None:
    """Each holds under its own; a third of a key that nobody knows takes nothing away, as under one root."""
    slsa: Any = {"predicate_type": "https://slsa.dev/provenance/v1", "predicate": {}}
    own, public, other = GitLab(host=GITLAB), GitHub(), Sigstore("third.example")
    bundles = [
        (own.publisher(), [OWN_STORE.attest(NAME, SHA256, own)]),
        (public.publisher(), [PUBLIC_STORE.attest(NAME, SHA256, public, **slsa), other.attest(NAME, SHA256, public)]),
    ]

    finding = judged(Sigstore.provenance(bundles), THE_PUBLIC, OWN)

    assert isinstance(finding, Verified)
    assert vouching(finding) == ["acme", PUBLIC]


def test_a_rejection_says_more_than_an_unknown_key() -> None:
    forged = signed(GitLab(host=GITLAB), signature="badsig")

    for scopes in ((THE_PUBLIC, OWN), (OWN, THE_PUBLIC)):
        finding = judged(forged, *scopes)
        assert isinstance(finding, Rejected)
        assert finding.reason == "its signature is not genuine"


def test_an_unknown_format_says_more_than_an_unknown_key() -> None:
    """Under the scope that knows the keys it got as far as its predicate type."""
    later = signed(GitLab(host=GITLAB), predicate_type="https://later.example/v9")

    for scopes in ((THE_PUBLIC, OWN), (OWN, THE_PUBLIC)):
        finding = judged(later, *scopes)
        assert isinstance(finding, Unsupported)
        assert finding.cause is UnsupportedCause.FORMAT


ELSEWHERE = "https://gitlab.other.example"
NAMES = GitLab(host=GITLAB).claims()


@pytest.mark.parametrize(
    ("identity", "claims"),
    [
        (GitLab(host=ELSEWHERE), {1: GITLAB, 8: GITLAB}),
        (GitLab(host=GITLAB + ".evil.example"), {1: GITLAB, 8: GITLAB}),
        (GitLab(), {1: GITLAB, 8: GITLAB}),
        (GitLab(host=GITLAB), {12: f"{GITLAB}/acme/tools/others"}),
        (GitLab(host=GITLAB), {12: f"{GITLAB}/ACME/tools/widgets"}),
        (GitLab(host=GITLAB), {12: None}),
        (GitLab(host=GITLAB), {18: None}),
        (GitLab(host=GITLAB), {18: NAMES[18].replace("//", "/")}),
        (GitLab(host=GITLAB), {18: NAMES[18].replace(".gitlab-ci.yml", "other.yml")}),
        (GitLab(host=GITLAB), {18: NAMES[18].rpartition("@")[0] + "@refs/heads/elsewhere"}),
        (GitLab(host=GITLAB), {18: NAMES[18].rpartition("@")[0] + "@"}),
        (Enterprise(host="https://github.com"), {}),
        (Enterprise(), {1: GITLAB, 8: GITLAB}),
        (Enterprise(), {12: f"{GITHUB}/acme/others"}),
        (Enterprise(), {18: f"{GITHUB}/acme/widgets/.github/workflows/other.yml@refs/tags/v1.0"}),
        (Google(), {1: GITLAB, 8: GITLAB}),
        (CircleCI(), {1: GITLAB, 8: GITLAB}),
    ],
    ids=[
        "another host", "a host that begins alike", "the public host", "another repository", "another spelling",
        "no repository", "no workflow", "no double slash", "another workflow", "another ref", "no ref",
        "GitHub's public host", "GitHub by GitLab's issuer", "another repository at GitHub",
        "another workflow at GitHub", "a kind without hosts: Google", "a kind without hosts: CircleCI",
    ],
)  # fmt: skip
def test_an_own_server_s_certificate_must_be_the_publisher_s(identity: Any, claims: dict[int, Any]) -> None:
    finding = judged(signed(identity, claims=claims), OWN)

    assert isinstance(finding, Rejected)


def test_a_neighbouring_issuer_is_another() -> None:
    for near in (f"{GITLAB}/", GITLAB.upper(), GITLAB.replace("https", "http"), f"{GITLAB}.example"):
        assert isinstance(judged(signed(GitLab(host=GITLAB)), replace(OWN, issuers=(near,))), Rejected)


ORGANISATION = "https://oidc.circleci.com/org/0001"
ENTERPRISE = "https://token.actions.githubusercontent.com/acme-corp"
BY_ORGANISATION = {1: ORGANISATION, 8: ORGANISATION}
BY_ENTERPRISE = {1: ENTERPRISE, 8: ENTERPRISE}


class Unsourced(CircleCI):
    """Whose publisher names neither repository nor ref."""

    def publisher(self) -> dict[str, Any]:
        return CircleCI.publisher(self) | {"vcs_origin": None, "vcs_ref": None}


@pytest.mark.parametrize(
    ("identity", "issuer"),
    [(CircleCI(), ORGANISATION), (Unsourced(), ORGANISATION), (GitHub(), ENTERPRISE)],
    ids=["an organisation at CircleCI", "of any repository", "an enterprise at GitHub"],
)
def test_an_issuer_of_one_s_own_on_a_public_host_is_vouched_for_where_it_is_named(identity: Any, issuer: str) -> None:
    provenance = signed(identity, claims={1: issuer, 8: issuer})

    assert isinstance(judged(provenance, replace(OWN, issuers=(issuer,))), Verified)
    assert isinstance(judged(provenance, replace(OWN, issuers=(issuer + "2",))), Rejected)
    by_public = judged(signed(identity, by=PUBLIC_STORE, claims={1: issuer, 8: issuer}), THE_PUBLIC)
    assert isinstance(by_public, Rejected)
    assert by_public.reason == f"its issuer is {issuer}, not the public one"


@pytest.mark.parametrize(
    ("identity", "claims"),
    [
        (CircleCI(), BY_ORGANISATION | {9: CircleCI(project_id="0").claims()[9]}),
        (CircleCI(), BY_ORGANISATION | {9: None}),
        (CircleCI(), BY_ORGANISATION | {12: "github.com/evil/widgets"}),
        (CircleCI(), BY_ORGANISATION | {14: "refs/heads/evil"}),
        (CircleCI(), BY_ENTERPRISE),
        (GitHub(), BY_ORGANISATION),
        (GitHub(), BY_ENTERPRISE | {5: None, 12: "https://github.com/acme/others"}),
        (GitHub(), BY_ENTERPRISE | {5: None, 12: "https://ghes.acme.example/acme/widgets"}),
        (GitHub(), BY_ENTERPRISE | {18: GitHub(workflow="ci.yml").claims()[18]}),
        (Google(), BY_ENTERPRISE),
    ],
    ids=[
        "another project", "no pipeline", "another repository", "another ref", "GitHub's issuer", "CircleCI's issuer",
        "another repository at GitHub", "another host", "another workflow", "a kind without",
    ],
)  # fmt: skip
def test_such_an_issuer_s_certificate_must_be_the_publisher_s(identity: Any, claims: dict[int, Any]) -> None:
    scope = replace(OWN, issuers=(ORGANISATION, ENTERPRISE))

    assert isinstance(judged(signed(identity, claims=claims), scope), Rejected)


def test_the_digest_names_all_that_vouches() -> None:
    other = replace(OWN, issuers=(GITLAB,))

    assert trust_digest([THE_PUBLIC]) == hashlib.sha256(THE_PUBLIC.root).hexdigest()
    assert trust_digest([THE_PUBLIC, OWN]) == trust_digest([OWN, THE_PUBLIC])
    digests = [
        trust_digest(scopes)
        for scopes in ([THE_PUBLIC], [OWN], [other], [THE_PUBLIC, OWN], [THE_PUBLIC, other], [replace(OWN, name="b")])
    ]
    assert len(set(digests)) == len(digests)


def test_the_order_of_issuers_is_none_of_evidence_s_business() -> None:
    assert trust_digest([OWN]) == trust_digest([replace(OWN, issuers=OWN.issuers[::-1])])


def test_without_a_scope_there_is_no_verifier() -> None:
    with pytest.raises(ValueError, match="nobody vouches"):
        ProvenanceVerifier([])


def test_a_scope_s_root_must_be_one() -> None:
    with pytest.raises(ConfigurationError, match="trusted root cannot be used"):
        ProvenanceVerifier([THE_PUBLIC, replace(OWN, root=b"{}")])


@pytest.mark.parametrize("identity", [GitLab(host=GITLAB), Enterprise()], ids=["GitLab", "GitHub"])
def test_a_workflow_that_was_called_does_not_decide_on_own_servers(identity: Any) -> None:
    """The repository and workflow that called it do: what is called may be another repository's, as templates are."""
    called = f"{identity.host}/templates/ci//release.yml@refs/heads/main"
    names = [x509.UniformResourceIdentifier(called)]

    assert isinstance(judged(signed(identity, names=names, claims={9: called}), OWN), Verified)


def test_a_pin_on_an_own_github_server_names_who_called_and_not_what_was_called() -> None:
    """Else anybody on that server could call acme's release workflow and pass for acme."""
    acme, evil = Enterprise(), Enterprise(owner="evil", repo="other")
    called = acme.claims()[9]
    names = [x509.UniformResourceIdentifier(called)]
    pin = PublisherPattern.parse("github:ghes.acme.example/acme/widgets@release.yml")

    by_acme, by_evil = judged(signed(acme), OWN), judged(signed(evil, names=names, claims={9: called}), OWN)

    assert isinstance(by_acme, Verified)
    assert isinstance(by_evil, Verified)
    assert pin.matches(by_acme.identities[0])
    assert not pin.matches(by_evil.identities[0])
    assert str(by_evil.identities[0]) == "github:ghes.acme.example/evil/other@release.yml"


@pytest.mark.parametrize("claims", [{9: None}, {9: "https://ghes.acme.example/evil/x"}], ids=["none", "another"])
def test_the_workflow_that_signs_is_named_twice_on_own_servers_too(claims: dict[int, Any]) -> None:
    assert isinstance(judged(signed(Enterprise(), claims=claims), OWN), Rejected)


def test_a_certificate_that_was_seen_before_is_another_publisher_s_as_little_as_ever() -> None:
    """Who signed is remembered by certificate and publisher: all files of a release have one certificate."""
    signer = OWN_STORE.signer(GitLab(host=GITLAB))
    others = [Filename(f"widgets-1.{number}.tar.gz") for number in range(3)]
    claims = [
        signer.identity.publisher() | more for more in ({}, {"environment": "pypi"}, {"repository": "acme/others"})
    ]
    verifier = ProvenanceVerifier([OWN])

    def asked(name: Filename, publisher: Any) -> Finding:
        provenance = Sigstore.provenance([(publisher, [signer.attest(name, SHA256)])])
        return verifier.verify(provenance, filename=name, sha256=SHA256, now=DEFAULT_NOW + timedelta(days=1))

    for _ in range(2):
        for name in others:
            assert [type(asked(name, publisher)) for publisher in claims] == [Verified, Verified, Rejected]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inbond.attest.scope._REMEMBERED", 2)
    verifier = ProvenanceVerifier([OWN])
    files = [signed(GitLab(host=GITLAB, ref=f"refs/tags/{number}")) for number in range(5)]

    for provenance in files * 2:
        finding = verifier.verify(provenance, filename=NAME, sha256=SHA256, now=DEFAULT_NOW + timedelta(days=1))
        assert isinstance(finding, Verified)
        assert len(verifier._scopes[0]._signers) <= 2
