from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inbond.model.publisher import Forge, Publisher, PublisherPattern, SigningIdentity

GITHUB = SigningIdentity(
    forge=Forge.GITHUB,
    issuer="https://token.actions.githubusercontent.com",
    repository="https://github.com/PyPA/sampleproject",
    repository_id="1",
    workflow="https://github.com/PyPA/sampleproject/.github/workflows/release.yml@refs/tags/v1",
    ref="refs/tags/v1",
    environment="pypi",
)
GITLAB = SigningIdentity(
    forge=Forge.GITLAB,
    issuer="https://gitlab.com",
    repository="https://gitlab.com/group/sub/project",
    workflow="https://gitlab.com/group/sub/project//ci/release.yml@refs/heads/main",
    ref="refs/heads/main",
)
SELF_HOSTED = replace(GITLAB, repository="https://git.acme.example/tools/cli", workflow=None)
# On the public server, in a group that took the name of somebody else's server.
POSING = replace(GITLAB, repository="https://gitlab.com/git.acme.example/tools/cli", workflow=None)
DOTLESS = replace(GITLAB, repository="https://git/tools/cli", workflow=None)
# A GitHub server of one's own.
OWN_GITHUB = replace(
    GITHUB,
    issuer="https://ghes.acme.example/_services/token",
    repository="https://ghes.acme.example/acme/cli",
    workflow="https://ghes.acme.example/acme/cli/.github/workflows/release.yml@refs/tags/v1",
    environment=None,
)
GOOGLE = SigningIdentity(forge=Forge.GOOGLE, issuer="https://accounts.google.com", subject="build@acme.example")
CIRCLECI = SigningIdentity(
    forge=Forge.CIRCLECI,
    issuer="https://oidc.circleci.com/org/x",
    build_signer="https://circleci.com/api/v2/projects/p-1/pipeline-definitions/d-2",
)
OIDC = SigningIdentity(forge=Forge.OIDC, issuer="https://issuer.example", subject="job-7", environment="ignored")


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        (GITHUB, "github:PyPA/sampleproject@release.yml#pypi"),
        (replace(GITHUB, environment=None), "github:PyPA/sampleproject@release.yml"),
        (replace(GITHUB, workflow=None), "github:PyPA/sampleproject#pypi"),
        (replace(GITHUB, repository=None, workflow=None, environment=None), "github:"),
        (OWN_GITHUB, "github:ghes.acme.example/acme/cli@release.yml"),
        (GITLAB, "gitlab:group/sub/project@ci/release.yml"),
        (SELF_HOSTED, "gitlab:git.acme.example/tools/cli"),
        (POSING, "gitlab:gitlab.com/git.acme.example/tools/cli"),
        (DOTLESS, "gitlab:git:443/tools/cli"),
        (replace(GITLAB, repository=None, workflow=None), "gitlab:"),
        (GOOGLE, "google:build@acme.example"),
        (replace(GOOGLE, subject=None), "google:"),
        (CIRCLECI, "circleci:p-1@d-2"),
        (replace(CIRCLECI, build_signer=None, subject=CIRCLECI.build_signer), "circleci:p-1@d-2"),
        (replace(CIRCLECI, build_signer=None), "circleci:"),
        (OIDC, "oidc:https://issuer.example#job-7"),
    ],
)
def test_an_identity_is_written_as_the_pattern_that_names_it(identity: SigningIdentity, text: str) -> None:
    assert str(identity) == text


@pytest.mark.parametrize("identity", [GITHUB, OWN_GITHUB, GITLAB, SELF_HOSTED, POSING, DOTLESS, GOOGLE, CIRCLECI, OIDC])
def test_the_pattern_an_identity_is_written_as_matches_it(identity: SigningIdentity) -> None:
    assert PublisherPattern.parse(str(identity)).matches(identity)


