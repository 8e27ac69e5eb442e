"""A judged page as the entries that its renderings show: every address is inbond's own, denials are explained."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from inbond.gateway.indexes import Index
from inbond.gateway.judging import Judged
from inbond.gateway.page_state import PageState
from inbond.gateway.paths import published_path, quoted
from inbond.gateway.why import DIGITS, Subject, WhyBook
from inbond.model.evidence import Absent, Pending, Unavailable
from inbond.model.inspection import Sane
from inbond.model.page import Claim, File, Page
from inbond.model.verdict import Judgement, Verdict
from inbond.policy.explain import yank_reason
from inbond.policy.settings import DenyAs
from inbond.simple.render import Entry


@dataclass(slots=True, kw_only=True)
class Entries:
    """Makes the entries of one page for one origin (scheme and host, without a slash).

    `lost` names the files whose core metadata cannot be had; `stopped` gathers the digests of files not let through.
    """

    index: Index
    state: PageState
    judged: Judged
    origin: str
    lost: Collection[str]
    why: WhyBook
    stopped: list[str] = field(default_factory=list)

    def made(self) -> list[Entry]:
        """An entry for each file that can be had, in upstream's order; what the policy hides is left out."""
        carried, verdicts = self.state.carried, self.judged.verdicts
        paths = {file.filename: path for path, file in self.state.paths.items()}
        entries = (
            self._entry(file, verdicts[file.filename], paths.get(file.filename) or published_path(file))
            for file in self.state.page.files
            if carried is None or file.filename in carried
        )
        return [entry for entry in entries if entry is not None]

    def _entry(self, file: File, verdict: Verdict, path: str) -> Entry | None:
        yanked: bool | str = file.yanked
        if not verdict.allowed:
            self._note(file)
            if self.index.policy.deny_as is DenyAs.HIDE:
                return None
            yanked = self._reason(file, verdict)
        return Entry(
            file=file,
            url="../../" + quoted(path),
            provenance=self._provenance(file),
            yanked=yanked,
            core_metadata=self._core_metadata(file),
        )

    def _core_metadata(self, file: File) -> bool | Mapping[str, str]:
        if file.filename in self.lost or file.filename in self.state.without_metadata:
            return False
        digest = file.metadata_sha256
        if digest is not None or file.core_metadata is not False:
            return {"sha256": digest} if digest is not None else True
        match self.judged.inspections.get(file.filename):
            case Sane(metadata_sha256=str() as extracted):  # a wheel that was had: what is in it can be offered
                return {"sha256": extracted}
            case _:
                return False

    def _note(self, file: File) -> None:
        subject = Subject(self.index.name, str(self.state.page.name), str(file.filename))
        if file.sha256 is not None:
            self.why.note(file.sha256, subject)
            self.stopped.append(file.sha256)

    def _reason(self, file: File, verdict: Verdict) -> str:
        version = self.state.page.version_of(file)
        judgement = Judgement(
            index=self.index.name,
            project=self.state.page.name,
            file=file,
            version=str(version) if version is not None else None,
            evidence=self.judged.evidence[file.filename],
            verdict=verdict,
        )
        return yank_reason(judgement, why_url(self.origin, file))

    def _provenance(self, file: File) -> str | Claim:
        if file.provenance is Claim.NONE:
            return Claim.NONE  # nearly all files of most pages
        known = self.judged.evidence[file.filename]
        version = self.state.page.version_of(file)
        unclaimed = file.provenance is Claim.SILENT and (
            isinstance(known, Absent | Pending | Unavailable) or file.filename in self.judged.attached
        )
        if version is None or unclaimed:
            return Claim.SILENT
        path = f"integrity/{self.state.page.name}/{version}/{file.filename}/provenance"
        return f"{self.origin}/{self.index.prefix}{quoted(path)}"


def published_page(page: Page, *, at: str, owned: bool) -> Page:
    """The page with what is said of the same project elsewhere (PEP 708), to be published beside its entries.

    `at`: where upstream has it. inbond extends upstream's project: it tracks the repository that owns the name, which
    is upstream unless that tracks another. Other places of the project are those that a client of upstream would take
    for such, upstream among them. A project that belongs to one upstream alone is had nowhere else, whatever it says.
    """
    if owned:
        return replace(page, tracks=(), alternate_locations=())
    others = page.alternate_locations
    return replace(
        page,
        tracks=page.tracks or (at,),
        alternate_locations=(*others, at) if others and at not in others else others,
    )


def why_url(origin: str, file: File) -> str:
    """The address of a file's whole story; of the site where the file has no digest to name it by."""
    return f"{origin}/why/{file.sha256[:DIGITS]}" if file.sha256 is not None else f"{origin}/"
