"""What is worked out of a whole page beforehand, and what of it bears on a file is then at hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from inbond.model.page import File, Page
from inbond.policy.case import PageCase
from inbond.policy.needed import any_compared, is_at_hand, is_prepared, prepare, wheels_beside, wheels_beside_all
from policy.cases import DAY, NOW, OLD, PENDING, file_of, memory_of, page_of, policy

WHEEL, OTHER, SDIST = "demo-1.0-py3-none-any.whl", "demo-1.0-1-py3-none-any.whl", "demo-1.0.tar.gz"
ODD = "other-1.0-py3-none-any.whl"  # a wheel that does not begin with the project's name


def case_of(*files: File) -> PageCase:
    page: Page = page_of(*files)
    settings = policy()
    return PageCase(
        index="root",
        page=page,
        memory=memory_of({file.filename: OLD for file in files}),
        settings=settings,
        project_policy=settings.for_project(page.name),
        now=NOW,
        kept={},
    )


def test_the_wheels_of_a_release_stand_beside_its_sdist() -> None:
    files = [file_of(name) for name in (WHEEL, OTHER, SDIST)]
    shared = case_of(*files)
    assert wheels_beside(shared, files[2]) == files[:2]
    assert wheels_beside(shared, files[0]) == ()
    assert wheels_beside_all(shared, files[:2]) == {}
    (beside,) = wheels_beside_all(shared, files).values()
    assert beside == files[:2]


def test_a_wheel_of_an_odd_name_stands_beside_what_has_its_version() -> None:
    odd, sdist = file_of(ODD), file_of(SDIST)
    shared = case_of(odd, sdist)
    assert wheels_beside_all(shared, [odd]) == {}
    assert [*wheels_beside(shared, sdist)] == ([odd] if shared.page.version_of(odd) else [])


@pytest.mark.parametrize(("name", "old"), [(WHEEL, True), (WHEEL, False), (SDIST, True)])
def test_only_an_old_wheel_is_at_hand_before_the_page_is_prepared(name: str, *, old: bool) -> None:
    file = file_of(name, upload_time=NOW - (timedelta(days=400) if old else DAY))
    shared = case_of(file)
    known = {file.filename: PENDING}
    assert any_compared(shared, [file], known) is not old
    assert is_at_hand(shared, [file], known) is (old and name == WHEEL)
    assert not is_prepared(shared.kept)
    prepare(shared)
    assert is_prepared(shared.kept)
    assert is_at_hand(shared, [file], known)
