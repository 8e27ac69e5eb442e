"""A page of thousands of files from upstream's bytes to the client's, stage by stage, in processor time.

    python bench/page.py [--files 5000] [--rounds 9] [--short]

The floor is what no index in Python goes below: the page decoded and encoded by msgspec, and `packaging` asked once
about each filename that is new. Floor and stages are timed in turn, round after round in one process; medians. *Cold*:
every filename is new. *Warm*: the same bytes come once more. *A few new*: the page has grown by one release. Writes
bench/results/page.md.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
sys.path[0] = str(HERE.parent / "tests")  # in place of this directory: `policy` is the tests' there

import msgspec
from packaging.utils import parse_sdist_filename, parse_wheel_filename

from inbond.gateway.coding import compress
from inbond.gateway.entries import Entries
from inbond.gateway.indexes import Index
from inbond.gateway.judging import Judged
from inbond.gateway.page_state import PageState, page_state
from inbond.gateway.why import WhyBook
from inbond.model.events import unobserved
from inbond.model.evidence import EvidenceOrPending, Pending
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, Page
from inbond.model.verdict import Verdict
from inbond.policy.engine import judge_page, next_change
from inbond.policy.listing import listed, to_settle
from inbond.policy.settings import PolicySettings
from inbond.simple.document import decode_page, encode_page
from inbond.simple.negotiate import Coding
from inbond.simple.parse_html import parse_html
from inbond.simple.parse_json import parse_json
from inbond.simple.render import render_html, render_json
from inbond.store.documents import open_documents
from inbond.upstream.answers import FetchedPage, Validators
from policy.cases import ABSENT, attestation, identity_of, verified

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PROJECT = ProjectName("demo")
BASE = "https://index.example/simple/demo/"
ORIGIN = "https://inbond.example"
PER_RELEASE = 20
YOUNG = timedelta(days=7)
ATTESTED_FOR = timedelta(days=200)
PLATFORMS = (
    "manylinux_2_17_x86_64.manylinux2014_x86_64", "macosx_11_0_arm64", "win_amd64", "musllinux_1_2_x86_64",
    "manylinux_2_17_aarch64.manylinux2014_aarch64", "macosx_10_12_x86_64", "win32",
)  # fmt: skip
FLOOR = ("msgspec decode", "msgspec encode", "packaging, each new filename")
COUNTED = ("parse JSON", "judge", "paths and digests", "render JSON")  # the paths are part of what is rendered
WHOLE = (*COUNTED, "write the stored form", "what to settle, and how it is listed")
HEAD = """\
# A page of {files:,} files, from upstream's bytes to the client's

{machine}, {cores} processors with a load of {load:.1f} before the run, Python {python}, msgspec {msgspec}, packaging
{packaging}. Medians of {rounds} rounds in one process, in which every stage has its turn; processor time, as nothing
here waits. {releases} releases, a fifth of the files attested, those of the last week verified; the default policy,
every file known to memory. {size:.1f} MB of JSON.

Milliseconds. *Cold*: all filenames are new. *Warm*: the same bytes again. *A few new*: the same page with one release
more. *The floor* is the first three lines. Beside it stand parsing, judging and rendering:
{counted}.
*The whole* is all that is done before the page is given for the first time, uncompressed: those, and
{besides}.

| stage | cold | warm | a few new |
|---|--:|--:|--:|
"""
TRIED = """
What was tried, in the same processor time for 5,000 files:

- paid: a file's bytes that were read before are looked up (90 ms, then 11); `File` and `Entry` as msgspec structs
  (a frozen dataclass of twelve fields takes 2.8 microseconds to make, a struct 0.25); names and versions read once a
  release instead of once a file (30 ms, then 10); a page's releases sorted once for judging and settling (24 ms each
  time); rows written from structs, not dictionaries; the paths of the page's state used again (35 ms, then 8); another
  coding compressed from the one that is there and not rendered anew.
- did not: switching off garbage collection (no difference); `datetime.fromisoformat`, which takes more than RFC 3339
  allows. All rules that look at attestations left out for files without was little (less than a tenth of judging),
  and was kept.
- what is left is, for the most part, a call of each rule for each file: {judge:.0f} microseconds a file, cold, to
  judge, and {render:.0f} to render it. That does not shrink where all filenames are known, but the floor does, to
  decoding and encoding.
"""
WAYS = ("cold", "warm", "a few new")

Times = dict[str, dict[str, list[float]]]  # by way and stage, seconds


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A page as upstream sends it in both forms, and the names on it that nobody has seen before."""

    body: bytes
    html: bytes
    new: list[str]


