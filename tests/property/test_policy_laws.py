"""Laws of the policy: what must hold for every file, evidence, memory, policy and moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbond.model.advisory import Severity
from inbond.model.evidence import (
    EvidenceOrPending,
    Rejected,
    Unavailable,
    Unsupported,
    UnsupportedAttestation,
    UnsupportedCause,
    VerifiedAttestation,
)
from inbond.model.inspection import Inspection, NotInspected, Odd, Sane
from inbond.model.memory import PageMemory
from inbond.model.names import Filename
from inbond.model.page import Claim, File, Page, Status
from inbond.model.publisher import PublisherPattern
from inbond.model.verdict import Decision, Judgement, Outcome, Verdict
from inbond.policy.case import Case, PageCase
from inbond.policy.demands import PREDICATES, ReusableWorkflows, Runners
from inbond.policy.engine import (
    DEMANDS,
    NEVER_AUDITED,
    RULE_NAMES,
    RULES,
    judge_file,
    judge_files,
    judge_page,
    judged_with_all,
    next_change,
)
from inbond.policy.explain import detail, reason_phrase, yank_reason
from inbond.policy.rule import Rule
from inbond.policy.settings import (
    Action,
    Attestations,
    Hashes,
    Listed,
    PolicySettings,
    Presence,
    SecurityFixes,
    UnknownDate,
)
from policy.cases import (
    ABSENT,
    DAY,
    DERIVATION,
    HOUR,
    NOW,
    PENDING,
    attestation,
    file_of,
    identity_of,
    page_of,
    policy,
    verdict_on,
    verified,
)

SEVERITY = {Decision.ALLOW: 0, Decision.HOLD: 1, Decision.DENY: 2}
FILENAMES = (
    "demo-1.0-py3-none-any.whl",
    "demo-1.0-cp311-cp311-linux_x86_64.whl",
    "demo-1.0.tar.gz",
    "demo-1.0.0.zip",
    "demo-2.0-py3-none-any.whl",
    "demo-2.0.tar.gz",
    "demo-2.0-py3.8.egg",
    "demo-3.0rc1.tar.gz",
    "demo-latest.tar.gz",
)
DIGESTS = ("a" * 64, "b" * 64)

# Keys from the loosest value to the strictest.
LADDERS: dict[str, list[Any]] = {
    "attestations": [Attestations.OFF, Attestations.IF_PRESENT, Attestations.REQUIRE],
    "min_age": [timedelta(0), HOUR, DAY, 30 * DAY],
    "continuity": [Action.parse(text) for text in ("off", "warn", "hold 1h", "hold 7d", "deny")],
    "security_fixes": list(SecurityFixes),
    "backdated": [Action.parse(text) for text in ("off", "warn", "hold 1h", "hold 7d", "deny")],
    "malware": [Action.parse(text) for text in ("off", "warn", "hold 1h", "hold 7d", "deny")],
    "vulnerabilities": [Action.parse(text) for text in ("off", "warn", "hold 1h", "hold 7d", "deny")],
    "min_severity": [Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW],
    "unknown_date": [UnknownDate.ALLOW, UnknownDate.FIRST_SEEN, UnknownDate.DENY],
    "unsupported": [Action.parse(text) for text in ("off", "warn", "hold 1h", "hold 7d", "deny")],
    "unavailable": [Action.parse(text) for text in ("off", "warn", "hold 1h", "hold 7d", "deny")],
    "hashes": [Hashes.ALLOW, Hashes.REQUIRE],
    "yanked": [Presence.ALLOW, Presence.DENY],
    "sdists": [Presence.ALLOW, Presence.DENY],
    "archive": [Action.parse(text) for text in ("off", "warn", "hold 1h", "hold 7d", "deny")],
    "publishers": [
        (),
        tuple(map(PublisherPattern.parse, ("github:acme/*", "github:stranger/*"))),
        (PublisherPattern.parse("github:acme/*"),),
        (PublisherPattern.parse("github:acme/demo@release.yml"),),
    ],
    # Patterns, most of which let fewer through than those before.
    "refs": [(), ("**",), ("refs/tags/*", "refs/heads/main"), ("refs/tags/*",), ("refs/tags/v2.0",)],
    "environments": [(), ("**",), ("pypi", "test"), ("pypi",)],
    "predicates": [(), (PREDICATES["slsa"],)],
    "runners": [Runners.ANY, Runners.HOSTED],
    "deny_triggers": [(), ("push",), ("push", "pull_request_target")],
    "reusable_workflows": list(ReusableWorkflows),
    "pull_requests": [Action.parse(text) for text in ("off", "warn", "hold 1h", "hold 7d", "deny")],
    "deny": [
        tuple(map(Listed.parse, entries))
        for entries in ((), ("demo<2",), ("demo<2", "demo>=3.dev0"), ("demo<2", "demo>=3.dev0", "*"))
    ],
    "allow": [None, (Listed.parse("demo"),), (Listed.parse("demo>=1.0"),), (Listed.parse("demo==1.0"),), ()],
    "audit": [frozenset({"*"}), RULE_NAMES - {"deny"}, frozenset({"attestations", "release"}), frozenset()],
}  # fmt: skip

KEYS_OF = {"triggers": "deny_triggers"}  # of rules that are not named as their key is


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything a verdict rests on but the policy."""

    page: Page
    memory: PageMemory | None
    evidence: Mapping[Filename, EvidenceOrPending]
    inspections: Mapping[Filename, Inspection]
    now: datetime = NOW

    def verdicts(self, keys: Mapping[str, Any], **changes: Any) -> Mapping[Filename, Verdict]:
        world: dict[str, Any] = {
            "index": "root",
            "page": self.page,
            "memory": self.memory,
            "evidence": self.evidence,
            "inspections": self.inspections,
            "settings": policy(**keys),
            "now": self.now,
        }
        return judge_page(**(world | changes))


