"""What upstream holds for the works, by part: upstream is filled with the parts that the chosen works name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

SMALL, VAST, MEDIUM, LARGE, ATTESTED, GIANT = "small", "vast", "medium", "large", "attested", "giant"
MEDIUM_SIZE = 100_000
LARGE_SIZE = 64 * 2**20
COLD_PAGES = 20  # of a round, each asked for once
COLD_FILES = 10
YOUNG_FILES = 20  # of a project whose files are verified; each is a release, and the newest is verified with the page
ALONE, BESIDE, PACED, HALF = "alone", "beside", "paced", "half"  # what they are verified for
PROBE_SECONDS = 2.0  # of finding out how many are verified at most
PINNED = "1.4"  # the newest version of each package that is installed


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much of everything there is."""

    rounds: int = 5
    seconds: float = 4.0  # of each hot run
    round_trip: float = 0.030  # seconds between a request and the first byte of its answer, in the cold works
    rate: float = 125e6  # bytes a second of one upstream connection, in those cold works that say so: 1 Gbit/s
    packages: int = 100  # that are installed at once
    page_files: int = 5000
    attested: int = 2000
    verifications: int = 500  # a second
    installs: int = 200  # clean `uv sync` of a storm
    at_once: int = 8  # of them at any time
    herd: int = 200  # clients of one cold file
    giant: int = 1024 * 2**20  # bytes
    pages: int = 10_000  # served before the giant file
    listed: int = 100_000  # names on the project list


def not_default(plan: Mapping[str, float]) -> str:
    """What of a plan is not the default one, as it is told beside its results; nothing where all is."""
    default = asdict(Plan())
    others = {name.replace("_", " "): (value, default[name]) for name, value in plan.items() if value != default[name]}
    return ", ".join(f"{name} {value:,} (not {usual:,})" for name, (value, usual) in others.items())


def short() -> Plan:
    """Everything small: to see that it works."""
    return Plan(
        rounds=1, seconds=0.5, packages=20, page_files=500, attested=60, verifications=50, installs=6, at_once=2,
        herd=20, giant=64 * 2**20, pages=300, listed=2000,
    )  # fmt: skip


def cold_page(round_: int, number: int) -> str:
    return f"cold-page-{round_}-{number}"


def cold_file(round_: int, number: int) -> str:
    return f"cold-file-{round_}-{number}"


def cold_large(round_: int, kind: str) -> str:
    """A project with one file of 64 MiB that nobody has asked for before."""
    return f"cold-large-{kind}-{round_}"


def package(set_: str, number: int) -> str:
    """One of the packages that are installed together."""
    return f"{set_}-package-{number:03}"


def tops(plan: Plan, set_: str) -> Iterator[str]:
    """Those that are asked for by name; each depends on the nine after it."""
    return (package(set_, number) for number in range(0, plan.packages, 10))


def requires(plan: Plan, set_: str, number: int) -> list[str]:
    """What a package depends on."""
    if number % 10:
        return []
    return [package(set_, below) for below in range(number + 1, min(number + 10, plan.packages))]


def pip_set(round_: int) -> str:
    return f"pip{round_}"


def uv_set(round_: int) -> str:
    return f"uv{round_}"


def storm_set(round_: int) -> str:
    return f"storm{round_}"


def replay_set(round_: int) -> str:
    return f"replay{round_}"


def young(plan: Plan, round_: int, use: str) -> list[str]:
    """Projects of a few young files each, which are verified while pages are asked for; enough of them for the use."""
    seconds = plan.seconds + 1 if use in {PACED, HALF} else PROBE_SECONDS
    count = math.ceil(plan.verifications * seconds / (YOUNG_FILES - 1))
    return [f"verify-{use}-{round_}-{number:03}" for number in range(count)]


def bulk(number: int) -> str:
    """One of many small projects, which are made up when they are asked for."""
    return f"bulk-{number:05}"
