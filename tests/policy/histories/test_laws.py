"""What must hold for every history: the laws of tests/property, where continuity has something to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from inbond.model.decisions import Rejection, Target
from inbond.model.evidence import EvidenceOrPending, Unavailable
from inbond.model.names import Filename
from inbond.model.standing import Established, Standing
from inbond.model.verdict import Decision, Verdict
from inbond.policy.case import PageCase
from inbond.policy.engine import judge_file, judge_files, judge_page
from inbond.policy.needed import judged_with_all
from inbond.policy.settings import Action, Attestations, Listed, UnknownDate
from policy.cases import ABSENT, PENDING, REJECTED, UNSUPPORTED, policy
from policy.histories.attacks import ANEW, ELSEWHERE
from policy.histories.harmless import FROM_BRANCH, MOVED, OWN_ANEW
from policy.histories.language import USUAL, History, Upload, at, pinned

SEVERITY = {Decision.ALLOW: 0, Decision.HOLD: 1, Decision.DENY: 2}
ODD: list[EvidenceOrPending] = [
    PENDING, REJECTED, UNSUPPORTED, Unavailable(reason="upstream answered 503", since=at(0)),
]  # fmt: skip
LADDERS: dict[str, list[Any]] = {
    "continuity": [Action.parse(text) for text in ("off", "warn", "hold 2d", "hold 7d", "deny")],
    "attestations": list(Attestations),
    "unknown_date": [UnknownDate.ALLOW, UnknownDate.FIRST_SEEN, UnknownDate.DENY],
    "deny": [(), (Listed.parse("demo==1.2"),), (Listed.parse("demo==1.2"), Listed.parse("demo<1.2"))],
}
LATEST = 150.0

people = st.sampled_from([USUAL, USUAL, USUAL, None, None, ANEW, ELSEWHERE, FROM_BRANCH, MOVED, OWN_ANEW])
uploads = st.lists(
    st.builds(
        Upload,
        version=st.sampled_from(["1.0", "1.1", "1.2", "1.3", "1.4", "2.0", "2.1rc1", "2019.1"]),
        day=st.sampled_from([0.0, 5.0, 30.0, 60.0, 90.0, 120.0, 140.0, 148.0, LATEST]),
        by=people,
        kinds=st.sampled_from([("wheel", "sdist"), ("sdist",), ("linux", "sdist"), ("linux", "arm")]),
        differing=st.sampled_from([{}, {}, {"sdist": None}]),
    ),
    min_size=2,
    max_size=7,
    unique_by=lambda one: one.version,
)
standings = st.builds(
    Standing,
    pins=st.sampled_from([(), (), (pinned("github:mallory/demo"),), (pinned("github:acme/demo", "6666"),)]),
    rejections=st.sampled_from([(), (Rejection(target=Target.parse("demo==1.3"), reason="seen", by="ops"),)]),
    established=st.sampled_from(
        [
            (),
            (Established(repository="github:acme/demo", repository_id="1001", owner_id="7", since=at(40)),),
        ]
    ),
)
keys = st.fixed_dictionaries(
    {},
    optional={key: st.sampled_from(ladder) for key, ladder in LADDERS.items()},
)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    history = History("any", draw(uploads), draw(st.sampled_from([None, 0.0, 100.0])))
    world = history.world(LATEST + 0.1, draw(standings))
    undated = draw(st.sampled_from([None, *(file.filename for file in world["page"].files)]))
    files = tuple(
        structs.replace(file, upload_time=None) if file.filename == undated else file for file in world["page"].files
    )
    evidence: dict[Filename, EvidenceOrPending] = dict(world["evidence"])
    for file in draw(st.lists(st.sampled_from(files), max_size=2, unique_by=lambda one: one.filename)):
        evidence[file.filename] = draw(st.sampled_from([ABSENT, *ODD]))
    return {**world, "page": replace(world["page"], files=files), "evidence": evidence}


def verdicts(world: Mapping[str, Any], chosen: Mapping[str, Any], **changes: Any) -> Mapping[Filename, Verdict]:
    return judge_page(**{**world, "settings": policy(min_age=timedelta(0), **chosen), **changes})


@settings(max_examples=150)
@given(worlds(), keys, st.data())
def test_a_stricter_policy_never_allows_more(
    world: dict[str, Any], chosen: dict[str, Any], data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(sorted(LADDERS)))
    low, high = sorted(data.draw(st.tuples(*[st.integers(0, len(LADDERS[key]) - 1)] * 2)))
    before = verdicts(world, {**chosen, key: LADDERS[key][low]})
    after = verdicts(world, {**chosen, key: LADDERS[key][high]})

    assert not {name for name, verdict in after.items() if verdict.allowed and not before[name].allowed}


@settings(max_examples=150)
@given(worlds(), keys, st.sampled_from([frozenset({"continuity"}), frozenset({"deny"}), frozenset({"review"})]))
def test_audit_records_what_enforcing_would_decide(
    world: dict[str, Any], chosen: dict[str, Any], audit: frozenset[str]
) -> None:
    enforced = verdicts(world, chosen)

    for name, verdict in verdicts(world, {**chosen, "audit": audit}).items():
        assert (verdict.would or verdict.decision) is enforced[name].decision
        assert [replace(one, audited=False) for one in verdict.findings] == list(enforced[name].findings)


@settings(max_examples=150)
@given(worlds(), keys)
def test_what_is_only_recorded_stops_as_much_as_what_is_not_there(
    world: dict[str, Any], chosen: dict[str, Any]
) -> None:
    recorded = verdicts(world, {**chosen, "audit": frozenset({"deny"})})
    without = verdicts(world, {**chosen, "deny": ()})

    assert {name: one.decision for name, one in recorded.items()} == {
        name: one.decision for name, one in without.items()
    }


@settings(max_examples=150)
@given(worlds(), keys, st.sampled_from([0.5, 1, 3, 8, 20, 400]))
def test_time_alone_only_releases_holds(world: dict[str, Any], chosen: dict[str, Any], days: float) -> None:
    before = verdicts(world, chosen)

    for name, verdict in verdicts(world, chosen, now=world["now"] + timedelta(days=days)).items():
        assert SEVERITY[verdict.decision] <= SEVERITY[before[name].decision]


@settings(max_examples=150)
@given(worlds(), keys)
def test_a_file_is_judged_as_on_its_page_by_what_it_needs_alone(world: dict[str, Any], chosen: dict[str, Any]) -> None:
    world = {**world, "settings": policy(min_age=timedelta(0), **chosen)}
    on_page = judge_page(**world)
    facts = ("index", "page", "memory", "settings", "now", "standing")
    for file in world["page"].files:
        shared = PageCase.of(**{key: world[key] for key in facts})
        needed = {one.filename for one in judged_with_all(shared, [file], world["evidence"])}
        known = {name: one for name, one in world["evidence"].items() if name in needed}
        assert judge_file(**{**world, "evidence": known}, file=file) == on_page[file.filename]
        assert judge_files(**{**world, "evidence": known}, files=[file]) == {file.filename: on_page[file.filename]}


@settings(max_examples=100)
@given(worlds(), keys)
def test_the_order_of_files_does_not_matter(world: dict[str, Any], chosen: dict[str, Any]) -> None:
    turned = replace(world["page"], files=world["page"].files[::-1])

    assert verdicts(world, chosen, page=turned) == verdicts(world, chosen)