# Around the ages that policies ask for, and to the second.
times = st.builds(
    lambda age, seconds: NOW - age + timedelta(seconds=seconds),
    st.sampled_from([-DAY, timedelta(0), HOUR, 2 * HOUR, DAY, 7 * DAY, 29 * DAY, 400 * DAY]),
    st.integers(-2, 2),
)
text = st.text(max_size=40)
proven = st.builds(
    identity_of,
    st.sampled_from(["acme/demo", "acme/demo", "stranger/demo"]),
    st.sampled_from(["release.yml", "release.yml", "other.yml"]),
    ref=st.sampled_from(["refs/tags/v2.0", "refs/heads/main", "refs/pull/7/merge", None]),
    runner=st.sampled_from(["github-hosted", "self-hosted", None]),
    environment=st.sampled_from(["pypi", "test", None]),
    trigger=st.sampled_from(["release", "push", "pull_request_target", None]),
    build_signer=st.sampled_from(
        [
            identity_of().workflow,
            "https://github.com/acme/shared/.github/workflows/build.yml@main",
            "https://github.com/builders/shared/.github/workflows/build.yml@main",
            None,
        ]
    ),
)
# As plain as they come, or with all that a certificate may say; the second kind of attestation beside some.
identities = st.sampled_from([identity_of(), identity_of(workflow="other.yml"), identity_of("stranger/demo")]) | proven
attestations = st.builds(attestation, identities, signed_at=st.none() | times)
beside = st.builds(
    attestation, identities, signed_at=times, publish=st.just(False), predicate_type=st.just(PREDICATES["slsa"])
)
odd = st.builds(UnsupportedAttestation, reason=text, cause=st.sampled_from(UnsupportedCause))
evidences: st.SearchStrategy[EvidenceOrPending] = st.one_of(
    st.just(ABSENT),
    st.just(PENDING),
    st.tuples(st.lists(attestations, min_size=1, max_size=2), st.lists(beside, max_size=1)).map(
        lambda some: verified(*some[0], *some[1])
    ),
    st.builds(Rejected, reason=text, attestations=st.tuples(attestations), derivation=st.just(DERIVATION)),
    st.builds(
        Unsupported,
        reason=text,
        cause=st.sampled_from(UnsupportedCause),
        attestations=st.tuples(odd),
        derivation=st.just(DERIVATION),
    ),
    st.builds(Unavailable, reason=text, since=times),
)


inspections: st.SearchStrategy[Inspection] = st.sampled_from(
    [Sane(metadata_sha256=DIGESTS[0]), Sane(), Odd(reasons=("odd\n☠",)), NotInspected(reason="slow")]
)


# Of the page, and of memory where the page gives none.
digests = st.sampled_from(
    [({"sha256": DIGESTS[0]}, None)] * 12 + [({"sha256": DIGESTS[1]}, None), ({}, None), ({}, DIGESTS[0])]
)


@st.composite
def files_named(draw: st.DrawFn, name: str) -> File:
    hashes, remembered = draw(digests)
    return draw(described(name, hashes, remembered))


def described(name: str, hashes: dict[str, str], remembered: str | None) -> st.SearchStrategy[File]:
    return st.builds(
        file_of,
        st.just(name),
        hashes=st.just(hashes),
        remembered=st.just(remembered),
        upload_time=st.none() | times,
        yanked=st.sampled_from([False, False, True, "broken\n☠"]),
        provenance=st.sampled_from([Claim.NONE, Claim.SILENT, "http://index.example/provenance"]),
        core_metadata=st.sampled_from([False, True, {"sha256": DIGESTS[0]}, {"sha256": DIGESTS[1]}]),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    names = draw(st.lists(st.sampled_from(FILENAMES), min_size=1, max_size=5, unique=True))
    files = [draw(files_named(name)) for name in names]
    page = page_of(
        *files,
        status=draw(st.sampled_from([*[Status.ACTIVE] * 12, Status.ARCHIVED, Status.QUARANTINED, "odd"])),
        status_reason=draw(st.none() | text),
    )
    # Most files are known and remembered; one may not be.
    unknown, forgotten = draw(st.tuples(*[st.none() | st.sampled_from([file.filename for file in files])] * 2))
    remembered = [file.filename for file in files if file.filename != forgotten]
    memory = PageMemory(
        project_first_seen=draw(times),
        first_seen={name: draw(times) for name in remembered},
        first_digest=dict.fromkeys(remembered, DIGESTS[0]),
    )
    return World(
        page=page,
        memory=draw(st.sampled_from([memory, memory, None])),
        evidence={file.filename: draw(evidences) for file in files if file.filename != unknown},
        inspections={file.filename: draw(inspections) for file in files if draw(st.booleans())},
    )


@st.composite
def policies(draw: st.DrawFn, *, audited: bool = True) -> dict[str, Any]:
    # Few of the keys that deny are tightened: a policy that denies everything shows little.
    keys = {key: ladder[0] for key, ladder in LADDERS.items()} | {"audit": frozenset()}
    tightened = draw(st.lists(st.sampled_from(sorted(LADDERS)), max_size=3, unique=True))
    for key in ("attestations", "min_age", "unsupported", "unavailable", *tightened):
        keys[key] = draw(st.sampled_from(LADDERS[key]))
    if not audited:
        keys["audit"] = frozenset()
    return keys


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
    forgetful = replace(world.page, files=tuple(replace(file, remembered=None) for file in world.page.files))
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
            settings=policy(**keys),
            evidence=world.evidence,
            inspections=world.inspections,
            now=world.now,
        )
        assert alone == on_page[file.filename]


