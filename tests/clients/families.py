"""The clients of the matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from clients.client import APP, INDEX, Client, Steps, Wish

TARGET: Final = ".venv/bin/python"


class Pip(Client):
    """pip, in the environment that it installs into: the older ones cannot do otherwise."""

    __slots__ = ()
    distribution = "pip"
    variables: ClassVar[Mapping[str, str]] = {"PIP_INDEX_URL": INDEX}
    quiet: ClassVar[Mapping[str, str]] = {"PIP_CACHE_DIR": "{home}/pip-cache", "PIP_NO_INPUT": "1"}
    takes_hashes = True

    def command(self, *words: str) -> list[str]:
        return [TARGET, "-m", *words]

    def install(self, wish: Wish) -> Steps:
        return [self.command("pip", "install", *(["--pre"] if wish.pre else []), wish.requirement)]

    def hashed(self, requirements: Path) -> Steps:
        return [self.command("pip", "install", "--require-hashes", "-r", str(requirements))]


class PipThatLocks(Pip):
    """pip 26.1 and later: writes and reads pylock.toml (PEP 751)."""

    __slots__ = ()
    variables: ClassVar[Mapping[str, str]] = {}
    first: ClassVar[Steps] = [["pip", "config", "set", "global.index-url", INDEX]]
    quiet: ClassVar[Mapping[str, str]] = {**Pip.quiet, "PIP_CONFIG_FILE": "{home}/none"}  # the user's own is read too
    lock_files = ("pylock.toml",)

    def lock(self, wish: Wish) -> Steps:
        return [self.command("pip", "lock", wish.requirement)]

    def sync(self) -> Steps:
        return [self.command("pip", "install", "-r", "pylock.toml")]


class Uv(Client):
    """uv: `uv pip` for single installs, a project for locks."""

    __slots__ = ()
    distribution = "uv"
    variables: ClassVar[Mapping[str, str]] = {"UV_DEFAULT_INDEX": INDEX}
    quiet: ClassVar[Mapping[str, str]] = {
        "UV_CACHE_DIR": "{home}/uv-cache", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1",
    }  # fmt: skip
    lock_files = ("uv.lock",)
    carries = ("pyproject.toml",)
    takes_hashes = True

    def prepare(self, project: Path, wish: Wish) -> None:
        (project / "pyproject.toml").write_text(APP.format(wanted=f'"{wish.requirement}"'))

    def install(self, wish: Wish) -> Steps:
        pre = ["--prerelease=allow"] if wish.pre else []
        return [self.command("uv", "pip", "install", *pre, wish.requirement)]

    def lock(self, wish: Wish) -> Steps:
        return [self.command("uv", "lock")]

    def sync(self) -> Steps:
        return [self.command("uv", "sync", "--frozen", "--no-install-project")]

    def hashed(self, requirements: Path) -> Steps:
        return [self.command("uv", "pip", "install", "--require-hashes", "-r", str(requirements))]


class Poetry(Client):
    """poetry: the index is a source of the project; there is no setting for all projects."""

    __slots__ = ()
    distribution = "poetry"
    first: ClassVar[Steps] = [["poetry", "source", "add", "--priority=primary", "inbond", INDEX]]
    quiet: ClassVar[Mapping[str, str]] = {
        "POETRY_CACHE_DIR": "{home}/poetry-cache",
        "POETRY_CONFIG_DIR": "{home}/poetry-config",
        "POETRY_KEYRING_ENABLED": "false",
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        "POETRY_NO_INTERACTION": "1",
    }
    lock_files = ("poetry.lock",)
    carries = ("pyproject.toml",)

    def prepare(self, project: Path, wish: Wish) -> None:
        (project / "pyproject.toml").write_text(APP.format(wanted="") + "[tool.poetry]\npackage-mode = false\n")

    def install(self, wish: Wish) -> Steps:
        pre = ["--allow-prereleases"] if wish.pre else []
        return [self.command("poetry", "add", *pre, wish.requirement)]

    def lock(self, wish: Wish) -> Steps:
        return [self.command("poetry", "add", "--lock", wish.requirement)]

    def sync(self) -> Steps:
        return [self.command("poetry", "sync")]


class Pdm(Client):
    """pdm."""

    __slots__ = ()
    distribution = "pdm"
    variables: ClassVar[Mapping[str, str]] = {"PDM_PYPI_URL": INDEX}
    quiet: ClassVar[Mapping[str, str]] = {
        "PDM_CACHE_DIR": "{home}/pdm-cache",
        "PDM_CONFIG_FILE": "{home}/pdm.toml",
        "PDM_CHECK_UPDATE": "false",
        "PDM_NON_INTERACTIVE": "1",
    }
    lock_files = ("pdm.lock",)
    carries = ("pyproject.toml",)

    def prepare(self, project: Path, wish: Wish) -> None:
        (project / "pyproject.toml").write_text(APP.format(wanted="") + "[tool.pdm]\ndistribution = false\n")

    def install(self, wish: Wish) -> Steps:
        return [self.command("pdm", "add", *(["--prerelease"] if wish.pre else []), wish.requirement)]

    def lock(self, wish: Wish) -> Steps:
        return [self.command("pdm", "add", "--no-sync", wish.requirement)]

    def sync(self) -> Steps:
        return [self.command("pdm", "sync")]


class Pipenv(Client):
    """pipenv: the Pipfile goes on naming its own source; the mirror stands in for it."""

    __slots__ = ()
    distribution = "pipenv"
    variables: ClassVar[Mapping[str, str]] = {"PIPENV_PYPI_MIRROR": INDEX}
    quiet: ClassVar[Mapping[str, str]] = {
        "PIPENV_CACHE_DIR": "{home}/pipenv-cache",
        "PIP_CACHE_DIR": "{home}/pip-cache",
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_NOSPIN": "1",
        "PIPENV_YES": "1",
    }
    lock_files = ("Pipfile.lock",)
    carries = ("Pipfile",)

    def install(self, wish: Wish) -> Steps:
        return [self.command("pipenv", "install", *(["--pre"] if wish.pre else []), wish.requirement)]

    def lock(self, wish: Wish) -> Steps:
        return [self.command("pipenv", "install", "--skip-lock", wish.requirement), self.command("pipenv", "lock")]

    def sync(self) -> Steps:
        return [self.command("pipenv", "sync")]


class PipTools(Client):
    """pip-tools: pip-compile locks, pip-sync installs; there is no install without a lock."""

    __slots__ = ()
    distribution = "pip-tools"
    variables: ClassVar[Mapping[str, str]] = {"PIP_INDEX_URL": INDEX}
    quiet: ClassVar[Mapping[str, str]] = {
        "PIP_CACHE_DIR": "{home}/pip-cache", "PIP_TOOLS_CACHE_DIR": "{home}/pip-tools-cache", "PIP_NO_INPUT": "1",
    }  # fmt: skip
    lock_files = ("requirements.txt",)

    def prepare(self, project: Path, wish: Wish) -> None:
        (project / "requirements.in").write_text(f"{wish.requirement}\n")

    def install(self, wish: Wish) -> Steps:
        return [*self.lock(wish), *self.sync()]

    def lock(self, wish: Wish) -> Steps:
        pre = ["--pre"] if wish.pre else []
        return [self.command("pip-compile", "--generate-hashes", "--strip-extras", "--no-emit-index-url", *pre)]

    def sync(self) -> Steps:
        return [self.command("pip-sync", "--python-executable", TARGET)]


class Hatch(Client):
    """hatch: environments of a project, made by pip; those with a lock by uv, because pip cannot apply it."""

    __slots__ = ()
    distribution = "hatch"
    variables: ClassVar[Mapping[str, str]] = {"PIP_INDEX_URL": INDEX, "UV_DEFAULT_INDEX": INDEX}
    quiet: ClassVar[Mapping[str, str]] = {
        "HATCH_DATA_DIR": "{home}/hatch", "HATCH_CACHE_DIR": "{home}/hatch-cache",
        "PIP_CACHE_DIR": "{home}/pip-cache", "PIP_NO_INPUT": "1",
        "UV_CACHE_DIR": "{home}/uv-cache", "UV_PYTHON_DOWNLOADS": "never",
    }  # fmt: skip
    lock_files = ("pylock.toml",)
    carries = ("pyproject.toml",)

    def prepare(self, project: Path, wish: Wish, *, locked: bool = False) -> None:
        lines = ["[tool.hatch.envs.default]", f'dependencies = ["{wish.requirement}"]', "skip-install = true"]
        lines += ['path = ".venv"', *(["locked = true", 'installer = "uv"'] if locked else [])]
        lines += ['env-vars = { PIP_PRE = "1" }'] if wish.pre else []
        (project / "pyproject.toml").write_text(APP.format(wanted="") + "\n".join([*lines, ""]))

    def prepare_lock(self, project: Path, wish: Wish) -> None:
        self.prepare(project, wish, locked=True)

    def install(self, wish: Wish) -> Steps:
        return [self.command("hatch", "env", "create")]

    def lock(self, wish: Wish) -> Steps:
        return [self.command("hatch", "dep", "lock")]

    def sync(self) -> Steps:
        return [self.command("hatch", "dep", "sync")]


CLIENTS: Final[Sequence[Client]] = (
    PipThatLocks(name="pip-newest", label="pip"),
    Pip(name="pip-23.0", label="pip 23.0"),
    Pip(name="pip-21.3", label="pip 21.3"),
    Uv(name="uv-newest", label="uv"),
    Uv(name="uv-0.7", label="uv 0.7"),
    Poetry(name="poetry", label="poetry"),
    Pdm(name="pdm", label="pdm"),
    Pipenv(name="pipenv", label="pipenv"),
    PipTools(name="pip-tools", label="pip-tools"),
    Hatch(name="hatch", label="hatch"),
)
