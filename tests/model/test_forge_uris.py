from __future__ import annotations

import pytest

from inbond.model.forge_uris import (
    GITHUB_HOST,
    GITLAB_HOST,
    after_host,
    circleci_pipeline,
    circleci_project,
    host_and_owner,
    may_name_project,
    names_host,
    project_at,
    with_host,
)

SIGNER = "https://circleci.com/api/v2/projects/p-1/pipeline-definitions/d-2"


def test_circleci_ids_are_cut_from_the_signers_address() -> None:
    assert circleci_project(SIGNER) == "p-1"
    assert circleci_pipeline(SIGNER) == "d-2"
    assert circleci_project("https://circleci.com/projects") == ""
    assert circleci_pipeline("https://circleci.com/projects/p-1") is None


@pytest.mark.parametrize(
    ("uri", "project"),
    [
        ("https://gitlab.com/group/sub/project", "group/sub/project"),
        ("https://gitlab.com/git.acme.example/project", "gitlab.com/git.acme.example/project"),
        ("https://gitlab.com/group/git.acme.example", "group/git.acme.example"),
        ("https://git.acme.example/group/project", "git.acme.example/group/project"),
        ("https://git:8443/group/project", "git:8443/group/project"),
        ("https://git/group/project", "git:443/group/project"),
        ("https://gitlab.com", ""),
        ("", ""),
    ],
)
def test_no_two_projects_of_a_forge_have_one_name(uri: str, project: str) -> None:
    assert project_at(uri, public=GITLAB_HOST) == project
    at_github = uri.replace(GITLAB_HOST, GITHUB_HOST)
    assert project_at(at_github, public=GITHUB_HOST) == project.replace(GITLAB_HOST, GITHUB_HOST)
    if project:
        assert f"https://{with_host(project, public=GITLAB_HOST)}" == uri.replace("//git/", "//git:443/")


@pytest.mark.parametrize(
    "pattern", ["a/b", "a/*", "*/b", "**", "a**", "a/**", "git.example/a/b", "git.example/**", "x:1/*/b"]
)
def test_a_pattern_that_may_name_a_project(pattern: str) -> None:
    assert may_name_project(pattern, public=GITHUB_HOST, deepest=2)


@pytest.mark.parametrize("pattern", ["a", "*", "a/", "/b", "git.example", "git.example/a", "git.example/**/", "a//**"])
def test_a_pattern_that_can_name_none(pattern: str) -> None:
    assert not may_name_project(pattern, public=GITLAB_HOST, deepest=None)


def test_only_groups_lie_in_groups() -> None:
    for pattern in ("a/b/c", "a/**/c", "git.example/a/b/c"):
        assert may_name_project(pattern, public=GITLAB_HOST, deepest=None)
        assert not may_name_project(pattern, public=GITHUB_HOST, deepest=2)


def test_a_host_has_a_dot_or_a_port() -> None:
    assert names_host("git.acme.example/group/project")
    assert names_host("git:443/group")
    assert not names_host("group/with.dot")


def test_paths_and_owners_are_cut_from_uris() -> None:
    assert after_host("https://github.com/acme/widgets") == "acme/widgets"
    assert after_host("https://github.com") == ""
    assert host_and_owner("https://GitHub.com/Acme/widgets/.github/x.yml@main") == ("github.com", "acme")
    assert host_and_owner("") == ("", "")
