"""Which file system a directory lies on, where the machine tells (Linux), and whether it is one that a network holds.

SQLite's write-ahead log needs memory that all its processes share, and locks that hold: a network file system gives
the first to no two machines, and the second not always (https://sqlite.org/wal.html, https://sqlite.org/lockingv3.html).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from inbond.model.errors import OperatorFault

MOUNTS: Final = Path("/proc/self/mountinfo")  # see proc_pid_mountinfo(5)

# As the kernel names them. A file system that is not among them counts as local.
NETWORK: Final = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fhgfs", "fuse.beegfs", "fuse.ceph", "fuse.ceph-fuse",
    "fuse.cephfs", "fuse.davfs", "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys", "fuse.juicefs",
    "fuse.lizardfs", "fuse.moosefs", "fuse.mfs", "fuse.rclone", "fuse.s3fs", "fuse.seaweedfs", "fuse.sshfs",
    "fuse.vmhgfs-fuse", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "orangefs",
    "panfs", "pvfs2", "smb2", "smb3", "smbfs", "wekafs",
})  # fmt: skip

_ESCAPED: Final = re.compile(rb"\\([0-7]{3})")  # space, tab, newline and backslash
_FIELDS_BEFORE_OPTIONAL: Final = 6


class OnNetwork(StrEnum):
    """What becomes of a ledger on a network file system."""

    REFUSE = "refuse"
    WARN = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A file system, where it is mounted, and what is mounted there: a device, or `server:/path`."""

    at: Path
    kind: str
    source: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.source} at {self.at}"


def parse_mounts(text: bytes) -> tuple[Mount, ...]:
    """What a text like `/proc/self/mountinfo` names, in its order; lines of another form are left out."""
    return tuple(mount for line in text.splitlines() if (mount := _mount(line)) is not None)


def _mount(line: bytes) -> Mount | None:
    before, dash, after = line.partition(b" - ")
    fields, described = before.split(b" "), after.split(b" ")
    if not dash or len(fields) < _FIELDS_BEFORE_OPTIONAL or len(described) < 2:  # noqa: PLR2004 (type and source)
        return None
    return Mount(at=Path(_unescaped(fields[4])), kind=_unescaped(described[0]), source=_unescaped(described[1]))


def _unescaped(field: bytes) -> str:
    return os.fsdecode(_ESCAPED.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), field))


def mount_of(path: Path, mounts: Iterable[Mount]) -> Mount | None:
    """The one whose point is the longest above `path`; of several at one point the last, which hides the others."""
    found: Mount | None = None
    for mount in mounts:
        if path.is_relative_to(mount.at) and (found is None or len(mount.at.parts) >= len(found.at.parts)):
            found = mount
    return found


def network_mount_of(path: Path) -> Mount | None:
    """The network file system that a path lies on, or will; None also where the machine does not tell. Blocks."""
    try:
        known = parse_mounts(MOUNTS.read_bytes())
    except OSError:
        return None
    mount = mount_of(path.resolve(), known)
    return mount if mount is not None and mount.kind in NETWORK else None


def refuse_network(ledger: Path) -> None:
    """Raises OperatorFault where a ledger would lie on a network file system. Blocks."""
    if (mount := network_mount_of(ledger)) is not None:
        raise OperatorFault(
            f"the ledger {ledger} lies on a network file system ({mount}), on which SQLite may lose what it confirmed",
            remedy="keep it on a local disk (path under [storage]); if you know what this file system keeps, and that"
            ' no two machines share it: network_file_system = "warn"',
        )
