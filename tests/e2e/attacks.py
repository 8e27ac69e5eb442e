"""Five attacks on a project with a history, replayed for whoever asks first, through a real inbond and installer.

The project has six releases by one publisher, a month apart; the attack is the seventh. Everything is as it comes:
inbond's defaults, an inbond that nobody has asked anything, files that are really signed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from e2e.service import UV, Service, client, new_environment, pip, serving, uv
from sim.attested import attested_files
from sim.index import SimIndex
from sim.sigstore import GitHub
from stack import sigstore

PROJECT: Final = "widgets"
OWN: Final = "acme-widgets"  # the name of a project inside, which is nobody's outside
BEFORE: Final = "1.5"
ATTACK: Final = "1.6"
MONTH: Final = timedelta(days=30)
HONEST: Final = GitHub()
OWNED: Final = """
[upstreams.acme]
url = "{acme}"
projects = ["acme-*"]
[indexes.root]
upstreams = ["pypi", "acme"]
[upstreams.pypi]
url = "{public}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """An attack: what somebody does, by what it is stopped, and how it gets onto the simulated index."""

    name: str
    told: str
    stopped_by: str  # the finding's rule and code
    strike: Callable[[SimIndex], None]
    project: str = PROJECT
    owned: bool = False


def with_history(index: SimIndex, project: str = PROJECT) -> None:
    """Six releases, the newest four months old."""
    now = datetime.now(UTC)
    for number in range(6):
        uploaded = now - timedelta(days=120) - (5 - number) * MONTH
        identity = replace(HONEST, ref=f"refs/tags/v1.{number}")
        attested_files(index, sigstore(), project, [f"1.{number}"], identity, uploaded=uploaded, signed=uploaded)


def _two_days_ago() -> datetime:
    return datetime.now(UTC) - timedelta(days=2)


def _stolen_token(index: SimIndex) -> None:
    index.add_wheel(PROJECT, ATTACK, upload_time=_two_days_ago())


def _by(index: SimIndex, identity: GitHub, uploaded: datetime) -> None:
    attested_files(index, sigstore(), PROJECT, [ATTACK], identity, uploaded=uploaded, signed=uploaded)


def _recreated(index: SimIndex) -> None:
    _by(index, replace(HONEST, ref="refs/tags/v1.6", repository_id="9009", owner_id="8008"), _two_days_ago())


def _workflow(index: SimIndex) -> None:
    _by(index, replace(HONEST, ref="refs/heads/main", workflow="ci.yml", trigger="push"), _two_days_ago())


def _young(index: SimIndex) -> None:
    _by(index, replace(HONEST, ref="refs/tags/v1.6"), datetime.now(UTC) - timedelta(hours=1))


def _internal_name(index: SimIndex) -> None:
    index.add_wheel(OWN, "99.0")


ATTACKS: Final = (
    Attack(
        name="A stolen API token",
        told="Somebody has the project's upload token and publishes 1.6, which no workflow has signed.",
        stopped_by="continuity/lost",
        strike=_stolen_token,
    ),
    Attack(
        name="A repository created anew under its old name",
        told="The account was given up; somebody takes the name, makes the repository again and publishes from it.",
        stopped_by="continuity/recreated",
        strike=_recreated,
    ),
    Attack(
        name="A workflow changed by a malicious commit",
        told="Somebody gets a commit in, and another workflow publishes 1.6 from a branch.",
        stopped_by="continuity/changed",
        strike=_workflow,
    ),
    Attack(
        name="A release an hour old",
        told="The maintainer's own pipeline was taken over: everything about 1.6 is as always, but that it is new.",
        stopped_by="cooldown/young",
        strike=_young,
    ),
    Attack(
        name="An internal name registered publicly",
        told=f"{OWN} is published inside alone; somebody registers the name outside, with version 99.0.",
        stopped_by="names",
        strike=_internal_name,
        project=OWN,
        owned=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one installation."""

    command: str
    installed: str  # the version; empty where nothing was
    code: int
    printed: str
    origin: str
    place: Path


def replayed(attack: Attack, place: Path, installer: str, public: SimIndex, inside: SimIndex) -> list[Outcome]:
    """What the first person gets who asks for the project, and then for the attacker's version."""
    (place / "root.json").write_bytes(sigstore().trusted_root())
    flags = []
    if attack.owned:
        file = place / "inbond.toml"
        file.write_text(OWNED.format(acme=inside.url, public=public.url))
        flags = ["--config", str(file)]
    with serving(place, "" if attack.owned else public.url, *flags) as service:
        version = "99.0" if attack.owned else ATTACK
        return [
            _outcome(attack.project, place, service, installer, wanted)
            for wanted in (attack.project, f"{attack.project}=={version}")
        ]


def _outcome(project: str, place: Path, service: Service, installer: str, wanted: str) -> Outcome:
    name = wanted.replace("==", "-")
    env = new_environment(place, name)
    done = (pip if installer == "pip" else uv)(place, env, service.index_url, wanted)
    found = sorted(env.glob(f"lib/python3*/site-packages/{project.replace('-', '_')}-*.dist-info"))
    return Outcome(
        command=f"{'pip' if installer == 'pip' else 'uv pip'} install {wanted}",
        installed=found[0].name.split("-")[1].removesuffix(".dist") if found else "",
        code=done.returncode,
        printed=done.stdout + done.stderr,
        origin=service.origin,
        place=place,
    )


def version_of(place: Path, installer: str) -> str:
    """A client's version."""
    command = [sys.executable, "-m", "pip", "--version"] if installer == "pip" else [UV, "--version"]
    return client(place, *command).stdout.split()[1]