@pytest.mark.parametrize(
    ("pattern", "identity", "expected"),
    [
        ("github:pypa/sampleproject", GITHUB, True),
        ("github:pypa/*", GITHUB, True),
        ("github:pypa/sample*", GITHUB, True),
        ("github:github.com/pypa/*", GITHUB, True),
        ("github:**", OWN_GITHUB, False),
        ("github:acme/cli", OWN_GITHUB, False),
        ("github:ghes.acme.example/acme/cli@release.yml", OWN_GITHUB, True),
        ("github:GHES.acme.example/Acme/*", OWN_GITHUB, True),
        ("github:ghes.acme.example/**", OWN_GITHUB, True),
        ("github:*.acme.example/acme/cli", OWN_GITHUB, True),
        ("github:ghes.acme.example/evil/cli", OWN_GITHUB, False),
        ("github:ghes.evil.example/acme/cli", OWN_GITHUB, False),
        ("oidc:https://ghes.acme.example/_services/token", OWN_GITHUB, False),
        ("github:**", GITHUB, True),
        ("github:evil/sampleproject", GITHUB, False),
        ("github:pypa/sampleproject2", GITHUB, False),
        ("github:pypa/sampleprojec", GITHUB, False),
        ("github:xpypa/sampleproject", GITHUB, False),
        ("gitlab:pypa/sampleproject", GITHUB, False),
        ("github:pypa/sampleproject@release.yml", GITHUB, True),
        ("github:pypa/sampleproject@Release.yml", GITHUB, False),
        ("github:pypa/sampleproject@other.yml", GITHUB, False),
        ("github:pypa/sampleproject@*.yml#pypi", GITHUB, True),
        ("github:pypa/sampleproject#pypi", GITHUB, True),
        ("github:pypa/sampleproject#PyPI", GITHUB, True),
        ("github:pypa/sampleproject#pypi-*", GITHUB, False),
        ("github:pypa/sampleproject#**", GITHUB, True),
        ("github:pypa/sampleproject#**", replace(GITHUB, environment=None), False),
        ("github:pypa/*", replace(GITHUB, repository="https://github.com/pypa/a/b"), False),
        ("github:acme/kit", replace(GITHUB, repository="https://github.com/acme/\N{KELVIN SIGN}it"), False),
        ("github:pypa/sampleproject#pypi", replace(GITHUB, environment=None), False),
        ("github:pypa/sampleproject@release.yml", replace(GITHUB, workflow=None), False),
        ("github:pypa/sample.roject", GITHUB, False),
        ("gitlab:group/*/project", GITLAB, True),
        ("gitlab:group/*", GITLAB, False),
        ("gitlab:group/**", GITLAB, True),
        ("gitlab:group/sub/project@ci/*.yml", GITLAB, True),
        ("gitlab:group/sub/project@*.yml", GITLAB, False),
        ("gitlab:Group/Sub/Project@ci/release.yml", GITLAB, True),
        ("gitlab:group/sub/project@CI/release.yml", GITLAB, False),
        ("gitlab:group/sub/project@**.yml", GITLAB, True),
        ("gitlab:group/sub/project@ci/release.yml#live", replace(GITLAB, environment="live"), True),
        ("gitlab:group/sub/project#Live", replace(GITLAB, environment="live"), False),
        ("gitlab:gitlab.com/group/sub/project", GITLAB, True),
        ("gitlab:git.acme.example/**", SELF_HOSTED, True),
        ("gitlab:Git.Acme.example/tools/*", SELF_HOSTED, True),
        ("gitlab:*.acme.example/tools/cli", SELF_HOSTED, True),
        ("gitlab:acme.example/**", SELF_HOSTED, False),
        ("gitlab:**", SELF_HOSTED, False),
        ("gitlab:**", GITLAB, True),
        ("gitlab:git.acme.example/**", POSING, False),
        ("gitlab:*.acme.example/tools/cli", POSING, False),
        ("gitlab:gitlab.com/git.acme.example/**", POSING, True),
        ("gitlab:git/tools/cli", DOTLESS, False),
        ("gitlab:git:443/tools/cli", DOTLESS, True),
        ("google:*@acme.example", GOOGLE, True),
        ("google:Build@ACME.example", GOOGLE, True),
        ("google:build@acme.example", replace(GOOGLE, subject=None), False),
        ("google:*@acme.example", replace(GOOGLE, subject="build@acme.example.evil.example"), False),
        ("circleci:p-1", CIRCLECI, True),
        ("circleci:P-1", CIRCLECI, False),
        ("circleci:p-1@d-*", CIRCLECI, True),
        ("circleci:p-1@D-2", CIRCLECI, False),
        ("circleci:p-2@d-2", CIRCLECI, False),
        ("circleci:p-1#live", CIRCLECI, False),
        ("oidc:https://issuer.example", OIDC, True),
        ("oidc:https://issuer.example#job-*", OIDC, True),
        ("oidc:https://issuer.example#JOB-7", OIDC, False),
        ("oidc:https://issuer.example/", OIDC, False),
        ("oidc:https://ISSUER.example", OIDC, False),
        ("oidc:https://*.example#job-7", OIDC, True),
        ("oidc:https://issuer.example#ignored", OIDC, False),
        ("oidc:https://issuer.example#**", replace(OIDC, subject=None), False),
        ("oidc:https://gitlab.com", GITLAB, False),
    ],
)
def test_a_pattern_matches_what_the_certificate_proves_and_nothing_else(
    pattern: str, identity: SigningIdentity, expected: bool
) -> None:
    assert PublisherPattern.parse(pattern).matches(identity) is expected


