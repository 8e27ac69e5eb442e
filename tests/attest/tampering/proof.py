"""Proof and checkpoint: that the entry is in the log's tree, and that the log signed that tree."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any, Final

from attest.tampering.row import ACME, OURS, THEIRS, Row, entry_edited, faulty
from sim.sigstore_encoding import PrivateKey, b64, sign
from sim.sigstore_log import TREE_SIZE

_PROOF: Final = "proof that it is included does not add up"
_CHECKPOINT: Final = "checkpoint is not genuine"
_SIZE: Final = "checkpoint is of a tree of another size"
_MALFORMED: Final = "log entry is malformed"


def _proof(**members: Any) -> Callable[[Any], None]:
    """The proof has other members; None takes one out."""

    def edit(entry: Any) -> None:
        changed = entry["inclusionProof"] | members
        entry["inclusionProof"] = {key: value for key, value in changed.items() if value is not None}

    return edit


def _hashes(edit: Callable[[list[str]], list[str]]) -> Callable[[Any], None]:
    return lambda entry: _proof(hashes=edit(entry["inclusionProof"]["hashes"]))(entry)


def _envelope(edit: Callable[[str], str]) -> Callable[[Any], None]:
    """The checkpoint was changed on the way."""

    def change(entry: Any) -> None:
        checkpoint = entry["inclusionProof"]["checkpoint"]
        checkpoint["envelope"] = edit(checkpoint["envelope"])

    return change


def _line(at: int, text: str) -> Callable[[str], str]:
    """Another line of a note."""

    def edit(note: str) -> str:
        lines = note.split("\n")
        return "\n".join([*lines[:at], text, *lines[at + 1 :]])

    return edit


def _another() -> Any:
    attestation = OURS.attest("gadgets-1.0.tar.gz", "0" * 64, ACME)
    return attestation["verification_material"]["transparency_entries"][0]["inclusionProof"]


def _another_proof(entry: Any) -> None:
    entry["inclusionProof"] = _another()


def _another_checkpoint(entry: Any) -> None:
    entry["inclusionProof"]["checkpoint"] = _another()["checkpoint"]


def _ends_here(entry: Any) -> None:
    _proof(treeSize=str(int(entry["inclusionProof"]["logIndex"]) + 1))(entry)


def _tree_of_one(entry: Any) -> None:
    """The leaf's own hash for a root: a proof of nothing, beside the checkpoint of the real tree."""
    leaf = hashlib.sha256(b"\0" + base64.b64decode(entry["canonicalizedBody"])).digest()
    _proof(logIndex="0", treeSize="1", hashes=[], rootHash=b64(leaf))(entry)


def _signed_by(key: PrivateKey, key_id: bytes, name: str = OURS.name) -> Callable[[str], str]:
    """Somebody else's signature below the same note."""

    def edit(envelope: str) -> str:
        note = envelope.partition("\n\n")[0] + "\n"
        return f"{note}\n\u2014 {name} {b64(key_id[:4] + sign(key, note.encode()))}\n"

    return edit


def _before(line: bytes) -> Callable[[str], str]:
    """A line of signature, its key's id ours, before the genuine one."""
    return lambda envelope: envelope.replace("\n\n", f"\n\n\u2014 {OURS.name} {b64(OURS.log_id[:4] + line)}\n", 1)


