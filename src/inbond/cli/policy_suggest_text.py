"""Proposed rules: as part of a configuration, with what they rest on as comments, and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any, Final

from inbond.cli.config_show import literal
from inbond.cli.policy_suggest_run import Suggestions
from inbond.model.text import counted, printable
from inbond.policy.rule import stamp
from inbond.reporting.suggestions import RELEASES, LeftOut, Proposal
from inbond.web.verdict_json import timestamp

VERSION: Final = 1
WIDTH: Final = 118  # characters of a comment


def as_toml(found: Suggestions) -> str:
    """Rules to paste into a configuration, which reads every line of this, with a newline at its end."""
    lines = [*_comment(_headline(found))]
    for proposal in found.proposals:
        lines += ["", *_evidence(proposal), *_rule(found.policy, proposal)]
    if found.left_out:
        lines += ["", *_comment("Left out:")]
        lines += [line for one in found.left_out for line in _comment(f"  {one.project}: {one.reason}")]
    return "\n".join(lines) + "\n"


def _headline(found: Suggestions) -> str:
    projects = sum(len(one.projects) for one in found.proposals)
    number = f"{counted(projects, 'project')} of {projects + len(found.left_out):,}"
    how = ", by the cache alone" if found.offline else ""
    return (
        f"`inbond policy suggest`, index {found.index}, {stamp(found.at)}{how}: {number} had the last {RELEASES} final"
        " releases attested by one publisher. Rules later in a file win over earlier ones."
    )


def _evidence(proposal: Proposal) -> Iterator[str]:
    for one in proposal.projects:
        versions = ", ".join(map(str, one.versions))
        yield from _comment(f"{one.project} {versions}: {counted(one.files, 'file')} verified")


def _rule(policy: str, proposal: Proposal) -> list[str]:
    names = [str(one.project) for one in proposal.projects]
    return [
        f"[[policies.{policy}.rules]]",
        f"projects = {literal(names)}",
        'attestations = "require"',
        f"publishers = {literal([str(proposal.publisher)])}",
    ]


def _comment(text: str) -> list[str]:
    # What an index wrote must not end its line: the next would be configuration.
    return [f"# {line}" for line in textwrap.wrap(printable(text), WIDTH, subsequent_indent="  ")]


def as_json(found: Suggestions) -> str:
    """The same for programs, with a newline at its end. Keys are added, never changed."""
    return f"{json.dumps(_document(found), indent=2)}\n"


def _document(found: Suggestions) -> dict[str, Any]:
    return {
        "version": VERSION,
        "at": timestamp(found.at),
        "index": found.index,
        "policy": found.policy,
        "offline": found.offline,
        "rules": [_proposal(one) for one in found.proposals],
        "left_out": [_left_out(one) for one in found.left_out],
    }


def _proposal(one: Proposal) -> dict[str, Any]:
    return {
        "projects": [str(each.project) for each in one.projects],
        "attestations": "require",
        "publishers": [str(one.publisher)],
        "evidence": [
            {"project": str(each.project), "versions": [str(v) for v in each.versions], "files": each.files}
            for each in one.projects
        ],
    }


def _left_out(one: LeftOut) -> dict[str, Any]:
    return {"project": str(one.project), "reason": one.reason, "told": one.told}
