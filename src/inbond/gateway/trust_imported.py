"""A trusted root that comes over an air gap: the one that the newest import brought.

An imported root is a candidate like any other: it takes the place of the one in force after it was tried. Until an
import brings one, `otherwise` gives the root. Once one was in force there is no way back to that: where the ledger does
not know it any more, `read` fails, and the last good root stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Final

from inbond.gateway.brought import IMPORT_IT, Brought, FindBrought
from inbond.gateway.trust import RootSource, read_root
from inbond.gateway.trust_files import KeptRoot
from inbond.gateway.trust_kept import Attempt, Fetched
from inbond.gateway.trust_update import AutoSource
from inbond.model.aging import stamp
from inbond.model.errors import ConfigurationError, OperatorFault

ORIGIN: Final = "imports"  # as `RootSource.origin`


class ImportedSource:
    """A `RootSource`.

    Args:
        name: the scope.
        issuers: as of any source.
        find: the newest imported root of the scope.
        last: the root that was in force last.
        otherwise: gives the root where none was imported, or what it has is of a later time; None: there is no other.
    """

    def __init__(
        self,
        *,
        name: str,
        issuers: tuple[str, ...],
        find: FindBrought,
        last: Callable[[], KeptRoot | None],
        otherwise: RootSource | None,
    ) -> None:
        self.name: Final = name
        self.issuers: Final = issuers
        self.otherwise: Final = otherwise
        self._find = find
        self._last = last
        self._used: Brought | None = None  # by the last read; None: `otherwise`, or nothing yet
        self._other = False

    @property
    def where(self) -> str:
        """Says of when the imported root is, or why there is none."""
        if self._used is not None:
            return f"imports, as of {stamp(self._used.as_of)}"
        if self._other and self.otherwise is not None:
            return f"{self.otherwise.where}; no import brought a newer one"
        return "imports"

    @property
    def origin(self) -> str:
        """Of the root that was read last."""
        return self.otherwise.origin if self._other and self.otherwise is not None else ORIGIN

    @property
    def imported(self) -> bool:
        """Whether the root that was read last is an imported one."""
        return self._used is not None

    async def read(self) -> bytes:
        """See `RootSource.read`."""
        found = await asyncio.to_thread(self._find)
        other = None if self.otherwise is None else await self.otherwise.as_of()
        if found is not None and (other is None or other <= found.as_of):
            self._used, self._other = found, False
            return await asyncio.to_thread(self._read, found)
        if self.otherwise is None:
            raise self._missing()
        if found is None:
            await asyncio.to_thread(self._require_none_before)
        raw = await self.otherwise.read()
        self._used, self._other = None, True
        return raw

    async def refresh(self) -> bool:
        """False: only an import can change it."""
        return False

    async def as_of(self) -> datetime | None:
        """When the sending side last knew the root to be the newest, or what `otherwise` says."""
        if self._used is not None:
            return self._used.as_of
        return None if self.otherwise is None else await self.otherwise.as_of()

    def _read(self, found: Brought) -> bytes:
        try:
            raw = read_root(found.path)
        except ConfigurationError as error:
            raise self._damaged(error.message) from error
        if sha256(raw).hexdigest() != found.sha256:
            raise self._damaged(f"the imported root {found.path} is damaged")
        return raw

    def _damaged(self, what: str) -> OperatorFault:
        return OperatorFault(f"[trust.{self.name}] {what}", remedy="import the bundle that brought it again")

    def _missing(self) -> ConfigurationError:
        return ConfigurationError(
            f"there is no trusted root yet for [trust.{self.name}]: no bundle that was imported brought one",
            remedy=f"{IMPORT_IT}, or name the path of a trusted_root.json as root",
        )

    def _require_none_before(self) -> None:
        """What was imported may have withdrawn keys that the other root still holds."""
        last = self._last()
        if last is not None and last.origin == ORIGIN:
            raise OperatorFault(
                f"[trust.{self.name}] an imported root was in force, and the ledger knows of none",
                remedy="import the newest bundle again",
            )


class UnaskedSource:
    """A `RootSource`: what TUF gave before, or came with sigstore. Nobody is asked, as inbond runs offline."""

    def __init__(self, auto: AutoSource) -> None:
        self.name: Final = auto.name
        self.issuers: Final = auto.issuers
        self._auto = auto

    @property
    def where(self) -> str:
        """The repository's address, and that it is not asked."""
        return f"{self._auto.where}, which is not asked: inbond runs offline"

    @property
    def origin(self) -> str:
        """As where the repository is asked: it is the same root."""
        return self._auto.origin

    async def read(self) -> bytes:
        """See `RootSource.read`."""
        return (await asyncio.to_thread(self.current))[0]

    async def refresh(self) -> bool:
        """False: nobody is asked."""
        return False

    async def as_of(self) -> datetime | None:
        """When TUF last said so."""
        return await self._auto.as_of()

    def current(self) -> tuple[bytes, Fetched | None]:
        """The newest root on this machine, and how it came here. Blocks. Raises OperatorFault where there is none."""
        found = self._auto.current()
        if found is None:
            raise ConfigurationError(
                f"there is no trusted root yet for [trust.{self.name}], and inbond runs offline",
                remedy=f"{IMPORT_IT}, or give it with inbond trust update --scope {self.name} --from FILE",
            )
        return found

    def attempt(self) -> Attempt | None:
        """The last time it was asked. Blocks."""
        return self._auto.attempt()
