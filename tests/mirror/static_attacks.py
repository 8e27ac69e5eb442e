"""Attacks on a static tree by somebody who may write where it lies, but has no key: what becomes of each.

The tree is signed, and holds two releases of `widgets` that were signed by their publisher. A second inbond that
demands attestations has seen its pages before; then the attack happens.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Final

import aiohttp
from msgspec import structs

from check.support import signed_by
from e2e.service import new_environment
from inbond.bundles.keys import SigningKey
from mirror.static_support import AT, Plain, fetched, problems, rewrite, served, tree, written
from sim.index import SimFile, SimIndex
from sim.index_dists import Dist, build_wheel
from stack import JSON, ONE_INDEX, Inbond, SetClock, inbond

PROJECT: Final = "widgets"
SIZE: Final = 2000  # bytes of every wheel: no length gives an attack away
UPLOADED: Final = datetime(2026, 3, 1, tzinfo=UTC)
AT_ONCE: Final = '[policies.default]\nmin_age = "0"\n'
DEMANDING: Final = AT_ONCE + 'attestations = "require"\n'
EVIL: Final = "WHO = 'not acme'\n"
NOTHING: Final = "nothing is wrong"
FORMS: Final = ("index.html", "index.v1_html", "index.v1_json")
SAME: Final = "serves the file that was signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """An honest tree, to be copied. `older`: the one before, which has not the newest release."""

    root: Path
    older: Path
    key: SigningKey
    old: SimFile
    new: SimFile
    evil: Dist
    elsewhere: str = ""  # the origin of the attacker's own server

    def page(self, root: Path, name: str = FORMS[-1]) -> Path:
        return root / "simple" / PROJECT / name


Strike = Callable[[Path, World], None]
Installer = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """What somebody does. `version`: what is asked for then; `html`: whether a server gives HTML alone.

    `max_age`: what `verify` is told besides.
    """

    name: str
    strike: Strike
    version: str = "1.1"
    html: bool = False
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is said: by `verify` with the key where the manifest was `left`, without one where it was made to fit."""

    name: str
    left: str
    fitted: str
    second: str


# --- what an attacker does


def edit(root: Path, *changes: tuple[str, str], project: str = PROJECT) -> None:
    """Changes a project's page in all its forms."""
    for name in FORMS:
        page = root / "simple" / project / name
        text = page.read_text()
        for old, new in changes:
            text = text.replace(old, new)
        page.write_text(text)


def _at(file: SimFile) -> str:
    return file.path[1:]


