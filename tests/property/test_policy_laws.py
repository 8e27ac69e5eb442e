"""Laws of the policy: what must hold for every file, evidence, memory, policy and moment."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from random import Random
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import structs

from inbond.model.evidence import Rejected, Unavailable, Unsupported, VerifiedAttestation
from inbond.model.page import Claim
from inbond.model.verdict import Decision, Judgement, Outcome, Verdict
from inbond.policy.case import Case
from inbond.policy.engine import DEMANDS, NEVER_AUDITED, RULES, judge_file, judge_files, next_change
from inbond.policy.explain import detail, reason_phrase, yank_reason
from inbond.policy.needed import judged_with_all
from inbond.policy.rule import Rule
from inbond.policy.rules import cooldown
from inbond.policy.settings import Attestations, Hashes, Locked
from inbond.policy.waiving import NEVER_WAIVED
from policy.cases import ABSENT, DAY, HOUR, PENDING, attestation, file_of, identity_of, policy, verdict_on, verified
from property.worlds import KEYS_OF, LADDERS, LOCKED, SEVERITY, World, policies, text, worlds


@given(worlds(), policies(), st.data())
def test_a_stricter_policy_never_allows_more(world: World, loose: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(LADDERS)))
    ladder = LADDERS[key]
    low, high = sorted(data.draw(st.tuples(*[st.integers(0, len(ladder) - 1)] * 2)))
    before = world.verdicts({**loose, key: ladder[low]})
    after = world.verdicts({**loose, key: ladder[high]})

    assert not {name for name, verdict in after.items() if verdict.allowed and not before[name].allowed}


@given(worlds(), policies())
def test_audit_records_what_enforcing_would_decide(world: World, keys: dict[str, Any]) -> None:
    tried = world.verdicts(keys)
    enforced = world.verdicts({**keys, "audit": frozenset()})

    for name, verdict in tried.items():
        assert (verdict.would or verdict.decision) is enforced[name].decision
        assert [replace(finding, audited=False) for finding in verdict.findings] == list(enforced[name].findings)


@settings(max_examples=500)
@given(worlds(), policies(audited=False), st.sampled_from([rule for rule in RULES if rule.name not in NEVER_AUDITED]))
def test_a_rule_that_is_only_recorded_stops_as_much_as_one_that_is_not_there(
    world: World, keys: dict[str, Any], tried: Rule
) -> None:
    recorded = world.verdicts({**keys, "audit": frozenset({tried.name})})
    without = world.verdicts(keys, rules=tuple(rule for rule in RULES if rule is not tried))

    assert {name: verdict.decision for name, verdict in recorded.items()} == {
        name: verdict.decision for name, verdict in without.items()
    }


@given(worlds(), policies(audited=False))
def test_a_policy_that_is_only_tried_stops_nothing_but_files_without_digest_or_with_another(
    world: World, keys: dict[str, Any]
) -> None:
    known = world.memory.first_digest if world.memory is not None else {}
    world = world.with_waivers(())
    for name, verdict in world.verdicts({**keys, "audit": frozenset({"*"})}).items():
        file = world.page.file(name)
        assert file is not None
        told = file.listed_sha256 is not None or keys["hashes"] is Hashes.ALLOW
        same = file.sha256 is None or known.get(name) in (None, file.sha256)
        assert verdict.allowed is (told and same)


@given(worlds(), policies())
def test_what_is_remembered_lifts_no_denial_where_the_page_must_give_digests(
    world: World, keys: dict[str, Any]
) -> None:
    keys = {**keys, "hashes": Hashes.REQUIRE}
    forgetful = replace(world.page, files=tuple(structs.replace(file, remembered=None) for file in world.page.files))
    before = world.verdicts(keys, page=forgetful)

    for name, verdict in world.verdicts(keys).items():
        assert verdict.decision is before[name].decision


# Signers who meet or fail each demand on its own.
signers = st.builds(
    identity_of,
    st.sampled_from(["acme/demo", "stranger/demo"]),
    ref=st.sampled_from(["refs/tags/v2.0", "refs/heads/main"]),
    runner=st.sampled_from(["github-hosted", "self-hosted"]),
    environment=st.sampled_from(["pypi", "test"]),
    trigger=st.sampled_from(["release", "push"]),
    build_signer=st.sampled_from([identity_of().workflow, None]),
)


@given(
    st.lists(signers.map(attestation), min_size=1, max_size=3),
    st.lists(st.sampled_from([rule.name for rule in DEMANDS if rule.name != "predicates"]), min_size=2, unique=True),
)
def test_what_meets_several_demands_meets_all_of_them_by_one_signer(
    signed: list[VerifiedAttestation], asked: list[str]
) -> None:
    keys = {key: LADDERS[key][-1] for key in (KEYS_OF.get(name, name) for name in asked)}

    def allowed(*attestations: VerifiedAttestation) -> bool:
        return verdict_on(file_of(), verified(*attestations), settings=policy(**keys)).allowed

    assert any(allowed(one) for one in signed) or not allowed(*signed)


@given(worlds(), policies(), st.permutations(RULES))
def test_the_order_of_rules_does_not_matter(world: World, keys: dict[str, Any], rules: Any) -> None:
    assert world.verdicts(keys, rules=tuple(rules)) == world.verdicts(keys)


@given(worlds(), policies())
def test_the_order_of_files_does_not_matter(world: World, keys: dict[str, Any]) -> None:
    turned = replace(world.page, files=world.page.files[::-1])

    assert world.verdicts(keys, page=turned) == world.verdicts(keys)


@given(worlds(), policies())
def test_the_order_of_findings_does_not_matter(world: World, keys: dict[str, Any]) -> None:
    for verdict in world.verdicts(keys).values():
        for findings in list(permutations(verdict.findings))[:24]:
            assert Verdict.of(findings) == verdict


@given(worlds(), policies())
def test_a_file_is_judged_as_on_its_page(world: World, keys: dict[str, Any]) -> None:
    on_page = world.verdicts(keys)

    for file in world.page.files:
        alone = judge_file(
            index="root",
            page=world.page,
            file=file,
            memory=world.memory,
            settings=world.settings(keys),
            evidence=world.evidence,
            inspections=world.inspections,
            standing=world.standing,
            now=world.now,
        )
        assert alone == on_page[file.filename]


@given(world=worlds(), keys=policies(), data=st.data())
def test_some_files_are_judged_as_on_their_page(world: World, keys: dict[str, Any], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(world.page.files), unique_by=lambda file: file.filename))
    needed = judged_with_all(world.shared(keys), chosen, world.evidence)
    known = {file.filename: world.evidence[file.filename] for file in needed if file.filename in world.evidence}
    found = judge_files(
        index="root",
        page=world.page,
        files=chosen,
        memory=world.memory,
        settings=world.settings(keys),
        evidence=known,
        inspections=world.inspections,
        standing=world.standing,
        now=world.now,
    )
    whole = world.verdicts(keys)
    assert found == {file.filename: whole[file.filename] for file in chosen}


@given(worlds(), policies(), st.sampled_from([timedelta(seconds=1), HOUR, DAY, 8 * DAY, 500 * DAY]))
def test_time_alone_never_makes_a_verdict_stricter(world: World, keys: dict[str, Any], passed: timedelta) -> None:
    later = world.now + passed
    world = world.with_waivers(waiver for waiver in world.standing.waivers if waiver.until > later)
    # What memory has not seen yet appears now, whenever that is: after a freeze, if one waits long enough.
    assume(not (world.unseen and keys["freeze"] is not None))
    before = world.verdicts(keys)
    after = world.verdicts(keys, now=later)

    for name, verdict in after.items():
        assert SEVERITY[verdict.decision] <= SEVERITY[before[name].decision]


@given(worlds(), policies())
def test_a_hold_ends_when_it_says(world: World, keys: dict[str, Any]) -> None:
    # Two kinds are renewed instead: what stays unavailable although it is needed, and what memory has not seen yet.
    base = world.settings(keys).base
    needed = base.attestations is Attestations.REQUIRE or base.demands or base.continuity.outcome >= Outcome.HOLD
    unavailable = any(isinstance(known, Unavailable) for known in world.evidence.values())
    world = world.with_waivers(())
    for name, verdict in world.verdicts(keys).items():
        if verdict.expires_at is None or world.unseen or (needed and unavailable):
            continue
        just_before = world.verdicts(keys, now=max(world.now, verdict.expires_at - timedelta(microseconds=1)))
        at_the_end = world.verdicts(keys, now=verdict.expires_at)
        assert just_before[name].decision is Decision.HOLD
        assert at_the_end[name].allowed


@given(worlds(), policies())
def test_between_changes_a_page_stays_the_same(world: World, keys: dict[str, Any]) -> None:
    before = world.verdicts(keys)
    change = next_change(before)
    until = change if change is not None else world.now + 30 * DAY
    if not world.unseen:
        after = world.verdicts(keys, now=until - timedelta(microseconds=1))
        assert {name: (verdict.decision, verdict.would) for name, verdict in after.items()} == {
            name: (verdict.decision, verdict.would) for name, verdict in before.items()
        }


@given(worlds(), policies())
def test_a_waiver_lifts_what_its_rule_finds_and_no_more(world: World, keys: dict[str, Any]) -> None:
    bare = world.with_waivers(())
    waived = {waiver.rule for waiver in world.standing.waivers} - NEVER_WAIVED
    stopped = bare.verdicts(keys)
    without = bare.verdicts(keys, rules=tuple(rule for rule in RULES if rule.name not in waived))

    for name, verdict in world.verdicts(keys).items():
        assert SEVERITY[verdict.decision] <= SEVERITY[stopped[name].decision]
        assert SEVERITY[verdict.decision] >= SEVERITY[without[name].decision] or waived & {"continuity", "release"}
        for finding in verdict.findings:
            if finding.waiver is not None:
                assert finding.rule == finding.waiver.rule
                assert finding.rule not in NEVER_WAIVED
                assert finding.waiver.until > world.now
                assert finding.waiver.index in (None, "root")
                assert finding.outcome >= Outcome.HOLD


@given(worlds(), policies(), st.randoms(use_true_random=False))
def test_the_order_of_what_stands_does_not_matter(world: World, keys: dict[str, Any], random: Random) -> None:
    turned: dict[str, Any] = {
        name: tuple(random.sample(getattr(world.standing, name), len(getattr(world.standing, name))))
        for name in ("advisories", "waivers", "rejections", "pins", "established")
    }

    assert world.verdicts(keys, standing=replace(world.standing, **turned)) == world.verdicts(keys)


@given(worlds(), policies())
def test_every_finding_has_a_code(world: World, keys: dict[str, Any]) -> None:
    for verdict in world.verdicts(keys).values():
        for finding in verdict.findings:
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", finding.code), finding


@given(worlds(), policies(audited=False))
def test_a_lock_lets_through_the_cooldown_and_nothing_else(world: World, keys: dict[str, Any]) -> None:
    others = tuple(rule for rule in RULES if rule is not cooldown)
    locked = world.verdicts({**keys, "locked": Locked.GRANDFATHER})
    enforced = world.verdicts({**keys, "locked": Locked.ENFORCE})
    without = world.verdicts(keys, rules=others)

    for name, verdict in locked.items():
        file = world.page.file(name)
        assert file is not None
        as_if = without if file.sha256 in LOCKED else enforced
        if "release" not in {finding.rule for finding in (*verdict.findings, *as_if[name].findings)}:
            assert verdict.decision is as_if[name].decision


@given(worlds(), policies(audited=False), st.sampled_from([Attestations.IF_PRESENT, Attestations.REQUIRE]))
def test_what_is_rejected_is_never_allowed(world: World, keys: dict[str, Any], asked: Attestations) -> None:
    for name, verdict in world.with_waivers(()).verdicts({**keys, "attestations": asked}).items():
        if isinstance(world.evidence.get(name), Rejected):
            assert verdict.decision is Decision.DENY


@given(worlds(), policies(audited=False))
def test_where_attestations_are_required_only_the_verified_and_the_pending_pass(
    world: World, keys: dict[str, Any]
) -> None:
    for name, verdict in world.with_waivers(()).verdicts({**keys, "attestations": Attestations.REQUIRE}).items():
        file = world.page.file(name)
        assert file is not None
        known = world.evidence.get(name)
        if known is None:
            known = ABSENT if file.provenance is Claim.NONE else PENDING
        if isinstance(known, Rejected | Unsupported | Unavailable) or known == ABSENT:
            assert not verdict.allowed


@given(worlds(), policies())
def test_a_rule_that_does_not_apply_would_have_said_nothing(world: World, keys: dict[str, Any]) -> None:
    shared = world.shared(keys)
    for rule in RULES:
        for file in world.page.files:
            known = world.evidence.get(file.filename, PENDING)
            inside = world.inspections.get(file.filename)
            found = rule.judge(Case(shared=shared, file=file, evidence=known, inspection=inside))
            assert found is None or (rule.applies(shared) and found.rule == rule.name)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), policies(), st.text(max_size=300), st.none() | text)
def test_every_stop_is_explained_in_one_printable_line(
    world: World, keys: dict[str, Any], host: str, version: str | None
) -> None:
    for name, verdict in world.verdicts(keys).items():
        for finding in verdict.findings:
            assert finding.message
            assert (finding.message + (finding.remedy or "")).isprintable()
            assert (finding.message + (finding.remedy or "")).isascii()
            assert (finding.until is not None) is (finding.outcome is Outcome.HOLD)
            assert finding.remedy or finding.outcome <= Outcome.WARN
        file = world.page.file(name)
        assert file is not None
        judgement = Judgement(
            index="root", project=world.page.name, file=file, version=version, evidence=PENDING, verdict=verdict
        )
        short = "http://127.0.0.1:8642/why/0ace7980f82c"
        assert len(reason_phrase(judgement, short)) < 200
        assert reason_phrase(judgement, short).endswith(short)
        for told in (reason_phrase, yank_reason, detail):
            line = told(judgement, f"http://{host}.example/")
            assert line.isascii()
            assert line.isprintable()
