"""A reader who types what a document says: a clone of the repository, an environment of their own, servers that run on.

inbond stands in front of a simulated index, which is what PyPI is to it. Ports that a document names are replaced by
free ones, the same for the whole document. Nothing of this machine's settings is known.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from e2e.service import plain_environment
from ports import free_port
from ways_in.markdown import Block, Command, commands
from ways_in.programs import TOP, DidNotStart, Started, run, run_well, start

SECONDS: Final = 110
DEFAULT_PORT: Final = "8642"
_BIN: Final = Path(sys.executable).parent
_ADDRESS: Final = re.compile(r"(127\.0\.0\.1|localhost):(\d{4,5})\b")
_ASKS_SERVER: Final = ("inbond reload",)  # what speaks with a server, though no address stands in it
_SERVES: Final = re.compile(r"^(exec )?(make serve|(\S*/)?inbond serve\b.*|\S*python3? -m inbond serve\b.*)$")

_ENDED_WELL: Final = frozenset({0, -signal.SIGINT})  # make passes Ctrl-C on, and then ends by it

# What is not typed here, and why. Everything else is.
ELSEWHERE: Final[Mapping[str, str]] = {
    r"make (test|check|fmt|lock|bench|clients|denials|evidence|test-\w+|clean)\b.*": "CI, or a contributor's tool",
    r"(pip|pipx|uv tool|uv pip) install ([\w./-]*/)?inbond\S*": "test_installed.py installs the wheel",
    r"(podman|docker|buildah) .*": "test_container.py builds and runs the image",
    r"(systemctl|install -\S+|sudo) .*": "test_service_unit.py: systemd does not run here",
    r"git clone .*": "the reader has a clone",
}

# Files that a document takes for granted, made when a command first names them.
Maker = Callable[["Reader"], bytes]


class Failed(AssertionError):
    """A command did not do what the document promises; the text names file, line and output."""


class Reader:
    """Carries a document out, block by block."""

    def __init__(self, place: Path, upstream: str, *, files: Mapping[str, Maker] | None = None) -> None:
        self.upstream = upstream
        self.home = place / "home"
        self.clone = place / "inbond"
        self.servers: dict[str, Started] = {}  # by port
        self._place = place
        self._ports: dict[str, str] = {}
        self._files = dict(files or {})
        self._state = place / "state.sh"
        self._logs = 0
        self.home.mkdir()
        copy_tree(self.clone)
        borrow_environment(self.clone / ".venv")
        self.environment = self._environment()
        self._state.write_text(f"cd {self.clone}\n")

    def _environment(self) -> dict[str, str]:
        base = run_well([sys.executable, "-I", "-c", "import sys; print(sys._base_executable)"], cwd=self.home, env={})
        plain = plain_environment(self.home)
        env = self.home / "env"
        run_well([base.strip(), "-m", "venv", env], cwd=self.home, env=plain)
        for name in ("uv", "uvx", "inbond"):
            if (_BIN / name).exists():
                (env / "bin" / name).symlink_to(_BIN / name)
        return {
            **plain,
            "PATH": f"{env}/bin:/usr/local/bin:/usr/bin:/bin",
            "VIRTUAL_ENV": str(env),
            "NO_COLOR": "1",
            # The simulated index is what PyPI is: also to a client that is told of no index.
            "INBOND_UPSTREAM": self.upstream,
            "PIP_INDEX_URL": self.upstream,
            "UV_DEFAULT_INDEX": self.upstream,
            "INBOND_LISTEN": f"127.0.0.1:{self.port(DEFAULT_PORT)}",
        }

    def port(self, written: str) -> str:
        """The free port that stands for one that a document names."""
        if written not in self._ports:
            self._ports[written] = str(free_port())
        return self._ports[written]

    def follow(self, block: Block) -> None:
        """Writes the file that a block shows, or types its commands. Raises `Failed`."""
        if block.not_run:
            return
        if block.language == "sh":
            for command in commands(block):
                self.type(command)
        elif block.file and block.language == "toml":
            (self.clone / block.file).write_text(self._here(block.text))

    def type(self, command: Command) -> None:
        """Types one command. Raises `Failed`."""
        if elsewhere(command.text):
            return
        text = self._here(command.text)
        self._provide(command.text)
        if _SERVES.match(text):
            self._serve(command, text)
            return
        default = self.port(DEFAULT_PORT)
        if (default in text or text.startswith(_ASKS_SERVER)) and default not in self.servers:
            self._serve(command, "inbond serve")
        done = self._shell(text)
        if done.returncode != command.exits:
            ended = f"ended with {done.returncode}, not {command.exits}"
            raise Failed(f"{command.place}: {command.text}\n{ended}\n{done.stdout}{self._said()}")

    def _serve(self, command: Command, text: str) -> None:
        script = f". {self._state}; exec {text}" if not text.startswith("make ") else f". {self._state}; {text}"
        self._logs += 1
        output = self._place / f"serve{self._logs}.log"
        listen = re.search(r"--listen[ =]\S+:(\d+)", text)
        port = listen[1] if listen else self.port(DEFAULT_PORT)
        if port in self.servers:
            self.servers.pop(port).stop()  # a reader would have to do so as well
        try:
            server = start(["bash", "-c", script], cwd=self.clone, env=self.environment, output=output)
        except DidNotStart as error:
            raise Failed(f"{command.place}: {command.text}\ndid not serve\n{error}") from None
        self.servers[server.origin.rpartition(":")[2]] = server

    def _shell(self, text: str) -> subprocess.CompletedProcess[str]:
        # What a command leaves behind — directory, variables — is there for the next one, as in a terminal.
        keep = f"trap 'code=$?; {{ export -p; echo cd \"$PWD\"; }} > {self._state}; exit $code' EXIT"
        script = f". {self._state}\n{keep}\nset -o pipefail\n{text}\n"
        return run(["bash", "-c", script], cwd=self.clone, env=self.environment, seconds=SECONDS)

    def _here(self, text: str) -> str:
        return _ADDRESS.sub(lambda found: f"127.0.0.1:{self.port(found[2])}", text)

    def _provide(self, text: str) -> None:
        for name, make in self._files.items():
            if re.search(rf"(^|[\s=]){re.escape(name)}(\s|$)", text) and not (self.clone / name).exists():
                (self.clone / name).write_bytes(make(self))

    def _said(self) -> str:
        return "".join(
            f"\n--- {port}, its last lines:\n" + "\n".join(server.output.read_text().splitlines()[-5:])
            for port, server in self.servers.items()
        )

    def leave(self) -> None:
        """Stops the servers. Raises `Failed` where one does not end well."""
        codes = {port: server.stop() for port, server in self.servers.items()}
        if any(code not in _ENDED_WELL for code in codes.values()):
            raise Failed(f"servers ended with {codes}{self._said()}")


@contextmanager
def reading(place: Path, upstream: str, *, files: Mapping[str, Maker] | None = None) -> Iterator[Reader]:
    """A reader, who stops what is still running at the end."""
    reader = Reader(place, upstream, files=files)
    try:
        yield reader
    finally:
        reader.leave()


def elsewhere(command: str) -> str | None:
    """Why a command is not typed here; None where it is."""
    return next((why for pattern, why in ELSEWHERE.items() if re.fullmatch(pattern, command.strip(), re.DOTALL)), None)


def copy_tree(to: Path) -> None:
    """What a clone of this tree would hold."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=TOP, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:  # an unpacked sdist
        shutil.copytree(TOP, to, ignore=shutil.ignore_patterns(".*", "__pycache__", "dist"))
        return
    for name in filter(None, listed.stdout.split("\0")):
        if (TOP / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, to / name)


def borrow_environment(venv: Path) -> None:
    """What `make` would set up, from this environment: nothing is downloaded, and this one is not changed."""
    venv.mkdir()
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", venv)
    for name in ("bin", "lib", "lib64"):
        if (Path(sys.prefix) / name).exists():
            (venv / name).symlink_to(Path(sys.prefix) / name)
    for mark in (".serve", ".dev"):
        (venv / mark).touch()
    os.utime(venv / "pyvenv.cfg")
