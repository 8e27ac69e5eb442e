"""A named view: which upstreams, in which order, under which policy; and which of them a project belongs to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from inbond.gateway.page_state import PageState
from inbond.gateway.pages import NotAtHand, PageKeeper
from inbond.model.errors import NotFound
from inbond.model.names import Filename, ProjectName, is_version, parse_filename, project_candidates
from inbond.policy.settings import PolicySettings, ProjectPattern

TOLD_DIGITS: Final = 12  # of a policy's digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The projects that belong to one upstream alone: asked there and nowhere else."""

    upstream: str
    projects: tuple[ProjectPattern, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index as people address it."""

    name: str
    policy: PolicySettings
    policy_digest: str
    upstreams: tuple[str, ...]
    ownership: tuple[Ownership, ...] = ()

    @property
    def judged_by(self) -> str:
        """What tells people and programs the policy, and whether it was changed: `NAME sha256:FIRST12`."""
        return f"{self.policy.name} sha256:{self.policy_digest[:TOLD_DIGITS]}"

    @property
    def prefix(self) -> str:
        """What stands before `simple/` and `packages/` in a path: nothing for root, else `name/`."""
        return "" if self.name == ROOT else f"{self.name}/"

    def upstreams_for(self, project: ProjectName) -> tuple[str, ...]:
        """Where a project is looked for: at its owners of this index, or, owned by nobody, at all in order.

        A project whose owner is no upstream of this index is looked for nowhere: its name does not leak.
        """
        owners = self.owners_of(project)
        if not owners:
            return self.upstreams
        return tuple(upstream for upstream in self.upstreams if upstream in owners)

    def sought_at(self, project: ProjectName, fed: Collection[str]) -> tuple[str, ...]:
        """Those of them that are asked one after the other until one has the project. `fed`: by imports.

        That nobody carried a project over does not say that nobody owns it. So where an upstream that is fed by imports
        has it not, others that are asked over a network hear of it only where ownership decides: the project is theirs,
        or the fed upstream says which projects are its own, and this is none of them. Other imports are looked into,
        since nobody hears of it there, and since the sending side has chosen what they hold.
        """
        if not self.ownership and not fed:  # nearly always, and asked before every answer
            return self.upstreams
        upstreams = self.upstreams_for(project)
        if self.owners_of(project):
            return upstreams
        keeps = {name for name in fed if not any(one.upstream == name for one in self.ownership)}
        sought: list[str] = []
        for upstream in upstreams:
            if upstream not in fed and keeps.intersection(sought):
                break
            sought.append(upstream)
        return tuple(sought)

    def owners_of(self, project: ProjectName) -> tuple[str, ...]:
        """The upstreams to which a project belongs alone, whether they are upstreams of this index or not."""
        return tuple(o.upstream for o in self.ownership if any(p.matches(project) for p in o.projects))

    def projects_for(self, filename: Filename) -> tuple[ProjectName, ...]:
        """The projects on whose pages a file of this name is looked for, most likely first.

        A file that is named after an owned project is looked for among owned projects alone, and so is one with an
        odd name that may be, also where it reads as if project and version together were the project: other readings
        would tell the other upstreams what an owned project is called.
        """
        candidates = project_candidates(filename)
        owned = tuple(project for project in candidates if self.owners_of(project))
        stated = parse_filename(filename).project
        if stated is None or stated in owned or any(_is_version_of(project, stated) for project in owned):
            return owned or candidates
        return candidates


def _is_version_of(project: ProjectName, name: ProjectName) -> bool:
    """Whether a name is a project's, a dash, and what a version becomes in a name: `demo-1-0`."""
    start, _, rest = name.partition(f"{project}-")
    return not start and is_version(rest.replace("-", "."))


ROOT = "root"


async def find_page(
    pages: PageKeeper, index: Index, project: ProjectName, *, revalidate: bool = False
) -> PageState | None:
    """The page of the first upstream that has the project; only "unknown" moves on, errors never do.

    "Unknown" of an upstream that is fed by imports moves on only as `Index.sought_at` has it.
    """
    for upstream in index.sought_at(project, pages.fed):
        state = await pages.current(upstream, project, revalidate=revalidate)
        if state is not None:
            return state
    return None


def page_at_hand(
    pages: PageKeeper, index: Index, project: ProjectName, *, revalidate: bool = False
) -> PageState | None:
    """What `find_page` finds at once; None where somebody has to be asked, or no upstream has it. Tells nobody."""
    for upstream in index.sought_at(project, pages.fed):
        match pages.at_hand(upstream, project, revalidate=revalidate):
            case PageState() as state:
                return state
            case NotAtHand():
                return None
            case None:
                continue
    return None


async def require_page(pages: PageKeeper, index: Index, project: ProjectName, *, revalidate: bool = False) -> PageState:
    """As `find_page`; raises `NotFound`."""
    state = await find_page(pages, index, project, revalidate=revalidate)
    if state is None:
        raise not_found(pages.fed, index, project)
    return state


def not_found(fed: Collection[str], index: Index, project: ProjectName) -> NotFound:
    """Why a project is not found on an index, none of whose upstreams that are asked has it."""
    message = f"no upstream of index {index.name} has a project {project}"
    sought = index.sought_at(project, fed)
    brought = [name for name in sought if name in fed]
    if not brought:
        return NotFound(message, remedy="check the spelling; a project published just now is found after half a minute")
    message = f"{message}: it is not among what was imported for {_listed(brought)}"
    unasked = [name for name in index.upstreams_for(project) if name not in sought]
    if not unasked:
        return NotFound(
            message, remedy="add it to what is synced on the other side, and import the bundle that is made"
        )
    return NotFound(
        f"{message}, and {_listed(unasked)} is not asked: under a name that is only not carried over, a stranger's "
        "project may stand there",
        remedy=f"add it to what is synced, or, where it is {unasked[0]}'s, to [upstreams.{unasked[0]}] projects",
    )


def _listed(names: Sequence[str]) -> str:
    return f"upstream {' and '.join(names)}"
