"""Mutations inside what is encoded: certificate, statement, signature, log body, promise, proof and checkpoint."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from attest.mutations import members, octets

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (NIST SP 800-186)
_JSON: Final = frozenset({"statement", "canonicalizedBody"})
_DER: Final = frozenset({"certificate"})
_SIGNATURES: Final = frozenset({"signature", "signedEntryTimestamp"})
_ENCODED: Final = frozenset({*_JSON, *_DER, *_SIGNATURES, "rootHash", "keyId"})
_MAX_ELEMENTS: Final = 400  # of DER that are looked at


def changed(random: Random, document: Any) -> str:
    """Changes what one member of a provenance object encodes, in place. Gives the change's name."""
    parts: dict[str, list[members.Path]] = {}
    for path in members.places(document):
        if part := _part(path):
            parts.setdefault(part, []).append(path)
    part = random.choice(sorted(parts))
    path = random.choice(parts[part])
    holder, key = members.parent(document, path), path[-1]
    if key == "envelope":
        holder[key] = _note(random, holder[key])
        return f"inside {part}"
    raw = base64.b64decode(holder[key])
    holder[key] = base64.b64encode(_changed(random, key, raw)).decode()
    return f"inside {part}"


def _part(path: members.Path) -> str | None:
    """What a member encodes; None where it stands for itself."""
    if path[-2:-1] == ("hashes",):
        return "hashes"
    if path[-2:] == ("checkpoint", "envelope"):
        return "checkpoint"
    return path[-1] if path[-1] in _ENCODED else None


def _changed(random: Random, key: Any, raw: bytes) -> bytes:
    if random.random() < 0.25:
        return octets.mutated(random, raw)
    if key in _JSON:
        return _json(random, raw)
    if key in _DER:
        return _element(random, raw)
    if key in _SIGNATURES:
        return _signature(random, raw)
    return octets.mutated(random, raw)


def _json(random: Random, raw: bytes) -> bytes:
    document = json.loads(raw)
    members.changed(random, document)
    return members.written(random, document)


def _signature(random: Random, raw: bytes) -> bytes:
    """Also the other one that is good for the same bytes, and numbers out of range."""
    r, s = decode_dss_signature(raw)
    ways = ((r, _ORDER - s), (s, r), (r, s + _ORDER), (0, 0), (r, 0), (1, 1), (_ORDER, s))
    return encode_dss_signature(*random.choice(ways)) if random.random() < 0.7 else _element(random, raw)


def _note(random: Random, note: str) -> str:
    """Lines of a signed note: changed, moved, doubled, gone."""
    lines = note.split("\n")
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            lines[at] = members.respelt(random, lines[at])
        case 1:
            lines[at], lines[other] = lines[other], lines[at]
        case 2:
            lines.insert(other, lines[at])
        case 3:
            del lines[at]
        case _:
            lines[at] = octets.mutated(random, lines[at].encode()).decode("utf-8", "replace")
    return "\n".join(lines)


def _element(random: Random, raw: bytes) -> bytes:
    """One DER element: its tag, its content, twice, or gone; lengths around it stay as they are, or are mended."""
    at, head, end = random.choice(list(_elements(raw))[:_MAX_ELEMENTS] or [(0, 0, len(raw))])
    element = raw[at:end]
    match random.randrange(5):
        case 0:
            new = bytes([random.randrange(256)]) + element[1:]
        case 1:
            content = octets.mutated(random, raw[head:end])[: max(1, end - head)]
            new = raw[at:head] + content.ljust(end - head, b"\0")
        case 2:
            new = element * 2
        case 3:
            new = b""
        case _:
            new = element[:1] + bytes([element[1] ^ 1 << random.randrange(8)]) + element[2:] if end - at > 1 else b""
    changed_ = raw[:at] + new + raw[end:]
    return _mended(changed_, len(new) - len(element), at, raw) if random.random() < 0.7 else changed_


def _mended(raw: bytes, growth: int, at: int, before: bytes) -> bytes:
    """With the lengths of all elements around a place corrected, where they are written in two bytes."""
    mended = bytearray(raw)
    for start, head, end in _elements(before):
        if start < at < end and before[start + 1] == 0x82 and head == start + 4:
            length = max(0, end - head + growth) & 0xFFFF
            mended[start + 2 : start + 4] = length.to_bytes(2, "big")
    return bytes(mended)


def _elements(raw: bytes, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int]]:
    """(start, start of content, end) of each DER element, from the outside in; as far as it can be read."""
    at, end = begin, len(raw) if end is None else end
    while at + 2 <= end:
        length, head = raw[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, head = int.from_bytes(raw[head : head + size], "big"), head + size
        if head + length > end:
            return
        yield at, head, head + length
        if raw[at] & 0x20:
            yield from _elements(raw, head, head + length)
        at = head + length
