"""Runs the matrix: every client, every case, under every policy, against one inbond after another on one port."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients.cases import CASES, Act, Broken, Case, Outcome, Stopped, Took
from clients.client import Client, Steps
from clients.environments import UV, interpreter
from clients.shop import CONFIG, POLICIES, Shop, stock
from clients.terminal import Printed, bare, run, tidy
from ports import free_port
from sim.index import SimIndex
from stack import inbond

AT_ONCE: Final = 3  # commands at a time, on two cores
_LOCKED: Final = (
    r"demo-(\d[^-]*)-py3-none-any\.whl",
    r"^demo==([^\s;]+)",
    r'name = "demo"\s+version = "([^"]+)"',
    r'"demo": \{[^}]*"version": "==([^"]+)"',
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One case of one client under one policy."""

    client: Client
    case: Case
    policy: str

    @property
    def act(self) -> Act:
        """What is done: a client that takes hashed requirements shows a wrong hash on those."""
        return Act.HASHED if self.case.wrong_hash and self.client.takes_hashes else self.case.act


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a cell."""

    cell: Cell
    outcome: Outcome
    code: int
    lines: Sequence[str]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where a phase of the matrix runs."""

    scratch: Path  # of this policy
    locks: Path  # of all policies: locks that were made while everything was allowed
    origin: str
    shop: Shop

    @property
    def index(self) -> str:
        """inbond's index URL."""
        return f"{self.origin}/simple/"


async def run_matrix(clients: Sequence[Client], scratch: Path) -> list[Result]:
    """All results, in the order of policies, clients and cases."""
    port, results = free_port(), []
    async with SimIndex() as index:
        shop = stock(index)
        for policy, settings in POLICIES.items():
            place = scratch / policy
            place.mkdir()
            async with inbond(place, index, config=CONFIG.format(port=port), more=settings) as proxy:
                ground = Ground(scratch=place, locks=scratch / "locks", origin=proxy.origin, shop=shop)
                todo = list(cells(clients, policy))
                print(f"{policy}: {len(todo)} cells", flush=True)
                results += await _phase(todo, ground)
    return results


def cells(clients: Sequence[Client], policy: str) -> Iterator[Cell]:
    """The cells that can be run; locks come first because others start from them."""
    for case in sorted(CASES, key=lambda case: case.act is not Act.LOCK):
        for client in clients:
            cell = Cell(client=client, case=case, policy=policy)
            if policy in case.expected and can(client, cell.act):
                yield cell


def can(client: Client, act: Act) -> bool:
    """Whether the client does this at all."""
    match act:
        case Act.INSTALL:
            return True
        case Act.LOCK | Act.SYNC:
            return bool(client.lock_files)
        case Act.HASHED:
            return client.takes_hashes


async def _phase(todo: Sequence[Cell], ground: Ground) -> list[Result]:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done: list[Result] = []
        for first in (True, False):  # the locks, then what needs them
            part = [cell for cell in todo if (cell.act is Act.LOCK) is first]
            ends = await asyncio.gather(
                *(loop.run_in_executor(pool, run_cell, cell, ground) for cell in part), return_exceptions=True
            )  # all of them: the pool's end would otherwise stop this loop, and with it inbond, while clients still ask
            for end in ends:
                if isinstance(end, BaseException):
                    raise end
                done.append(end)
    return done


def run_cell(cell: Cell, ground: Ground) -> Result:
    """One cell, in a home, a project and an environment of its own."""
    began = os.times().elapsed
    home = ground.scratch / cell.client.name / re.sub(r"\W+", "-", cell.case.name)
    project = home / "app"
    for place in (project, home / "tmp"):
        place.mkdir(parents=True)
    environ = {**bare(home), **cell.client.environ(ground.index, home)}
    into(cell, project, environ)
    printed = _steps(_commands(cell, ground, project), project, environ)
    if cell.act is Act.LOCK and cell.policy == "allowed" and not printed.code:
        _keep(cell.client, project, ground.locks)
    return Result(
        cell=cell,
        outcome=_outcome(cell, printed, project),
        code=printed.code,
        lines=_lines(printed.text, ground, project),
        seconds=os.times().elapsed - began,
    )


