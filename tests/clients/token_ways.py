"""The ways in which clients are given a token: what each is set by, as a run does it and as the page shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from clients.client import APP, Client
from clients.families import CLIENTS

USER: Final = "__token__"
WANTED: Final = "demo"
# What the texts below may hold. `index`: its URL; `named`: with the user in it; `signed`: with user and token.
SHOWN: Final = {
    "index": "https://inbond.example/simple/",
    "named": f"https://{USER}@inbond.example/simple/",
    "signed": f"https://{USER}:TOKEN@inbond.example/simple/",
    "host": "inbond.example",
    "token": "TOKEN",
    "home": "~",
}
_NETRC: Final = {".netrc": f"machine {{host}} login {USER} password {{token}}\n"}
_UV_PROJECT: Final = (
    APP.format(wanted=f'"{WANTED}"') + '[[tool.uv.index]]\nname = "inbond"\nurl = "{index}"\ndefault = true\n'
)
_POETRY_PROJECT: Final = (
    APP.format(wanted=f'"{WANTED}"')
    + "[tool.poetry]\npackage-mode = false\n"
    + '[[tool.poetry.source]]\nname = "inbond"\nurl = "{index}"\npriority = "primary"\n'
)
_POETRY_SIGNED: Final = _POETRY_PROJECT.replace("{index}", "{signed}")
_PDM_PROJECT: Final = APP.format(wanted=f'"{WANTED}"') + "[tool.pdm]\ndistribution = false\n"
# As the program keyring answers: to pip in JSON, to uv in lines, with a name and without.
_KEYRING: Final = """\
#!/bin/sh
case " $* " in
  *" get http://{host}"* | *" get {host}"*) ;;
  *) exit 1 ;;
esac
case " $* " in
  *" --output=json "*) echo '{{"username": "__token__", "password": "{token}"}}' ;;
  *" --mode creds "*) printf '%s\\n' __token__ '{token}' ;;
  *) echo '{token}' ;;
esac
"""
_KEYRING_PLACE: Final = "bin/keyring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way. Files are below the home; `app/` is the project. `unshown`: what it needs besides, as every run does."""

    client: str
    name: str
    install: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    first: Sequence[str] = ()
    unshown: Mapping[str, str] = field(default_factory=dict)
    shows_install: bool = False
    what: str = ""  # said besides

    @property
    def of(self) -> Client:
        """The client."""
        return next(one for one in CLIENTS if one.name == self.client)

    def shown(self) -> str:
        """What a person sets, in one cell of a table."""
        return "<br>".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for place, text in self.files.items():
            if place not in {_KEYRING_PLACE, "app/pyproject.toml"}:
                yield f"`{' '.join(text.format_map(SHOWN).split())}` in `{_named(place)}`"
        if self.what:
            yield self.what
        if self.variables:
            yield " ".join(f"`{name}={value.format_map(SHOWN)}`" for name, value in self.variables.items())
        for command in (self.first, self.install if self.shows_install else ()):
            if command:
                yield f"`{' '.join(word.format_map(SHOWN) for word in command)}`"

    def write(self, home: Path, values: Mapping[str, str]) -> None:
        """Puts its files in place."""
        for place, text in self.files.items():
            path = home / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format_map(values))
            path.chmod(0o700 if place == _KEYRING_PLACE else 0o600)


def _named(place: str) -> str:
    return {"pip.conf": "pip.conf", "uv.toml": "uv.toml"}.get(place, f"~/{place}")


_PIP: Final = ("pip", "install", WANTED)
_UV: Final = ("uv", "pip", "install", WANTED)
_SYNC: Final = ("uv", "sync")
_POETRY: Final = ("poetry", "install")
_PDM: Final = ("pdm", "install")
_PIP_FILE: Final = {"PIP_CONFIG_FILE": "{home}/pip.conf"}
_ON_PATH: Final = {"PATH": "{home}/bin:{path}"}

