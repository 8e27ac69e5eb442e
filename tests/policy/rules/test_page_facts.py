"""The rules that need nothing but the page: status, yanked, sdists, hashes."""

from __future__ import annotations

import pytest

from inbond.model.page import Status
from inbond.model.verdict import Decision, Finding, Outcome
from inbond.policy.rules import hashes, sdists, status, yanked
from inbond.policy.settings import Hashes, Presence
from policy.cases import DIGEST, case_of, file_of, page_of, policy, verdict_on


def marked(marker: Status | str, reason: str | None = None) -> Finding | None:
    return status.judge(case_of(page=page_of(file_of(), status=marker, status_reason=reason)))


def test_a_quarantined_project_is_denied_with_the_reason_of_the_index() -> None:
    found = marked(Status.QUARANTINED, "the account\nwas taken over ☠")

    assert found is not None
    assert found.outcome is Outcome.DENY
    assert found.message == "the index has marked the project quarantined: the account was taken over ?"
    assert found.remedy


@pytest.mark.parametrize("marker", [Status.ARCHIVED, Status.DEPRECATED])
def test_archived_and_deprecated_projects_are_warned_of(marker: Status) -> None:
    found = marked(marker)

    assert found is not None
    assert (found.outcome, found.message) == (Outcome.WARN, f"the index has marked the project {marker}")


@pytest.mark.parametrize("marker", [Status.ACTIVE, "sleeping"])
def test_other_markers_say_nothing(marker: Status | str) -> None:
    assert marked(marker) is None


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (True, "yanked by its maintainers, without a reason"),
        ("", "yanked by its maintainers, without a reason"),
        ("breaks\r\nX-Evil: 1", "yanked by its maintainers: breaks X-Evil: 1"),
    ],
)
def test_yanked_files_are_denied_where_the_policy_wants_none(mark: bool | str, message: str) -> None:
    found = yanked.judge(case_of(file_of(yanked=mark), settings=policy(yanked=Presence.DENY)))

    assert found is not None
    assert (found.outcome, found.message) == (Outcome.DENY, message)
    assert found.remedy


def test_yanked_files_pass_by_default() -> None:
    case = case_of(file_of(yanked="broken"))

    assert not yanked.applies(case.shared)
    assert yanked.judge(case) is None


def test_files_that_are_not_yanked_pass() -> None:
    assert yanked.judge(case_of(file_of(yanked=False), settings=policy(yanked=Presence.DENY))) is None


@pytest.mark.parametrize(
    "filename", ["demo-2.0.tar.gz", "demo-2.0.zip", "demo_2.0.tar.bz2", "demo-2.0.tbz", "demo-2.0-py3.8.egg"]
)
def test_whatever_is_not_a_wheel_is_denied_where_sdists_are(filename: str) -> None:
    found = sdists.judge(case_of(file_of(filename), settings=policy(sdists=Presence.DENY)))

    assert found is not None
    assert found.outcome is Outcome.DENY
    assert found.remedy


def test_wheels_pass_where_sdists_are_denied() -> None:
    assert sdists.judge(case_of(file_of(), settings=policy(sdists=Presence.DENY))) is None


def test_sdists_pass_by_default() -> None:
    case = case_of(file_of("demo-2.0.tar.gz"))

    assert not sdists.applies(case.shared)
    assert sdists.judge(case) is None


@pytest.mark.parametrize("digests", [{}, {"md5": "0" * 32}, {"sha256": "short"}, {"sha256": "G" * 64}])
def test_a_file_without_a_usable_sha256_is_denied(digests: dict[str, str]) -> None:
    found = hashes.judge(case_of(file_of(hashes=digests)))

    assert found is not None
    assert found.outcome is Outcome.DENY
    assert found.remedy


def test_a_remembered_digest_does_not_stand_for_one_of_the_page() -> None:
    found = hashes.judge(case_of(file_of(hashes={}, remembered=DIGEST)))

    assert found is not None
    assert found.outcome is Outcome.DENY


@pytest.mark.parametrize(
    ("remembered", "said"), [(None, "of the first download will count"), (DIGEST, "remembered here counts")]
)
def test_where_no_digest_is_asked_for_its_lack_is_warned_of(remembered: str | None, said: str) -> None:
    case = case_of(file_of(hashes={"md5": "0" * 32}, remembered=remembered), settings=policy(hashes=Hashes.ALLOW))
    found = hashes.judge(case)

    assert found is not None
    assert found.outcome is Outcome.WARN
    assert said in found.message
    assert found.remedy


@pytest.mark.parametrize("asked", list(Hashes))
def test_a_file_with_a_sha256_passes(asked: Hashes) -> None:
    assert hashes.judge(case_of(settings=policy(hashes=asked))) is None


@pytest.mark.parametrize("audit", ["hashes", "*"])
def test_audit_does_not_relax_digests(audit: str) -> None:
    verdict = verdict_on(file_of(hashes={}), settings=policy(audit=frozenset({audit})))

    assert verdict.decision is Decision.DENY
    assert verdict.would is None
