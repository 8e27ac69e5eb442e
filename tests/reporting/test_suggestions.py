from __future__ import annotations

from typing import Any

import pytest

from inbond.model.evidence import EvidenceOrPending
from inbond.model.page import File
from inbond.model.publisher import Forge, SigningIdentity
from inbond.reporting.suggestions import LeftOut, Suggested, last_releases, proposals, shared_by, suggest
from policy.cases import (
    ABSENT,
    PENDING,
    REJECTED,
    UNAVAILABLE,
    UNSUPPORTED,
    attestation,
    file_of,
    identity_of,
    page_of,
    verified,
)


def by(identity: SigningIdentity | None = None) -> EvidenceOrPending:
    return verified(attestation(identity or identity_of()))


def suggested(releases: dict[str, EvidenceOrPending], *more: File) -> Suggested | LeftOut:
    files = [file_of(f"demo-{version}-py3-none-any.whl") for version in releases]
    evidence = {file.filename: known for file, known in zip(files, releases.values(), strict=True)}
    return suggest(page_of(*more, *files), evidence)


def test_three_releases_by_one_publisher_are_a_habit() -> None:
    found = suggested({"1.0": ABSENT, "2.0": by(), "10.0": by(), "3.0": by()})
    assert isinstance(found, Suggested)
    assert str(found.publisher) == "github:acme/demo@release.yml"
    assert [str(version) for version in found.versions] == ["10.0", "3.0", "2.0"]
    assert found.files == 3


def test_pre_releases_yanked_and_legacy_files_are_no_releases() -> None:
    files = [
        file_of("demo-3.0.tar.gz"),
        file_of("demo-3.0-py3-none-any.whl"),
        file_of("demo-4.0rc1.tar.gz"),
        file_of("demo-2.0.tar.gz", yanked="broken"),
        file_of("demo-2.5.exe"),
        file_of("demo-1.0.tar.gz"),
        file_of("demo.zip"),
    ]
    found = last_releases(page_of(*files))
    assert {str(version): len(below) for version, below in found.items()} == {"3.0": 2, "1.0": 1}


@pytest.mark.parametrize(
    ("known", "reason", "is_told"),
    [
        (ABSENT, "2.0: demo-2.0-py3-none-any.whl has no attestation", True),
        (REJECTED, "2.0: demo-2.0-py3-none-any.whl is rejected", True),
        (UNSUPPORTED, "2.0: demo-2.0-py3-none-any.whl is unsupported", True),
        (UNAVAILABLE, "2.0: demo-2.0-py3-none-any.whl is unavailable", False),
        (PENDING, "2.0: demo-2.0-py3-none-any.whl was not checked yet", False),
    ],
)
def test_what_is_not_verified_leaves_a_project_out(known: EvidenceOrPending, reason: str, is_told: bool) -> None:
    found = suggested({"1.0": by(), "2.0": known, "3.0": by()})
    assert found == LeftOut(project=found.project, reason=reason, told=is_told)


def test_every_file_of_a_release_counts() -> None:
    sdist = file_of("demo-3.0.tar.gz")
    found = suggested({"1.0": by(), "2.0": by(), "3.0": by()}, sdist)
    assert isinstance(found, LeftOut)
    assert found.reason == "3.0: demo-3.0.tar.gz was not checked yet"


def test_two_releases_are_no_habit() -> None:
    found = suggested({"1.0": by(), "2.0": by()})
    assert isinstance(found, LeftOut)
    assert found.reason == "has 2 final releases, not 3"


SHARED: list[tuple[list[SigningIdentity], str]] = [
    ([identity_of()], "github:acme/demo@release.yml"),
    ([identity_of(), identity_of("Acme/Demo")], "github:acme/demo@release.yml"),
    ([identity_of(), identity_of(workflow="other.yml")], "github:acme/demo"),
    ([identity_of(environment="pypi")] * 2, "github:acme/demo@release.yml#pypi"),
    ([identity_of(environment="pypi"), identity_of()], "github:acme/demo@release.yml"),
    ([identity_of(environment="pypi"), identity_of(environment="test")], "github:acme/demo@release.yml"),
    ([identity_of(environment="any*")], "github:acme/demo@release.yml"),
    ([identity_of(repository_id="7"), identity_of(repository_id="7"), identity_of()], "github:acme/demo@release.yml"),
]


@pytest.mark.parametrize(("signers", "pattern"), SHARED)
def test_the_narrowest_pattern_that_all_share(signers: list[SigningIdentity], pattern: str) -> None:
    found = shared_by(signers)
    assert not isinstance(found, str)
    assert str(found).lower() == pattern
    assert all(map(found.matches, signers))


def google(subject: str) -> SigningIdentity:
    return SigningIdentity(forge=Forge.GOOGLE, issuer="https://accounts.example", subject=subject)


NOT_SHARED: list[tuple[list[SigningIdentity], str]] = [
    ([identity_of(), identity_of("other/demo")], "2 publishers: github:acme/demo, github:other/demo"),
    ([identity_of(repository_id="7"), identity_of(repository_id="8")],
     "2 repositories, one after the other, under the name of acme/demo"),
    ([google("build@acme.example"), identity_of()], "2 publishers: github:acme/demo, google:build@acme.example"),
    ([google("any*@acme.example")], "no pattern can name google:any*@acme.example"),
    ([google("")], "no pattern can name google:"),
]  # fmt: skip


@pytest.mark.parametrize(("signers", "reason"), NOT_SHARED)
def test_why_there_is_no_pattern(signers: list[SigningIdentity], reason: str) -> None:
    assert shared_by(signers) == reason
    found = suggested({str(n): by(signers[n % len(signers)]) for n in range(1, 4)})
    assert isinstance(found, LeftOut)
    assert found.reason == reason


def test_a_part_that_no_pattern_can_hold_is_left_out_of_it() -> None:
    uri = "https://gitlab.com/acme/demo"
    at = "refs/tags/v1"
    odd: dict[str, Any] = {"forge": Forge.GITLAB, "issuer": "https://gitlab.com", "repository": uri, "ref": at}
    signer = SigningIdentity(**odd, workflow=f"{uri}//ci @refs/x.yml@{at}")
    assert signer.pattern_workflow == "ci @refs/x.yml"
    assert str(shared_by([signer])) == "gitlab:acme/demo"


def test_projects_of_one_publisher_share_a_rule() -> None:
    releases = {str(number): by() for number in range(1, 4)}
    mine = suggested(releases)
    other = suggested({str(number): by(identity_of("a/b")) for number in range(1, 4)})
    assert isinstance(mine, Suggested)
    assert isinstance(other, Suggested)
    found = proposals([mine, other, mine])
    assert [(str(one.publisher), len(one.projects)) for one in found] == [
        ("github:a/b@release.yml", 1),
        ("github:acme/demo@release.yml", 2),
    ]
