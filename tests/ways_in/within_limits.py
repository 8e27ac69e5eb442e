"""Runs a program under those limits of a systemd unit that a process can give itself, without systemd.

    within_limits.py UNIT SYSTEMD-ANALYZE -- PROGRAM ARGUMENT…

SystemCallFilter, RestrictAddressFamilies, MemoryDenyWriteExecute, NoNewPrivileges, LimitNOFILE and UMask are taken
from the unit; the sets of system calls are systemd's own. Namespaces, cgroups and the transient user are not: they need
systemd. Capabilities are not dropped either: what they would allow, the filter forbids.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import re
import resource
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ALLOW: Final = 0x7FFF0000  # SCMP_ACT_ALLOW
REFUSE: Final = 0x00050000 | 1  # SCMP_ACT_ERRNO(EPERM)
PR_SET_NO_NEW_PRIVS: Final = 38
PR_SET_MDWE: Final = 65
EQUAL: Final = 4  # SCMP_CMP_EQ


class Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp` of libseccomp."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def main() -> None:
    """Sets the limits and becomes the program."""
    unit, analyze, dashes, *program = sys.argv[1:]
    assert dashes == "--"
    text = Path(unit).read_text(encoding="utf-8")
    allowed = system_calls(text, analyze)
    (files,) = values(text, "LimitNOFILE")
    (umask,) = values(text, "UMask")
    os.umask(int(umask, 8))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(int(files), hard), min(int(files), hard)))
    libc = ctypes.CDLL(None, use_errno=True)
    if values(text, "MemoryDenyWriteExecute") == ["yes"]:
        succeed(libc.prctl(PR_SET_MDWE, 1, 0, 0, 0), "MemoryDenyWriteExecute needs Linux 6.3 or newer")
    succeed(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "NoNewPrivileges")
    load_filter(allowed, families(text))
    os.execv(program[0], program)  # noqa: S606 (this is what it is for)


def values(text: str, key: str) -> list[str]:
    """All values of a key of the unit, in order."""
    return re.findall(rf"(?m)^{key}=(.*)$", text)


def families(text: str) -> list[int]:
    """The numbers of the address families that the unit allows."""
    return [int(getattr(socket, name)) for line in values(text, "RestrictAddressFamilies") for name in line.split()]


def system_calls(text: str, analyze: str) -> set[str]:
    """The system calls that the unit allows. Starting a program is always allowed, as in systemd."""
    allowed: set[str] = set()
    for line in values(text, "SystemCallFilter"):
        names = {name for word in line.removeprefix("~").split() for name in expanded(word, analyze)}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed | {"execve", "exit", "exit_group", "rt_sigreturn", "brk", "mmap", "munmap", "mprotect"}


def expanded(word: str, analyze: str) -> set[str]:
    """The system calls of a set, as systemd knows it."""
    if not word.startswith("@"):
        return {word}
    listed = subprocess.run([analyze, "syscall-filter", word], capture_output=True, text=True, check=True).stdout
    members = [line.split("#")[0].strip() for line in listed.splitlines()[1:]]
    return {name for member in members if member for name in expanded(member, analyze)}


def load_filter(allowed: set[str], sockets: list[int]) -> None:
    """From here on this process and its children can do no other system call."""
    seccomp = ctypes.CDLL(ctypes.util.find_library("seccomp") or "libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(REFUSE))

    def rule(action: int, name: str, *comparisons: Any) -> None:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # others are of another architecture
            array = (Comparison * len(comparisons))(*comparisons)
            succeed(seccomp.seccomp_rule_add_array(context, action, number, len(comparisons), array), name)

    for name in sorted(allowed - {"socket"}):
        rule(ALLOW, name)
    for family in sockets:
        rule(ALLOW, "socket", Comparison(0, EQUAL, family, 0))
    succeed(seccomp.seccomp_load(context), "the filter")


def succeed(result: int, what: str) -> None:
    """Ends the program where a call failed."""
    if result != 0:
        sys.exit(f"{what}: failed with {result}")


if __name__ == "__main__":
    main()
