"""Tiny real distributions: wheels and sdists that pip and uv install offline, the same bytes every time."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import random
import re
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass

_BACKEND = """\
import pathlib
import shutil

HERE = pathlib.Path(__file__).parent


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    [wheel] = HERE.glob("prebuilt/*.whl")
    shutil.copy(wheel, wheel_directory)
    return wheel.name
"""

_PYPROJECT = """\
[build-system]
requires = []
build-backend = "copying_backend"
backend-path = ["."]
"""


@dataclass(frozen=True, slots=True)
class Dist:
    """A distribution file and, for wheels, its core metadata."""

    filename: str
    content: bytes
    metadata: bytes | None = None


def escaped(project: str) -> str:
    """The project's name as it stands in filenames."""
    return re.sub(r"[-_.]+", "_", project).lower()


def build_wheel(
    project: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    size: int | None = None,
    tag: str = "py3-none-any",
    extras: Iterable[str] = (),
    module: str | None = None,
) -> Dist:
    """A wheel with one module named like the project; `size`: padded to exactly so many bytes."""
    name = escaped(project)
    metadata = core_metadata(project, version, requires=requires, requires_python=requires_python, extras=extras)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": (module or f'__version__ = "{version}"\n').encode(),
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: simulated\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    content = _packed(files, info)
    if size is not None:
        content = _padded(files, info, f"{name}/padding.bin", size)
    return Dist(f"{name}-{version}-{tag}.whl", content, metadata)


def build_sdist(
    project: str, version: str, *, requires: Iterable[str] = (), requires_python: str | None = None
) -> Dist:
    """An sdist with an in-tree backend and no build requirement: it builds without any index."""
    wheel = build_wheel(project, version, requires=requires, requires_python=requires_python)
    metadata = core_metadata(project, version, requires=requires, requires_python=requires_python)
    stem = f"{escaped(project)}-{version}"
    members = {
        "PKG-INFO": metadata,
        "pyproject.toml": _PYPROJECT.encode(),
        "copying_backend.py": _BACKEND.encode(),
        f"prebuilt/{wheel.filename}": wheel.content,
    }
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in members.items():
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return Dist(f"{stem}.tar.gz", gzip.compress(raw.getvalue(), mtime=0), metadata)


def core_metadata(
    project: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    extras: Iterable[str] = (),
) -> bytes:
    """Core metadata as a wheel's METADATA holds it."""
    lines = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}"]
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return ("\n".join(lines) + "\n").encode()


def _packed(files: dict[str, bytes], info: str) -> bytes:
    rows = [f"{path},sha256={_urlsafe(content)},{len(content)}" for path, content in files.items()]
    record = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED) as archive:
        for path, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(path, date_time=(2024, 1, 1, 0, 0, 0)), content)
    return raw.getvalue()


def _padded(files: dict[str, bytes], info: str, path: str, size: int) -> bytes:
    length = max(0, size - len(_packed({**files, path: b""}, info)))
    for _ in range(4):  # the padding's own length stands in RECORD, so that the first guess may be off by a digit
        padding = random.Random(size).randbytes(length)
        content = _packed({**files, path: padding}, info)
        if len(content) == size:
            return content
        length += size - len(content)
        if length < 0:
            break
    raise ValueError(f"no wheel of this content is {size} bytes long")


def _urlsafe(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
