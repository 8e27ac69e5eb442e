"""The private Sigstore's transparency log: Rekor v1 `dsse` and `hashedrekord` 0.0.1 entries with all said about them.

Signed entry timestamp (over RFC 8785 JSON), inclusion proof (RFC 6962, 2.1.1), checkpoint (C2SP tlog-checkpoint).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from sim.sigstore_encoding import b64, broken, canonical, new_key, sign
from sim.sigstore_faults import Faults
from sim.sigstore_identities import Json

if TYPE_CHECKING:
    from sim.sigstore import Sigstore

TREE_SIZE: Final = 1 << 12
_LEVELS: Final = TREE_SIZE.bit_length() - 1
_ENVELOPE_HASH: Final = hashlib.sha256(b"envelope").hexdigest()


def log_entry(sigstore: Sigstore, statement: bytes, signature: bytes, certificate: bytes, faults: Faults) -> Json:
    """An entry about an attestation, as bundles carry it. `certificate` is PEM."""
    return _entry(sigstore, "dsse", _body(sigstore, statement, signature, certificate, faults), faults)


def file_entry(sigstore: Sigstore, sha256: str, signature: bytes, certificate: bytes, faults: Faults) -> Json:
    """The same about a file's signature."""
    return _entry(sigstore, "hashedrekord", _record(sigstore, sha256, signature, certificate, faults), faults)


def _entry(sigstore: Sigstore, about: str, body: bytes, faults: Faults) -> Json:
    log = faults.get("log", sigstore)
    log_id = faults.get("log_id", log.log_id)
    kind, version = faults.get("kind_version", (about, "0.0.1"))
    index = next(log.log_indexes)
    when = faults.get("integrated_time", sigstore.now)
    seconds = when if isinstance(when, str) else str(int(when.timestamp()))
    entry: Json = {
        "logIndex": str(index),
        "logId": {"keyId": b64(log_id)},
        "kindVersion": {"kind": kind, "version": version},
        "integratedTime": seconds,
        "canonicalizedBody": b64(body),
    }
    if faults.get("set") != "missing":
        promised = {
            "body": entry["canonicalizedBody"],
            "integratedTime": int(seconds) if seconds.isdigit() else 0,
            "logID": log_id.hex(),
            "logIndex": index,
        }
        entry["inclusionPromise"] = {"signedEntryTimestamp": b64(_promise(log, promised, faults))}
    if faults.get("proof") != "missing":
        entry["inclusionProof"] = _proof(log, body, index, faults)
    return faults["edit_entry"](entry) if "edit_entry" in faults else entry


def _body(sigstore: Sigstore, statement: bytes, signature: bytes, certificate: bytes, faults: Faults) -> bytes:
    fault = faults.get("body")
    if fault == "junk":
        return b"not a log entry"
    verifier = sigstore.ca_pem if fault == "othercertificate" else certificate
    payload = statement if fault != "otherpayload" else b"{}"
    logged = signature if fault != "othersignature" else broken(signature)
    spec = {
        "envelopeHash": {"algorithm": "sha256", "value": _ENVELOPE_HASH},
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
        "signatures": [{"signature": b64(logged), "verifier": b64(verifier)}],
    }
    honest = {"apiVersion": "0.0.1", "kind": "hashedrekord" if fault == "otherkind" else "dsse", "spec": spec}
    return _written(honest, faults)


def _record(sigstore: Sigstore, sha256: str, signature: bytes, certificate: bytes, faults: Faults) -> bytes:
    fault = faults.get("body")
    if fault == "junk":
        return b"not a log entry"
    verifier = sigstore.ca_pem if fault == "othercertificate" else certificate
    logged = signature if fault != "othersignature" else broken(signature)
    spec = {
        "data": {"hash": {"algorithm": "sha256", "value": sha256 if fault != "otherpayload" else _ENVELOPE_HASH}},
        "signature": {"content": b64(logged), "publicKey": {"content": b64(verifier)}},
    }
    return _written(
        {"apiVersion": "0.0.1", "kind": "dsse" if fault == "otherkind" else "hashedrekord", "spec": spec}, faults
    )


def _written(honest: Json, faults: Faults) -> bytes:
    body = faults["edit_body"](honest) if "edit_body" in faults else honest
    return body if isinstance(body, bytes) else canonical(body)


def _promise(log: Sigstore, promised: Json, faults: Faults) -> bytes:
    fault = faults.get("set")
    if fault == "otherindex":
        promised = promised | {"logIndex": promised["logIndex"] + 1}
    if "edit_promise" in faults:
        promised = faults["edit_promise"](promised)
    signature = sign(log.log_key, canonical(promised))
    return broken(signature) if fault == "badsig" else signature


def _proof(log: Sigstore, body: bytes, index: int, faults: Faults) -> Json:
    """An inclusion proof in a tree whose other leaves are padding."""
    fault = faults.get("proof")
    at = index % TREE_SIZE
    siblings = [hashlib.sha256(b"padding %d %d" % (at, level)).digest() for level in range(_LEVELS)]
    node = hashlib.sha256(b"\0" + faults.get("edit_leaf", bytes)(body)).digest()
    for level, sibling in enumerate(siblings):
        pair = sibling + node if at >> level & 1 else node + sibling
        node = hashlib.sha256(b"\1" + pair).digest()
    root = broken(node) if fault == "badroot" else node
    shown = {"short": siblings[:-1], "long": [*siblings, node]}.get(fault or "", siblings)
    proof: Json = {
        "logIndex": str({"otherindex": at ^ 1, "outside": TREE_SIZE}.get(fault or "", at)),
        "rootHash": b64(root),
        "treeSize": str(TREE_SIZE),
        "hashes": [b64(each) for each in shown],
    }
    if faults.get("checkpoint") != "missing":
        proof["checkpoint"] = {"envelope": _checkpoint(log, root, faults)}
    return faults["edit_proof"](proof) if "edit_proof" in faults else proof


def _checkpoint(log: Sigstore, root: bytes, faults: Faults) -> str:
    fault = faults.get("checkpoint")
    if fault == "junk":
        return "not a signed note"
    note = f"{log.name} - 1\n{TREE_SIZE}\n{b64(broken(root) if fault == 'otherroot' else root)}\n"
    if "edit_note" in faults:
        note = faults["edit_note"](note)
    if fault == "unsigned":
        return f"{note}\n"
    signature = sign(new_key() if fault == "otherkey" else log.log_key, note.encode())
    shown = broken(signature) if fault == "badsig" else signature
    checkpoint = f"{note}\n\u2014 {log.name} {b64(log.log_id[:4] + shown)}\n"
    return faults["edit_checkpoint"](checkpoint) if "edit_checkpoint" in faults else checkpoint