def main() -> None:
    """Measures, prints and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--short", action="store_true", help="a small page and few rounds, to see that it works")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    files, rounds = (200, 2) if options.short else (options.files, options.rounds)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="inbond-bench-") as place:
        times = asyncio.run(measured(Path(place), files // PER_RELEASE, rounds))
    size = len(sent(0, files // PER_RELEASE).body)
    text = as_markdown(times, files=files, size=size, rounds=rounds, load=load)
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "page.md").write_text(text)
    print(text)


async def measured(place: Path, releases: int, rounds: int) -> Times:
    """Every stage in every way; the page of each round has names of its own."""
    times: Times = {way: {} for way in WAYS}
    why = WhyBook(open_documents(place / "documents", size_limit=2**30, observer=unobserved))
    for number in range(rounds + 1):  # the first is not counted: it is where Python warms up
        page, grown = sent(number, releases), sent(number, releases + 1)
        for way, one in (
            ("cold", page),
            ("warm", replace(page, new=[])),
            ("a few new", replace(grown, new=[name for name in grown.new if name not in set(page.new)])),
        ):
            gc.collect()
            found = await walked(one, why)
            for stage, seconds in found.items() if number else ():
                times[way].setdefault(stage, []).append(seconds)
    return times


class Clock:
    """Processor time by stage."""

    def __init__(self) -> None:
        self.took: dict[str, float] = {}  # seconds

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = time.process_time()
        yield
        self.took[stage] = time.process_time() - started


async def walked(one: Sent, why: WhyBook) -> dict[str, float]:
    """The seconds of each stage of one page's way."""
    timed = Clock()
    floor(one, timed)
    with timed("parse JSON"):
        page = parse_json(one.body, project=PROJECT, base_url=BASE, known_as=PROJECT)
    with timed("write the stored form"):
        stored = encode_page(page)
    memory, evidence = remembered(page), known(page)
    with timed("paths and digests"):
        state = await page_state(
            "pypi", FetchedPage(page=page, validators=Validators(), received=NOW), stored, memory, validated_at=NOW
        )
    rendered(entries(state, evidence, why, timed), page, timed)
    with timed("read the stored form"):
        decode_page(stored)
    with timed("parse HTML"):
        parse_html(one.html, project=PROJECT, base_url=BASE)
    return timed.took


def floor(one: Sent, timed: Clock) -> None:
    """What no index in Python goes below."""
    with timed("msgspec decode"):
        raw = msgspec.json.decode(one.body)
    with timed("msgspec encode"):
        msgspec.json.encode(raw)
    with timed("packaging, each new filename"):
        for name in one.new:
            parse_wheel_filename(name) if name.endswith(".whl") else parse_sdist_filename(name)


def entries(
    state: PageState, evidence: Mapping[Filename, EvidenceOrPending], why: WhyBook, timed: Clock
) -> Entries:  # fmt: skip
    """The page judged, and ready to be rendered."""
    index = Index(name="root", policy=PolicySettings(), policy_digest="", upstreams=("pypi",))
    with timed("judge"):
        verdicts = judge_page(
            index="root", page=state.page, memory=state.memory, settings=index.policy, evidence=evidence, now=NOW
        )
    with timed("what to settle, and how it is listed"):
        shown = settled(state, index, evidence, verdicts)
    judged = Judged(
        document_id="", policy_digest="", generation=("", 0, ""), verdicts=shown, evidence=evidence, inspections={},
        attached=frozenset(), at=NOW, expires_at=next_change(shown),
    )  # fmt: skip
    return Entries(index=index, state=state, judged=judged, origin=ORIGIN, lost=(), why=why)


def rendered(shown: Entries, page: Page, timed: Clock) -> None:
    """In every format and coding."""
    with timed("render JSON"):
        body = render_json(page, shown.made())
    with timed("render HTML"):
        html = render_html(page, shown.made())
    with timed("gzip of the JSON"):
        compress(body, Coding.GZIP)
    with timed("zstd of the JSON"):
        compress(body, Coding.ZSTD)
    assert html


def remembered(page: Page) -> PageMemory:
    """Every file has been seen before."""
    seen = NOW - 2 * ATTESTED_FOR
    return PageMemory(
        project_first_seen=seen,
        first_seen={file.filename: seen for file in page.files},
        first_digest={file.filename: file.hashes["sha256"] for file in page.files},
    )


def settled(
    state: PageState, index: Index, evidence: Mapping[Filename, EvidenceOrPending], verdicts: Mapping[Filename, Verdict]
) -> Mapping[Filename, Verdict]:
    """What `listing = "settled"` makes of the verdicts, where nothing is left to wait for."""
    wanted = to_settle(
        index="root", page=state.page, memory=state.memory, settings=index.policy, evidence=evidence,
        verdicts=verdicts, now=NOW,
    )  # fmt: skip
    unsettled = {file.filename for file in wanted.young}
    return listed(verdicts, page=state.page, settings=index.policy, evidence=evidence, unsettled=unsettled, now=NOW)


