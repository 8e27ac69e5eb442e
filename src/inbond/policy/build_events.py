"""What starts a build, as certificates name it (.20). A list, as a word that no forge knows would be refused in vain.

Those that a forge invents later must be added. Sources: GitHub's "Events that trigger workflows", with `dynamic`, by
which GitHub itself starts some, and those that it took back; GitLab's `CI_PIPELINE_SOURCE`.
"""

from __future__ import annotations

import difflib
from typing import Final

_GITHUB: Final = frozenset({
    "branch_protection_rule", "check_run", "check_suite", "create", "delete", "deployment", "deployment_status",
    "discussion", "discussion_comment", "dynamic", "fork", "gollum", "image_version", "issue_comment", "issues",
    "label", "member", "merge_group", "milestone", "page_build", "project", "project_card", "project_column", "public",
    "pull_request", "pull_request_comment", "pull_request_review", "pull_request_review_comment",
    "pull_request_target", "push", "registry_package", "release", "repository_dispatch", "schedule", "status", "watch",
    "workflow_call", "workflow_dispatch", "workflow_run",
})  # fmt: skip
_GITLAB: Final = frozenset({
    "api", "chat", "container_registry_push", "duo_workflow", "external", "external_pull_request_event",
    "merge_request_event", "ondemand_dast_scan", "ondemand_dast_validation", "parent_pipeline", "pipeline",
    "pipeline_execution_policy_schedule", "push", "schedule", "security_orchestration_policy", "trigger", "unknown",
    "web", "webide",
})  # fmt: skip
EVENTS: Final = _GITHUB | _GITLAB


def parse_trigger(text: str) -> str:
    """An event that starts a build, checked. Raises ValueError for what no forge calls one."""
    if text in EVENTS:
        return text
    near = difflib.get_close_matches(text.lower(), sorted(EVENTS), n=1)
    hint = f"did you mean {near[0]!r}?" if near else "write for example 'pull_request_target'"
    raise ValueError(f"{text!r} is no event of GitHub or GitLab that starts a build: {hint}")
