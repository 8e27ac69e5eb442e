"""Pages for tests: one of each kind of fact, and hypothesis strategies for whole pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page, Status
from inbond.simple.render import Entry

PROJECT = ProjectName("demo")
BASE = "https://index.example/simple/demo/"
SHA256 = "0ace7980f82c5815ede4cd7bf9f6693684cec2ae47b9b7ade9add533b8627c6b"

# What both JSON and HTML can carry: no surrogates, and no U+0000, which HTML cannot say.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
instants = st.datetimes(min_value=datetime(1998, 1, 1), max_value=datetime(2098, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (hypothesis adds the zone)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
extras = st.dictionaries(texts.map(lambda text: f"_{text}"), json_values, max_size=3)
filenames = st.builds(
    lambda version, odd, suffix: Filename(f"demo-{version}{odd}{suffix}"),
    st.integers(min_value=0, max_value=99),
    st.sampled_from(["", ".1", " copy", "+local", "é", "&<b>", "%41", "#1", "?x", "'\""]),
    st.sampled_from([".tar.gz", "-py3-none-any.whl", ".zip", ".egg"]),
)


def timed(instant: datetime | None) -> dict[str, Any]:
    text = None if instant is None else instant.isoformat().replace("+00:00", "Z")
    return {"upload_time": instant, "upload_time_text": text}


@st.composite
def files(draw: st.DrawFn) -> File:
    name = draw(filenames)
    return File(
        filename=name,
        url=f"https://files.example/packages/{quote(name)}",
        hashes=draw(st.sampled_from([{}]) | st.builds(lambda d: {"sha256": d}, digests)),
        size=draw(st.none() | st.integers(min_value=0, max_value=2**53 - 1)),
        requires_python=draw(st.none() | texts),
        yanked=draw(st.booleans() | texts),
        core_metadata=draw(st.booleans() | st.builds(lambda d: {"sha256": d}, digests)),
        gpg_sig=draw(st.none() | st.booleans()),
        provenance=draw(st.sampled_from([Claim.NONE, Claim.SILENT, "https://index.example/integrity/x/provenance"])),
        extra=draw(extras),
        **timed(draw(st.none() | instants)),
    )


@st.composite
def pages(draw: st.DrawFn) -> Page:
    found = draw(st.lists(files(), max_size=4, unique_by=lambda file: file.filename))
    return Page(
        name=PROJECT,
        files=tuple(found),
        api_version=(1, draw(st.integers(min_value=0, max_value=99))),
        serial=draw(st.none() | st.integers(min_value=0, max_value=2**53 - 1)),
        status=draw(st.sampled_from([*Status, "on-holiday"])),
        status_reason=draw(st.none() | texts),
        tracks=tuple(draw(st.lists(texts, max_size=2, unique=True))),
        alternate_locations=tuple(draw(st.lists(texts, max_size=2, unique=True))),
        versions=draw(st.none() | st.lists(texts, max_size=3, unique=True).map(tuple)),
        meta_extra=draw(extras),
        extra=draw(extras),
    )


def entry(file: File, **changes: Any) -> Entry:
    """The file as it would be published if nothing were decided about it."""
    facts: dict[str, Any] = {
        "url": f"../../packages/{quote(file.filename)}",
        "provenance": file.provenance,
        "yanked": file.yanked,
        "core_metadata": file.core_metadata,
    }
    return Entry(file=file, **{**facts, **changes})
