"""What is kept of pages: the same page's as long as nothing about it has changed, and never said in another's place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from gateway.test_attached import Memory, attached
from inbond.gateway import kept_pages
from inbond.gateway.attached import AttachedKeeper
from inbond.gateway.evidence_key import EvidenceKey
from inbond.gateway.indexes import Index
from inbond.gateway.kept_pages import KeptPages
from inbond.gateway.known_evidence import KnownEvidence
from inbond.gateway.off_loop import SMALL_PAGE_FILES
from inbond.gateway.page_state import PageState
from inbond.model.decisions import Target, Waiver
from inbond.model.evidence import Absent, EvidenceOrPending, Pending
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page
from inbond.model.standing import NOTHING_STANDS
from inbond.policy.kept import Kept
from inbond.upstream.answers import Validators
from policy.cases import VERIFIED, policy
from sim.attested import attested_files
from sim.index import SimIndex
from stack import Inbond, inbond, sigstore

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MANY = SMALL_PAGE_FILES + 5
WAIVER = Waiver(target=Target.parse("demo"), rule="cooldown", until=NOW + timedelta(days=1), reason="seen", by="ada")

WAIVED = replace(NOTHING_STANDS, digest="1", waivers=(WAIVER,))


def page_of(files: int) -> Page:
    return Page(
        name=ProjectName("demo"),
        files=tuple(
            File(
                filename=Filename(f"demo-1.{n}-py3-none-any.whl"),
                url=f"https://files.example/{n}",
                hashes={"sha256": f"{n:064x}"},
                provenance=Claim.NONE if n % 2 else "https://index.example/provenance",
            )
            for n in range(files)
        ),
    )


def state_of(page: Page) -> PageState:
    return PageState(
        upstream="pypi", page=page, stored_id="1", basis="1", document_id="1", validators=Validators(),
        validated_at=NOW, memory=PageMemory(project_first_seen=NOW), paths={}, lacks_digests=False, weight=1,
    )  # fmt: skip


@dataclass
class Trust:
    """A verifier's, of which only the trust is asked."""

    now: str = "first"

    def trust_of(self, upstream: str) -> str:
        return self.now

    async def verify(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nothing is verified here")


def one_by_one(known: KnownEvidence, state: PageState) -> dict[Filename, EvidenceOrPending]:
    """What is known of each file, asked about it alone."""
    found: dict[Filename, EvidenceOrPending] = {}
    for file in state.page.files:
        one = known.get(known.key(state, file))
        without = Absent() if known.has_none(state, file) else Pending()
        found[file.filename] = one.evidence if one is not None and not known.has_none(state, file) else without
    return found


@pytest.mark.parametrize("files", [4, MANY])
async def test_what_is_known_of_a_page_is_what_is_known_of_its_files(files: int) -> None:
    trust, memory = Trust(), Memory()
    keeper = AttachedKeeper(memory)
    known = KnownEvidence(trust, keeper, lambda: NOW, is_local=lambda _: False)
    state = state_of(page_of(files))
    seen = []

    def look(state: PageState) -> None:
        assert dict(known.of_page(state)) == one_by_one(known, state)
        seen.append(dict(known.of_page(state)))

    look(state)
    known.learn(known.key(state, state.page.files[0]), VERIFIED)
    look(state)
    trust.now = "second"
    look(state)
    await memory.attach(attached(sha256=f"{1:064x}", filename="demo-1.1-py3-none-any.whl"))
    memory.version += 1
    await keeper.refresh()
    look(state)
    known.learn(known.key(state, state.page.files[1]), VERIFIED)
    look(state)
    trust.now = "first"
    look(state)
    other = structs.replace(state.page.files[0], hashes={"sha256": "f" * 64})
    look(replace(state, page=replace(state.page, files=(other, *state.page.files[1:]))))

    assert all(before != after for before, after in pairwise(seen))


def test_a_key_is_made_under_the_trust_that_it_is_kept_for() -> None:
    trust = Trust()
    known = KnownEvidence(trust, AttachedKeeper(Memory()), lambda: NOW, is_local=lambda _: False)
    state = state_of(page_of(MANY))
    first = known.key(state, state.page.files[0])
    known.of_page(state)
    known.learn(EvidenceKey("second", first.file), VERIFIED)

    assert known.of_page(state)[state.page.files[0].filename] == Pending()
    trust.now = "second"
    assert known.of_page(state)[state.page.files[0].filename] == VERIFIED


@pytest.mark.parametrize("files", [4, MANY])
async def test_a_page_s_is_given_until_anything_about_it_is_another(files: int) -> None:
    pages = KeptPages(lambda: NOW)
    index = Index(name="root", policy=policy(), policy_digest="1", upstreams=("pypi",))
    state = state_of(page_of(files))
    kept = pages.of(index, state, NOTHING_STANDS)
    await pages.prepare(index, state, NOTHING_STANDS, files=state.page.files, evidence={})

    assert pages.of(index, state, NOTHING_STANDS) is kept is pages.memorable(index, state, NOTHING_STANDS) is not None
    memorable = pages.memorable(index, state, WAIVED)
    assert memorable is not None
    assert memorable.standing.waivers == ()
    judged = pages.of(index, state, WAIVED)
    assert judged is not None
    assert judged.standing is WAIVED
    for other in (
        (replace(index, policy=policy(min_age=timedelta(1))), state, NOTHING_STANDS),
        (replace(index, name="other"), state, NOTHING_STANDS),
        (index, replace(state, page=replace(state.page, serial=7)), NOTHING_STANDS),
        (index, replace(state, memory=replace(state.memory, highest_serial=7)), NOTHING_STANDS),
    ):
        assert pages.of(*other) is not kept


async def asked(proxy: Inbond, names: list[str]) -> list[Mapping[str, Any]]:
    """What inbond says of a project while more and more becomes known, but for when something was verified."""
    told: list[Mapping[str, Any]] = [await proxy.page("demo")]
    told += [await proxy.verdict("demo", name) for name in (names[0], names[40], names[-1], names[0])]
    return [*told, await proxy.page("demo"), await proxy.verdict("demo", names[-1])]


async def test_all_that_is_kept_changes_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    old = [now - timedelta(days=400) + timedelta(hours=n) for n in range(MANY - 2)]
    uploaded = [*old, now - timedelta(days=2), now - timedelta(hours=6)]
    answers = []
    async with SimIndex() as index:
        files = attested_files(index, sigstore(), "demo", [f"1.{n}" for n in range(MANY)], uploaded=uploaded)
        for place in ("kept", "anew", "never"):
            if place == "anew":
                monkeypatch.setattr(Kept, "is_about", lambda *_: False)
            if place == "never":
                monkeypatch.setattr(kept_pages, "MAX_PAGE_FILES", 0)
            (tmp_path / place).mkdir()
            async with inbond(tmp_path / place, index, ahead=False) as proxy:
                told = json.dumps(await asked(proxy, [file.filename for file in files]))
            answers.append(re.sub(r'"verified_at": "[^"]*"', "", told.replace(proxy.origin, "")))

    assert answers[0] == answers[1] == answers[2]
    assert '"decision": "hold"' in answers[0]
