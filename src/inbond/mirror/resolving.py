"""Resolving requirements with uv against inbond's own index, so that what is chosen is what the policy lets through.

uv runs as a process of its own, without any configuration, environment or cache of the user's, and asks nobody else.
It builds no source distribution unless it is told to: to learn what one needs is to run its code.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inbond.locks.lock import Dependency, InvalidLock, Lock
from inbond.locks.requirements import read_requirements
from inbond.mirror.outcomes import Unresolved
from inbond.model.errors import OperatorFault
from inbond.model.text import printable

RESOLVED_WITHIN: Final = 900.0  # seconds, for one Python on one platform
ENDED_WITHIN: Final = 5.0  # seconds, once it is asked to end
MAX_SAID_CHARS: Final = 6000
_GOOD: Final = 0

# What uv calls them (`uv pip compile --help`, --python-platform). Where there are several, the most conservative.
_PLATFORMS: Final = {
    "linux-x86_64": "x86_64-unknown-linux-gnu",
    "linux-aarch64": "aarch64-unknown-linux-gnu",
    "musllinux-x86_64": "x86_64-unknown-linux-musl",
    "musllinux-aarch64": "aarch64-unknown-linux-musl",
    "macos-x86_64": "x86_64-apple-darwin",
    "macos-arm64": "aarch64-apple-darwin",
    "windows-x86_64": "x86_64-pc-windows-msvc",
    "windows-arm64": "aarch64-pc-windows-msvc",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is resolved for; None: as it is here."""

    python: str | None = None
    platform: str | None = None

    def __str__(self) -> str:
        python = f"Python {self.python}" if self.python is not None else "this Python"
        return f"{python} on {self.platform or 'this platform'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Runs uv. `index_url`: inbond's own; `directory`: an empty one, for uv's cache and files; `interpreter`: a Python.

    `builds`: whether source distributions may be built. `within`: seconds for one Python on one platform.
    """

    uv: Path
    index_url: str
    directory: Path
    interpreter: str
    builds: bool = False
    within: float = RESOLVED_WITHIN

    async def resolve(
        self, wanted: Sequence[Dependency], constraints: Sequence[Dependency], place: Place
    ) -> Lock | Unresolved:
        """Everything that the requirements need there, pinned. Raises `OperatorFault`.

        Without digests: all files of a release count, as the same index has them, whichever of them uv would take.
        """
        requirements = self._written("wanted.in", map(as_requirement, wanted))
        limits = self._written("constraints.txt", map(_as_constraint, constraints)) if constraints else None
        code, out, err = await self._run(*self._command(requirements, limits, place))
        if code != _GOOD:
            return Unresolved(place=str(place), said=_said(err))
        try:
            lock = read_requirements(f"what uv chose for {place}", out, open_beside=_nothing_beside)
        except InvalidLock as error:
            raise OperatorFault(
                f"{self.uv} wrote what cannot be read: {error.message}", remedy="name another uv with --uv"
            ) from error
        unnamed = [as_requirement(entry) for entry in not_chosen(wanted, [lock]) if entry.marker is None]
        return Unresolved(place=str(place), said=f"it chose nothing for {', '.join(unnamed)}") if unnamed else lock

    def _written(self, name: str, lines: Iterable[str]) -> Path:
        path = self.directory / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    def _command(self, requirements: Path, constraints: Path | None, place: Place) -> list[str]:
        limits = ["--constraints", str(constraints)] if constraints is not None else []
        python = ["--python-version", place.python] if place.python is not None else []
        platform = ["--python-platform", _PLATFORMS[place.platform]] if place.platform is not None else []
        return [
            str(self.uv), "pip", "compile", str(requirements), *limits,
            "--default-index", self.index_url, "--python", self.interpreter, *python, *platform,
            "--refresh", "--no-config", "--no-header", "--no-annotate", "--no-progress", "--color", "never",
            "--keyring-provider", "disabled", *([] if self.builds else ["--no-build"]),
        ]  # fmt: skip

    async def _run(self, *command: str) -> tuple[int, bytes, bytes]:
        """The exit code, and what went to standard output and error."""
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=self.directory, env=self._environment(), stdin=asyncio.subprocess.DEVNULL, stdout=pipe,
                stderr=pipe, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise OperatorFault(f"{self.uv} cannot be run: {error.strerror}", remedy=UV_REMEDY) from error
        try:
            async with asyncio.timeout(self.within):
                out, err = await process.communicate()
        except TimeoutError:
            raise OperatorFault(
                f"uv did not come to an end within {self.within:g} s",
                remedy="ask for less at once, or give locks",
            ) from None
        finally:
            await _ended(process)
        return process.returncode or _GOOD, out, err

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "LC_ALL", "TMPDIR"}}
        return {
            **kept,
            "HOME": str(self.directory),
            "UV_CACHE_DIR": str(self.directory / "cache"),
            "UV_PYTHON_DOWNLOADS": "never",
            "NO_PROXY": "*",
        }


UV_REMEDY: Final = (
    "install uv, or name it with --uv PATH or INBOND_UV; without it, give locks or pinned requirements, or"
    " --no-dependencies"
)


def find_uv(given: str | None) -> Path:
    """The uv that was named, or the one on PATH. Raises `OperatorFault`."""
    found = shutil.which(given or "uv")
    if found is None:
        what = f"there is no program {given!a}" if given else "uv is not on PATH"
        raise OperatorFault(f"requirements without a version are resolved by uv, and {what}", remedy=UV_REMEDY)
    return Path(found).absolute()


def as_requirement(dependency: Dependency) -> str:
    """An entry as a requirement (PEP 508)."""
    extras = f"[{','.join(sorted(dependency.extras))}]" if dependency.extras else ""
    marker = f" ; {dependency.marker}" if dependency.marker is not None else ""
    return f"{dependency.project}{extras}{dependency.specifier}{marker}"


def _as_constraint(dependency: Dependency) -> str:
    marker = f" ; {dependency.marker}" if dependency.marker is not None else ""
    return f"{dependency.project}{dependency.specifier}{marker}"


def joined(locks: Sequence[Lock]) -> tuple[Dependency, ...]:
    """The entries of several resolutions, each release once."""
    found: dict[tuple[str, str], Dependency] = {}
    for entry in (entry for lock in locks for entry in lock.dependencies):
        found.setdefault((entry.project, str(entry.version)), entry)
    return tuple(found.values())


def not_chosen(wanted: Iterable[Dependency], locks: Iterable[Lock]) -> tuple[Dependency, ...]:
    """The requirements whose projects no resolution names: their markers hold nowhere."""
    chosen = {entry.project for lock in locks for entry in lock.dependencies}
    return tuple(entry for entry in wanted if entry.project not in chosen)


def _nothing_beside(_: str, path: str) -> bytes:
    raise FileNotFoundError(path)


def _said(err: bytes) -> str:
    """What uv wrote, line by line fit for a terminal."""
    lines = err.decode("utf-8", "replace").splitlines()
    return "\n".join(map(printable, lines))[:MAX_SAID_CHARS].strip() or "uv ended without a word"


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Ends a process with all that it started, if it has not."""
    if process.returncode is not None:
        return
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDED_WITHIN):
                await process.wait()
                return
