"""Which file of a page will probably be asked for next: a wheel of the newest release that the policy allows.

Of wheels for many platforms it is one whose tags were asked for lately: those who ask are mostly alike. Where nothing
was learnt yet it is none, rather than one of fifty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from packaging.version import Version

from inbond.gateway.lru import Lru
from inbond.model.events import Event, FileAsked
from inbond.model.names import Filename, Kind
from inbond.model.page import File, Page
from inbond.model.verdict import Verdict

MAX_TAGS: Final = 64  # that were asked for last
MAX_UNWANTED: Final = 16  # pieces of core metadata had ahead in a row, or beginnings of files, and nobody asked for any
MAX_FILES_UNWANTED: Final = 300  # the same of whole files: pip wants all core metadata before the first
ANY: Final = "-none-any"  # on which every installer agrees


class Wanted:
    """Whether anybody asks for a kind of thing at all: until it was had ahead so often in a row, and nobody did."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._unwanted = 0

    def __bool__(self) -> bool:
        return self._unwanted < self._at_most

    def had(self) -> None:
        """One is had ahead."""
        self._unwanted += 1

    def asked(self) -> None:
        """Somebody asked for one."""
        self._unwanted = 0


class Likely:
    """Learns from what is asked for. `heard` is an observer; `file` may be called from threads."""

    def __init__(self) -> None:
        self._asked: Lru[str, int] = Lru(MAX_TAGS)
        self._count = 0
        self.metadata = Wanted(MAX_UNWANTED)  # those that install from a lock ask for none
        self.files = Wanted(MAX_FILES_UNWANTED)  # those that make a lock ask for none after core metadata
        self.beginnings = Wanted(MAX_UNWANTED)  # of files, by their pages alone

    def heard(self, event: Event) -> None:
        """Somebody asked for a file, or for its core metadata."""
        if not isinstance(event, FileAsked):
            return
        if event.asked.metadata:
            self.metadata.asked()
        else:
            self.files.asked()
            self.beginnings.asked()
        if event.asked.filename.endswith(".whl"):
            self._count += 1
            self._asked.put(_tags(event.asked.filename), self._count)

    def file(self, page: Page, verdicts: Mapping[Filename, Verdict]) -> File | None:
        """The file of a page that will probably be asked for, or None."""
        newest = newest_files(page, verdicts)
        wheels = [file for file in newest if file.kind is Kind.WHEEL]
        if not wheels:
            return newest[0] if newest else None
        return self._of(wheels)

    def _of(self, wheels: Sequence[File]) -> File | None:
        if len(wheels) == 1:
            return wheels[0]
        plain = next((file for file in wheels if _tags(file.filename).endswith(ANY)), None)
        asked = [(at, file) for file in wheels if (at := self._asked.get(_tags(file.filename))) is not None]
        return max(asked, key=lambda one: one[0])[1] if asked else plain


def newest_files(page: Page, verdicts: Mapping[Filename, Verdict]) -> tuple[File, ...]:
    """The allowed files of the newest release that has any; final releases first, nothing that upstream yanked."""
    newest: tuple[bool, Version] | None = None
    found: list[File] = []
    for file in page.files:
        if not verdicts[file.filename].allowed or file.yanked is not False or file.kind is Kind.LEGACY:
            continue
        version = page.version_of(file)
        if version is None:
            continue
        rank = (not version.is_prerelease, version)
        if newest is None or rank > newest:
            newest, found = rank, []
        if rank == newest:
            found.append(file)
    return tuple(found)


def _tags(filename: str) -> str:
    """The last three parts of a wheel's name: `-py3-none-any`."""
    return "-" + "-".join(filename.removesuffix(".whl").split("-")[-3:])
