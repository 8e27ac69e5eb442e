"""Identity: the certificate is genuine, but is not the publisher's whom the index names, or contradicts itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from cryptography import x509

from attest.tampering.row import ACME, NAME, OURS, SHA256, Row, attested, faulty, made
from sim.sigstore import CircleCI, GitHub, GitLab, Google, Identity

_GITHUB: Final = "https://token.actions.githubusercontent.com"
_WORKFLOW: Final = ACME.claims()[18]
_HOME: Final = "https://github.com/acme/widgets"


def _named(publisher: Any, by: Identity = ACME) -> Callable[[], bytes]:
    """An honest attestation by somebody under the name of another."""
    return lambda: OURS.provenance([(publisher, [OURS.attest(NAME, SHA256, by)])])


def _without_field(field: str, by: Identity) -> Callable[[], bytes]:
    def make() -> bytes:
        publisher = {key: value for key, value in by.publisher().items() if key != field}
        return OURS.provenance([(publisher, [OURS.attest(NAME, SHA256, by)])])

    return make


def _uri(uri: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(uri)]


def _beside_a_good_one() -> bytes:
    bundles = json.loads(OURS.provenance([(ACME.publisher(), [attested()])]))["attestation_bundles"]
    bundles.append({"publisher": GitHub(owner="evil").publisher(), "attestations": [attested()]})
    return json.dumps({"version": 1, "attestation_bundles": bundles}).encode()


ROWS: Final[tuple[Row, ...]] = (
    made("other-repository", "the index names another repository of the same owner",
         "signed by github:acme/widgets@release.yml, not by github:acme/gadgets@release.yml",
         _named(GitHub(repo="gadgets").publisher())),
    made("other-owner", "the index names a repository of the same name elsewhere", "not by github:evil/widgets",
         _named(GitHub(owner="evil").publisher())),
    made("other-workflow", "the index names another workflow", "not by github:acme/widgets@ci.yml",
         _named(GitHub(workflow="ci.yml").publisher())),
    made("workflow-in-a-folder", "the index names the workflow with a path before it", "not by github",
         _named(GitHub(workflow="../workflows/release.yml").publisher())),
    made("workflow-with-ref", "the index names the workflow with the ref after it", "not by github",
         _named(GitHub(workflow="release.yml@refs/tags/v1.0").publisher())),
    made("owner-in-capitals", "the index names the owner in capitals", "not by github:ACME/widgets",
         _named(GitHub(owner="ACME").publisher())),
    made("repository-shortened", "the index names the beginning of the repository's name", "not by github:acme/widget@",
         _named(GitHub(repo="widget").publisher())),
    made("repository-with-slash", "the index names the repository with a slash after it", "not by github",
         _named(GitHub(repo="widgets/").publisher())),
    made("github-as-gitlab", "GitHub's certificate under a GitLab publisher", "not by gitlab:acme/widgets",
         _named(GitLab(project="acme/widgets").publisher())),
    made("github-as-google", "GitHub's certificate under a Google account", "not by google:build@acme.example",
         _named(Google().publisher())),
    made("github-as-circleci", "GitHub's certificate under a CircleCI pipeline", "not by circleci:",
         _named(CircleCI().publisher())),
    made("gitlab-as-github", "GitLab's certificate under a GitHub publisher", "not by github:acme/widgets",
         _named(ACME.publisher(), by=GitLab(project="acme/widgets"))),
    made("google-as-github", "a Google account's certificate under a GitHub publisher", "not by github:acme/widgets",
         _named(ACME.publisher(), by=Google())),
    made("google-as-gitlab", "a Google account's certificate under a GitLab publisher", "not by gitlab",
         _named(GitLab().publisher(), by=Google())),
    made("circleci-as-google", "CircleCI's certificate under a Google account", "not by google",
         _named(Google().publisher(), by=CircleCI())),
    made("gitlab-other-project", "a GitLab project under another of the same group", "not by gitlab:acme/tools/gadgets",
         _named(GitLab(project="acme/tools/gadgets").publisher(), by=GitLab())),
    made("gitlab-parent-group", "a GitLab project in a subgroup under the one in the group above",
         "not by gitlab:acme/widgets", _named(GitLab(project="acme/widgets").publisher(), by=GitLab())),
    made("gitlab-other-path", "a GitLab project under another configuration file",
         "not by gitlab:acme/tools/widgets@x.yml",
         _named(GitLab(workflow_filepath="x.yml").publisher(), by=GitLab())),
    made("google-other-account", "a Google account under another", "not by google:root@acme.example",
         _named(Google(email="root@acme.example").publisher(), by=Google())),
    made("google-account-in-capitals", "a Google account under its name in capitals",
         "not by google:Build@acme.example",
         _named(Google(email="Build@acme.example").publisher(), by=Google())),
    made("circleci-other-project", "a CircleCI project under another", "not by circleci",
         _named(CircleCI(project_id="00000000-2d0f-4c5f-8f6f-1a2b3c4d5e6f").publisher(), by=CircleCI())),
    made("circleci-other-pipeline", "a CircleCI pipeline under another of its project", "not by circleci",
         _named(CircleCI(pipeline_definition_id="00000000-5b64-4f0e-9f5d-6a5b4c3d2e1f").publisher(), by=CircleCI())),
    made("circleci-other-origin", "a CircleCI pipeline that built another repository",
         "the index names github.com/acme/gadgets at refs/heads/main",
         _named(CircleCI(vcs_origin="github.com/acme/gadgets").publisher(), by=CircleCI())),
    made("circleci-other-ref", "a CircleCI pipeline that built another branch",
         "the index names github.com/acme/widgets at refs/heads/release",
         _named(CircleCI(vcs_ref="refs/heads/release").publisher(), by=CircleCI())),
    faulty("issuer-other", "another issuer vouched for the identity (.8 and .1)", "signed by oidc:",
           claims={1: "https://evil.example", 8: "https://evil.example"}),
    faulty("issuer-longer", "an issuer whose address goes on (.8 and .1)", "not the public one",
           claims={1: f"{_GITHUB}/evil", 8: f"{_GITHUB}/evil"}),
    faulty("issuers-two", "the older and the newer issuer differ (.1 and .8)", "names two of issuer",
           claims={1: "https://evil.example"}),
    faulty("issuer-missing", "the certificate names no issuer", "names no issuer", claims={1: None, 8: None}),
    faulty("google-issuer-other", "another issuer vouched for the e-mail address", "not by google:build@acme.example",
           by=Google(), claims={1: "https://evil.example", 8: "https://evil.example"}),
    faulty("repository-claim-other", "the repository in the certificate is another (.12 and .5)",
           "not by github:acme/widgets",
           claims={12: "https://github.com/evil/widgets", 5: "evil/widgets"}),
    faulty("repositories-two", "the older and the newer repository differ (.5 and .12)", "names two of repository",
           claims={5: "evil/widgets"}),
    faulty("repository-claim-missing", "the certificate names no repository", "not by github:acme/widgets",
           claims={12: None, 5: None}),
    faulty("workflow-claim-other", "the workflow in the certificate is another (.18)",
           "not by github:acme/widgets@release.yml",
           claims={18: f"{_HOME}/.github/workflows/ci.yml@refs/tags/v1.0"}),
    faulty("workflow-claim-elsewhere", "the workflow in the certificate is another repository's (.18)",
           "its workflow is not the publisher's: https://github.com/evil/widgets/",
           claims={18: "https://github.com/evil/widgets/.github/workflows/release.yml@refs/tags/v1.0"}),
    faulty("workflow-claim-missing", "the certificate names no workflow", "not by github:acme/widgets",
           claims={18: None}),
    faulty("ref-other", "the workflow is at another ref than was built (.14 and .6)", "not by github",
           claims={14: "refs/heads/evil", 6: "refs/heads/evil"}),
    faulty("ref-missing", "the certificate names neither ref nor commit", "not by github",
           claims={3: None, 6: None, 13: None, 14: None}),
    faulty("refs-two", "the older and the newer ref differ (.6 and .14)", "names two of ref",
           claims={6: "refs/heads/evil"}),
    faulty("commits-two", "the older and the newer commit differ (.3 and .13)", "names two of commit",
           claims={3: "0" * 40}),
    faulty("triggers-two", "the older and the newer trigger differ (.2 and .20)", "names two of trigger",
           claims={2: "pull_request_target"}),
    faulty("name-other", "the alternative name is another workflow than the signer's (.9)", "names two signers",
           names=_uri("https://github.com/evil/widgets/.github/workflows/release.yml@refs/tags/v1.0")),
    faulty("name-an-address", "the alternative name is an e-mail address", "names two signers",
           names=[x509.RFC822Name("build@acme.example")]),
    faulty("names-two", "there are two alternative names", "several subject names",
           names=[*_uri(_WORKFLOW), x509.RFC822Name("b@acme.example")]),
    faulty("name-missing", "there is no alternative name", "does not hold under the authority", names=[]),
    faulty("signer-other", "the signer is another than the alternative name (.9)", "names two signers",
           claims={9: "https://github.com/evil/widgets/.github/workflows/release.yml@refs/tags/v1.0"}),
    faulty("signer-missing", "the certificate does not name the signer (.9)", "does not name the workflow that signs",
           claims={9: None}),
    faulty("signer-missing-name-other", "it does not, and the alternative name is another workflow",
           "does not name the workflow that signs",
           claims={9: None}, names=_uri("https://github.com/evil/x/.github/workflows/e.yml@refs/heads/main")),
    faulty("signer-missing-name-a-host", "it does not, and the alternative name is a host's",
           "does not name the workflow that signs",
           claims={9: None}, names=[x509.DNSName("acme.example")]),
    faulty("name-a-host", "the alternative name is a host's", "names two signers",
           names=[x509.DNSName("acme.example")]),
    faulty("gitlab-signer-missing", "a GitLab certificate does not name the signer (.9)",
           "does not name the workflow that signs", by=GitLab(), claims={9: None}),
    faulty("workflow-claim-in-a-folder", "the workflow in the certificate lies in another folder (.18)",
           "its workflow is not the publisher's", claims={18: f"{_HOME}/ci/release.yml@refs/tags/v1.0"}),
    faulty("repository-claim-on-another-host", "the repository in the certificate is on another host (.12)",
           "its repository is https://ghes.acme.example/acme/widgets, not https://github.com/acme/widgets",
           claims={12: "https://ghes.acme.example/acme/widgets"}),
    faulty("gitlab-commit-missing", "a GitLab certificate does not name the commit (.13)", "leaves out what must prove",
           by=GitLab(), claims={13: None}),
    faulty("claim-not-der", "a newer field is bare text", "is not text",
           claims={12: b"https://github.com/acme/widgets"}),
    faulty("claim-other-type", "a newer field is a string of another type", "is not text",
           claims={12: b"\x13\x1f" + b"https://github.com/acme/widgets"}),
    faulty("claim-with-more", "bytes follow the string in a newer field", "is not text",
           claims={12: b"\x0c\x1f" + b"https://github.com/acme/widgets" + b"\0\0"}),
    faulty("claim-not-utf-8", "an older field is not UTF-8", "is not text", claims={2: b"\xff\xfe"}),
    made("publisher-missing", "the index names no publisher", "bundle in the provenance is malformed", _named(None)),
    made("publisher-without-kind", "the publisher has no kind", "bundle in the provenance is malformed",
         _named({"repository": "acme/widgets", "workflow": "release.yml"})),
    made("publisher-without-repository", "the publisher has no repository", "publisher is malformed",
         _without_field("repository", ACME)),
    made("publisher-without-workflow", "the publisher has no workflow", "publisher is malformed",
         _without_field("workflow", ACME)),
    made("publisher-other-type", "the publisher's repository is a list", "publisher is malformed",
         _named(ACME.publisher() | {"repository": ["acme/widgets"]})),
    made("publisher-endless", "the publisher's repository has 300 characters", "publisher is malformed",
         _named(GitHub(repo="x" * 300).publisher())),
    made("publisher-unprintable", "the publisher's repository holds a terminal's escape sequence",
         "publisher is malformed",
         _named(GitHub(repo="x\x1b[2J").publisher())),
    made("second-bundle-other-owner", "a second bundle names another owner", "not by github:evil", _beside_a_good_one),
)  # fmt: skip
