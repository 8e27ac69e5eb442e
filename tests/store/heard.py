"""An observer that remembers, and a disk that is full, for the tests of every store."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator

from inbond.model.events import Alert, Event


class Heard(list[Event]):
    """The events that were told, in order."""

    def __call__(self, event: Event) -> None:
        self.append(event)

    @property
    def alerts(self) -> list[str]:
        """The names of the alerts among them."""
        return [event.name for event in self if isinstance(event, Alert)]


@contextlib.contextmanager
def disk_full_at(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes: the kernel refuses the write, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