ROWS: Final[tuple[Row, ...]] = (
    faulty("proof-missing", "there is no proof", _MALFORMED, proof="missing"),
    entry_edited("proof-a-list", "the proof is a list", _MALFORMED, lambda entry: entry.update(inclusionProof=[])),
    faulty("proof-other-root", "the root hash is another", _PROOF, proof="badroot"),
    entry_edited("proof-root-empty", "the root hash is empty", _PROOF, _proof(rootHash="")),
    faulty("proof-short", "a hash is missing at the end of the path", _PROOF, proof="short"),
    faulty("proof-long", "there is a hash too many in the path", _PROOF, proof="long"),
    entry_edited("proof-no-hashes", "the path is empty", _PROOF, _proof(hashes=[])),
    entry_edited("proof-reversed", "the path's hashes are in reverse order", _PROOF,
                 _hashes(lambda hashes: hashes[::-1])),
    entry_edited("proof-hash-swapped", "two of the path's hashes changed places", _PROOF,
                 _hashes(lambda hashes: [hashes[1], hashes[0], *hashes[2:]])),
    entry_edited("proof-hash-other", "one of the path's hashes is another", _PROOF,
                 _hashes(lambda hashes: [b64(b"\0" * 32), *hashes[1:]])),
    entry_edited("proof-hash-empty", "one of the path's hashes is empty", _PROOF,
                 _hashes(lambda hashes: ["", *hashes[1:]])),
    entry_edited("proof-hashes-joined", "two of the path's hashes are written as one", _PROOF,
                 _hashes(lambda hashes: [b64(base64.b64decode(hashes[0]) + base64.b64decode(hashes[1])), *hashes[2:]])),
    faulty("proof-other-leaf", "the path is that of the leaf beside it", _PROOF, proof="otherindex"),
    faulty("proof-outside", "the index is outside of the tree", _MALFORMED, proof="outside"),
    faulty("proof-leaf-as-node", "the tree was built with the entry as if it were an inner node", _PROOF,
           edit_leaf=lambda body: b"\1" + body),
    faulty("proof-of-another-body", "the tree was built with another entry", _PROOF, edit_leaf=lambda _: b"another"),
    entry_edited("proof-of-another-entry", "the proof is another entry's", _PROOF, _another_proof),
    entry_edited("proof-tree-of-one", "the proof says that the tree holds nothing else",
                 "checkpoint is of another tree", _tree_of_one),
    entry_edited("proof-size-cut", "the tree is said to end with this entry", _PROOF, _ends_here),
    entry_edited("proof-size-double", "the tree is said to be twice as large", _PROOF,
                 _proof(treeSize=str(TREE_SIZE << 1))),
    entry_edited("proof-size-smaller-by-one", "the tree is said to be smaller by one, which this path cannot tell",
                 _SIZE,
                 _proof(treeSize=str(TREE_SIZE - 1))),
    entry_edited("proof-size-zero", "the tree is said to be empty", _MALFORMED, _proof(treeSize="0")),
    entry_edited("proof-size-negative", "the tree's size is negative", _MALFORMED, _proof(treeSize="-1")),
    entry_edited("proof-size-endless", "the tree's size has 64 bits", _PROOF, _proof(treeSize=str(2**64 - 1))),
    entry_edited("proof-index-negative", "the index in the tree is negative", _MALFORMED, _proof(logIndex="-1")),
    entry_edited("proof-with-more", "the proof has a member that nobody knows", _MALFORMED, _proof(surprise=1)),
    faulty("checkpoint-missing", "there is no checkpoint", "malformed", checkpoint="missing"),
    entry_edited("checkpoint-empty", "the checkpoint is empty", _CHECKPOINT, _proof(checkpoint={"envelope": ""})),
    faulty("checkpoint-forged", "one bit of its signature is flipped", _CHECKPOINT, checkpoint="badsig"),
    faulty("checkpoint-other-key", "it is signed with another key in our log's name", _CHECKPOINT,
           checkpoint="otherkey"),
    entry_edited("checkpoint-by-a-stranger", "another log signed it", _CHECKPOINT,
                 _envelope(_signed_by(THEIRS.log_key, THEIRS.log_id, THEIRS.name))),
    entry_edited("checkpoint-by-the-ct-log", "it is signed with the certificate transparency log's key", _CHECKPOINT,
                 _envelope(_signed_by(OURS.ct_key, OURS.log_id))),
    faulty("checkpoint-unsigned", "it is not signed", _CHECKPOINT, checkpoint="unsigned"),
    entry_edited("checkpoint-signature-cut", "its signature is too short to be one", _CHECKPOINT,
                 _envelope(lambda envelope: envelope.partition("\n\n")[0] + "\n\n\u2014 x AAAA\n")),
    entry_edited("checkpoint-signature-not-base64", "its signature is not base64", "something in it is not base64",
                 _envelope(lambda envelope: envelope.partition("\n\n")[0] + "\n\n\u2014 x AAAAA\n")),
    faulty("checkpoint-junk", "something else stands in its place", _CHECKPOINT, checkpoint="junk"),
    faulty("checkpoint-other-root", "it is of another tree", "checkpoint is of another tree", checkpoint="otherroot"),
    entry_edited("checkpoint-of-another-entry", "it is the one of another entry's tree",
                 "checkpoint is of another tree", _another_checkpoint),
    faulty("checkpoint-other-size", "the log signed this root for a tree of another size", _SIZE,
           edit_note=_line(1, str(TREE_SIZE * 2))),
    faulty("checkpoint-old-size", "the log signed this root for the tree as it was before", _SIZE,
           edit_note=_line(1, "17")),
    faulty("checkpoint-size-negative", "the log signed a negative size", _SIZE, edit_note=_line(1, "-1")),
    faulty("checkpoint-size-a-word", "the log signed a size that is no number", _CHECKPOINT,
           edit_note=_line(1, "many")),
    faulty("checkpoint-no-origin", "the log signed a checkpoint of nobody", _CHECKPOINT, edit_note=_line(0, "")),
    faulty("checkpoint-root-not-base64", "the log signed a root that is not base64", "checkpoint is of another tree",
           edit_note=_line(2, "?")),
    faulty("checkpoint-no-root", "the log signed a checkpoint without a root", _CHECKPOINT,
           edit_note=lambda note: note.rsplit("\n", 2)[0] + "\n"),
    entry_edited("checkpoint-size-changed", "its size was changed after signing", _CHECKPOINT,
                 _envelope(_line(1, "17"))),
    entry_edited("checkpoint-origin-changed", "its origin was changed after signing", _CHECKPOINT,
                 _envelope(_line(0, "evil.example - 1"))),
    entry_edited("checkpoint-line-added", "a line was added after signing", _CHECKPOINT,
                 _envelope(lambda envelope: envelope.replace("\n\n", "\nmore\n\n", 1))),
    entry_edited("checkpoint-blank-line-added", "a blank line was added after signing", _CHECKPOINT,
                 _envelope(lambda envelope: envelope.replace("\n\n", "\n\n\n\n", 1))),
    entry_edited("checkpoint-line-breaks", "its line breaks are another system's", _CHECKPOINT,
                 _envelope(lambda envelope: envelope.replace("\n", "\r\n"))),
    entry_edited("checkpoint-no-line-break", "the last line has no end", _CHECKPOINT,
                 _envelope(lambda envelope: envelope[:-1])),
    entry_edited("checkpoint-dash", "another dash stands before the signature", _CHECKPOINT,
                 _envelope(lambda envelope: envelope.replace("\u2014", "-"))),
    entry_edited("checkpoint-forged-before-genuine",
                 "a forged signature in our log's name stands before the genuine one", _CHECKPOINT,
                 _envelope(_before(b"forged"))),
)  # fmt: skip