WAYS: Final = (
    Way(
        client="pip-newest", name="URL", shows_install=True,
        install=("pip", "install", "--index-url", "{signed}", WANTED),
    ),
    Way(client="pip-newest", name="environment", install=_PIP, variables={"PIP_INDEX_URL": "{signed}"}),
    Way(
        client="pip-newest", name="pip.conf", install=_PIP, files={"pip.conf": "[global]\nindex-url = {signed}\n"},
        unshown=_PIP_FILE,
    ),
    Way(client="pip-newest", name="netrc", install=_PIP, files=_NETRC, variables={"PIP_INDEX_URL": "{index}"}),
    Way(
        client="pip-newest", name="keyring", install=_PIP, files={_KEYRING_PLACE: _KEYRING}, unshown=_ON_PATH,
        variables={"PIP_INDEX_URL": "{named}", "PIP_KEYRING_PROVIDER": "subprocess"},
        what="`keyring set https://inbond.example/simple/ __token__`",
    ),
    Way(client="pip-21.3", name="environment", install=_PIP, variables={"PIP_INDEX_URL": "{signed}"}),
    Way(client="pip-21.3", name="netrc", install=_PIP, files=_NETRC, variables={"PIP_INDEX_URL": "{index}"}),
    Way(
        client="uv-newest", name="URL", shows_install=True,
        install=("uv", "pip", "install", "--default-index", "{signed}", WANTED),
    ),
    Way(client="uv-newest", name="environment", install=_UV, variables={"UV_DEFAULT_INDEX": "{signed}"}),
    Way(client="uv-newest", name="environment, old name", install=_UV, variables={"UV_INDEX_URL": "{signed}"}),
    Way(
        client="uv-newest", name="environment, by the index's name", install=_SYNC,
        files={"app/pyproject.toml": _UV_PROJECT}, what='`[[tool.uv.index]]` with `name = "inbond"`',
        variables={"UV_INDEX_INBOND_USERNAME": USER, "UV_INDEX_INBOND_PASSWORD": "{token}"},
    ),
    Way(client="uv-newest", name="netrc", install=_UV, files=_NETRC, variables={"UV_DEFAULT_INDEX": "{index}"}),
    Way(
        client="uv-newest", name="keyring", install=_UV, files={_KEYRING_PLACE: _KEYRING}, unshown=_ON_PATH,
        variables={"UV_DEFAULT_INDEX": "{named}", "UV_KEYRING_PROVIDER": "subprocess"},
        what="`keyring set https://inbond.example/simple/ __token__`",
    ),
    Way(
        client="uv-newest", name="uv auth login", install=_UV, variables={"UV_DEFAULT_INDEX": "{index}"},
        first=("uv", "auth", "login", "{index}", "--username", USER, "--password", "{token}"),
    ),
    Way(client="uv-0.7", name="environment", install=_UV, variables={"UV_DEFAULT_INDEX": "{signed}"}),
    Way(client="uv-0.7", name="netrc", install=_UV, files=_NETRC, variables={"UV_DEFAULT_INDEX": "{index}"}),
    Way(
        client="poetry", name="poetry config", install=_POETRY, files={"app/pyproject.toml": _POETRY_PROJECT},
        first=("poetry", "config", "http-basic.inbond", USER, "{token}"), what="a source named `inbond`",
    ),
    Way(
        client="poetry", name="environment", install=_POETRY, files={"app/pyproject.toml": _POETRY_PROJECT},
        variables={"POETRY_HTTP_BASIC_INBOND_USERNAME": USER, "POETRY_HTTP_BASIC_INBOND_PASSWORD": "{token}"},
        what="a source named `inbond`",
    ),
    Way(
        client="poetry", name="URL", install=_POETRY, files={"app/pyproject.toml": _POETRY_SIGNED},
        what='a source with `url = "https://__token__:TOKEN@inbond.example/simple/"`',
    ),
    Way(
        client="pdm", name="environment", install=_PDM, files={"app/pyproject.toml": _PDM_PROJECT},
        variables={"PDM_PYPI_URL": "{index}", "PDM_PYPI_USERNAME": USER, "PDM_PYPI_PASSWORD": "{token}"},
    ),
    Way(
        client="pdm", name="URL", install=_PDM, files={"app/pyproject.toml": _PDM_PROJECT},
        variables={"PDM_PYPI_URL": "{signed}"},
    ),
    Way(
        client="pdm", name="netrc", install=_PDM, files={**_NETRC, "app/pyproject.toml": _PDM_PROJECT},
        variables={"PDM_PYPI_URL": "{index}"},
    ),
)  # fmt: skip
