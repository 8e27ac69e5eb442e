from __future__ import annotations

import pytest

from inbond.policy.build_events import EVENTS, parse_trigger
from inbond.policy.rules import pull_requests


@pytest.mark.parametrize("text", ["pull_request_target", "workflow_run", "merge_request_event", "push", "dynamic"])
def test_an_event_is_a_word_of_a_forge(text: str) -> None:
    assert parse_trigger(text) == text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("pull_request_taget", "did you mean 'pull_request_target'?"),
        ("Push", "did you mean 'push'?"),
        ("pull-request", "did you mean 'pull_request'?"),
        ("merge_request", "did you mean 'merge_request_event'?"),
        ("", "write for example 'pull_request_target'"),
        ("*", "write for example 'pull_request_target'"),
    ],
)
def test_a_word_of_no_forge_would_be_refused_in_vain(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match="is no event of GitHub or GitLab") as refused:
        parse_trigger(text)

    assert str(refused.value).endswith(hint)


def test_the_events_of_pull_requests_are_known() -> None:
    assert pull_requests._TRIGGERS <= EVENTS