def known(page: Page) -> dict[Filename, EvidenceOrPending]:
    """What is known where a page has settled: young files verified, older ones pending, the rest without any."""
    signed = verified(attestation(identity_of(), signed_at=NOW - ATTESTED_FOR))
    found: dict[Filename, EvidenceOrPending] = {}
    for file in page.files:
        young = file.upload_time is not None and NOW - file.upload_time < YOUNG
        found[file.filename] = ABSENT if file.provenance is Claim.NONE else signed if young else Pending()
    return found


# --- the page as upstream sends it


def sent(number: int, releases: int) -> Sent:
    """A page on which no name occurs that stands on that of another number."""
    files = [raw for release in range(releases) for raw in _release(number, release)]
    document = {
        "alternate-locations": [],
        "files": files,
        "meta": {"_last-serial": 30_000_000 + number, "api-version": "1.4"},
        "name": str(PROJECT),
        "project-status": {"status": "active"},
        "versions": [_version(number, release) for release in range(releases)],
    }
    links = "".join(map(_link, files))
    html = f'<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.4"></head><body>{links}</body>'
    assert len({raw["filename"] for raw in files}) == len(files)
    return Sent(body=msgspec.json.encode(document), html=html.encode(), new=[str(raw["filename"]) for raw in files])


def _version(number: int, release: int) -> str:
    return f"{number}.{release}.0"


def _release(number: int, release: int) -> Iterator[dict[str, object]]:
    version = _version(number, release)
    yield _file(number, release, 0, f"demo-{version}.tar.gz")
    for built in range(1, PER_RELEASE):
        python, platform_tag = f"cp3{8 + built % 7}", PLATFORMS[built // 7 + release % 5]
        yield _file(number, release, built, f"demo-{version}-{python}-{python}-{platform_tag}.whl")


def _file(number: int, release: int, built: int, name: str) -> dict[str, object]:
    digest = hashlib.sha256(name.encode()).hexdigest()
    uploaded = NOW - timedelta(hours=30 + 90 * release, seconds=built, microseconds=number + 1)
    metadata = False if built == 0 else {"sha256": digest[::-1]}
    attested = uploaded > NOW - ATTESTED_FOR
    return {
        "core-metadata": metadata,
        "data-dist-info-metadata": metadata,
        "filename": name,
        "hashes": {"sha256": digest},
        "provenance": f"https://index.example/integrity/demo/{name}/provenance" if attested else None,
        "requires-python": ">=3.8",
        "size": 1_000_000 + built,
        "upload-time": uploaded.isoformat().replace("+00:00", "Z"),
        "url": f"https://files.example/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{name}",
        "yanked": False,
    }


def _link(raw: Mapping[str, object]) -> str:
    digest = str(raw["url"]).split("/packages/")[1]
    return (
        f'<a href="{raw["url"]}#sha256={digest[:2]}{digest[3:5]}{digest[6:66]}" data-requires-python="&gt;=3.8" '
        f'data-core-metadata="sha256={digest[6:66]}0000">{raw["filename"]}</a><br />\n'
    )


def as_markdown(times: Times, *, files: int, size: int, rounds: int, load: float) -> str:
    """The table for people, and the ratios that matter."""
    medians = {
        way: {stage: statistics.median(found) for stage, found in stages.items()} for way, stages in times.items()
    }
    text = HEAD.format(
        files=files, machine=platform.machine(), cores=os.cpu_count(), load=load, python=platform.python_version(),
        msgspec=version("msgspec"), packaging=version("packaging"), rounds=rounds, releases=files // PER_RELEASE,
        size=size / 1e6, counted=", ".join(COUNTED), besides=", ".join(WHOLE[len(COUNTED) :]),
    )  # fmt: skip
    for stage in medians["cold"]:
        row = " | ".join(f"{medians[way][stage] * 1e3:.1f}" for way in WAYS)
        text += f"| {stage} | {row} |\n"
    text += "\n"
    for way in WAYS:
        floor, counted, whole = (sum(medians[way][stage] for stage in stages) for stages in (FLOOR, COUNTED, WHOLE))
        text += f"- {way}: {counted * 1e3:.1f} ms, {counted / floor:.2f} times the floor of {floor * 1e3:.1f} ms; "
        text += f"the whole {whole * 1e3:.1f} ms, {whole / floor:.2f} times\n"
    each = {stage: medians["cold"][stage] / files * 1e6 for stage in ("judge", "render JSON")}
    return text + TRIED.format(judge=each["judge"], render=each["render JSON"])


if __name__ == "__main__":
    main()
