"""The HTML form of a project's page: PEP 503, and what PEPs 592, 629, 658, 708, 714, 740 and 792 added to it.

A link is a file if its address ends in the name of a distribution; all other links are passed over. The file's name
is the last segment of the address, percent-decoded, as installers take it; a link's text is only text.

HTML cannot say what kind of page it is, and a login page, a portal or a proxy's error answers 200 as well. Taken for
an empty page it would make every file seem gone and hide the project in the indexes behind. So a page that lists no
file is believed only if it is markup, and either carries `pypi:repository-version` or holds nothing made for people
to use (forms, fields, scripts, frames, a redirection). An empty page as PEP 503 allows it passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from inbond.model.errors import InvalidFilename, UpstreamBroken
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page, Status
from inbond.simple.addresses import fragment_digests, last_segment, resolve
from inbond.simple.fields import api_version, check_file_count, status, upload_time
from inbond.simple.markup import Element, Markup

# Bytes of an HTML page; 30,000 files take about 15 MiB.
MAX_HTML_BYTES: Final = 32 * 2**20
# Tags on an HTML page, of any kind: bounds the time that the densest hostile page takes to a few seconds.
MAX_TAGS: Final = 1_000_000

# What an index page lists: wheels, source distributions, and the formats there have been since 1998.
_SUFFIXES: Final = (
    ".whl", ".tar.gz", ".zip", ".egg", ".exe", ".msi", ".rpm", ".dmg", ".deb",
    ".tar.bz2", ".tar.xz", ".tar.z", ".tgz", ".tbz", ".tar",
)  # fmt: skip
_INTERACTIVE: Final = frozenset({b"form", b"input", b"button", b"script", b"iframe", b"frameset", b"object", b"embed"})

_Attributes = Mapping[str, str | None]


def parse_html(body: bytes, *, project: ProjectName, base_url: str, serial: int | None = None) -> Page:
    """Reads the page of `project` that was found at `base_url` (the final URL, after redirects).

    `serial` is what a header said; HTML has no place for it. Raises `UpstreamBroken` for more than `MAX_HTML_BYTES`
    bytes, `MAX_TAGS` tags or `fields.MAX_FILES` files, for an api-version that is not 1.x, and for what is no index.
    """
    if len(body) > MAX_HTML_BYTES:
        raise UpstreamBroken(f"upstream's page is larger than {MAX_HTML_BYTES // 2**20} MiB of HTML")
    markup = Markup(watch=_INTERACTIVE, max_tags=MAX_TAGS)
    reading = _Reading(base=base_url)
    for element in markup.elements(body):
        reading.take(element)
    if markup.cut:
        raise UpstreamBroken("upstream's page ends within a tag: it was cut")
    if not reading.files:
        _check_empty_page(markup, reading)
    return reading.page(project, serial)


def _check_empty_page(markup: Markup, reading: _Reading) -> None:
    if not markup.tags:
        raise UpstreamBroken("upstream's page is not HTML")
    if "pypi:repository-version" not in reading.metas and (markup.seen or reading.redirects):
        raise UpstreamBroken(
            "upstream answered with a page for people (a login or an error, perhaps), not with an index page",
            remedy="open the upstream's URL in a browser; it may want credentials, or be another URL",
        )


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What has been found so far. The first `base` counts, and only ahead of the links it is about."""

    base: str
    based: bool = False
    redirects: bool = False
    metas: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)

    def take(self, element: Element) -> None:
        match element.name:
            case "a":
                self._take_link(element.attributes)
            case "base":
                self._take_base(element.attributes.get("href"))
            case _:
                self._take_meta(element.attributes)

    def _take_link(self, attributes: _Attributes) -> None:
        file = _file(attributes, self.base)
        if file is not None:
            self.files.setdefault(file.filename, file)
            check_file_count(len(self.files))

    def _take_base(self, href: str | None) -> None:
        located = resolve(self.base, href) if href is not None and not self.based else None
        if located is not None:
            self.base, self.based = located[0], True

    def _take_meta(self, attributes: _Attributes) -> None:
        self.redirects |= (attributes.get("http-equiv") or "").strip().lower() == "refresh"
        name = (attributes.get("name") or "").strip().lower()
        if name.startswith("pypi:"):
            self.metas.setdefault(name, []).append(attributes.get("content") or "")

    def _meta(self, name: str) -> str | None:
        """The first meta of that name that says something."""
        return next(filter(None, self.metas.get(name, ())), None)

    def page(self, project: ProjectName, serial: int | None) -> Page:
        versions = [api_version(text) for text in self.metas.get("pypi:repository-version", ())]
        marker = self._meta("pypi:project-status")
        return Page(
            name=project,
            files=tuple(self.files.values()),
            api_version=versions[0] if versions else (1, 0),
            serial=serial,
            status=Status.ACTIVE if marker is None else status(marker),
            status_reason=self._meta("pypi:project-status-reason"),
            tracks=_texts(self.metas.get("pypi:tracks")),
            alternate_locations=_texts(self.metas.get("pypi:alternate-locations")),
        )


def _texts(found: list[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, found or ())))


def _file(attributes: _Attributes, base: str) -> File | None:
    located = resolve(base, attributes.get("href") or "")
    filename = None if located is None else _filename(located[0])
    if located is None or filename is None:
        return None
    uploaded_text = attributes.get("data-upload-time") or ""
    uploaded = upload_time(uploaded_text)
    return File(
        filename=filename,
        url=located[0],
        hashes=fragment_digests(located[1]),
        upload_time=uploaded,
        upload_time_text=uploaded_text if uploaded is not None else None,
        requires_python=attributes.get("data-requires-python") or None,
        yanked=(attributes["data-yanked"] or True) if "data-yanked" in attributes else False,
        core_metadata=_core_metadata(attributes),
        gpg_sig={"true": True, "false": False}.get((attributes.get("data-gpg-sig") or "").lower()),
        provenance=_provenance(attributes.get("data-provenance"), base),
    )


def _filename(url: str) -> Filename | None:
    name = last_segment(url)
    try:
        return Filename(name) if name.lower().endswith(_SUFFIXES) else None
    except InvalidFilename:
        return None


def _core_metadata(attributes: _Attributes) -> bool | Mapping[str, str]:
    # PEP 714: the newer name counts where it says something.
    for name in ("data-core-metadata", "data-dist-info-metadata"):
        value = (attributes.get(name) or "").strip().lower()
        if value in {"true", "false"}:
            return value == "true"
        digests = fragment_digests(value)
        if digests:
            return digests
    return False


def _provenance(value: str | None, base: str) -> str | Claim:
    if not value:
        return Claim.SILENT
    located = resolve(base, value)
    # As in JSON: an address that cannot be fetched is still a claim, which is then unavailable and never absent.
    return value if located is None else located[0]
