"""Judging a large page under all rules, beside decoding and encoding that page alone.

    python bench/policy.py [--files 5000] [--rounds 15] [--short]

One page of attested and unattested files in a hundred versions, a policy in which every key is tightened a little,
pins, waivers and rejections, and 10,000 advisories loaded: first none of them about this project, then some hundreds.
The parts are timed in turn, round after round in one process, so that what else the machine does meets all of them;
medians. Writes bench/results/policy.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).parent
sys.path[0] = str(HERE.parent / "tests")  # in place of this directory: `policy` is the tests' there

from inbond.advisories.snapshot import NOTHING_KNOWN, AdvisorySet, read_records
from inbond.model.advisory import Severity
from inbond.model.decisions import Pin, Rejection, Target, Waiver
from inbond.model.evidence import EvidenceOrPending
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page
from inbond.model.publisher import PublisherPattern, SigningIdentity
from inbond.model.standing import Standing
from inbond.policy.engine import RULES, judge_page
from inbond.policy.settings import (
    Action,
    Attestations,
    Listed,
    PolicySettings,
    Presence,
    ProjectPolicy,
)
from inbond.simple.document import decode_page, encode_page
from inbond.simple.render import Entry, render_json
from policy.cases import ABSENT, attestation, identity_of, verified

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PROJECT = ProjectName("demo")
ADVISORIES = 10_000
WEEK = timedelta(days=7)
HEAD = """\
# Judging a page of {files:,} files under all rules

{machine}, {cores} processors with a load of {load:.1f} before the run, Python {python}. Medians of {rounds} rounds in
one process, in which every part has its turn; processor time, as nothing here waits.

The page: {versions} versions, half of the files attested, {young} files younger than a week. The policy: all {rules}
rules apply that can, every key a little stricter than by default. Beside it {waivers} waivers, {rejections} rejections
and {pins} pins, and {advisories:,} advisories loaded.

| part | milliseconds | a file, microseconds |
|---|---|---|"""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What is measured on."""

    page: Page
    memory: PageMemory
    evidence: Mapping[Filename, EvidenceOrPending]
    settings: PolicySettings


def main() -> None:
    """Measures, prints and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--short", action="store_true", help="a small page and few rounds, to see that it works")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    files, rounds = (200, 3) if options.short else (options.files, options.rounds)
    load = os.getloadavg()[0]
    bench = made(files)
    text = as_markdown(bench, measured(parts_of(bench), rounds), rounds=rounds, load=load)
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "policy.md").write_text(text)
    print(text)


def parts_of(bench: Bench) -> dict[str, Callable[[], object]]:
    """What is timed, by name. Encoding is what inbond does to serve the page: stored form, and JSON."""
    stored = encode_page(bench.page)
    entries = [Entry(file=file, url=f"../../packages/{file.filename}") for file in bench.page.files]

    def judging(advisories: AdvisorySet) -> Callable[[], object]:
        return lambda: judge_page(
            index="root",
            page=bench.page,
            memory=bench.memory,
            settings=bench.settings,
            evidence=bench.evidence,
            standing=standing_of(advisories),
            now=NOW,
        )

    return {
        "decode the stored page": lambda: decode_page(stored),
        "encode it to be stored": lambda: encode_page(bench.page),
        "encode it in JSON": lambda: render_json(bench.page, entries),
        "judge it, advisories on other projects": judging(loaded(0)),
        "judge it, 300 advisories on this one": judging(loaded(300)),
    }


def measured(parts: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median of each part, in seconds."""
    times: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(rounds):
        for name, part in parts.items():
            started = time.process_time()
            part()
            times[name].append(time.process_time() - started)
    return {name: statistics.median(found) for name, found in times.items()}


def as_markdown(bench: Bench, found: Mapping[str, float], *, rounds: int, load: float) -> str:
    """The table for people, and the one number that matters."""
    files = len(bench.page.files)
    standing = standing_of(NOTHING_KNOWN)
    lines = [
        HEAD.format(
            files=files,
            machine=platform.machine(),
            cores=os.cpu_count(),
            load=load,
            python=platform.python_version(),
            rounds=rounds,
            versions=len({bench.page.version_of(file) for file in bench.page.files}),
            young=sum(
                1 for file in bench.page.files if file.upload_time and NOW - file.upload_time < timedelta(days=7)
            ),
            rules=len(RULES) + 1,
            waivers=len(standing.waivers),
            rejections=len(standing.rejections),
            pins=len(standing.pins),
            advisories=ADVISORIES,
        )
    ]
    lines += [f"| {name} | {seconds * 1e3:.1f} | {seconds * 1e6 / files:.1f} |" for name, seconds in found.items()]
    both = found["decode the stored page"] + found["encode it in JSON"]
    judged = {name: seconds for name, seconds in found.items() if name.startswith("judge")}
    lines += ["", "Beside decoding and encoding in JSON, together " + f"{both * 1e3:.1f} ms:", ""]
    lines += [f"- {name}: {seconds / both:.2f} times as long" for name, seconds in judged.items()]
    return "\n".join(lines) + "\n"


