"""Which `[[access.ci]]` entries name whose jobs they let in."""

from __future__ import annotations

import pytest

from inbond.access.identifying import is_exact, is_identified, says_nothing


@pytest.mark.parametrize(
    ("pattern", "nothing", "exact"),
    [("*", True, False), ("**", True, False), ("***", True, False), ("*/*", True, False), ("**/*/", True, False),
     ("acme/*", False, False), ("acme", False, True), ("[*]", False, True), ("[*]*", False, False)],
)  # fmt: skip
def test_patterns_that_keep_nobody_out_are_told_from_others(pattern: str, *, nothing: bool, exact: bool) -> None:
    assert (says_nothing(pattern), is_exact(pattern)) == (nothing, exact)


@pytest.mark.parametrize(
    ("claim", "pattern", "identified"),
    [
        ("repository", "acme/widgets", True),
        ("repository", "acme/*", True),
        ("repository", "acme/wid*", True),
        ("repository", "acme*", False),
        ("repository", "*/widgets", False),
        ("repository", "/*/widgets", False),
        ("repository_owner", "acme", True),
        ("repository_owner_id", "7*", False),
        ("sub", "repo:acme/widgets:ref:refs/heads/main", True),
        ("sub", "repo:acme/**", True),
        ("sub", "repo:**", False),
        ("sub", "repo:/*", False),
        ("sub", "system:serviceaccount:ci:*", True),
        ("ref", "refs/heads/main", False),
        ("environment", "production", False),
        ("event_name", "push", False),
        ("job_workflow_ref", "acme/flows/.github/workflows/x.yml@main", False),  # anybody may call it
    ],
)
def test_an_entry_is_identified_by_a_whole_owner_in_a_claim_that_says_whose_it_is(
    claim: str, pattern: str, *, identified: bool
) -> None:
    assert is_identified({claim: pattern}) is identified
    assert is_identified({claim: pattern, "actor": "ada"}) is identified


def test_without_claims_nobody_is_named() -> None:
    assert not is_identified({})