def _byte_changed(root: Path, world: World) -> None:
    content = bytearray(world.new.content)
    content[len(content) // 2] ^= 1
    (root / _at(world.new)).write_bytes(content)


def _swapped(root: Path, world: World) -> None:
    (root / _at(world.new)).write_bytes(world.old.content)


def _with_hashes(root: Path, world: World) -> None:
    (root / _at(world.new)).write_bytes(world.evil.content)
    edit(root, _hash(world))


def _hash(world: World) -> tuple[str, str]:
    return world.new.sha256, sha256(world.evil.content).hexdigest()


def _without_provenance(root: Path, world: World) -> None:
    (root / f"{_at(world.new)}.provenance").unlink()
    address = f"../../{_at(world.new)}.provenance"
    edit(root, (f'"{address}"', "null"), (f' data-provenance="{address}"', ""))
    edit(root, (" data-provenance=null", ""))


def _replaced_and_silent(root: Path, world: World) -> None:
    _with_hashes(root, world)
    _without_provenance(root, world)


def _provenance_of_another(root: Path, world: World) -> None:
    other = (root / f"{_at(world.old)}.provenance").read_bytes()
    (root / f"{_at(world.new)}.provenance").write_bytes(other)


def _provenance_lost(root: Path, world: World) -> None:
    (root / f"{_at(world.new)}.provenance").unlink()


def _provenance_damaged(root: Path, world: World) -> None:
    path = root / f"{_at(world.new)}.provenance"
    path.write_bytes(path.read_bytes()[:-100])


def _new_release(root: Path, world: World) -> None:
    """A release that nobody made, in the tree and on the page."""
    evil = build_wheel(PROJECT, "9.0", module=EVIL)
    (root / "packages" / evil.filename).write_bytes(evil.content)
    page = json.loads(world.page(root).read_bytes())
    page["files"].append(
        {
            "filename": evil.filename,
            "url": f"../../packages/{evil.filename}",
            "hashes": {"sha256": sha256(evil.content).hexdigest()},
            "size": len(evil.content),
            "upload-time": page["files"][0]["upload-time"],
            "provenance": None,
        }
    )
    world.page(root).write_text(json.dumps(page))
    digest = sha256(evil.content).hexdigest()
    link = f'<a href="../../packages/{evil.filename}#sha256={digest}">{evil.filename}</a><br>\n</body>'
    for name in FORMS[:-1]:
        html = world.page(root, name)
        html.write_text(html.read_text().replace("</body>", link))


def _other_host(root: Path, world: World) -> None:
    address = f"../../{_at(world.new)}"
    edit(
        root,
        (f'"{address}"', f'"{world.elsewhere}/{_at(world.new)}"'),
        (f'"{address}#', f'"{world.elsewhere}/{_at(world.new)}#'),
        _hash(world),
    )


def _climbing(root: Path, world: World) -> None:
    (root.parent / "outside").mkdir()
    (root.parent / "outside" / world.new.filename).write_bytes(world.evil.content)
    edit(
        root,
        (f'"../../{_at(world.new)}#', f'"../../../../outside/{world.new.filename}#'),
        (f'"../../{_at(world.new)}"', f'"../../../../outside/{world.new.filename}"'),
        _hash(world),
    )


def _link(root: Path, world: World) -> None:
    outside = root.parent / "secret"
    outside.write_bytes(b"what nobody outside should read\n")
    (root / _at(world.new)).unlink()
    (root / _at(world.new)).symlink_to(outside)


def _extra(root: Path, world: World) -> None:
    (root / "packages" / world.evil.filename).write_bytes(world.evil.content)


def _replayed(root: Path, world: World) -> None:
    shutil.rmtree(root)
    shutil.copytree(world.older, root, symlinks=True)


def _metadata(root: Path, world: World) -> None:
    path = root / f"{_at(world.new)}.metadata"
    path.write_bytes(path.read_bytes() + b"Requires-Dist: not-acme\n")


def _metadata_with_hash(root: Path, world: World) -> None:
    _metadata(root, world)
    path = root / f"{_at(world.new)}.metadata"
    edit(root, (world.new.metadata_hashes["sha256"], sha256(path.read_bytes()).hexdigest()))


def _script(root: Path, world: World) -> None:
    script = '<script>location = "http://not-acme.example/"</script>\n</body>'
    for name in FORMS[:-1]:
        html = world.page(root, name)
        html.write_text(html.read_text().replace("</body>", script))


def _withheld(root: Path, world: World) -> None:
    page = json.loads(world.page(root).read_bytes())
    page["files"] = [file for file in page["files"] if file["filename"] != world.new.filename]
    world.page(root).write_text(json.dumps(page))


def _another_project(root: Path, world: World) -> None:
    text = world.page(root).read_text().replace(f'"name":"{PROJECT}"', '"name":"not-acme"')
    world.page(root).write_text(text)


def _cut(root: Path, world: World) -> None:
    page = world.page(root)
    page.write_bytes(page.read_bytes()[:-200])


ATTACKS: Final = (
    Attack(name="A byte of a file changed", strike=_byte_changed),
    Attack(name="A file swapped with another version's", strike=_swapped),
    Attack(name="A file replaced, and the page's hash with it", strike=_with_hashes),
    Attack(name="A file replaced with its hash, and its provenance removed", strike=_replaced_and_silent),
    Attack(name="A release added that nobody made", strike=_new_release, version="9.0"),
    Attack(name="The page names another host for a file", strike=_other_host),
    Attack(name="The page leads out of the tree by `../`", strike=_climbing),
    Attack(name="A file replaced by a link out of the tree", strike=_link),
    Attack(name="The provenance of another file", strike=_provenance_of_another),
    Attack(name="The provenance removed, the page as it was", strike=_provenance_lost),
    Attack(name="The provenance removed, and the page says that there is none", strike=_without_provenance),
    Attack(name="The provenance damaged", strike=_provenance_damaged),
    Attack(name="Core metadata changed", strike=_metadata),
    Attack(name="Core metadata changed, and the page's hash with it", strike=_metadata_with_hash),
    Attack(name="A file that no page names", strike=_extra),
    Attack(name="A release withheld", strike=_withheld),
    Attack(name="An older tree in the place of the newer", strike=_replayed, max_age=timedelta(days=2)),
    Attack(name="The page of another project", strike=_another_project),
    Attack(name="A page cut short", strike=_cut),
    Attack(name="A script in the HTML pages", strike=_script, html=True),
)


# --- what becomes of it


@asynccontextmanager
async def world_in(place: Path) -> AsyncIterator[World]:
    """The honest trees, signed: the older of three days before the other."""
    key = SigningKey.generate()
    place.mkdir(parents=True, exist_ok=True)
    async with SimIndex() as index:
        old = index.add_wheel(PROJECT, "1.0", size=SIZE, provenance=signed_by(), upload_time=UPLOADED)
        async with inbond(place, index, more=AT_ONCE) as proxy:
            synced = await fetched(proxy, old)
            before = structs.replace(synced, at=AT - timedelta(days=3))
            await written(proxy, place / "older", before, key=key)
        new = index.add_wheel(PROJECT, "1.1", size=SIZE, provenance=signed_by(), upload_time=UPLOADED)
        clock = SetClock()
        clock.advance(timedelta(hours=1))
        async with inbond(place, index, more=AT_ONCE, clock=clock) as proxy:
            await tree(proxy, place / "tree", old, new, key=key)
        evil = build_wheel(PROJECT, "1.1", module=EVIL, size=SIZE)
        yield World(root=place / "tree", older=place / "older", key=key, old=old, new=new, evil=evil)


@asynccontextmanager
async def struck(attack: Attack, world: World, place: Path) -> AsyncIterator[tuple[Plain, Callable[[], None]]]:
    """A copy of the tree behind a plain web server, and what makes the attack happen."""
    root = place / "web" / "deep" / "tree"
    shutil.copytree(world.root, root, symlinks=True)
    elsewhere = place / "elsewhere" / _at(world.new)
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_bytes(world.evil.content)
    elsewhere.with_name(f"{elsewhere.name}.metadata").write_bytes(world.evil.metadata or b"")
    async with served(place / "elsewhere") as other, served(root, negotiates=not attack.html) as server:
        there = replace(world, elsewhere=other.url.removesuffix("/simple/"))
        yield server, lambda: attack.strike(root, there)


async def outcome_of(attack: Attack, world: World, place: Path) -> Outcome:
    """What `verify` and a second inbond say. The second is asked for the page, the file's metadata and its bytes."""
    clock = SetClock()
    place.mkdir(parents=True, exist_ok=True)
    async with struck(attack, world, place) as (server, strike):
        config = ONE_INDEX.replace("{upstream}", server.url)
        async with SimIndex() as nobody, inbond(place, nobody, config=config, more=DEMANDING, clock=clock) as second:
            await second.page(PROJECT)
            strike()
            clock.advance(timedelta(hours=1))
            said = await asked(second, attack.version, world)
    left = _problems(server.root, attack, world.key)
    rewrite(server.root, {})
    fitted = _problems(server.root, attack)
    signed = _problems(server.root, attack, world.key)
    # Of an older tree the signature is right: only its age tells.
    assert "not signed with" in signed.get("inbond-tree.json.sig", "") or attack.max_age is not None
    return Outcome(name=attack.name, left=_told(left), fitted=_told(fitted) or NOTHING, second=uniform(said))


def _problems(root: Path, attack: Attack, *keys: SigningKey) -> dict[str, str]:
    return problems(root, *keys, now=AT + timedelta(minutes=1), max_age=attack.max_age)


async def asked(second: Inbond, version: str, world: World) -> str:
    """What becomes of a request for a release, as an installer makes it."""
    status, body, _ = await second.get(f"/simple/{PROJECT}/", Accept=JSON)
    if status != HTTPStatus.OK:
        return f"{status}: {json.loads(body)['detail']}"
    filename = f"{PROJECT}-{version}-py3-none-any.whl"
    found = next((file for file in json.loads(body)["files"] if file["filename"] == filename), None)
    if found is None:
        return f"lists no {PROJECT} {version}; the alert `file-vanished` names it"
    html = (await second.get(f"/simple/{PROJECT}/", Accept="text/html"))[1]
    assert b"<script" not in html
    path = found["url"].removeprefix("../..")
    if "core-metadata" in found:
        status, _, response = await second.get(f"{path}.metadata")
        if status != HTTPStatus.OK:
            return f"{status} for the core metadata: {response.reason}"
    try:
        status, body, response = await second.get(path)
    except aiohttp.ClientPayloadError:
        return "the download is cut off"
    if status != HTTPStatus.OK:
        return f"{status}: {response.reason}"
    assert body == world.new.content, "what nobody signed left the second inbond"
    return SAME


async def installed(attack: Attack, world: World, place: Path, installer: Installer) -> str:
    """What becomes of an installation straight from the tree."""
    place.mkdir(parents=True, exist_ok=True)
    async with struck(attack, world, place) as (server, strike):
        strike()
        env = new_environment(place, "env")
        done = await asyncio.to_thread(installer, place, env, server.url, f"{PROJECT}=={attack.version}")
    site = next(env.glob("lib/python3*/site-packages"))
    if done.returncode:
        return f"refuses: {_decisive(done.stdout + done.stderr)}"
    honest = (site / PROJECT / "__init__.py").read_text() == '__version__ = "1.1"\n'
    return "installs the file that was signed" if honest else "**installs it**"


_WHY: Final = re.compile(r"(?i)mismatch|do not match|no matching|no version|404|invalid|not found|unsatisf|corrupt")
_NOISE: Final = ("Using Python", "Looking in indexes", "Collecting", "Resolved", "Downloading", "Preparing", "WARNING")
_FRAME: Final = re.compile(r"^[^\w`]+")  # what uv draws around its errors


def _decisive(printed: str) -> str:
    """The line that says why."""
    lines = [_FRAME.sub("", line) for line in printed.splitlines() if line.strip()]
    lines = [line for line in lines if line and not line.startswith(_NOISE)]
    said = [line for line in lines if _WHY.search(line)] or lines
    return uniform(said[0].removeprefix("ERROR: ").removeprefix("error: "))


def _told(found: Mapping[str, str]) -> str:
    """The first problem, and how many more."""
    if not found:
        return ""
    path, message = next(iter(sorted(found.items(), key=lambda item: (item[0].startswith("simple"), item[0]))))
    rest = f"; and {len(found) - 1} more" if len(found) > 1 else ""
    shown = path.rpartition("/")[2] if path.startswith("packages/") else path
    return uniform(f"{shown or 'the tree'}: {message}{rest}")


_UNIFORM: Final = (
    (re.compile(r"127\.0\.0\.1:\d+"), "tree.example"),
    (re.compile(r"\bk-[0-9a-f]{16}"), "k-…"),
    (re.compile(r"\b[0-9a-f]{4,12}\.\.\."), "…"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "…"),
    (re.compile(r"\b2\d{3}-\d\d-\d\d \d\d:\d\d"), "…"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "…"),
    (re.compile(r"/tmp/\S+?/secret"), "/secret"),
    (re.compile(r"\s+"), " "),
)


def uniform(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, instead in _UNIFORM:
        text = pattern.sub(instead, text)
    return text.strip()


# --- the page

HEAD: Final = """# Attacks on a static tree

Written by `make static-attacks` from real runs; a test compares all but what installers say. Somebody may write where a
tree ([static.md](static.md)) is served from, but has not the key that it is signed with. The tree holds two releases of
`widgets`, which their publisher signed. Digests, keys, addresses and times are made uniform.

- **verify**: `inbond static verify DIR --key KEY`, where the manifest was left as it is. Where the manifest was made to
  fit, the same command answers `inbond-tree.json.sig: the manifest was not signed with k-…: it is not to be believed`
  to every one of these attacks but a replay, which takes `--max-age` to be seen.
- **without a key**: what is left of `verify` for who has no key, where the manifest was made to fit. What it does not
  see then, only a signature could tell.
- **a second inbond**: one in front of the tree, `attestations = "require"`, which has seen its pages before. What it
  says to who asks for the release. Where a page cannot be believed, it goes on with the one that it knew.
- **pip {pip}, uv {uv}**: straight from the tree, asked for the release by its version, without hashes of their own.
"""
ROW: Final = """
## {name}

| asked | answers |
|---|---|
| verify | {left} |
| without a key | {fitted} |
| a second inbond | {second} |
"""
INSTALLERS: Final = """| pip | {pip} |
| uv | {uv} |
"""


def document(outcomes: Sequence[Outcome], installations: Sequence[tuple[str, str]], versions: tuple[str, str]) -> str:
    """The page. `installations`: what pip and uv did; `versions`: of them."""
    parts = [HEAD.format(pip=versions[0], uv=versions[1])]
    for outcome, (by_pip, by_uv) in zip(outcomes, installations, strict=True):
        parts += [section(outcome), INSTALLERS.format(pip=_cell(by_pip), uv=_cell(by_uv))]
    return "".join(parts)


def section(outcome: Outcome) -> str:
    """An attack's part of the page, but for installers."""
    return ROW.format(
        name=outcome.name, left=_cell(outcome.left), fitted=_cell(outcome.fitted), second=_cell(outcome.second)
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
