"""How many of the files that were given are attested: each once, and what cannot be told is told as such."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from inbond.gateway.coverage import MAX_PROJECTS, UNTOLD, Coverage
from inbond.gateway.upstream_answers import LastAnswers, UpstreamAnswers
from inbond.model.events import DownloadChanged, UpstreamRequest
from inbond.model.names import Filename, ProjectName
from inbond.model.overview import LetThrough
from sim.attested import attested_files
from sim.index import SimIndex
from stack import SetClock, inbond, sigstore

PAST = datetime.now(UTC) - timedelta(days=100)


def given(project: str, filename: str, *, index: str = "root", upstream: str = "pypi") -> LetThrough:
    return LetThrough(
        index=index, upstream=upstream, project=ProjectName(project), filename=Filename(filename), last_at=PAST
    )


async def test_each_file_counts_once_by_what_is_known_of_it(tmp_path: Path) -> None:
    async with SimIndex() as index:
        plain = index.add_wheel("demo", "1.0", upload_time=PAST)
        good, unasked = attested_files(index, sigstore(), "demo", ["2.0", "3.0"], uploaded=PAST, signed=PAST)
        async with inbond(tmp_path, index) as proxy:
            await proxy.verdict("demo", good.filename)
            base = proxy.up.parts.base
            coverage = Coverage(base.pages, base.evidence, frozenset(base.upstreams))
            files = [given("demo", file.filename) for file in (plain, good, unasked)]
            asked = index.count("page")
            found = await coverage.of(
                [
                    *files,
                    given("demo", plain.filename, index="other"),
                    given("demo", "demo-9.0-py3-none-any.whl"),
                    given("never", "never-1.0.tar.gz"),
                    given("gone", "gone-1.0.tar.gz", upstream="removed"),
                ]
            )
            assert index.count("page") == asked  # nobody is asked for it
    assert {word: count for word, count in found.items() if count} == {
        "absent": 1, "verified": 1, "pending": 1, UNTOLD: 3,
    }  # fmt: skip
    assert sum(found.values()) == 6


async def test_of_more_projects_than_are_looked_at_the_rest_is_not_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=PAST)
        async with inbond(tmp_path, index) as proxy:
            await proxy.page("demo")
            base = proxy.up.parts.base
            coverage = Coverage(base.pages, base.evidence, frozenset(base.upstreams))
            others = [given(f"p{number}", f"p{number}-1.0.tar.gz") for number in range(MAX_PROJECTS)]
            late = await coverage.of([*others, given("demo", wheel.filename)])
            early = await coverage.of([given("demo", wheel.filename), *others])
    assert (late["absent"], late[UNTOLD]) == (0, MAX_PROJECTS + 1)
    assert (early["absent"], early[UNTOLD]) == (1, MAX_PROJECTS)


def test_last_answers_are_remembered_by_upstream_and_kind() -> None:
    clock = SetClock()
    answers = UpstreamAnswers(clock)
    for upstream, kind, outcome in (
        ("pypi", "page", "ok"),
        ("pypi", "page", "not-modified"),
        ("pypi", "page", "timeout"),
        ("pypi", "page", "cancelled"),
        ("pypi", "file", "refused"),
        ("own", "page", "not-found"),
    ):
        answers(UpstreamRequest(upstream=upstream, kind=kind, outcome=outcome, seconds=0.25))
    answers(DownloadChanged(change=1))
    found = answers.of("pypi")
    assert list(found) == ["file", "page"]
    assert (found["page"].answers, found["page"].failures, found["page"].failure) == (2, 1, "timeout")
    assert (found["file"].answers, found["file"].answered_at, found["file"].failure) == (0, None, "refused")
    assert answers.of("own")["page"].seconds == 0.25
    assert answers.of("nobody") == {}
    assert LastAnswers().failed_at is None
