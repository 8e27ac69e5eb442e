"""What the simulated index behind inbond holds for the matrix, and the three policies it is seen through."""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sim.index import SimIndex
from sim.index_dists import build_wheel, core_metadata

YANK_REASON: Final = "breaks on leap days"
BACKEND: Final = "tinybackend"
_OPEN: Final = '[policies.default]\nmin_age = "0"\n'
_DENIED: Final = ("demo==2.0", "addon==2.0", "pulled==2.0", "early==2.0rc1", f"{BACKEND}==1.0")
POLICIES: Final = {
    "allowed": _OPEN,
    "denied": f"{_OPEN}deny = {list(_DENIED)}\n",
    "held": "[policies.default]\n",
}
CONFIG: Final = """
[server]
listen = "127.0.0.1:{port}"
[storage]
path = "{{data}}"
[upstreams.pypi]
url = "{{upstream}}"
"""
_PYPROJECT: Final = f"""\
[build-system]
requires = ["{BACKEND}==1.0"]
build-backend = "{BACKEND}"

[project]
name = "crate"
version = "1.0"
"""
_BACKEND: Final = '''\
"""A PEP 517 backend that needs nothing: it packs the wheel that lies in the source tree."""

import pathlib
import shutil
import zipfile


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    [wheel] = pathlib.Path("prebuilt").glob("*.whl")
    shutil.copy(wheel, wheel_directory)
    return wheel.name


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    [wheel] = pathlib.Path("prebuilt").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = [name for name in archive.namelist() if ".dist-info/" in name]
        archive.extractall(metadata_directory, inside)
    return inside[0].split("/")[0]
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """The digests that lock files and hashed requirements name."""

    demo_1: str
    demo_2: str


def stock(index: SimIndex) -> Shop:
    """Fills the index. Demo 2.0 is an hour old, so that a cooldown holds it; everything else is from long ago."""
    young = datetime.now(UTC) - timedelta(hours=1)
    old_demo = index.add_wheel("demo", "1.0")
    new_demo = index.add_wheel("demo", "2.0", upload_time=young)
    for version in ("1.0", "2.0"):
        index.add_wheel("addon", version)
    index.add_wheel("plush", "1.0", requires=['addon>=1; extra == "fancy"'], extras=["fancy"])
    index.add_wheel("pulled", "1.0")
    index.add_wheel("pulled", "2.0", yanked=YANK_REASON)
    index.add_wheel("early", "1.0")
    index.add_wheel("early", "2.0rc1")
    index.add_wheel(BACKEND, "1.0", module=_BACKEND)
    index.add_file("crate", "crate-1.0.tar.gz", source())
    return Shop(demo_1=old_demo.sha256, demo_2=new_demo.sha256)


def source() -> bytes:
    """An sdist that builds only with a backend from the index."""
    wheel = build_wheel("crate", "1.0")
    members = {
        "PKG-INFO": core_metadata("crate", "1.0"),
        "pyproject.toml": _PYPROJECT.encode(),
        f"prebuilt/{wheel.filename}": wheel.content,
    }
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in members.items():
            member = tarfile.TarInfo(f"crate-1.0/{path}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)
