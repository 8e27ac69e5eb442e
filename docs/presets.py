"""Writes docs/presets.md: what each preset stops and what it costs, as measured.

    make presets

Judges the situations of tests/policy/situations.py under each preset, by the rules that serve.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from inbond.cli.config import load_config
from inbond.model.units import format_duration
from inbond.policy.settings import PolicySettings
from policy.situations import Situation, held_for, situations, warned

ABOUT = {
    "baseline": (
        "everybody: what inbond does without configuration",
        "denies what is certainly wrong, holds what looks wrong for a week and everything young for a day",
    ),
    "team": (
        "a company that can wait a little",
        "two weeks and three days instead; critical vulnerabilities are denied",
    ),
    "strict": (
        "where only attested wheels are wanted, and somebody answers for exceptions",
        "nothing that looks wrong ends by waiting: a pin or a waiver lifts it",
    ),
    "airgap": (
        "what was carried in",
        "nothing is held, and nothing found out before the next import; the waiting was done outside",
    ),
}
HEAD = """\
# Presets

A preset is a policy that comes with inbond: `inbond serve --policy team`, or `policy = "team"` under `[indexes.NAME]`.
A configuration may change single keys of it, under `[policies.team]`. A policy of your own with the name of a preset
starts from that preset.

{presets}

From `baseline` over `team` to `strict` each is at least as strict as the one before. `airgap` is `baseline` with
denials in place of its holds, but for the cooldown: what was carried in has waited where it was fetched.
That an internal name is not served by strangers is no matter of policy: see [names.md](names.md).

What follows is measured, not meant: each situation is judged by the rules that serve (`make presets` writes this page,
and a test compares it). A release 2.5 of a project is asked for, after five that came two months apart; it is two days
old unless it says otherwise. Times are from that moment on. Advisories count where some are configured.
"""
ATTACKS = "\n## What each stops\n"
COSTS = """
## What each costs

The same for what is no attack. *denied* means until somebody decides: `inbond waive`, `inbond pins`, or a key of the
policy for that project.
"""


def main() -> None:
    """Writes the page."""
    (HERE / "presets.md").write_text(document())
    print(f"wrote {HERE / 'presets.md'}")


def document() -> str:
    """The page."""
    every = list(situations())
    attacks, costs = ([one for one in every if one.attack is attack] for attack in (True, False))
    rows = [f"| [`{name}`](../config/{name}.toml) | {whom} | {what} |" for name, (whom, what) in ABOUT.items()]
    head = HEAD.format(presets="\n".join(["| preset | for whom | in short |", "|---|---|---|", *rows]))
    return "\n".join([head + ATTACKS, *table(attacks), COSTS, *table(costs), ""])


def table(rows: Iterable[Situation]) -> list[str]:
    """A row for each situation, a column for each preset."""
    policies = [settings_of(name) for name in ABOUT]
    head = [f"| | {' | '.join(f'`{name}`' for name in ABOUT)} |", f"|---|{'---|' * len(ABOUT)}"]
    return [*head, *(f"| {row.name} | {' | '.join(outcome(row, one) for one in policies)} |" for row in rows)]


def settings_of(name: str) -> PolicySettings:
    """The preset as a server has it."""
    return load_config(file=None, overrides={"policy": name}, environ={}).policies[name]


def outcome(situation: Situation, settings: PolicySettings) -> str:
    """`allowed`, `allowed, told`, `held 3d` or `denied`, with the rule that decides."""
    verdict = situation.verdict(settings)
    if verdict.allowed:
        return "allowed, told" if warned(verdict) else "allowed"
    held = held_for(situation, settings)
    deciding = verdict.deciding
    rule = f" ({deciding.rule})" if deciding is not None else ""
    if held is None:
        return f"denied{rule}" if not verdict.expires_at else f"held until it is clear{rule}"
    return f"held {shown(held)}{rule}"


def shown(held: timedelta) -> str:
    """In days and hours."""
    return format_duration(timedelta(hours=round(held.total_seconds() / 3600)))


if __name__ == "__main__":
    main()
