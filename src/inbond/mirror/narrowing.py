"""Keeping of what locks mean only what is fetched. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inbond.check.selection import Selection
from inbond.locks.lock import Dependency
from inbond.mirror.selecting import fits, wanted
from inbond.mirror.settings import Wheels


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Leaves out files that are of use to none of the Pythons and platforms. A narrowing of the examiner's."""

    wheels: Wheels

    def __call__(self, _: Dependency, selected: Selection) -> Selection:
        """What is fetched of an entry's files. What its lock names and the index does not have goes by its name."""
        kept = wanted((one.file.filename for one in selected.chosen), self.wheels)
        return replace(
            selected,
            chosen=tuple(one for one in selected.chosen if one.file.filename in kept),
            unlisted=tuple(
                one
                for one in selected.unlisted
                if one.locked.filename is None or fits(one.locked.filename, self.wheels)
            ),
        )
