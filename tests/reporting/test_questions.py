from __future__ import annotations

from check.support import dependency, lock
from inbond.locks.lock import FromDirectory, LockedFile, Place
from inbond.model.names import Filename, ProjectName
from inbond.reporting.fates import Fate, Untold
from inbond.reporting.questions import Interest, Question, answers, questions, unknown
from policy.cases import file_of, page_of
from reporting.support import fate, found, row

WHEEL, SDIST, OLD = Filename("demo-2.0-py3-none-any.whl"), Filename("demo-2.0.tar.gz"), Filename("demo-1.0.tar.gz")
DIGEST = "c" * 64
PAGE = page_of(file_of(WHEEL), file_of(SDIST, hashes={"sha256": DIGEST}), file_of(OLD))
PASSES, STOPS = fate(), fate(found())
BEFORE = dict.fromkeys((WHEEL, SDIST, OLD), PASSES)
AFTER = {**BEFORE, OLD: STOPS}


def locked_as(**names: object) -> LockedFile:
    fields: dict[str, object] = {"place": Place("uv.lock", 3), "digests": {}, "filename": None, **names}
    return LockedFile(**fields)  # type: ignore[arg-type]


def test_each_project_is_asked_about_once() -> None:
    rows = [
        row(WHEEL, client="192.0.2.1", count=2),
        row(WHEEL, client="", count=3),
        row(WHEEL, client="192.0.2.2"),
        row("other-1.0.tar.gz"),
    ]
    own = dependency("app", source=FromDirectory(".", own=True))
    entries = [dependency("demo", "2.0"), dependency("locked", "1.0"), own]
    found_ = questions(rows, [lock(*entries[:1]), lock(*entries[1:])])
    assert [one.project for one in found_] == ["demo", "locked", "other"]
    assert found_[0].asked == {WHEEL: Interest(clients=frozenset({"192.0.2.1", "192.0.2.2"}), times=6)}
    assert found_[0].locked == (entries[0],)
    assert found_[1].asked == {}


def meant(*entries: object, everything: bool = False, asked: tuple[Filename, ...] = ()) -> list[str | None]:
    question = Question(
        project=ProjectName("demo"),
        asked=dict.fromkeys(asked, Interest(times=1)),
        locked=tuple(entries),  # type: ignore[arg-type]
    )
    return [one.filename for one in answers(question, PAGE, BEFORE, AFTER, everything=everything)]


def test_an_entry_of_a_lock_means_its_files_by_name_or_digest_or_its_release() -> None:
    assert meant(dependency("demo", "2.0", [locked_as(filename=WHEEL)])) == [WHEEL]
    assert meant(dependency("demo", "2.0", [locked_as(digests={"sha256": DIGEST})])) == [SDIST]
    assert meant(dependency("demo", "2.0")) == [WHEEL, SDIST]
    assert meant(dependency("demo", "2.0"), asked=(SDIST, OLD)) == [SDIST, OLD, WHEEL]
    assert meant(asked=(SDIST,), everything=True) == [SDIST, WHEEL, OLD]


def test_an_entry_that_means_no_file_cannot_be_told() -> None:
    entries = (dependency("demo", specifier=">=1"), dependency("demo", "9.0"))
    question = Question(project=ProjectName("demo"), locked=entries)
    open_, gone = answers(question, PAGE, BEFORE, AFTER)
    assert open_.before == Untold(reason="the lock leaves its version open")
    assert gone.before == Untold(reason="the page in the cache lists no file of what the lock names")
    assert (open_.version, gone.version, gone.filename) == (None, "9.0", None)


def test_a_file_that_is_not_listed_any_more_cannot_be_told() -> None:
    question = Question(project=ProjectName("demo"), asked={Filename("demo-0.9.tar.gz"): Interest(times=2)})
    (one,) = answers(question, PAGE, BEFORE, AFTER)
    assert isinstance(one.after, Untold)
    assert (one.version, one.times) == ("0.9", 2)


def test_both_policies_answer() -> None:
    question = Question(project=ProjectName("demo"), asked={OLD: Interest()})
    (one,) = answers(question, PAGE, BEFORE, AFTER)
    assert isinstance(one.before, Fate)
    assert (one.before, one.after) == (PASSES, STOPS)


def test_without_a_page_nothing_can_be_told() -> None:
    question = Question(
        project=ProjectName("demo"), asked={OLD: Interest(times=1)}, locked=(dependency("demo", "2.0"),)
    )
    file, entry = unknown(question)
    assert isinstance(file.before, Untold)
    assert "not in the cache" in file.before.reason
    assert (file.filename, entry.filename, entry.version) == (OLD, None, "2.0")
    unreadable = Question(project=ProjectName("demo"), asked={Filename("demo.egg"): Interest()})
    assert unknown(unreadable)[0].version is None
