"""Histories of honest projects, shaped after what real ones do, each with what continuity makes of it.

Expected are the stops, as "version kind: finding, days": the kind is left out where all files of the version share it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from inbond.model.publisher import Forge
from policy.histories.language import USUAL, By, History, Upload, monthly

TOKEN = None
MOVED = replace(USUAL, repository="newhome/demo")  # the repository's id stays
FORK = By(repository="friends/demo", id="2002")
BUILDER = By(repository="acme/demo-wheels", id="3003", workflow="wheels.yml")
OWN_ANEW = replace(USUAL, id="1002")  # the owner is the same
RENAMED = replace(USUAL, workflow="publish.yml")
FROM_BRANCH = replace(USUAL, ref="branch")
ON_GITLAB = By(repository="acme/demo", id="44", workflow=".gitlab-ci.yml", forge=Forge.GITLAB)
SERVICE = By(repository="build@acme.example", forge=Forge.GOOGLE)

FIVE = ("1.0", "1.1", "1.2", "1.3", "1.4")


@dataclass(frozen=True)
class Harmless:
    """A history, what it is shaped after, and the stops that are expected."""

    title: str
    shape: str
    uploads: list[Upload]
    stops: tuple[str, ...] = ()

    @property
    def history(self) -> History:
        """To be judged."""
        return History(self.title, self.uploads)


LOST = "continuity/lost, 7 d"
CHANGED = "continuity/changed, 7 d"
REF_CHANGED = "continuity/ref-changed, 7 d"

HARMLESS: tuple[Harmless, ...] = (
    Harmless(
        "one workflow all along",
        "most attested projects",
        monthly(*FIVE, "1.5", "1.6"),
    ),
    Harmless(
        "never attested",
        "five in six projects",
        monthly(*FIVE, "1.5", by=TOKEN),
    ),
    Harmless(
        "first attested release",
        "a project that adopts trusted publishing",
        [*monthly(*FIVE, by=TOKEN), *monthly("1.5", "1.6", since=150)],
    ),
    Harmless(
        "attestations lost through a change of tools, never restored",
        "a build tool that uploads by itself, without attestations",
        [*monthly(*FIVE), *monthly("1.5", "1.6", "1.7", since=150, by=TOKEN)],
        (f"1.5: {LOST}",),
    ),
    Harmless(
        "attestations lost, with a fix a day later",
        "the release after the change of tools was broken",
        [*monthly(*FIVE), *monthly("1.5", "1.5.1", since=150, every=1, by=TOKEN)],
        (f"1.5: {LOST}", f"1.5.1: {LOST}"),
    ),
    Harmless(
        "attestations lost for one release and restored",
        "a workflow that failed on the day",
        [*monthly(*FIVE), *monthly("1.5", since=150, by=TOKEN), *monthly("1.6", "1.7", since=180)],
        (f"1.5: {LOST}",),
    ),
    Harmless(
        "token fall-back now and again",
        "every fourth release is uploaded by hand",
        [
            *monthly("1.0", "1.1", "1.2", "1.3"),
            *monthly("1.4", since=120, by=TOKEN),
            *monthly("1.5", "1.6", "1.7", since=150),
            *monthly("1.8", since=240, by=TOKEN),
            *monthly("1.9", since=270),
        ],
        (f"1.4: {LOST}", f"1.8: {LOST}"),
    ),
    Harmless(
        "as often by hand as not",
        "two maintainers with two habits, two releases each",
        [
            *monthly("1.0", "1.1"),
            *monthly("1.2", "1.3", since=60, by=TOKEN),
            *monthly("1.4", "1.5", since=120),
            *monthly("1.6", "1.7", since=180, by=TOKEN),
        ],
        (f"1.6: {LOST}",),
    ),
    Harmless(
        "mostly by hand",
        "two in five releases are attested: no habit to break",
        [
            *monthly("1.0"),
            *monthly("1.1", "1.2", since=30, by=TOKEN),
            *monthly("1.3", since=90),
            *monthly("1.4", "1.5", since=120, by=TOKEN),
        ],
    ),
    Harmless(
        "the repository moves to another owner",
        "a project that joins an organisation",
        [*monthly(*FIVE), *monthly("1.5", "1.6", since=150, by=MOVED)],
        (f"1.5: {CHANGED}",),
    ),
    Harmless(
        "the organisation is renamed on the day of two releases",
        "a company with a new name",
        [*monthly(*FIVE), *monthly("1.5", "1.6", since=150, every=0.2, by=MOVED)],
        (f"1.5: {CHANGED}", f"1.6: {CHANGED}"),
    ),
    Harmless(
        "the owner's name is spelt with other capitals",
        "acme becomes Acme",
        [*monthly(*FIVE), *monthly("1.5", since=150, by=replace(USUAL, repository="Acme/Demo"))],
    ),
    Harmless(
        "a fork takes over",
        "the maintainer hands on to others",
        [*monthly(*FIVE), *monthly("1.5", "1.6", since=150, by=FORK)],
        (f"1.5: {CHANGED}",),
    ),
    Harmless(
        "from GitHub to GitLab",
        "a project that changes its forge",
        [*monthly(*FIVE), *monthly("1.5", "1.6", since=150, by=ON_GITLAB)],
        (f"1.5: {CHANGED}",),
    ),
    Harmless(
        "from a service account to a workflow",
        "a company that opens its releases",
        [*monthly(*FIVE, by=SERVICE), *monthly("1.5", "1.6", since=150)],
        (f"1.5: {CHANGED}",),
    ),
    Harmless(
        "a second repository begins to build wheels",
        "wheels need machines that the project has not",
        [
            *monthly(*FIVE, kinds=("linux", "sdist")),
            *monthly("1.5", "1.6", since=150, kinds=("linux", "sdist"), differing={"linux": BUILDER}),
        ],
        (f"1.5 linux: {CHANGED}",),
    ),
    Harmless(
        "a second repository has always built the wheels",
        "the same, years later",
        monthly(*FIVE, "1.5", kinds=("linux", "mac", "sdist"), differing={"linux": BUILDER, "mac": BUILDER}),
    ),
    Harmless(
        "a re-run adds the sdist from another run",
        "the job that uploads the sdist had failed",
        [
            *monthly(*FIVE),
            Upload(version="1.5", day=150, kinds=("wheel",)),
            Upload(version="1.5", day=151, kinds=("sdist",), by=replace(USUAL, trigger="workflow_dispatch")),
        ],
    ),
    Harmless(
        "the sdist is added by hand",
        "the same, without patience",
        [
            *monthly(*FIVE),
            Upload(version="1.5", day=150, kinds=("wheel",)),
            Upload(version="1.5", day=151, kinds=("sdist",), by=TOKEN),
        ],
        (f"1.5 sdist: {LOST}",),
    ),
    Harmless(
        "sdists have always been made by hand",
        "only the wheels come from a workflow",
        monthly(*FIVE, "1.5", differing={"sdist": TOKEN}),
    ),
    Harmless(
        "only sdists are attested",
        "wheels come from a build farm",
        monthly(*FIVE, "1.5", differing={"wheel": TOKEN}),
    ),
    Harmless(
        "only linux wheels are attested",
        "macOS and Windows wheels are made on somebody's desk",
        monthly(*FIVE, "1.5", kinds=("linux", "mac", "win"), differing={"mac": TOKEN, "win": TOKEN}),
    ),
    Harmless(
        "macOS wheels for the first time, from the same workflow",
        "a project that grows",
        [*monthly(*FIVE, kinds=("linux",)), *monthly("1.5", since=150, kinds=("linux", "mac", "musl"))],
    ),
    Harmless(
        "wheels for an old release, years later",
        "a new Python needs them; the same workflow",
        [*monthly(*FIVE), Upload(version="1.0", day=400, kinds=("musl",))],
    ),
    Harmless(
        "the workflow is renamed",
        "release.yml becomes publish.yml",
        [*monthly(*FIVE), *monthly("1.5", "1.6", since=150, by=RENAMED)],
        (f"1.5: {CHANGED}",),
    ),
    Harmless(
        "the workflow is renamed and back",
        "somebody thought better of it",
        [*monthly(*FIVE), *monthly("1.5", since=150, by=RENAMED), *monthly("1.6", since=160)],
        (f"1.5: {CHANGED}",),
    ),
    Harmless(
        "a new environment",
        "publishing asks for approval from now on",
        [*monthly(*FIVE), *monthly("1.5", since=150, by=replace(USUAL, environment="pypi"))],
    ),
    Harmless(
        "a reusable workflow does the work from now on",
        "an organisation that shares its release process",
        [
            *monthly(*FIVE),
            *monthly(
                "1.5",
                since=150,
                by=replace(USUAL, called="https://github.com/acme/shared/.github/workflows/go.yml@refs/heads/v2"),
            ),
        ],
    ),
    Harmless(
        "another trigger",
        "releases are started by a push and no longer by hand",
        [*monthly(*FIVE), *monthly("1.5", since=150, by=replace(USUAL, trigger="push"))],
    ),
    Harmless(
        "from branches to tags",
        "a project that begins to tag",
        [*monthly(*FIVE, by=FROM_BRANCH), *monthly("1.5", "1.6", since=150)],
        (f"1.5: {REF_CHANGED}",),
    ),
    Harmless(
        "a hotfix from a branch",
        "the tag came later",
        [*monthly(*FIVE), *monthly("1.4.1", since=130, by=FROM_BRANCH), *monthly("1.5", since=150)],
        (f"1.4.1: {REF_CHANGED}",),
    ),
    Harmless(
        "a monorepo with a workflow for each project",
        "tags such as demo/v1.0",
        monthly(*FIVE, "1.5", by=replace(USUAL, repository="acme/everything", workflow="release-demo.yml")),
    ),
    Harmless(
        "an old line is still released by hand",
        "1.x by its maintainer, 2.x by a workflow",
        [
            *monthly("1.0", "1.1", "1.2", by=TOKEN),
            *monthly("2.0", "2.1", "2.2", "2.3", since=90),
            *monthly("1.3", "1.4", since=215, by=TOKEN),
        ],
    ),
    Harmless(
        "an attested old line goes on by hand",
        "whoever needs 1.x uploads it",
        [
            *monthly(*FIVE),
            *monthly("2.0", "2.1", since=150),
            *monthly("1.5", "1.6", since=220, by=TOKEN),
        ],
        (f"1.5: {LOST}",),
    ),
    Harmless(
        "fixes for an old line from its branch",
        "2.x from tags, 1.x from a maintenance branch",
        [
            *monthly(*FIVE),
            *monthly("2.0", since=150),
            *monthly("1.4.1", "1.4.2", since=170, by=FROM_BRANCH),
        ],
        (f"1.4.1: {REF_CHANGED}",),
    ),
    Harmless(
        "calendar versions, and a new year",
        "2025.12 is followed by 2026.1",
        monthly("2025.9", "2025.10", "2025.11", "2025.12", "2026.1", "2026.2"),
    ),
    Harmless(
        "every release is a new major",
        "70.0, 71.0, 72.0, and one of them by hand",
        [*monthly("70.0", "71.0", "72.0", "73.0"), *monthly("74.0", since=120, by=TOKEN), *monthly("75.0", since=150)],
        (f"74.0: {LOST}",),
    ),
    Harmless(
        "a project that stays at 0.x",
        "nearly half of all",
        monthly("0.1", "0.2", "0.3", "0.10", "0.11"),
    ),
    Harmless(
        "a post release by hand",
        "a description was wrong",
        [*monthly(*FIVE), *monthly("1.4.post1", since=124, by=TOKEN)],
        (f"1.4.post1: {LOST}",),
    ),
    Harmless(
        "a new epoch",
        "calendar versions are given up",
        [*monthly("2025.9", "2025.10", "2025.11", "2025.12"), *monthly("1!1.0", "1!1.1", since=120)],
    ),
    Harmless(
        "fewer than three releases before",
        "a young project that tries this and that",
        [*monthly("1.0", "1.1"), *monthly("1.2", since=60, by=TOKEN), *monthly("1.3", since=90)],
    ),
    Harmless(
        "only release candidates are attested",
        "final releases are uploaded by hand",
        [*monthly("1.0rc1", "1.1rc1", "1.2rc1", "1.3rc1"), *monthly("1.0", "1.1", "1.2", "1.3", since=5, by=TOKEN)],
    ),
    Harmless(
        "release candidates by another workflow",
        "they are no history, yet they are compared; every one is told",
        [
            *monthly("1.0", "1.1", "1.2", "1.3"),
            *monthly("1.1rc1", "1.2rc1", "1.3rc1", since=20, by=replace(USUAL, workflow="candidate.yml")),
        ],
        (f"1.1rc1: {CHANGED}", f"1.2rc1: {CHANGED}", f"1.3rc1: {CHANGED}"),
    ),
    Harmless(
        "a release each day",
        "nothing is settled but what is two weeks old",
        monthly(*(f"1.{number}" for number in range(40)), every=1, kinds=("wheel",)),
    ),
    Harmless(
        "a release each day, and a token now and then",
        "the same on two bad days",
        [
            *monthly(*(f"1.{number}" for number in range(30)), every=1, kinds=("wheel",)),
            *monthly("1.29.1", "1.29.2", since=30, every=0.5, kinds=("wheel",), by=TOKEN),
            *monthly("1.30", since=31, kinds=("wheel",)),
        ],
        (f"1.29.1: {LOST}", f"1.29.2: {LOST}"),
    ),
    Harmless(
        "after two years a new maintainer, by hand",
        "an old project wakes up",
        [*monthly(*FIVE), *monthly("1.5", "1.6", since=900, by=TOKEN)],
        (f"1.5: {LOST}",),
    ),
    Harmless(
        "two releases are yanked",
        "they were broken; the workflow is the same",
        [*monthly("1.0", "1.1", "1.2"), *monthly("1.3", "1.4", since=90, yanked_on=125), *monthly("1.5", since=150)],
    ),
    Harmless(
        "two workflows, one for wheels and one for sdists",
        "each file by its own, all along",
        monthly(*FIVE, "1.5", differing={"sdist": replace(USUAL, workflow="sdist.yml")}),
    ),
    Harmless(
        "its owner deletes the repository and makes it anew",
        "somebody wanted to be rid of its past",
        [*monthly(*FIVE), *monthly("1.5", "1.6", since=150, by=OWN_ANEW)],
        (f"1.5: {CHANGED}",),
    ),
    Harmless(
        "another architecture by another workflow, an hour later",
        "its machines stand elsewhere",
        [
            *monthly(*FIVE, "1.5", kinds=("linux",)),
            *monthly(*FIVE, "1.5", since=0.05, kinds=("arm",), by=replace(USUAL, workflow="arm.yml")),
        ],
    ),
    Harmless(
        "another architecture by hand, all along",
        "its machine stands under somebody's desk",
        [*monthly(*FIVE, "1.5", kinds=("linux",)), *monthly(*FIVE, "1.5", since=0.05, kinds=("arm",), by=TOKEN)],
    ),
    Harmless(
        "only pre-releases so far",
        "the first final release comes as they did",
        [*monthly("0.1b1", "0.1b2", "0.1b3", "0.1b4"), *monthly("0.1", "0.2", since=120)],
    ),
    Harmless(
        "wheels are given up, and sdists were always made by hand",
        "a project that becomes simpler",
        [*monthly(*FIVE, differing={"sdist": TOKEN}), *monthly("1.5", "1.6", since=150, kinds=("sdist",), by=TOKEN)],
        (f"1.5: {LOST}",),
    ),
    Harmless(
        "the sdist is made by hand half a day before the wheels",
        "only the wheels come from a workflow; the sdist waits for them",
        [
            *monthly(*FIVE, differing={"sdist": TOKEN}),
            Upload(version="1.5", day=150, kinds=("sdist",), by=TOKEN),
            Upload(version="1.5", day=150.45, kinds=("wheel",)),
        ],
        ("1.5 sdist: continuity/lost, 0.5 d",),
    ),
    Harmless(
        "an old line is busier than the new one",
        "1.x every month from a maintenance branch, 2.x once a year from tags",
        [
            *monthly("2.0", "2.1", "2.2", every=300),
            *monthly(*(f"1.{number}" for number in range(20)), since=10, by=FROM_BRANCH),
        ],
    ),
    Harmless(
        "a line is given up and the one below goes on",
        "2019.1 was a mistake",
        [*monthly("2019.1", by=TOKEN, yanked_on=1), *monthly(*FIVE, "1.5", since=100)],
    ),
)
