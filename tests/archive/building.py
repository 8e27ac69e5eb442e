"""Wheels with a defect, and without: a zip writer in which every field of every header can be made to lie."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from inbond.archive.inspect import inspect
from inbond.model.inspection import Inspection
from inbond.model.names import Filename

WHEEL = Filename("demo-1.0-py3-none-any.whl")
SDIST = Filename("demo-1.0.zip")
INFO = "demo-1.0.dist-info"
METADATA = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n\nAbout demo.\n"
FILE_MODE = 0o100644 << 16


@dataclass(frozen=True)
class Member:
    """A file to be written. `local` and `central` replace single fields of its two headers."""

    name: bytes
    content: bytes = b""
    method: int = 8
    flags: int = 0
    mode: int = FILE_MODE
    local: Mapping[str, Any] = field(default_factory=dict)
    central: Mapping[str, Any] = field(default_factory=dict)
    descriptor: bytes = b""
    before: bytes = b""  # what stands between it and the one before

    @property
    def packed(self) -> bytes:
        if self.method != 8:
            return self.content
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return deflater.compress(self.content) + deflater.flush()

    def fields(self, offset: int) -> dict[str, Any]:
        return {
            "mark": None, "version": 20, "flags": self.flags, "method": self.method, "crc": zlib.crc32(self.content),
            "stored": len(self.packed), "inflated": len(self.content), "name": self.name, "extra": b"", "comment": b"",
            "disk": 0, "mode": self.mode, "offset": offset,
        }  # fmt: skip

    def local_bytes(self, offset: int) -> bytes:
        f = {**self.fields(offset), "mark": b"PK\x03\x04", **self.local}
        head = struct.pack(
            "<4s5H3L2H", f["mark"], f["version"], f["flags"], f["method"], 0, 0x2821, f["crc"], f["stored"],
            f["inflated"], len(f["name"]), len(f["extra"]),
        )  # fmt: skip
        return head + bytes(f["name"] + f["extra"]) + self.packed + self.descriptor

    def central_bytes(self, offset: int) -> bytes:
        f = {**self.fields(offset), "mark": b"PK\x01\x02", **self.central}
        head = struct.pack(
            "<4s6H3L5H2L", f["mark"], 20, f["version"], f["flags"], f["method"], 0, 0x2821, f["crc"], f["stored"],
            f["inflated"], len(f["name"]), len(f["extra"]), len(f["comment"]), f["disk"], 0, f["mode"], f["offset"],
        )  # fmt: skip
        return head + bytes(f["name"] + f["extra"] + f["comment"])


def member(name: str, content: bytes = b"", **changes: Any) -> Member:
    return replace(Member(name=name.encode(), content=content), **changes)


def zipped(members: Sequence[Member], *, comment: bytes = b"", gap: bytes = b"", **end: int) -> bytes:
    """An archive of these members. `gap`: bytes before the central directory; `end`: fields of the end record."""
    body = b""
    central = b""
    for one in members:
        body += one.before
        central += one.central_bytes(len(body))
        body += one.local_bytes(len(body))
    body += gap
    f = {"disk": 0, "first": 0, "here": len(members), "count": len(members), "length": len(central),
         "start": len(body), "comment_length": len(comment), **end}  # fmt: skip
    ending = struct.pack("<4s4H2LH", b"PK\x05\x06", *f.values())
    return body + central + ending + comment


def digest_of(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def record_of(files: Mapping[str, bytes], info: str = INFO) -> bytes:
    rows = [f"{path},{digest_of(content)},{len(content)}" for path, content in files.items()]
    return "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()


def files_of(info: str = INFO, metadata: bytes = METADATA, **more: bytes) -> dict[str, bytes]:
    return {
        "demo/__init__.py": b"'''Demo.'''\n" * 20,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\n",
        **{name.replace("__", "/"): content for name, content in more.items()},
    }


def members_of(
    files: Mapping[str, bytes] | None = None, *, record: bytes | None = None, info: str = INFO
) -> list[Member]:
    """The members of a wheel: the files, and a RECORD that names them unless another one is given."""
    files = files_of() if files is None else files
    listed = record if record is not None else record_of(files, info)
    return [*(member(name, content) for name, content in files.items()), member(f"{info}/RECORD", listed)]


def wheel(files: Mapping[str, bytes] | None = None, *extra: Member, record: bytes | None = None) -> bytes:
    """A wheel of these files, and further members that its RECORD does not name."""
    return zipped([*members_of(files, record=record), *extra])


def spoilt(name: str, **changes: Any) -> bytes:
    """A sane wheel but for one member."""
    return zipped([replace(one, **changes) if one.name == name.encode() else one for one in members_of()])


def zip64_of(members: Sequence[Member], *, short: Mapping[str, int] | None = None, **changes: Any) -> bytes:
    """An archive with zip64 end records. `short`: what the plain end record says; `changes`: the long ones' fields."""
    plain = zipped(members)
    start, length, count = struct.unpack("<L", plain[-6:-2])[0], struct.unpack("<L", plain[-10:-6])[0], len(members)
    at = len(plain) - 22
    f = {"mark": b"PK\x06\x06", "size": 44, "disk": 0, "first": 0, "here": count, "count": count, "length": length,
         "start": start, **{k: v for k, v in changes.items() if not k.startswith("locator_")}}  # fmt: skip
    long = struct.pack("<4sQ2H2L4Q", f["mark"], f["size"], 45, 45, f["disk"], f["first"], f["here"], f["count"],
                       f["length"], f["start"])  # fmt: skip
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, changes.get("locator_start", at), changes.get("locator_disks", 1))
    s = {"disk": 0, "first": 0, "here": 0xFFFF, "count": 0xFFFF, "length": 0xFFFFFFFF, "start": 0xFFFFFFFF,
         **(short or {})}  # fmt: skip
    return plain[:at] + long + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", *s.values(), 0)


def crowd(count: int, *, parts: int = 1, extra: bytes = b"") -> bytes:
    """A wheel of so many empty files, each so deep and with such extra fields, whose directory is in another order."""
    names = [f"demo/{'a/' * (parts - 3)}{number:06}/{'x' * 40}.py" for number in range(count)]
    files = {**files_of(), **dict.fromkeys(names, b"")}
    empties = [member(name, method=0, local={"extra": extra}, central={"extra": extra}) for name in names]
    return assembled([*members_of(files_of(), record=record_of(files)), *empties])


def assembled(members: Sequence[Member]) -> bytes:
    """As `zipped`, of very many members, with the entries of the directory in the opposite order."""
    body = bytearray()
    entries = []
    for one in members:
        entries.append(one.central_bytes(len(body)))
        body += one.local_bytes(len(body))
    central = b"".join(reversed(entries))
    at, count = len(body) + len(central), len(entries)
    long = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(central), len(body))
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    return bytes(body) + central + long + locator + b"PK\x05\x06\0\0\0\0" + b"\xff" * 12 + b"\0\0"


def seen_in(content: bytes, filename: Filename = WHEEL) -> Inspection:
    return inspect(io.BytesIO(content), filename, give_up=lambda: False).inspection
