"""What is kept of a page says what would be worked out anew, whatever becomes known, and however time passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import calls_of
from inbond.model.decisions import Target, Waiver
from inbond.model.evidence import EvidenceOrPending
from inbond.model.memory import PageMemory
from inbond.model.names import Filename
from inbond.model.standing import NOTHING_STANDS, Established, Standing
from inbond.policy.engine import RULES, established_by, judge_file, judge_files, judge_page
from inbond.policy.kept import Kept
from inbond.policy.memorable import as_on_any_index, as_strict_as_any
from inbond.policy.rules import cooldown, deny
from policy.cases import (
    ABSENT,
    DAY,
    HOUR,
    NOW,
    PENDING,
    attestation,
    file_of,
    identity_of,
    memory_of,
    page_of,
    policy,
    verified,
)
from policy.histories.test_laws import keys as history_keys
from policy.histories.test_laws import worlds as histories
from property.worlds import evidences, inspections, policies
from property.worlds import worlds as pages

# To the second around the ages that policies ask for, and to the day around fourteen, when releases are settled.
PASSING = [
    timedelta(seconds=1), HOUR, 23 * HOUR, DAY, 2 * DAY, 6 * DAY, 7 * DAY, 14 * DAY - timedelta(seconds=1), 30 * DAY,
    -HOUR,
]  # fmt: skip


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """All that a page is judged by: of any kind, or with a history in which continuity has something to say."""
    if draw(st.booleans()):
        return {
            **draw(histories()),
            "inspections": {},
            "settings": policy(min_age=draw(st.sampled_from([timedelta(0), DAY])), **draw(history_keys)),
        }
    world = draw(pages())
    return {
        "index": "root",
        "page": world.page,
        "memory": world.memory,
        "settings": world.settings(draw(policies())),
        "evidence": world.evidence,
        "inspections": world.inspections,
        "standing": world.standing,
        "now": world.now,
    }


def kept_of(world: Mapping[str, Any]) -> Kept:
    return Kept.of(**{key: world[key] for key in ("index", "page", "memory", "settings", "standing")})


def changed(data: st.DataObject, world: dict[str, Any]) -> dict[str, Any]:
    """The same page a little later: of a file or two something else is known, or time has passed."""
    names = [file.filename for file in world["page"].files]
    known, found = dict(world["evidence"]), dict(world["inspections"])
    for name in data.draw(st.lists(st.sampled_from(names), max_size=2, unique=True)):
        if data.draw(st.booleans()):
            known[name] = data.draw(evidences)
        else:
            found[name] = data.draw(inspections)
    passed = data.draw(st.just(timedelta(0)) | st.sampled_from(PASSING))
    return {**world, "evidence": known, "inspections": found, "now": world["now"] + passed}


@settings(max_examples=80, deadline=None)
@given(worlds(), st.data())
def test_what_is_kept_says_what_is_worked_out_anew(world: dict[str, Any], data: st.DataObject) -> None:
    kept = kept_of(world)

    for _ in range(data.draw(st.integers(2, 5))):
        file = data.draw(st.sampled_from(world["page"].files))
        match data.draw(st.sampled_from(["page", "page", "file", "files", "repositories"])):
            case "page":
                assert judge_page(**world, kept=kept) == judge_page(**world)
            case "file":
                assert judge_file(**world, file=file, kept=kept) == judge_file(**world, file=file)
            case "files":
                assert judge_files(**world, files=[file], kept=kept) == judge_files(**world, files=[file])
            case _:
                files = world["page"].files
                assert established_by(**world, files=files, kept=kept) == established_by(**world, files=files)
        world = changed(data, world)


@settings(max_examples=30, deadline=None)
@given(worlds(), worlds(), st.data())
def test_what_is_kept_of_anything_else_is_left_alone(
    world: dict[str, Any], other: dict[str, Any], data: st.DataObject
) -> None:
    kept = kept_of(world)
    judge_page(**world, kept=kept)
    fact = data.draw(st.sampled_from(["page", "memory", "settings", "standing"]))
    changed = {**world, fact: other[fact]}
    fewer = tuple(rule for rule in RULES if rule.name not in {cooldown.name, deny.name})

    assert judge_page(**changed, kept=kept) == judge_page(**changed)
    assert judge_page(**{**world, "index": "other"}, kept=kept) == judge_page(**{**world, "index": "other"})
    assert judge_page(**world, rules=fewer, kept=kept) == judge_page(**world, rules=fewer)


def young_project(count: int) -> dict[str, Any]:
    """A project whose files are all young and verified, so that each has a history."""
    files = [
        file_of(f"demo-1.{n}-py3-none-any.whl", upload_time=NOW - 2 * DAY + n * timedelta(minutes=1))
        for n in range(count)
    ]
    old = [file_of(f"demo-0.{n}-py3-none-any.whl", upload_time=NOW - (60 - n) * DAY) for n in range(6)]
    page = page_of(*old, *files)
    return {
        "index": "root",
        "page": page,
        "memory": memory_of({file.filename: file.upload_time or NOW for file in page.files}),
        "settings": policy(min_age=7 * DAY),
        "evidence": {file.filename: verified(attestation(signed_at=NOW - 60 * DAY)) for file in page.files},
        "inspections": {},
        "standing": NOTHING_STANDS,
        "now": NOW,
    }


def test_one_more_file_that_is_verified_costs_little_beside_the_whole_page() -> None:
    world = young_project(300)
    known: dict[Filename, EvidenceOrPending] = dict(world["evidence"])
    newest = world["page"].files[-1]
    kept = kept_of(world)
    whole = calls_of(lambda: judge_page(**{**world, "evidence": {**known, newest.filename: PENDING}}, kept=kept))

    again = calls_of(lambda: judge_page(**world, kept=kept))
    alone = calls_of(lambda: judge_file(**world, file=newest, kept=kept))

    assert again < whole / 5
    assert alone < 100


def test_a_file_is_judged_anew_once_what_it_is_compared_with_is_known() -> None:
    world = young_project(1)
    newest = world["page"].files[-1]
    history = {file.filename: ABSENT for file in world["page"].files[:-1]}
    kept = kept_of(world)
    before = judge_file(**world, file=newest, kept=kept)
    by_others = {**world, "evidence": {**world["evidence"], **history}}

    assert judge_file(**by_others, file=newest, kept=kept) == judge_file(**by_others, file=newest)
    assert judge_file(**world, file=newest, kept=kept) == before


def test_a_file_that_memory_does_not_know_appears_whenever_it_is_judged() -> None:
    world = {**young_project(1), "memory": PageMemory(project_first_seen=NOW - 90 * DAY)}
    kept = kept_of(world)
    judge_page(**world, kept=kept)
    later = {**world, "now": NOW + DAY}

    assert judge_page(**later, kept=kept) == judge_page(**later)
    assert not kept.found


@pytest.mark.parametrize("waived", [False, True])
def test_nothing_is_kept_beyond_the_end_of_a_hold_or_waiver(waived: bool) -> None:
    waiver = Waiver(target=Target.parse("demo"), rule="cooldown", until=NOW + HOUR, reason="seen", by="ops")
    world = young_project(1)
    world["standing"] = replace(NOTHING_STANDS, waivers=(waiver,)) if waived else NOTHING_STANDS
    end = NOW + HOUR if waived else NOW + 5 * DAY
    kept = kept_of(world)
    newest = world["page"].files[-1]
    now = judge_file(**world, file=newest, kept=kept)
    ended = {**world, "now": end}

    assert judge_file(**{**world, "now": end - timedelta.resolution}, file=newest, kept=kept) == now
    assert judge_file(**ended, file=newest, kept=kept) == judge_file(**ended, file=newest) != now


def test_a_policy_that_denies_malware_and_what_no_waiver_touches_are_memorable_themselves() -> None:
    strict, standing = policy(), Standing(established=())

    assert as_strict_as_any(strict) is strict
    assert as_on_any_index(standing) is standing


def test_what_files_establish_is_worked_out_once() -> None:
    world = young_project(3)
    signed = verified(attestation(identity_of(repository_id="1", owner_id="10"), signed_at=NOW - 60 * DAY))
    world["evidence"] = {file.filename: signed for file in world["page"].files}
    kept = kept_of(world)

    def established() -> tuple[Established, ...]:
        return established_by(**world, files=world["page"].files, kept=kept)

    first = calls_of(established)
    again = calls_of(established)

    assert again < first / 2
    assert [one.repository_id for one in established()] == ["1"]


def test_files_that_are_alike_share_what_is_kept() -> None:
    world = young_project(0)
    world["evidence"] = {}
    kept = kept_of(world)
    judge_page(**world, kept=kept)

    assert len(kept.found) == len(world["page"].files)
    assert len({id(stands) for stands in kept.found.values()}) == 1