def into(cell: Cell, project: Path, environ: Mapping[str, str]) -> None:
    """The environment to install into; pip and pip-tools need a pip in it, so they get a copy of one."""
    client = cell.client
    if client.distribution in {"pip", "pip-tools"}:
        shutil.copytree(client.env, project / ".venv", symlinks=True, copy_function=_link)
    elif cell.act is Act.SYNC or client.distribution != "hatch":  # hatch makes its own, except when it syncs
        made = run([str(UV), "venv", "--python", interpreter(), str(project / ".venv")], cwd=project, environ=environ)
        assert not made.code, made.text


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copy2(source, target)


def _commands(cell: Cell, ground: Ground, project: Path) -> Steps:
    client, wish = cell.client, cell.case.wish
    pointing = client.pointing(ground.index)
    match cell.act:
        case Act.INSTALL:
            client.prepare(project, wish)
            return [*pointing, *client.install(wish)]
        case Act.LOCK:
            client.prepare_lock(project, wish)
            return [*pointing, *client.lock(wish)]
        case Act.SYNC:
            _take(cell, ground, project)
            return [*([] if "pyproject.toml" in client.carries else pointing), *client.sync()]
        case Act.HASHED:
            digest = ground.shop.demo_1 if cell.case.wrong_hash else ground.shop.demo_2
            file = project / "requirements.txt"
            file.write_text(f"{wish.requirement} --hash=sha256:{digest}\n")
            return [*pointing, *client.hashed(Path(file.name))]


def _keep(client: Client, project: Path, locks: Path) -> None:
    place = locks / client.name
    place.mkdir(parents=True)
    for name in (*client.lock_files, *client.carries):
        shutil.copy(project / name, place / name)


def _take(cell: Cell, ground: Ground, project: Path) -> None:
    """Puts the lock in place that was made while everything was allowed; its hash changed if so asked."""
    kept = ground.locks / cell.client.name
    if not kept.exists():
        return
    shutil.copytree(kept, project, dirs_exist_ok=True)
    if cell.case.wrong_hash:
        for name in cell.client.lock_files:
            text = (project / name).read_text()
            assert ground.shop.demo_2 in text, f"{name} of {cell.client.name} has no hash"
            (project / name).write_text(text.replace(ground.shop.demo_2, ground.shop.demo_1))


def _steps(steps: Steps, project: Path, environ: Mapping[str, str]) -> Printed:
    printed = Printed(code=0, text="")
    for step in steps:
        one = run(step, cwd=project, environ=environ)
        printed = Printed(code=one.code, text=printed.text + one.text)
        if one.code:
            break
    return printed


def _outcome(cell: Cell, printed: Printed, project: Path) -> Outcome:
    version = locked(cell, project) if cell.act is Act.LOCK else installed(cell.case.watched, project)
    reasons = cell.case.reasons_under(cell.policy)
    why = any(flat(reason) in flat(printed.text) for reason in reasons) if reasons else None
    if printed.code and version is None:
        return Stopped(why=bool(why))
    if printed.code == 0 and version is not None:
        return Took(version=version, why=why if cell.policy == "allowed" else None)
    return Broken(text=f"exit code {printed.code} and {version or 'nothing'} there")


def installed(name: str, project: Path) -> str | None:
    """The version that lies in the project's environment."""
    found = [path.name for path in project.glob(f".venv/lib/python3*/site-packages/{name}-*.dist-info")]
    return found[0].removeprefix(f"{name}-").removesuffix(".dist-info") if found else None


def locked(cell: Cell, project: Path) -> str | None:
    """The version of demo that the lock names."""
    for name in cell.client.lock_files:
        if (project / name).exists():
            text = (project / name).read_text()
            for pattern in _LOCKED:
                if found := re.search(pattern, text, re.MULTILINE | re.DOTALL):
                    return found[1]
    return None


def flat(text: str) -> str:
    """Text as one line in small letters, without the frames that some clients draw."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split()).lower()


def _lines(text: str, ground: Ground, project: Path) -> list[str]:
    places = {project: "~/app", project.parent: "~", ground.scratch: "~"}
    return [tidy(line, origin=ground.origin, places=places) for line in text.splitlines() if line.strip()]
