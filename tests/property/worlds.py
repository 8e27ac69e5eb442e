"""Random worlds for the laws: everything that a verdict rests on, and policies to judge it by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from packaging.version import Version

from inbond.model.advisory import Advisory, AffectedRange, Severity
from inbond.model.decisions import Pin, Rejection, Target, Waiver
from inbond.model.evidence import (
    EvidenceOrPending,
    Rejected,
    Unavailable,
    Unsupported,
    UnsupportedAttestation,
    UnsupportedCause,
)
from inbond.model.inspection import Inspection, NotInspected, Odd, Sane
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page, Status
from inbond.model.publisher import PublisherPattern
from inbond.model.standing import NOTHING_STANDS, Established, Standing
from inbond.model.verdict import Decision, Verdict
from inbond.policy.case import PageCase
from inbond.policy.demands import PREDICATES, ReusableWorkflows, Runners
from inbond.policy.engine import RULE_NAMES, judge_page
from inbond.policy.settings import (
    Action,
    Attestations,
    Hashes,
    Listed,
    Locked,
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
    UNAVAILABLE,
    attestation,
    file_of,
    identity_of,
    page_of,
    policy,
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
LINE = ("1.0", "1.1", "1.2", "1.2.1", "1.3", "1.3.post1", "2.0")
VERSIONS = tuple(map(Version, ("0.9", "1.0", "1.1", "1.2", "1.2.1", "1.3", "2.0", "2.0.1", "3.0")))
DIGESTS = ("a" * 64, "b" * 64)
LOCKED = frozenset(DIGESTS[:1])

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
    "locked": [Locked.GRANDFATHER, Locked.ENFORCE],
    "freeze": [None, NOW + DAY, NOW - HOUR, NOW - 29 * DAY],
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
    standing: Standing = NOTHING_STANDS
    now: datetime = NOW

    @property
    def unseen(self) -> bool:
        """Whether memory lacks a file of the page."""
        return self.memory is not None and any(one.filename not in self.memory.first_seen for one in self.page.files)

    def with_waivers(self, waivers: Iterable[Waiver]) -> World:
        """The same with these waivers."""
        return replace(self, standing=replace(self.standing, waivers=tuple(waivers)))

    def settings(self, keys: Mapping[str, Any]) -> PolicySettings:
        """The policy with these keys, and with a lock that names some of the files."""
        return policy(**keys, in_locks=LOCKED)

    def shared(self, keys: Mapping[str, Any]) -> PageCase:
        """What the cases of its files share."""
        return PageCase.of(
            index="root",
            page=self.page,
            memory=self.memory,
            settings=self.settings(keys),
            standing=self.standing,
            now=self.now,
        )

    def verdicts(self, keys: Mapping[str, Any], **changes: Any) -> Mapping[Filename, Verdict]:
        world: dict[str, Any] = {
            "index": "root",
            "page": self.page,
            "memory": self.memory,
            "evidence": self.evidence,
            "inspections": self.inspections,
            "standing": self.standing,
            "settings": self.settings(keys),
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


versions = st.sampled_from(VERSIONS)
# None: no event of that kind.
ranges = st.builds(
    AffectedRange,
    introduced=st.none() | versions,
    fixed=st.none() | versions | versions,
    last_affected=st.none() | st.none() | versions,
)
advisories = st.builds(
    Advisory,
    id=st.sampled_from(["GHSA-1", "GHSA-2", "MAL-1", "PYSEC-1"]),
    malicious=st.booleans(),
    severity=st.sampled_from(Severity),
    versions=st.frozensets(versions, max_size=2),
    ranges=st.lists(ranges, max_size=2).map(tuple),
    digests=st.sampled_from([frozenset(), frozenset(), frozenset(DIGESTS[:1]), frozenset(DIGESTS[1:])]),
    published=st.none() | times,
)
targets = st.sampled_from(
    [Target.parse(text) for text in ("demo", "demo==1.0", "demo>=1.2", f"demo@sha256:{DIGESTS[0]}", "other")]
)
indexes = st.sampled_from([None, "root", "other"])
waivers = st.builds(
    Waiver,
    target=targets,
    rule=st.sampled_from(sorted({*RULE_NAMES, "digest"})),
    until=times | st.just(NOW + 600 * DAY),
    reason=st.sampled_from(["seen", "known"]),
    by=st.just("somebody"),
    index=indexes,
)
rejections = st.builds(
    Rejection, target=targets, reason=st.just("no"), by=st.sampled_from(["somebody", "another"]), index=indexes
)
pins = st.builds(
    Pin,
    project=st.just(ProjectName("demo")),
    publisher=st.sampled_from(
        list(map(PublisherPattern.parse, ("github:acme/demo", "github:stranger/*", "github:acme/demo@other.yml")))
    ),
    reason=st.just("moved"),
    by=st.just("somebody"),
    repository_id=st.sampled_from([None, "1", "2"]),
)
established = st.builds(
    Established,
    repository=st.sampled_from(["github:acme/demo", "github:stranger/demo"]),
    repository_id=st.sampled_from(["1", "2"]),
    owner_id=st.sampled_from([None, "10"]),
    since=times,
)
standings = st.builds(
    Standing,
    advisories=st.lists(advisories, max_size=3, unique_by=lambda one: one.id).map(tuple),
    waivers=st.lists(waivers, max_size=3).map(tuple),
    rejections=st.lists(rejections, max_size=1).map(tuple),
    pins=st.lists(pins, max_size=2).map(tuple),
    established=st.lists(established, max_size=2).map(tuple),
)


@st.composite
def pages(draw: st.DrawFn) -> tuple[Page, PageMemory | None, dict[Filename, EvidenceOrPending]]:
    """A page of all kinds of files, about which all kinds of things are known."""
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
    known = {file.filename: draw(evidences) for file in files if file.filename != unknown}
    return page, draw(st.sampled_from([memory, memory, None])), known


# In a line most releases are by one publisher, and what is not stands out.
makers = st.sampled_from(
    [
        *[identity_of(repository_id="1", owner_id="10")] * 5,
        identity_of(repository_id="2", owner_id="10"),
        identity_of("stranger/demo", repository_id="1", owner_id="11"),
        identity_of(workflow="other.yml", repository_id="1", owner_id="10"),
        identity_of(ref="refs/heads/main", repository_id="1", owner_id="10"),
    ]
)


@st.composite
def lines(draw: st.DrawFn) -> tuple[Page, PageMemory | None, dict[Filename, EvidenceOrPending]]:
    """The releases of a project one after the other, the last of them lately, most of them attested."""
    count = draw(st.integers(2, len(LINE)))
    files: list[File] = []
    known: dict[Filename, EvidenceOrPending] = {}
    age = draw(st.sampled_from([timedelta(0), HOUR, 20 * HOUR, 6 * DAY]))
    for version in LINE[count - 1 :: -1]:
        file = file_of(f"demo-{version}-py3-none-any.whl", upload_time=NOW - age, hashes={"sha256": DIGESTS[0]})
        files.append(file)
        signed = attestation(draw(makers), signed_at=NOW - age + draw(st.sampled_from([timedelta(0), 2 * HOUR])))
        states: list[EvidenceOrPending] = [*[verified(signed)] * 5, ABSENT, PENDING, UNAVAILABLE]
        known[file.filename] = draw(st.sampled_from(states))
        age += draw(st.sampled_from([HOUR, 5 * DAY, 15 * DAY, 15 * DAY, 40 * DAY]))
    seen = {file.filename: file.upload_time for file in files if file.upload_time is not None}
    memory = PageMemory(project_first_seen=draw(times), first_seen=seen)
    return page_of(*draw(st.permutations(files))), draw(st.sampled_from([memory, None])), known


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A page with what is known about it and what stands beside it."""
    page, memory, known = draw(st.one_of(pages(), lines()))
    return World(
        page=page,
        memory=memory,
        evidence=known,
        inspections={file.filename: draw(inspections) for file in page.files if draw(st.booleans())},
        standing=draw(st.just(NOTHING_STANDS) | standings),
    )


@st.composite
def policies(draw: st.DrawFn, *, audited: bool = True) -> dict[str, Any]:
    # Few of the keys that deny are tightened: a policy that denies everything shows little.
    keys = {key: ladder[0] for key, ladder in LADDERS.items()} | {"audit": frozenset()}
    tightened = draw(st.lists(st.sampled_from(sorted(LADDERS)), max_size=3, unique=True))
    for key in ("attestations", "continuity", "min_age", "unsupported", "unavailable", *tightened):
        keys[key] = draw(st.sampled_from(LADDERS[key]))
    if not audited:
        keys["audit"] = frozenset()
    return keys
