"""Which format a file has: by its name first, as the tools find their own locks, then by what stands in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Final

from inbond.locks.arguments import read_distribution
from inbond.locks.credentials import masked
from inbond.locks.lock import InvalidLock, Lock, LockFormat, Place
from inbond.locks.paths import ARCHIVES
from inbond.locks.pdm_lock import read_pdm_lock
from inbond.locks.pipfile_lock import read_pipfile_lock
from inbond.locks.poetry_lock import read_poetry_lock
from inbond.locks.pylock import read_pylock
from inbond.locks.requirements import read_requirements
from inbond.locks.uv_lock import read_uv_lock

_NAMES: Final[Mapping[str, LockFormat]] = {
    "uv.lock": LockFormat.UV,
    "poetry.lock": LockFormat.POETRY,
    "pdm.lock": LockFormat.PDM,
    "pipfile.lock": LockFormat.PIPFILE,
    "pylock.toml": LockFormat.PYLOCK,
}
# PEP 751, "File Name": no dot in the middle part.
_NAMED_PYLOCK: Final = re.compile(r"pylock\.[^.]+\.toml")
_REQUIREMENTS: Final = (".txt", ".in")

# What declares dependencies and does not lock them -> how to lock.
_PIP: Final = "`pip freeze > requirements.txt` in the environment"
_UNLOCKED: Final[Mapping[str, str]] = {
    "pyproject.toml": "`uv lock`, `poetry lock`, `pdm lock` or `pip lock .` makes a lock of it",
    "pipfile": "`pipenv lock` makes a Pipfile.lock of it",
    "setup.py": "`uv pip compile setup.py -o requirements.txt` makes a requirements file of it",
    "setup.cfg": "`uv pip compile setup.cfg -o requirements.txt` makes a requirements file of it",
    "environment.yml": f"conda's packages come from elsewhere; for those of pip, {_PIP}",
    "environment.yaml": f"conda's packages come from elsewhere; for those of pip, {_PIP}",
    "conda-lock.yml": f"conda's packages come from elsewhere; for those of pip, {_PIP}",
    "pixi.lock": f"conda's packages come from elsewhere; for those of pip, {_PIP}",
}
_KNOWN: Final = (
    "known are uv.lock, poetry.lock, pdm.lock, Pipfile.lock, pylock.toml (pylock.NAME.toml), "
    "requirements files (*.txt, *.in), wheels and source distributions"
)

# Of every format that `detect` finds and that needs no more than the bytes.
_READERS: Final[Mapping[LockFormat, Callable[[str, bytes], Lock]]] = {
    LockFormat.PYLOCK: read_pylock,
    LockFormat.UV: read_uv_lock,
    LockFormat.POETRY: read_poetry_lock,
    LockFormat.PDM: read_pdm_lock,
    LockFormat.PIPFILE: read_pipfile_lock,
}

_CONTENT: Final[tuple[tuple[LockFormat, tuple[str, ...]], ...]] = (
    # One format a line: each of these expressions is found in the head.
    (LockFormat.PYLOCK, (r"^lock-version\s*=", r"^created-by\s*=")),
    (LockFormat.POETRY, (r"\A\ufeff?# This file is (?:automatically )?@generated (?:automatically )?by Poetry",)),
    (LockFormat.POETRY, (r"^\[metadata\]", r"^lock-version\s*=", r"^content-hash\s*=")),
    (LockFormat.PDM, (r"^\[metadata\]", r"^(?:strategy|groups|lock_version)\s*=")),
    (LockFormat.UV, (r"^version\s*=\s*1\s*$", r"^(?:\[\[package\]\]|\[options\]|\[manifest\]|requires-python\s*=)")),
    (LockFormat.PIPFILE, (r'\A\s*\{\s*"', r'"_meta"\s*:')),
)


def detect(name: str, head: bytes) -> LockFormat:
    """The format of a file with this name or path; `head`: its beginning, or all of it. Raises `InvalidLock`."""
    base = re.split(r"[/\\]", name)[-1].lower()
    if base in _UNLOCKED:
        raise InvalidLock(
            Place(name), "not a lock: it names what is wanted, not what is installed", remedy=_UNLOCKED[base]
        )
    by_name = _by_name(base)
    if by_name is not None:
        return by_name
    text = head.decode("utf-8", "replace").replace("\r\n", "\n")
    for found, expressions in _CONTENT:
        if all(re.search(expression, text, re.MULTILINE) for expression in expressions):
            return found
    raise InvalidLock(Place(masked(name)), "not a lock of a known format", remedy=_KNOWN)


def _by_name(base: str) -> LockFormat | None:
    if base in _NAMES:
        return _NAMES[base]
    if _NAMED_PYLOCK.fullmatch(base):
        return LockFormat.PYLOCK
    if base.endswith(_REQUIREMENTS):
        return LockFormat.REQUIREMENTS
    return LockFormat.DISTRIBUTION if base.endswith(ARCHIVES) else None


def read_lock(source: str, raw: bytes, *, open_beside: Callable[[str, str], bytes]) -> Lock:
    """A lock file, requirements file or distribution, whatever its format; `open_beside` as `read_requirements` has it.

    Raises `InvalidLock`.
    """
    found = detect(source, raw)
    if found is LockFormat.REQUIREMENTS:
        return read_requirements(source, raw, open_beside=open_beside)
    if found is LockFormat.DISTRIBUTION:
        return read_distribution(source, re.split(r"[/\\]", source)[-1], hashlib.sha256(raw).hexdigest(), len(raw))
    return _READERS[found](source, raw)
