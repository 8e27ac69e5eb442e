"""The members of a bundle as a tar archive (POSIX ustar), of which every byte is foretold but the contents.

A reader computes each header from the name and size that it expects and compares: there is no field left in which a
path, a link, an owner or a second size could be said.
"""

from __future__ import annotations

from typing import Final

BLOCK_BYTES: Final = 512
END: Final = bytes(2 * BLOCK_BYTES)
SIGNATURE_NAME: Final = "signature.json"
MANIFEST_NAME: Final = "manifest.json"

_NAME: Final = slice(0, 100)
_SIZE: Final = slice(124, 136)
_KIND: Final = 156
_KINDS: Final = {
    b"0": "a file", b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device",
    b"5": "a directory", b"6": "a named pipe", b"x": "a pax header", b"g": "a global pax header",
    b"L": "a long name in GNU's way", b"S": "a sparse file in GNU's way",
}  # fmt: skip
_OCTAL_DIGITS: Final = 11
_MODE: Final = b"0000644\0"
_NUMBER: Final = b"0000000\0"  # owner, group and device
_LARGEST_OCTAL: Final = 8**_OCTAL_DIGITS - 1


def blob_name(sha256: str) -> str:
    """Where a blob lies in the archive."""
    return f"blobs/sha256/{sha256}"


def header(name: str, size: int) -> bytes:
    """The header of a file of `size` bytes; `name` is ASCII and takes at most 99 of them."""
    before = name.encode("ascii").ljust(100, b"\0") + _MODE + _NUMBER * 2 + _size(size) + b"0" * 11 + b"\0"
    behind = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + _NUMBER * 2
    whole = (before + b" " * 8 + behind).ljust(BLOCK_BYTES, b"\0")
    checksum = b"%06o\0 " % sum(whole)
    return (before + checksum + behind).ljust(BLOCK_BYTES, b"\0")


def stated_size(block: bytes) -> int | None:
    """The size that a header says in octal digits; None where it does not."""
    digits, end = block[_SIZE][:-1], block[_SIZE][-1:]
    return int(digits, 8) if end == b"\0" and digits.isdigit() and not set(digits) & set(b"89") else None


def described(block: bytes, foretold: bytes) -> str:
    """What a header that was not expected would be to tar, for a message; empty where it is none."""
    if len(block) < BLOCK_BYTES or not any(block[:BLOCK_BYTES]):
        return ""
    if (block[_NAME], block[_KIND]) == (foretold[_NAME], foretold[_KIND]):
        return "another size, mode, owner or time under the same name"
    kind = _KINDS.get(block[_KIND : _KIND + 1], "a member of an unknown kind")
    return f"{kind} named {block[_NAME].rstrip(bytes(1)).decode('ascii', 'backslashreplace')!a}"


def padding(size: int) -> bytes:
    """What fills the last block of `size` bytes."""
    return bytes(-size % BLOCK_BYTES)


def _size(size: int) -> bytes:
    # From 8 GiB on the digits do not suffice; GNU's and BSD's tar then read the number itself, behind a marked byte.
    if size > _LARGEST_OCTAL:
        return b"\x80" + size.to_bytes(11, "big")
    return b"%011o\0" % size
