"""Which file of a page will probably be asked for next, and how much may be spent on such guesses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from inbond.gateway.likely import Likely, newest_files
from inbond.gateway.spending import Spending
from inbond.model.events import FileAsked, UpstreamHeld
from inbond.model.history import Asked
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File, Page
from inbond.model.verdict import Decision, Finding, Outcome, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALLOWED = Verdict.of([])
DENIED = Verdict.of([Finding(rule="deny", outcome=Outcome.DENY, message="no", remedy=None)])
LINUX, MAC = "demo-2.0-cp311-cp311-manylinux_2_17_x86_64.whl", "demo-2.0-cp311-cp311-macosx_11_0_arm64.whl"


def page_of(*names: str, **yanked: str) -> Page:
    files = tuple(
        File(filename=Filename(name), url=f"https://files.example/{name}", yanked=yanked.get(name[:8], False))
        for name in names
    )
    return Page(name=ProjectName("demo"), files=files)


def chosen(likely: Likely, page: Page, *denied: str) -> str | None:
    verdicts = {file.filename: DENIED if file.filename in denied else ALLOWED for file in page.files}
    file = likely.file(page, verdicts)
    return None if file is None else str(file.filename)


def asked(filename: str, *, metadata: bool = False) -> FileAsked:
    return FileAsked(
        asked=Asked(
            at=NOW, index="root", upstream="pypi", project=ProjectName("other"), filename=Filename(filename),
            version="1", sha256=None, client="", metadata=metadata, decision=Decision.ALLOW, would=Decision.ALLOW,
            rule="", code="", message="",
        )
    )  # fmt: skip


def test_it_is_a_wheel_of_the_newest_allowed_release() -> None:
    page = page_of("demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl", "demo-2.0.tar.gz", "demo-3.0rc1.tar.gz")
    assert chosen(Likely(), page) == "demo-2.0-py3-none-any.whl"
    assert chosen(Likely(), page, "demo-2.0-py3-none-any.whl") == "demo-2.0.tar.gz"
    assert chosen(Likely(), page, "demo-2.0-py3-none-any.whl", "demo-2.0.tar.gz") == "demo-1.0-py3-none-any.whl"
    assert chosen(Likely(), page_of("demo-3.0rc1.tar.gz")) == "demo-3.0rc1.tar.gz"


def test_what_is_yanked_or_of_no_version_is_never_it() -> None:
    page = page_of("demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl", **{"demo-2.0": "broken"})
    assert chosen(Likely(), page) == "demo-1.0-py3-none-any.whl"
    assert chosen(Likely(), page_of("demo-1.0.exe", "whatever.zip")) is None
    assert newest_files(page_of(), {}) == ()


def test_of_many_platforms_it_is_the_one_that_was_asked_for_last() -> None:
    likely, page = Likely(), page_of(LINUX, MAC)
    assert chosen(likely, page) is None
    likely.heard(asked(LINUX.replace("demo-2.0", "other-1")))
    assert chosen(likely, page) == LINUX
    likely.heard(asked(MAC.replace("demo-2.0", "other-1")))
    likely.heard(asked("other-1.tar.gz"))
    likely.heard(UpstreamHeld(upstream="pypi", kind="page", change=1))
    assert chosen(likely, page) == MAC
    assert chosen(Likely(), page_of(LINUX, "demo-2.0-py3-none-any.whl")) == "demo-2.0-py3-none-any.whl"
    assert chosen(Likely(), page_of(LINUX)) == LINUX


def test_core_metadata_is_wanted_until_it_was_had_for_nothing_often_enough() -> None:
    likely = Likely()
    for _ in range(16):
        assert bool(likely.metadata)
        likely.metadata.had()
    assert not likely.metadata
    likely.heard(asked("demo-1.0-py3-none-any.whl"))
    assert not likely.metadata
    likely.heard(asked("demo-1.0-py3-none-any.whl", metadata=True))
    assert bool(likely.metadata)


def test_files_are_wanted_until_they_were_had_for_nothing_often_enough() -> None:
    likely = Likely()
    for _ in range(16):
        assert bool(likely.beginnings)
        likely.beginnings.had()
    for _ in range(300):
        assert bool(likely.files)
        likely.files.had()
    likely.heard(asked("demo-1.0-py3-none-any.whl", metadata=True))
    assert not likely.beginnings
    assert not likely.files
    likely.heard(asked("demo-1.0-py3-none-any.whl"))
    assert bool(likely.beginnings)
    assert bool(likely.files)


@pytest.mark.parametrize("later", [timedelta(minutes=1), timedelta(minutes=-1)])
def test_what_is_spent_counts_for_a_minute(later: timedelta) -> None:
    now = [NOW]
    spending = Spending(10, lambda: now[0])
    spending.note(9)
    assert spending.fits(1)
    assert not spending.fits(2)
    assert spending.take(1) is not None
    assert spending.take(1) is None
    now[0] += timedelta(seconds=59)
    assert not spending.fits(1)
    now[0] = NOW + later
    assert spending.fits(10)
    assert not spending.fits(11)


def test_what_was_taken_and_not_needed_is_given_back_to_its_own_minute() -> None:
    now = [NOW]
    spending = Spending(10, lambda: now[0])
    first, second = spending.take(6), spending.take(4)
    assert first is not None
    assert second is not None
    spending.give_back(first, 5)
    assert spending.fits(5)
    assert not spending.fits(6)
    now[0] += timedelta(minutes=1)
    spending.note(1)
    spending.give_back(second, 4)
    assert spending.fits(9)
    assert not spending.fits(10)
