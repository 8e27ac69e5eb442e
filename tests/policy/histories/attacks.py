"""Attacks on a project with a history, each with what continuity makes of it for the first person who asks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from policy.histories.harmless import CHANGED, FIVE, LOST, TOKEN
from policy.histories.language import USUAL, By, History, Upload, monthly, pinned

ANEW = replace(USUAL, id="6666")  # the same name, another repository
EVIL_WORKFLOW = replace(USUAL, workflow="ci-test.yml", ref="branch", trigger="push")
SAME_WORKFLOW_FROM_BRANCH = replace(USUAL, ref="branch", trigger="workflow_dispatch")
FROM_PULL_REQUEST = replace(USUAL, ref="pull request", trigger="pull_request_target")
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
        f"1.5: {CHANGED}",
    ),
    _attack(
        "a pull request publishes",
        "the workflow builds what a stranger wrote",
        [*monthly(*FIVE), *monthly("1.5", since=140, by=FROM_PULL_REQUEST)],
        f"1.5: {CHANGED}",
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
