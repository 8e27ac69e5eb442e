"""What the matrix asks of a client: how it is pointed at inbond, and the commands for each thing a user does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from clients.environments import PLACE, pinned

Steps = Sequence[Sequence[str]]
INDEX: Final = "{index}"  # in the texts below: inbond's index URL
APP: Final = '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = [{wanted}]\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be installed or locked."""

    requirement: str
    pre: bool = False  # with the client's own switch for pre-releases


@dataclass(frozen=True, slots=True, kw_only=True)
class Client(ABC):
    """One version of one client. Commands run in a project directory whose target environment is `.venv`."""

    name: str  # of requirements/clients/NAME.in
    label: str  # the column

    distribution: ClassVar[str]
    variables: ClassVar[Mapping[str, str]] = {}  # that point it at inbond
    first: ClassVar[Steps] = ()  # commands that point it at inbond; the first word is the program
    lock_files: ClassVar[Sequence[str]] = ()  # none: it does not lock
    carries: ClassVar[Sequence[str]] = ()  # what a later run needs besides the lock
    quiet: ClassVar[Mapping[str, str]] = {}  # no update checks, no keyring, caches in {home}
    takes_hashes: ClassVar[bool] = False  # of a requirements file; otherwise its lock has them

    @property
    def env(self) -> Path:
        """Its own environment."""
        return PLACE / self.name

    @property
    def version(self) -> str:
        """Its version."""
        return pinned(self.name, self.distribution)

    @property
    def set_up(self) -> str:
        """The one line that points it at inbond, as the runs do it."""
        words = [f"{name}={value}" for name, value in self.variables.items()]
        return " ".join([*words, *(word for step in self.first for word in step)])

    def environ(self, index: str, home: Path) -> dict[str, str]:
        """Its environment variables besides the bare ones."""
        filled = {**self.variables, **self.quiet}
        return {name: value.format(index=index, home=home) for name, value in filled.items()}

    def pointing(self, index: str) -> Steps:
        """The commands that point it at inbond."""
        return [self.command(*(word.format(index=index) for word in step)) for step in self.first]

    def command(self, *words: str) -> list[str]:
        """A command of this client: the first word names a program of its environment."""
        return [str(self.env / "bin" / words[0]), *words[1:]]

    def prepare(self, project: Path, wish: Wish) -> None:  # noqa: B027 - a client may need none
        """Writes the files that the commands start from."""

    def prepare_lock(self, project: Path, wish: Wish) -> None:
        """The same for the commands that write the lock."""
        self.prepare(project, wish)

    @abstractmethod
    def install(self, wish: Wish) -> Steps:
        """Commands that install as a user does who has no lock."""

    def lock(self, wish: Wish) -> Steps:
        """Commands that write the lock."""
        raise NotImplementedError

    def sync(self) -> Steps:
        """Commands that install exactly what the lock says."""
        raise NotImplementedError

    def hashed(self, requirements: Path) -> Steps:
        """Commands that install a requirements file with hashes."""
        raise NotImplementedError