@given(world=worlds(), keys=policies(), data=st.data())
def test_some_files_are_judged_as_on_their_page(world: World, keys: dict[str, Any], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(world.page.files), unique_by=lambda file: file.filename))
    needed = judged_with_all(world.page, chosen)
    known = {file.filename: world.evidence[file.filename] for file in needed if file.filename in world.evidence}
    found = judge_files(
        index="root",
        page=world.page,
        files=chosen,
        memory=world.memory,
        settings=policy(**keys),
        evidence=known,
        inspections=world.inspections,
        now=world.now,
    )
    whole = world.verdicts(keys)
    assert found == {file.filename: whole[file.filename] for file in chosen}


@given(worlds(), policies(), st.sampled_from([timedelta(seconds=1), HOUR, DAY, 8 * DAY, 500 * DAY]))
def test_time_alone_never_makes_a_verdict_stricter(world: World, keys: dict[str, Any], passed: timedelta) -> None:
    before = world.verdicts(keys)
    after = world.verdicts(keys, now=world.now + passed)

    for name, verdict in after.items():
        assert SEVERITY[verdict.decision] <= SEVERITY[before[name].decision]


@given(worlds(), policies())
def test_a_hold_ends_when_it_says(world: World, keys: dict[str, Any]) -> None:
    # Two kinds are renewed instead: what stays unavailable although it is needed, and what memory has not seen yet.
    needed = keys["attestations"] is Attestations.REQUIRE or policy(**keys).base.demands
    for name, verdict in world.verdicts(keys).items():
        unseen = world.memory is not None and name not in world.memory.first_seen
        if verdict.expires_at is None or unseen or (needed and isinstance(world.evidence.get(name), Unavailable)):
            continue
        just_before = world.verdicts(keys, now=max(world.now, verdict.expires_at - timedelta(microseconds=1)))
        at_the_end = world.verdicts(keys, now=verdict.expires_at)
        assert just_before[name].decision is Decision.HOLD
        assert at_the_end[name].allowed


@given(worlds(), policies())
def test_between_changes_a_page_stays_the_same(world: World, keys: dict[str, Any]) -> None:
    before = world.verdicts(keys)
    change = next_change(before)
    unseen = world.memory is not None and {f.filename for f in world.page.files} - set(world.memory.first_seen)
    if change is not None and not unseen:
        after = world.verdicts(keys, now=change - timedelta(microseconds=1))
        assert {name: verdict.decision for name, verdict in after.items()} == {
            name: verdict.decision for name, verdict in before.items()
        }


@given(worlds(), policies(audited=False), st.sampled_from([Attestations.IF_PRESENT, Attestations.REQUIRE]))
def test_what_is_rejected_is_never_allowed(world: World, keys: dict[str, Any], asked: Attestations) -> None:
    for name, verdict in world.verdicts({**keys, "attestations": asked}).items():
        if isinstance(world.evidence.get(name), Rejected):
            assert verdict.decision is Decision.DENY


@given(worlds(), policies(audited=False))
def test_where_attestations_are_required_only_the_verified_and_the_pending_pass(
    world: World, keys: dict[str, Any]
) -> None:
    for name, verdict in world.verdicts({**keys, "attestations": Attestations.REQUIRE}).items():
        file = world.page.file(name)
        assert file is not None
        known = world.evidence.get(name)
        if known is None:
            known = ABSENT if file.provenance is Claim.NONE else PENDING
        if isinstance(known, Rejected | Unsupported | Unavailable) or known == ABSENT:
            assert not verdict.allowed


@given(worlds(), policies())
def test_a_rule_that_does_not_apply_would_have_said_nothing(world: World, keys: dict[str, Any]) -> None:
    chosen: PolicySettings = policy(**keys)
    shared = PageCase.of(index="root", page=world.page, memory=world.memory, settings=chosen, now=world.now)
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
