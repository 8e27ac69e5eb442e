"""The drawings of the overview, which say nothing that is not in its facts."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from inbond.web.charts import Bar, Part, bars_chart, share_bar, top_of
from inbond.web.overview_facts import Overview

_DAY: Final = timedelta(days=1)

COVERED: Final = {
    "verified": "there, and genuine (verified)",
    "absent": "none (absent)",
    "rejected": "there, but wrong (rejected)",
    "unsupported": "there, but cannot be judged (unsupported)",
    "unavailable": "could not be had (unavailable)",
    "pending": "not looked at (pending)",
    "untold": "cannot be told here any more",
}


def charts_of(facts: Overview) -> dict[str, object]:
    """By name, with the numbers that stand beside them."""
    by_hour = facts.step_seconds < _DAY.total_seconds()
    written = "%Y-%m-%d %H:%M UTC" if by_hour else "%Y-%m-%d"
    answers = [
        Bar(
            label=f"{one.at:{written}}: {one.hit:,} hits, {one.miss:,} misses, {one.stopped:,} stopped,"
            f" {one.failed:,} failed",
            parts=(
                Part(kind="c-hit", value=one.hit),
                Part(kind="c-miss", value=one.miss),
                Part(kind="c-stopped", value=one.stopped),
                Part(kind="c-failed", value=one.failed),
            ),
        )
        for one in facts.traffic
    ]
    coverage, total = facts.coverage, facts.totals
    told = (
        f"From {facts.since:%Y-%m-%d %H:%M} UTC on: {total.hit:,} hits, {total.miss:,} misses, {total.stopped:,}"
        f" stopped, {total.failed:,} failed."
    )
    return {
        "answers": bars_chart("answers", "Answers over time", told, answers),
        "top": top_of(answers),
        "coverage": share_bar(
            "coverage",
            "Files by the state of their evidence",
            f"Of {coverage.files:,} files {coverage.verified:,} are verified, {coverage.absent:,} have no provenance.",
            [Part(kind=f"c-{name}", value=getattr(coverage, name)) for name in COVERED],
        ),
        "covered": [(name, words, getattr(coverage, name)) for name, words in COVERED.items()],
    }
