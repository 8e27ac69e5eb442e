"""Findings that somebody may have to act on, told once each: also those that a policy only records.

They are told when a page or a file is judged, so the first person to ask is enough. The ledger keeps each under its
key for ever; what was told lately is known here, so that no page is slowed by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.lru import LruSet
from inbond.gateway.page_state import PageState
from inbond.model.events import Happened, Observer
from inbond.model.names import Filename
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.page import File
from inbond.model.verdict import Finding, Outcome, Verdict

MAX_TOLD: Final = 50_000  # keys of what was told, kept in memory

_NOTHING: Final[Mapping[Filename, Verdict]] = MappingProxyType({})
_KINDS: Final[Mapping[str, OccurrenceKind]] = MappingProxyType(
    {
        "continuity/changed": OccurrenceKind.PUBLISHER_CHANGED,
        "continuity/lost": OccurrenceKind.ATTESTATION_LOST,
        "continuity/ref-changed": OccurrenceKind.PUBLISHER_CHANGED,
        "continuity/recreated": OccurrenceKind.REPOSITORY_RECREATED,
    }
)
_KINDS_OF_RULES: Final[Mapping[str, OccurrenceKind]] = MappingProxyType(
    {
        "backdated": OccurrenceKind.UPLOAD_BACKDATED,
        "filename": OccurrenceKind.FILE_REPLACED,
        "malware": OccurrenceKind.MALWARE_FOUND,
    }
)


class TellingFindings:
    """Tells an observer what was found, once for each index, file and finding."""

    def __init__(self, clock: Clock, observer: Observer) -> None:
        self._clock = clock
        self._observer = observer
        self._told: LruSet[str] = LruSet(MAX_TOLD)

    def page(
        self,
        index: str,
        state: PageState,
        verdicts: Mapping[Filename, Verdict],
        told: Mapping[Filename, Verdict] = _NOTHING,
    ) -> None:
        """Tells what was found on a page, but for verdicts that were told before: the very same.

        Files share verdicts, so most are looked at once for thousands.
        """
        new = {name: verdict for name, verdict in verdicts.items() if told.get(name) is not verdict}
        every = {id(verdict): verdict for verdict in new.values()}
        telling = {key: found for key, verdict in every.items() if (found := _to_tell(verdict.findings))}
        for file in state.page.files if telling else ():
            if file.filename in new:
                for finding, kind in telling.get(id(new[file.filename]), ()):
                    self._tell(index, state, file, finding, kind)

    def file(self, index: str, state: PageState, file: File, verdict: Verdict) -> None:
        """Tells what was found about one file."""
        for finding, kind in _to_tell(verdict.findings):
            self._tell(index, state, file, finding, kind)

    def _tell(self, index: str, state: PageState, file: File, finding: Finding, kind: OccurrenceKind) -> None:
        key = "\n".join((kind, index, state.upstream, state.page.name, file.filename, file.sha256 or "", finding.id))
        if key in self._told:
            return
        self._told.add(key)
        version = state.page.version_of(file)
        occurrence = Occurrence(
            key=key,
            kind=kind,
            at=self._clock(),
            message=f"{file.filename}: {finding.message}",
            index=index,
            upstream=state.upstream,
            project=state.page.name,
            filename=file.filename,
            detail={
                "finding": finding.id,
                "outcome": str(finding.outcome),
                "counts": "yes" if finding.counts else "no",
                **({"version": str(version)} if version is not None else {}),
                **({"sha256": file.sha256} if file.sha256 is not None else {}),
            },
        )
        self._observer(Happened(occurrence=occurrence))


def _to_tell(findings: Iterable[Finding]) -> list[tuple[Finding, OccurrenceKind]]:
    found = []
    for finding in findings:
        kind = _KINDS.get(finding.id) or _KINDS_OF_RULES.get(finding.rule)
        if kind is not None and finding.outcome > Outcome.ALLOW:
            found.append((finding, kind))
    return found