@pytest.mark.parametrize(
    "text",
    ["", "github", "github:", "github:@x", "github:#x", "gitlab:@x", "oidc:#x", "sourcehut:a/b", "pypa/sampleproject"],
)
def test_what_names_nobody_is_refused_with_what_is_missing(text: str) -> None:
    with pytest.raises(ValueError, match=r"names nobody|does not begin with a kind of publisher"):
        PublisherPattern.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "github:acme/widgets@", "github:acme/widgets#", "github:acme/widgets@#", "github:acme/widgets@release.yml#",
        "gitlab:acme/tools@", "circleci:p-1@", "oidc:https://issuer.example#",
    ],
)  # fmt: skip
def test_a_part_that_is_empty_does_not_stand_for_any(text: str) -> None:
    with pytest.raises(ValueError, match=r"has nothing behind '[@#]': name it, or leave '[@#]' out for any"):
        PublisherPattern.parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("github:acme", r"no repository is named so; write 'github:owner/repo', or 'github:owner/\*'"),
        ("github:acme/", "no repository is named so"),
        ("github:*", "no repository is named so"),
        ("github:acme/tools/widgets", "no repository is named so"),
        ("github:ghes.acme.example", "no repository is named so"),
        ("github:ghes.acme.example/acme", "no repository is named so"),
        ("gitlab:git.acme.example", "no repository is named so; write 'gitlab:owner/repo'"),
        ("gitlab:group", "no repository is named so"),
        ("google:build", "no account is named so; write its e-mail address"),
        ("github: acme/widgets", "no name has a space in it"),
        ("circleci:p 1", "no name has a space in it"),
        ("github:acme/widgets@release.yml@refs/tags/v1", "the name of the workflow's file alone"),
        ("github:acme/widgets@.github/workflows/release.yml", "the name of the workflow's file alone"),
        ("gitlab:acme/widgets@ci.yml@refs/heads/main", "the path of the workflow's file alone"),
        ("github:acme/widgets@ release.yml", "begins or ends with a space"),
    ],
)
def test_what_can_match_nobody_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        PublisherPattern.parse(text)


def test_an_account_may_be_a_pattern() -> None:
    assert PublisherPattern.parse("google:build-*").subject == "build-*"


@pytest.mark.parametrize(
    "text",
    ["gitlab:**.acme.example/tools", "gitlab:git.**/tools", "gitlab:**:443/tools", "github:**.acme.example/acme/cli"],
)
def test_the_name_of_a_host_reaches_no_further_than_a_host(text: str) -> None:
    with pytest.raises(ValueError, match=r"'\*\*' would reach beyond it; write '\*'"):
        PublisherPattern.parse(text)


def test_only_forges_with_workflows_split_at_the_at_sign() -> None:
    assert PublisherPattern.parse("google:a@b.example").subject == "a@b.example"
    assert PublisherPattern.parse("oidc:https://u@issuer.example#s").subject == "https://u@issuer.example"
    assert PublisherPattern.parse("github:a/b@w.yml").workflow == "w.yml"


parts = st.text("abc.*-", min_size=1, max_size=8)


@given(st.sampled_from(Forge), parts, parts, st.none() | parts, st.none() | parts)
def test_patterns_and_publishers_are_written_as_they_are_read(
    forge: Forge, owner: str, name: str, workflow: str | None, environment: str | None
) -> None:
    if forge in {Forge.GOOGLE, Forge.OIDC}:
        workflow = None
    assume("." not in owner)  # no host
    subject = f"{owner}@{name}" if forge is Forge.GOOGLE else f"{owner}/{name}"
    pattern = PublisherPattern(forge=forge, subject=subject, workflow=workflow, environment=environment)
    assert PublisherPattern.parse(str(pattern)) == pattern
    publisher = Publisher(forge=forge, subject=subject, workflow=workflow, environment=environment)
    assert str(publisher) == str(pattern)


@given(st.text(max_size=20))
def test_a_pattern_without_wildcards_matches_only_itself(subject: str) -> None:
    identity = replace(OIDC, issuer=subject)
    pattern = PublisherPattern(forge=Forge.OIDC, subject="https://issuer.example")
    assert pattern.matches(identity) == (subject == "https://issuer.example")
