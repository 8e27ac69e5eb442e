"""Decided: what stands around the attestations, which nobody signed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from attest.decided.decision import Decision, Otherwise, tampered
from attest.tampering.row import ACME, OURS, VERIFIED, Attempt, attested, honest
from inbond.model.verdict import Outcome

_OFF: Final = Otherwise(key='attestations = "off"', outcome=Outcome.ALLOW)


def _verified(id_: str, what: str, why: str, make: Callable[[], bytes]) -> Decision:
    return Decision(id=id_, what=what, attempt=lambda: Attempt(provenance=make()), expected=VERIFIED, why=why,
                    by_default=Outcome.ALLOW)  # fmt: skip


def _edited(edit: Callable[[Any], Any]) -> Callable[[], bytes]:
    def make() -> bytes:
        document = json.loads(honest())
        edit(document)
        return json.dumps(document).encode()

    return make


def _attestation(document: Any) -> Any:
    return document["attestation_bundles"][0]["attestations"][0]


def _broken_lines(document: Any) -> None:
    envelope = _attestation(document)["envelope"]
    envelope["statement"] = "\n".join(envelope["statement"])


def _spelt_number(document: Any) -> None:
    entry = _attestation(document)["verification_material"]["transparency_entries"][0]
    entry["logIndex"] = f"+0{entry['logIndex']}"


ROWS: Final[tuple[Decision, ...]] = (
    tampered("bundles-none", "The list of bundles is empty.",
             "Who names provenance and sends none proves nothing; that is not the same as having none.",
             otherwise=_OFF),
    tampered("bundle-empty", "A bundle holds no attestation.", "The same."),
    tampered("twice", "The same attestation stands there twice.",
             "No honest index has it, and counting it twice would be wrong."),
    _verified("same-kind-twice", "Two attestations of one kind, of two runs.",
              "Honest files have it: a run was repeated.",
              lambda: OURS.provenance([(ACME.publisher(), [attested(), attested()])])),
    tampered("too-many", "There are more than 8 attestations.", "Each costs a millisecond; PyPI takes two a file."),
    tampered("too-large", "The object is larger than 512 KiB.", "Memory: 12 MB of it would cost half a gigabyte."),
    tampered("two-entries", "There are log entries after the first.",
             "Nobody looks at them, so that nobody can say what they prove.",
             otherwise=Otherwise(key='unsupported = "deny"', outcome=Outcome.DENY)),
    tampered("version-a-boolean", "The version is `true`.", "It is no number, whatever a language makes of it."),
    _verified("version-missing", "There is no version.", "PEP 740 has a default.",
              _edited(lambda document: document.pop("version"))),
    _verified("member-repeated", "The object names a member twice, outside of what is signed.",
              "The last counts, for inbond and for the libraries, and is verified like any other.",
              lambda: honest()[:-1] + b', "version": 1}'),
    _verified("members-more", "There are members that PEP 740 does not know.", "They are not read.",
              _edited(lambda document: _attestation(document).update(more=1))),
    _verified("base64-broken", "There are line breaks in base64.",
              "They stand for the same bytes, and the bytes are what was signed.",
              _edited(_broken_lines)),
    _verified("number-spelt", "A number is written otherwise (`+0…`).",
              "It is the same number, and the number is what was signed.",
              _edited(_spelt_number)),
    _verified("kind-unknown-beside", "A publisher of an unknown kind stands beside a known one.",
              "The known one is verified, the other told as not judged. The libraries refuse both.",
              lambda: OURS.provenance([({"kind": "Forgejo"}, [attested()]), (ACME.publisher(), [attested()])])),
)  # fmt: skip