# --- the page, and what stands beside it


def made(count: int) -> Bench:
    """A page on which every rule has something to look at and few have something to say."""
    per_version = max(2, count // 100)
    files = tuple(_file(number, per_version) for number in range(count))
    signed = {
        file.filename: verified(attestation(_signer(), signed_at=file.upload_time)) if number % 2 else ABSENT
        for number, file in enumerate(files)
    }
    seen = {file.filename: NOW - timedelta(days=1000) for file in files}
    memory = PageMemory(
        project_first_seen=NOW - timedelta(days=1000),
        first_seen=seen,
        first_digest={file.filename: file.hashes["sha256"] for file in files},
    )
    return Bench(page=Page(name=PROJECT, files=files), memory=memory, evidence=signed, settings=policy())


def _file(number: int, per_version: int) -> File:
    release = number // per_version
    version = f"{1 + release // 40}.{release % 40}.0"
    name = f"demo-{version}-cp3{number % per_version}-cp3{number % per_version}-manylinux_2_17_x86_64.whl"
    if number % per_version == 0:
        name = f"demo-{version}.tar.gz"
    age = timedelta(hours=5 + 90 * (100 - min(99, release)))
    return File(
        filename=Filename(name),
        url=f"http://files.example/{number:05}/{name}",
        hashes={"sha256": f"{number:064x}"},
        size=1_000_000 + number,
        upload_time=NOW - age,
        upload_time_text=(NOW - age).isoformat(),
        requires_python=">=3.9",
        core_metadata={"sha256": f"{number + 1:064x}"},
        provenance=f"http://index.example/integrity/{name}/provenance" if number % 2 else Claim.NONE,
    )


def _signer() -> SigningIdentity:
    return replace(
        identity_of(),
        repository_id="1",
        owner_id="10",
        environment="pypi",
        runner="github-hosted",
        trigger="release",
        build_signer=identity_of().workflow,
    )


def policy() -> PolicySettings:
    """Every key a little stricter than by default, and none so strict that most is denied for one reason."""
    return PolicySettings(
        deny=(Listed.parse("evil-*"), Listed.parse("demo==1.7.0")),
        allow=(Listed.parse("demo"), Listed.parse("other>=2")),
        base=ProjectPolicy(
            attestations=Attestations.IF_PRESENT,
            continuity=Action.parse("hold 14d"),
            min_age=timedelta(days=3),
            backdated=Action.parse("hold 7d"),
            unsupported=Action.parse("hold 7d"),
            yanked=Presence.DENY,
            pull_requests=Action.parse("hold 7d"),
            malware=Action.parse("deny"),
            vulnerabilities=Action.parse("hold 7d"),
            min_severity=Severity.MEDIUM,
        ),
    )


def standing_of(advisories: AdvisorySet) -> Standing:
    """Decisions about the project, and what is known of it."""
    until = NOW + timedelta(days=30)
    targets = [Target.parse(text) for text in ("demo==1.3.0", "demo>=2,<2.1", f"demo@sha256:{7:064x}", "demo")]
    rules = ("cooldown", "continuity", "vulnerabilities", "backdated", "deny")
    return Standing(
        waivers=tuple(
            Waiver(target=target, rule=rule, until=until, reason="seen", by="somebody")
            for target in targets
            for rule in rules
        ),
        rejections=tuple(Rejection(target=Target.parse(f"demo==9.{n}"), reason="no", by="somebody") for n in range(5)),
        pins=tuple(
            Pin(
                project=PROJECT,
                publisher=PublisherPattern.parse(f"github:acme/tools{n}"),
                reason="moved",
                by="somebody",
            )
            for n in range(5)
        ),
        advisories=advisories.of(PROJECT),
    )


def loaded(about: int) -> AdvisorySet:
    """10,000 advisories as they are read from OSV records, so many of them about the project."""
    names = [str(PROJECT)] * about + [f"other-{number % 3000}" for number in range(ADVISORIES - about)]
    entries = ((f"{number}.json", json.dumps(_record(number, name)).encode()) for number, name in enumerate(names))
    return AdvisorySet.joined([read_records(entries)])


def _record(number: int, name: str) -> dict[str, object]:
    first, second = f"1.{number % 40}.0", f"1.{number % 40 + 1}.0"
    return {
        "schema_version": "1.6.0",
        "id": f"MAL-2026-{number}" if number % 50 == 0 else f"GHSA-{number:04}",
        "modified": "2026-08-12T12:00:00Z",
        "published": "2026-08-12T12:00:00Z",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": name},
                "versions": [first],
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": first}, {"fixed": second}]}],
            }
        ],
    }


if __name__ == "__main__":
    main()
