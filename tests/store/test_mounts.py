"""Whose disk it is: the machine's own, or that of another one behind a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from inbond.model.errors import OperatorFault
from inbond.store import mounts
from inbond.store.mounts import NETWORK, Mount, mount_of, network_mount_of, parse_mounts, refuse_network

MOUNTINFO = rb"""22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
25 22 0:23 / /srv rw shared:12 - autofs systemd-1 rw,fd=29
41 25 0:44 / /srv rw,relatime shared:200 master:3 - nfs4 files.example:/export rw,vers=4.2
42 41 0:45 / /srv/scratch rw - tmpfs tmpfs rw
43 22 0:46 / /mnt/two\040words\134here rw - cifs //files.example/a\040share rw
44 22 0:47 / /mnt/ssh rw - fuse.sshfs ada@files.example: rw
no line of this kind
45 22 0:48 / /mnt/cut rw - ext4
46 22 0:49 / /mnt/short - nfs
"""


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which `tmp_path/net` is NFS, and `tmp_path/net/local` is not."""
    lines = (
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw",
        f"2 1 0:9 / {tmp_path}/net rw shared:1 - nfs files.example:/a rw",
        f"3 2 8:2 / {tmp_path}/net/local rw - xfs /dev/sdb1 rw",
    )
    (tmp_path / "mountinfo").write_text("\n".join(lines))
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")
    return tmp_path


def test_mounts_are_read_as_the_kernel_writes_them() -> None:
    found = parse_mounts(MOUNTINFO)
    assert [(str(one.at), one.kind, one.source) for one in found] == [
        ("/", "ext4", "/dev/nvme0n1p2"),
        ("/srv", "autofs", "systemd-1"),
        ("/srv", "nfs4", "files.example:/export"),
        ("/srv/scratch", "tmpfs", "tmpfs"),
        ("/mnt/two words\\here", "cifs", "//files.example/a share"),
        ("/mnt/ssh", "fuse.sshfs", "ada@files.example:"),
    ]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/inbond", "ext4"),
        ("/srv", "nfs4"),  # what was mounted there last hides what was there before
        ("/srv/data/ledger", "nfs4"),
        ("/srv/scratch/x", "tmpfs"),
        ("/srvx", "ext4"),  # no path below /srv
        ("/mnt/two words\\here/ledger", "cifs"),
        ("/mnt/ssh", "fuse.sshfs"),
    ],
)
def test_the_nearest_mount_above_a_path_counts(path: str, kind: str) -> None:
    mount = mount_of(Path(path), parse_mounts(MOUNTINFO))
    assert mount is not None
    assert mount.kind == kind


def test_a_machine_that_tells_nothing_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mount_of(Path("/srv"), ()) is None
    for missing in (tmp_path / "nothing", tmp_path):
        monkeypatch.setattr(mounts, "MOUNTS", missing)
        assert network_mount_of(tmp_path) is None
        refuse_network(tmp_path)


def test_only_what_lies_on_the_network_is_found(mounted: Path) -> None:
    assert network_mount_of(mounted / "here") is None
    assert network_mount_of(mounted / "net" / "local" / "ledger") is None
    expected = Mount(at=mounted / "net", kind="nfs", source="files.example:/a")
    assert network_mount_of(mounted / "net" / "not" / "yet") == expected
    (mounted / "net").mkdir()
    (mounted / "link").symlink_to(mounted / "net")
    assert network_mount_of(mounted / "link" / "ledger") == expected
    assert {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "lustre", "gpfs"} <= NETWORK


def test_a_ledger_there_is_refused_with_the_mount_and_what_to_do(mounted: Path) -> None:
    refuse_network(mounted / "ledger")
    with pytest.raises(OperatorFault, match=r"nfs of files.example:/a at .*/net") as raised:
        refuse_network(mounted / "net" / "ledger")
    assert raised.value.remedy is not None
    assert 'network_file_system = "warn"' in raised.value.remedy
