"""What the wheel and the sdist hold, and what they say of themselves."""

from __future__ import annotations

import ast
import re
import shutil
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from email.message import Message
from email.parser import Parser
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from e2e.service import plain_environment
from inbond import __version__
from inbond.cli.config_presets import PRESET_POLICIES
from tools import tool
from ways_in.building import Built, build
from ways_in.programs import TOP, run_well

INFO = f"inbond-{__version__}.dist-info"
PROJECT: dict[str, Any] = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Imported, but named by those that bring them: sigstore, which is pinned exactly, and aiohttp.
BROUGHT_ALONG = {"sigstore-models", "yarl", "aiohappyeyeballs"}


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def metadata(wheel: Path) -> Message:
    return Parser().parsestr(contents(wheel)[f"{INFO}/METADATA"].decode())


def sources() -> Iterator[Path]:
    package = TOP / "src" / "inbond"
    return (path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def declared() -> dict[NormalizedName, Requirement]:
    requirements = [Requirement(text) for text in PROJECT["dependencies"]]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def test_it_holds_the_package_the_presets_and_nothing_else(built: Built) -> None:
    package = {str(path.relative_to(TOP / "src")) for path in sources()}
    presets = {f"inbond/presets/{path.name}" for path in (TOP / "config").glob("*.toml")}
    about = {f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
    assert set(contents(built.wheel)) == package | presets | about
    assert "inbond/py.typed" in package
    names = ("inbond", *PRESET_POLICIES)
    assert presets == {f"inbond/presets/{name}.toml" for name in names}
    for kind in ("templates/*.html", "static/*.css"):
        assert list((TOP / "src/inbond/web").glob(kind))


def test_the_presets_are_the_files_in_config(built: Built) -> None:
    for path in (TOP / "config").glob("*.toml"):
        assert contents(built.wheel)[f"inbond/presets/{path.name}"] == path.read_bytes()


def test_the_metadata_are_the_projects(built: Built) -> None:
    found = metadata(built.wheel)
    assert (found["Name"], found["Version"]) == ("inbond", __version__)
    assert found["Requires-Python"] == PROJECT["requires-python"] == ">=3.11"
    assert found["Summary"] == PROJECT["description"]
    assert found["Description-Content-Type"] == "text/markdown"
    assert found.get_payload() == (TOP / "README.md").read_text(encoding="utf-8")
    wanted = {str(requirement) for requirement in map(Requirement, found.get_all("Requires-Dist", []))}
    assert len(wanted) == len(declared())
    assert contents(built.wheel)[f"{INFO}/entry_points.txt"] == b"[console_scripts]\ninbond = inbond.cli.main:main\n"


def test_the_wheel_fits_every_platform(built: Built) -> None:
    assert built.wheel.name == f"inbond-{__version__}-py3-none-any.whl"
    assert b"Root-Is-Purelib: true\nTag: py3-none-any\n" in contents(built.wheel)[f"{INFO}/WHEEL"]


def test_the_same_source_gives_the_same_bytes(built: Built, tmp_path: Path) -> None:
    again = build(tmp_path)
    assert again.wheel.read_bytes() == built.wheel.read_bytes()
    assert again.sdist.read_bytes() == built.sdist.read_bytes()


def test_the_sdist_gives_the_same_wheel(built: Built, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation", built.sdist]
    run_well([*command, "--wheel-dir", tmp_path], cwd=tmp_path, env=plain_environment(tmp_path))
    assert (tmp_path / built.wheel.name).read_bytes() == built.wheel.read_bytes()


def test_the_sdist_holds_what_testing_and_deploying_need(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.removeprefix(f"inbond-{__version__}/") for name in archive.getnames()}
    for name in ("README.md", "Makefile", "requirements/serve.txt", "deploy/inbond.service", "tests/stack.py"):
        assert name in names
    assert not [name for name in names if name.startswith(".") and name != ".gitignore"]


def test_every_import_is_declared_and_every_declaration_imported() -> None:
    known = packages_distributions()
    modules = [path for path in sources() if path.suffix == ".py"]
    imported = {canonicalize_name(name) for path in modules for name in distributions(path, known)}
    assert imported - BROUGHT_ALONG == set(declared())


def distributions(path: Path, known: Mapping[str, list[str]]) -> Iterator[str]:
    """Which distributions a module imports from; of a namespace package, the one that holds the module named.

    Args:
        path: the module's file.
        known: the distributions by each top-level name they install, as read once for all modules.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                modules = [f"{module}.{alias.name}" for alias in names]
            case _:
                continue
        for module in modules:
            top, _, rest = module.partition(".")
            if top == "backports":
                yield f"backports.{rest.partition('.')[0]}"
            elif top not in sys.stdlib_module_names and top not in {"inbond", "compression"}:
                yield from known[top]


def test_the_pinned_versions_are_within_the_declared_ranges() -> None:
    text = (TOP / "requirements" / "serve.txt").read_text(encoding="utf-8")
    pinned = {canonicalize_name(name): Version(at) for name, at in re.findall(r"(?m)^([\w.-]+)==([^ \n]+)", text)}
    for name, requirement in declared().items():
        assert requirement.specifier.contains(pinned[name]), name


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_wheel_builds_what_the_backend_builds(built: Built, tmp_path: Path) -> None:
    command = [tool("make"), "-o", f"{sys.prefix}/.serve", "wheel", f"VENV={sys.prefix}", f"DIST={tmp_path}/out"]
    run_well(command, cwd=TOP, env=plain_environment(tmp_path))
    assert (tmp_path / "out" / built.wheel.name).read_bytes() == built.wheel.read_bytes()
