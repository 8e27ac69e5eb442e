"""Attacks on a project with a history, each with what continuity makes of it for the first person who asks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from policy.histories.harmless import CHANGED, FIVE, LOST, REF_CHANGED, TOKEN
from policy.histories.language import USUAL, By, History, Upload, monthly, pinned

ANEW = replace(USUAL, id="6666", owner="8")  # the same name, another repository
EVIL_WORKFLOW = replace(USUAL, workflow="ci-test.yml", ref="branch", trigger="push")
SAME_WORKFLOW_FROM_BRANCH = replace(USUAL, ref="branch", trigger="workflow_dispatch")
FROM_PULL_REQUEST = replace(USUAL, ref="pull request", trigger="pull_request_target")
OLD_HOME = By(repository="oldhome/demo", id="1", owner="5")
ELSEWHERE = By(repository="mallory/demo", id="6666")

RECREATED = "continuity/recreated, until a pin accepts it"


@dataclass(frozen=True)
class Attack:
    """A history, what happened, and the stops that are expected."""

    title: str
    what: str
    history: History
    stops: tuple[str, ...]


def _attack(title: str, what: str, uploads: list[Upload], *stops: str, seen_from: float | None = None) -> Attack:
    return Attack(title, what, History(title, uploads, seen_from), stops)


ATTACKS: tuple[Attack, ...] = (
    _attack(
        "a stolen token",
        "uploads without attestation",
        [*monthly(*FIVE), *monthly("1.5", since=140, by=TOKEN)],
        f"1.5: {LOST}",
    ),
    _attack(
        "a stolen token, in the first weeks of a new line",
        "2.0 alone is no history; the line before stands beside it",
        [*monthly(*FIVE), *monthly("2.0", since=130), *monthly("2.1", since=150, by=TOKEN)],
        f"2.1: {LOST}",
    ),
    _attack(
        "a stolen token, twice",
        "the first release does not excuse the second",
        [*monthly(*FIVE), *monthly("1.5", "1.6", since=140, every=3, by=TOKEN)],
        f"1.5: {LOST}",
        f"1.6: {LOST}",
    ),
    _attack(
        "a stolen token, after the good releases were yanked",
        "what is yanked is history all the same",
        [*monthly(*FIVE, yanked_on=139), *monthly("1.5", since=140, by=TOKEN)],
        f"1.5: {LOST}",
    ),
    _attack(
        "a stolen account with another publisher",
        "registers one of its own",
        [*monthly(*FIVE), *monthly("1.5", since=140, by=ELSEWHERE)],
        f"1.5: {CHANGED}",
    ),
    _attack(
        "the repository is deleted and made anew",
        "whoever takes the free name passes for the publisher",
        [*monthly(*FIVE), *monthly("1.5", since=140, by=ANEW)],
        f"1.5: {RECREATED}",
    ),
    _attack(
        "the repository is made anew, with patience",
        "what is denied is no history, however old it grows",
        [*monthly(*FIVE), *monthly("1.5", "1.6", "1.7", since=140, by=ANEW)],
        f"1.5: {RECREATED}",
        f"1.6: {RECREATED}",
        f"1.7: {RECREATED}",
    ),
    _attack(
        "the repository is made anew, and the old releases are removed",
        "memory outlives them",
        [*monthly(*FIVE, removed_on=150), *monthly("1.5", "1.6", since=160, by=ANEW)],
        f"1.5: {RECREATED}",
        f"1.6: {RECREATED}",
    ),
    _attack(
        "a malicious commit adds a workflow",
        "the repository is the right one",
        [*monthly(*FIVE), *monthly("1.5", since=140, by=EVIL_WORKFLOW)],
        f"1.5: {CHANGED}",
    ),
    _attack(
        "the right workflow is run from a branch",
        "nobody reviewed what lies there",
        [*monthly(*FIVE), *monthly("1.5", since=140, by=SAME_WORKFLOW_FROM_BRANCH)],
        f"1.5: {REF_CHANGED}",
    ),
    _attack(
        "a pull request publishes",
        "the workflow builds what a stranger wrote",
        [*monthly(*FIVE), *monthly("1.5", since=140, by=FROM_PULL_REQUEST)],
        f"1.5: {REF_CHANGED}",
    ),
    _attack(
        "a file is added to an old release",
        "locks without digests would take it",
        [*monthly(*FIVE), Upload(version="1.1", day=300, kinds=("linux",), by=TOKEN)],
        f"1.1 linux: {LOST}",
    ),
    _attack(
        "a file is added to an old release, from elsewhere",
        "the same, attested",
        [*monthly(*FIVE), Upload(version="1.1", day=300, kinds=("linux",), by=ELSEWHERE)],
        f"1.1 linux: {CHANGED}",
    ),
    _attack(
        "the attack is there when the project is first seen",
        "the past is replayed",
        [*monthly(*FIVE), *monthly("1.5", since=140, by=ELSEWHERE)],
        f"1.5: {CHANGED}",
        seen_from=142,
    ),
    _attack(
        "a repository made anew weeks before the project is first seen",
        "its releases are older than any hold; what the past proves is remembered and speaks against them",
        [*monthly(*FIVE), *monthly("1.5", "1.6", since=140, by=ANEW)],
        f"1.5: {RECREATED}",
        f"1.6: {RECREATED}",
        seen_from=160,
    ),
    _attack(
        "the index dates the attack back",
        "memory knows when it came",
        [*monthly(*FIVE), *monthly("1.5", since=140, dated=1, by=TOKEN)],
        f"1.5: {LOST}",
        seen_from=10,
    ),
    _attack(
        "an old line, made anew",
        "memory did not know its repository; it learns with the finding, which so outlives the comparison",
        [
            *monthly(*FIVE, by=OLD_HOME),
            *monthly("2.0", "2.1", "2.2", "2.3", "2.4", since=150),
            *monthly("1.5", since=400, by=replace(OLD_HOME, id="6666", owner="8")),
        ],
        f"1.5: {RECREATED}",
        seen_from=390,
    ),
    _attack(
        "the repository is made anew while provenance of a release before is unavailable",
        "what is known is remembered all the same",
        [*monthly(*FIVE, unavailable=("1.2",)), *monthly("1.5", since=400, by=ANEW)],
        f"1.5: {RECREATED}",
        seen_from=399,
    ),
    _attack(
        "a stolen token, in a line that was given up",
        "one old release of 2019 by hand does not speak for it",
        [
            *monthly("2019.1", by=TOKEN, yanked_on=1),
            *monthly(*FIVE, since=100),
            *monthly("2019.2", since=400, by=TOKEN),
        ],
        f"2019.2: {LOST}",
    ),
    _attack(
        "a stolen account with another publisher, in a line that was given up",
        "nor do five",
        [
            *monthly("2019.1", "2019.2", "2019.3", "2019.4", "2019.5", by=TOKEN),
            *monthly(*FIVE, since=300),
            *monthly("2019.6", since=700, by=ELSEWHERE),
        ],
        f"2019.6: {CHANGED}",
    ),
    _attack(
        "a stolen token, below all that there is",
        "there is no line to go on with; the project's newest releases stand for it",
        [*monthly("2.0", "2.1", "2.2", "2.3", "2.4"), *monthly("1.9", since=400, by=TOKEN)],
        f"1.9: {LOST}",
    ),
    _attack(
        "a stolen token, and the project has pre-releases alone",
        "then they are its history",
        [*monthly("0.1b1", "0.1b2", "0.1b3", "0.1b4"), *monthly("0.1b5", "0.1", since=140, every=3, by=TOKEN)],
        f"0.1b5: {LOST}",
        f"0.1: {LOST}",
    ),
    _attack(
        "a stolen token uploads nothing but the kind that was never attested",
        "no wheel of the release speaks for its sdist",
        [*monthly(*FIVE, differing={"sdist": TOKEN}), *monthly("1.5", since=140, kinds=("sdist",), by=TOKEN)],
        f"1.5: {LOST}",
    ),
    _attack(
        "a stolen account uploads an sdist by hand, and a wheel of its own publisher",
        "a wheel that comes another way speaks for nothing",
        [
            *monthly(*FIVE, differing={"sdist": TOKEN}),
            *monthly("1.5", since=140, by=ELSEWHERE, kinds=("wheel",)),
            *monthly("1.5", since=140, by=TOKEN, kinds=("sdist",)),
        ],
        f"1.5 wheel: {CHANGED}",
        f"1.5 sdist: {LOST}",
    ),
    _attack(
        "a stolen account attests the kind that was never attested",
        "nothing but an sdist, by another publisher than the wheels before",
        [*monthly(*FIVE, differing={"sdist": TOKEN}), *monthly("1.5", since=140, kinds=("sdist",), by=ELSEWHERE)],
        f"1.5: {CHANGED}",
    ),
    _attack(
        "a stolen token names a platform besides that is always made by hand",
        "the file counts as what most people get",
        [
            *monthly(*FIVE, kinds=("linux", "win"), differing={"win": TOKEN}),
            *monthly("1.5", since=140, kinds=("any or win",), by=TOKEN),
        ],
        f"1.5: {LOST}",
    ),
)

ACCEPTED: tuple[Attack, ...] = (
    Attack(
        "made anew, and a pin accepts the new repository",
        "a maintainer who lost the old one",
        History(
            "accepted",
            [*monthly(*FIVE), *monthly("1.5", "1.6", since=140, by=ANEW)],
            pins=(pinned("github:acme/demo", "6666"),),
        ),
        (),
    ),
    Attack(
        "made anew, and a pin accepts another repository id",
        "that is not the one",
        History(
            "not accepted",
            [*monthly(*FIVE), *monthly("1.5", since=140, by=ANEW)],
            pins=(pinned("github:acme/demo", "7777"),),
        ),
        (f"1.5: {RECREATED}",),
    ),
    Attack(
        "a publisher that a pin accepts",
        "an operator who asked the maintainers",
        History(
            "pinned",
            [*monthly(*FIVE), *monthly("1.5", since=140, by=ELSEWHERE)],
            pins=(pinned("github:mallory/demo@release.yml"),),
        ),
        (),
    ),
    Attack(
        "a pin of another workflow",
        "says nothing of this one",
        History(
            "another",
            [*monthly(*FIVE), *monthly("1.5", since=140, by=ELSEWHERE)],
            pins=(pinned("github:mallory/demo@publish.yml"),),
        ),
        (f"1.5: {CHANGED}",),
    ),
)
