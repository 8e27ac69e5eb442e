"""The page docs/verification.md, made by trying every row of the tampering table and of the decided table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

from attest.decided import table as decided
from attest.decided.decision import Decision, alone, found, judged
from attest.tampering import table as tampering
from attest.tampering.row import Expected, Row, inbond, libraries, outcome
from inbond.model.evidence import EvidenceState, Rejected, Unsupported
from sim.sigstore import PUBLISH

# The ids of keys, which are new in every run, and the host of the predicate type.
_LEFT_OUT: Final = re.compile(
    rf"(?<=\()[0-9a-f]{{2,16}}(?=\))|(?<=://){re.escape(urlsplit(PUBLISH).netloc)}", re.IGNORECASE
)
_ALONE: Final = {"accept": "**accept**", "refuse": "refuse", "crash": "crash"}

HEAD: Final = """# What verification stands up to

Written by `make tampering`, which signs everything anew with a private Sigstore, tries every row, and fails where one
comes out otherwise than expected. The libraries are sigstore and pypi-attestations, unmodified, called as they ask to
be, with the same trusted root: *accept* means that they let it through, *crash* that they raise an exception that is
none of theirs. What the states mean for a file is in [deciding.md](deciding.md), the rules are in [rules.md](rules.md).

- [The tampering table](#the-tampering-table): what somebody could do to provenance, and what it comes to.
- [The decided table](#the-decided-table): what is left open to whoever verifies, and how inbond decides it.
- [Mutations](#mutations): what nobody thought of.
"""
TAMPERING: Final = """## The tampering table

{kinds} kinds of tampering, each of which departs in one respect from what is honest. {rejected} are *rejected*,
{unknown} are *unsupported* because the trusted root does not know a key, {format} because nobody here can judge their
form; none is verified. The libraries alone accept {accept} of them and crash on {crash}.

{counts}
"""
DECIDED: Final = """## The decided table

{count} things that verification leaves open. The libraries accept all but those marked. What inbond finds is in the
third column, what the default policy makes of it in the fourth, and which key of a policy makes something else of it in
the last; each was tried. Where nothing stands in the last column there is nothing to set. A *rejected* file gets
through only where `attestations = "off"` and no pin or other demand asks for evidence, or where `audit` names the rules
that deny it.
"""
MUTATIONS: Final = """## Mutations

`make mutations COUNT=1000000 SEED=1` mutates genuine provenance of every kind of signer: bytes flipped, cut, inserted,
swapped; members of the JSON replaced, taken out, doubled, moved, renamed, given other types and spellings; parts of one
genuine object in the place of another's; and the same inside what is encoded, down to the elements of the certificate.
The law: nothing is raised, nothing takes longer than a second, and nobody is verified but who signed this file, with
all that was signed as it was. The command fails, and keeps the object, where one breaks it.
"""


def page() -> str:
    """The whole page."""
    rows = {group: [(row, _tried(row)) for row in members] for group, members in tampering.TABLE.items()}
    everything = [tried for members in rows.values() for _, tried in members]
    parts = [HEAD, _summary(everything, rows)]
    for group, members in rows.items():
        parts.append(f"### {group}\n\n{_lines(_tampering_lines(members))}\n")
    parts.append(DECIDED.format(count=len(decided.DECISIONS)))
    for group, decisions in decided.TABLE.items():
        parts.append(f"### {group}\n\n{_lines(_decided_lines(decisions))}\n")
    return "\n".join([*parts, MUTATIONS])


_Tried = tuple[Expected, str, str]  # outcome, reason, what the libraries do


def _tried(row: Row) -> _Tried:
    attempt = row.attempt()
    finding = inbond(attempt)
    reason = finding.reason if isinstance(finding, Rejected | Unsupported) else "verified"
    return outcome(finding), _LEFT_OUT.sub("…", reason), libraries(attempt)


def _summary(everything: list[_Tried], rows: dict[str, list[tuple[Row, _Tried]]]) -> str:
    states = Counter(_state(tried[0]) for tried in everything)
    libraries_ = Counter(tried[2] for tried in everything)
    counts = _lines(
        [
            "| group | kinds | accepted by the libraries alone |",
            "|---|---|---|",
            *(
                f"| {group} | {len(members)} | {sum(tried[2] == 'accept' for _, tried in members)} |"
                for group, members in rows.items()
            ),
        ]
    )
    return TAMPERING.format(
        kinds=len(everything), rejected=states["rejected"], unknown=states["unsupported, unknown key"],
        format=states["unsupported, format"], accept=libraries_["accept"], crash=libraries_["crash"], counts=counts,
    )  # fmt: skip


def _tampering_lines(members: list[tuple[Row, _Tried]]) -> Iterator[str]:
    yield "| kind | what is done | state | reason | the libraries |"
    yield "|---|---|---|---|---|"
    for row, (came, reason, alone_) in members:
        yield f"| {row.id} | {_cell(row.done)} | {_state(came)} | {_cell(reason)} | {_ALONE[alone_]} |"


def _decided_lines(decisions: Iterable[Decision]) -> Iterator[str]:
    yield "| | what | inbond | default policy | why | otherwise |"
    yield "|---|---|---|---|---|---|"
    for decision in decisions:
        finding = found(decision)
        state = "not asked" if finding is None else _state(outcome(finding))
        says = "" if finding is None else str(judged(finding))
        other = ""
        if finding is not None and decision.otherwise is not None:
            other = f"`{decision.otherwise.key}`: {judged(finding, decision.otherwise.key)}"
        refused = "" if alone(decision) == "accept" else " (The libraries refuse it.)"
        cells = (decision.id, decision.what + refused, state, says, decision.why, other)
        yield f"| {' | '.join(map(_cell, cells))} |"


def _state(came: Expected) -> str:
    state, cause = came
    if state is EvidenceState.UNSUPPORTED:
        return f"unsupported, {'unknown key' if cause == 'unknown-key' else cause}"
    return str(state)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)
