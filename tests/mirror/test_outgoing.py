"""What goes out besides projects: the same records are the same bytes, and the roots are those in force."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.trust_support import SetSource
from inbond.advisories.limits import MAX_RECORD_BYTES
from inbond.bundles.manifest import DocumentKind
from inbond.gateway.advisory_archive import KeptArchive
from inbond.gateway.advisory_sources import AdvisorySource, FromImports, read_place
from inbond.gateway.trust import BundledSource, bundled_root_path
from inbond.gateway.trust_files import TrustFiles
from inbond.mirror import outgoing
from inbond.mirror.outgoing import OutgoingArchive, advisories_archive, trusted_roots
from inbond.model.errors import OperatorFault
from inbond.model.trust import PUBLIC
from inbond.upstream.feed import Feed, FeedSettings
from mirror.documents import AS_OF, Far
from sim.feed import SimFeed
from sim.osv import directory, malware, vulnerability, zipped
from sim.sigstore import Sigstore
from stack import SetClock

ROOT, NEXT = Sigstore().trusted_root(), Sigstore("next.example").trusted_root()
FILES = {"b/MAL-1.json": malware("MAL-1", "demo"), "a.json": vulnerability("GHSA-1", "demo", fixed="2.0")}
Place = Path | FeedSettings | FromImports


def sent(place: Place, into: Path, *, far: Far | None = None) -> OutgoingArchive:
    into.mkdir(exist_ok=True)
    find = (far or Far(into)).documents.finding(DocumentKind.ADVISORIES, "own")
    source = AdvisorySource(name="own", place=place)
    return advisories_archive(source, kept=into.parent / "kept", find=find, into=into)


# --- advisories


def test_a_directory_goes_out_as_the_same_archive_however_it_lies_there(tmp_path: Path) -> None:
    one = directory(tmp_path / "one", FILES)
    other = directory(tmp_path / "other", dict(reversed(FILES.items())))
    (other / "README.md").write_text("no record")
    os.utime(other / "a.json", (0, 0))
    os.utime(one / "a.json", (0, 0))
    os.utime(one / "b" / "MAL-1.json", (AS_OF.timestamp(), AS_OF.timestamp()))
    (other / "a.json").chmod(0o600)

    first, second = sent(one, tmp_path / "out1"), sent(other, tmp_path / "out2")

    assert first.path.read_bytes() == second.path.read_bytes()
    assert set(read_place(first.path).records) == {"MAL-1", "GHSA-1"}
    assert first.size == first.path.stat().st_size
    assert first.as_of == AS_OF, "of when the newest of them is"


def test_another_record_or_name_is_another_archive(tmp_path: Path) -> None:
    place = directory(tmp_path / "place", FILES)
    before = sent(place, tmp_path / "out").path.read_bytes()
    (place / "a.json").rename(place / "c.json")
    renamed = sent(place, tmp_path / "out").path.read_bytes()
    (place / "c.json").write_bytes(malware("MAL-3", "demo"))

    assert len({before, renamed, sent(place, tmp_path / "out").path.read_bytes()}) == 3


def test_names_that_are_no_text_go_out_too(tmp_path: Path) -> None:
    place = directory(tmp_path / "place", FILES)
    for name in (b"\xff.json", b"\xfe.json"):
        Path(os.fsdecode(os.fsencode(place) + b"/" + name)).write_bytes(malware(f"MAL-{name[0]}", "demo"))

    assert len(read_place(sent(place, tmp_path / "out").path).records) == 4


def test_what_is_too_large_for_a_record_stays_so(tmp_path: Path) -> None:
    place = directory(tmp_path / "place", {**FILES, "large.json": b" " * (MAX_RECORD_BYTES + 99)})

    assert read_place(sent(place, tmp_path / "out").path).bad == 1


def test_an_archive_goes_out_byte_for_byte(tmp_path: Path) -> None:
    place = tmp_path / "all.zip"
    place.write_bytes(zipped(FILES))
    os.utime(place, (AS_OF.timestamp(), AS_OF.timestamp()))

    found = sent(place, tmp_path / "out")

    assert (found.path.read_bytes(), found.as_of) == (place.read_bytes(), AS_OF)
    place.write_bytes(b"")
    assert read_place(found.path).records, "it is a copy that nobody changes"


async def test_of_a_url_goes_out_what_was_kept_and_nobody_is_asked(tmp_path: Path) -> None:
    clock = SetClock()
    async with SimFeed(zipped(FILES)) as feed:
        settings = FeedSettings(name="own", url=feed.url)
        asking = Feed.open(settings, observer=lambda _: None, user_agent="inbond/test")
        await KeptArchive(tmp_path / "kept", settings).fetch(asking, usable=False, now=(now := clock()))
        await asking.aclose()
        found = sent(settings, tmp_path / "out")

        assert (found.path.read_bytes(), found.as_of) == (feed.body, now)
        assert len(feed.asked) == 1


def test_what_was_imported_goes_on_with_the_time_it_came_with(tmp_path: Path) -> None:
    far = Far(tmp_path)
    far.brought(DocumentKind.ADVISORIES, "own", zipped(FILES))

    found = sent(FromImports(), tmp_path / "out", far=far)

    assert (found.path.read_bytes(), found.as_of) == (zipped(FILES), AS_OF)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (lambda there: there / "gone", "cannot be read: No such file or directory"),
        (lambda there: directory(there / "empty", {"README.md": b""}), "empty holds no advisory"),
        (lambda there: _written(there / "cut.zip", zipped(FILES)[:-30]), "what would go out cannot be read"),
        (lambda _: FeedSettings(name="own", url="https://osv.acme.example/x.zip"), "nothing of it was fetched yet"),
        (lambda _: FromImports(), "no bundle that was imported brought any"),
    ],
    ids=["gone", "empty", "cut", "not fetched", "not imported"],
)
def test_what_nobody_could_read_is_not_sent(
    place: Callable[[Path], Path | FeedSettings | FromImports], said: str, tmp_path: Path
) -> None:
    with pytest.raises(OperatorFault, match=r"\[advisories.own\] cannot be sent: ") as raised:
        sent(place(tmp_path), tmp_path / "out")

    assert said in raised.value.message
    assert "inbond advisories status" in (raised.value.remedy or "")


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_what_changes_meanwhile_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = _written(tmp_path / "all.zip", zipped(FILES))
    copy = shutil.copyfile

    def while_written(path: Path, to: Path) -> None:
        copy(path, to)
        path.write_bytes(zipped({"MAL-9.json": malware("MAL-9", "demo")}))

    monkeypatch.setattr("inbond.mirror.outgoing.shutil.copyfile", while_written)

    with pytest.raises(OperatorFault, match="it is just being written; try again in a moment"):
        sent(place, tmp_path / "out")


def test_what_no_bundle_could_carry_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "MAX_ADVISORIES_BYTES", 100)

    with pytest.raises(OperatorFault, match=r"\[advisories.own\] is larger than 100 B as an archive"):
        sent(directory(tmp_path / "place", FILES), tmp_path / "out")


# --- roots


async def test_the_roots_in_force_go_out_by_scope(tmp_path: Path) -> None:
    files = TrustFiles(tmp_path)
    files.keep_root("acme", NEXT, origin="a test")  # the source has another one, which was not taken up
    since = files.root("acme")
    sources = [SetSource(ROOT, known_at=AS_OF), SetSource(ROOT, name="acme", known_at=AS_OF)]

    acme, public = await trusted_roots(sources, tmp_path)

    assert since is not None
    assert (acme.scope, acme.content, acme.as_of) == ("acme", NEXT, since.since)
    assert (public.scope, public.content, public.as_of) == (PUBLIC, ROOT, AS_OF)


async def test_a_root_of_a_source_that_was_left_does_not_go_out(tmp_path: Path) -> None:
    TrustFiles(tmp_path).keep_root(PUBLIC, NEXT, origin="another")

    (found,) = await trusted_roots([SetSource(ROOT, known_at=AS_OF)], tmp_path)

    assert found.content == ROOT


async def test_a_root_that_nobody_dates_is_as_old_as_its_being_here_whatever_runs_meanwhile(tmp_path: Path) -> None:
    source = BundledSource(name=PUBLIC)
    (before,) = await trusted_roots([source], tmp_path)
    assert before.as_of == datetime.fromtimestamp(bundled_root_path().stat().st_mtime, tz=UTC)

    TrustFiles(tmp_path).keep_root(PUBLIC, before.content, origin=source.origin)
    (after,) = await trusted_roots([source], tmp_path)
    assert after == before, "the same content gives the same bundle"


async def test_where_the_source_has_none_the_last_good_one_goes_out_or_it_is_said(tmp_path: Path) -> None:
    source = SetSource(OperatorFault("unplugged"))
    with pytest.raises(OperatorFault, match="unplugged"):
        await trusted_roots([source], tmp_path)
    TrustFiles(tmp_path).keep_root(PUBLIC, NEXT, origin=source.origin)

    (found,) = await trusted_roots([source], tmp_path)
    assert found.content == NEXT
