"""Several names bring files of one project: each counts for itself, in whatever order and however often they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from inbond.bundles.manifest import BundledFile, BundledProject, Claimed
from inbond.bundles.manifest_json import decode_project, encode_project
from inbond.mirror.joining import joined
from inbond.model.imports import ImportedProject, newest_first
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File, Page

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DEMO = ProjectName("demo")
NAMES = [Filename(f"demo-{number}.0.tar.gz") for number in range(4)]
BUNDLES = ["default", "tools", "weekly"]


def digest(letter: str) -> str:
    return letter * 64


@dataclass(frozen=True)
class Bundle:
    """What a bundle says of the project: its page's files with their digests, and which of them it carries."""

    name: str
    hours: int
    serial: int | None
    listed: Mapping[Filename, str]
    carried: frozenset[Filename]

    @property
    def page(self) -> Page:
        files = [File(filename=name, url=name, hashes={"sha256": one}) for name, one in self.listed.items()]
        return Page(name=DEMO, files=tuple(files), serial=self.serial)

    @property
    def row(self) -> ImportedProject:
        entry = BundledProject(
            upstream="pypi",
            project=DEMO,
            page=digest("1"),
            memory=digest("2"),
            validated_at=T0 + timedelta(hours=self.hours),
            files=tuple(
                BundledFile(filename=name, sha256=self.listed[name], carried=True, claimed=Claimed.ABSENT)
                for name in sorted(self.carried)
            ),
        )
        return ImportedProject(
            upstream="pypi",
            project=DEMO,
            name=self.name,
            as_of=entry.validated_at,
            imported_at=T0,
            serial=self.serial,
            entry=encode_project(entry),
        )


@st.composite
def bundles(draw: st.DrawFn) -> Bundle:
    listed = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from([digest("a"), digest("b")])))
    return Bundle(
        name=draw(st.sampled_from(BUNDLES)),
        hours=draw(st.integers(0, 5)),
        serial=draw(st.none() | st.integers(1, 5)),
        listed=listed,
        carried=frozenset(draw(st.sets(st.sampled_from(sorted(listed))))) if listed else frozenset(),
    )


several = st.lists(bundles(), min_size=1, max_size=3, unique_by=lambda one: one.name)


def in_force(made: Sequence[Bundle]) -> tuple[Bundle, ...]:
    """What counts after these were imported in this order, the one whose page counts first."""
    last = {one.name: one for one in made}
    return tuple(last[row.name] for row in newest_first(one.row for one in last.values()))


def served(made: Sequence[Bundle]) -> BundledProject:
    found = in_force(made)
    return joined([decode_project(one.row.entry) for one in found], found[0].page)


def carried(made: Sequence[Bundle]) -> dict[Filename, str | None]:
    return {file.filename: file.sha256 for file in served(made).files if file.carried}


@given(made=several, data=st.data())
def test_the_order_in_which_names_are_imported_does_not_matter(made: list[Bundle], data: st.DataObject) -> None:
    assert served(made) == served(data.draw(st.permutations(made)))


@given(made=several, data=st.data())
def test_importing_one_again_changes_nothing(made: list[Bundle], data: st.DataObject) -> None:
    assert served([*made, data.draw(st.sampled_from(made))]) == served(made)


@given(made=several)
def test_what_any_name_carries_is_served_as_long_as_the_newest_page_has_it(made: list[Bundle]) -> None:
    page = in_force(made)[0].listed
    wanted = {name: one.listed[name] for one in made for name in one.carried if page.get(name) == one.listed[name]}
    assert carried(made) == wanted


@given(made=several, data=st.data())
def test_a_name_that_drops_a_file_drops_it_alone(made: list[Bundle], data: st.DataObject) -> None:
    dropping = data.draw(st.sampled_from(made))
    dropped = frozenset(data.draw(st.sets(st.sampled_from(NAMES))))
    later = Bundle(dropping.name, dropping.hours, dropping.serial, dropping.listed, dropping.carried - dropped)
    others = [one for one in made if one is not dropping]
    gone = carried(made).keys() - carried([*made, later]).keys()
    page = in_force(made)[0].listed
    kept = {name for one in others for name in one.carried if page.get(name) == one.listed[name]}
    assert gone == {name for name in dropping.carried & dropped if name in carried(made)} - kept


@given(made=several)
def test_the_page_that_counts_is_older_than_none(made: list[Bundle]) -> None:
    newest, *others = in_force(made)
    for one in others:
        if None not in (one.serial, newest.serial):
            assert (one.serial or 0) <= (newest.serial or 0)
    if all(one.serial is None for one in made):
        assert newest.hours == max(one.hours for one in made)
