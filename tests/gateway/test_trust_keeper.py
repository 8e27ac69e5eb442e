"""Trusted roots that change under a running verifier: real processes, a private Sigstore."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from gateway.trust_support import (
    NAME,
    SHA256,
    UPSTREAM,
    Heard,
    SetSource,
    ask,
    keeper,
    signed,
    started,
    until,
    with_impostor,
)
from inbond.gateway import trust_keeper
from inbond.gateway.trust import BundledSource, FileSource, bundled_root_path, read_root
from inbond.gateway.trust_candidate import check_candidate, facts_of
from inbond.gateway.trust_files import TrustFiles
from inbond.gateway.verifier import UnusableRoot, VerifierFailed, VerifierTimeout
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.evidence import Rejected, Unsupported, Verified
from inbond.model.trust import PUBLIC, TrustScope
from sim.sigstore import DEFAULT_NOW, GitHub, GitLab, Sigstore, Window

OURS = Sigstore()
NEXT = Sigstore("next.example")
OTHER = Sigstore("other.example")
ROOT = OURS.trusted_root()
BOTH = OURS.trusted_root(NEXT)
GOOD = signed(OURS)
LATER: Window = (datetime.now(UTC) + timedelta(days=300), None)
GITLAB = "https://gitlab.acme.example"


def digest(root: bytes) -> str:
    return hashlib.sha256(root).hexdigest()


def edited(root: bytes, **members: object) -> bytes:
    return json.dumps({**json.loads(root), **members}).encode()


async def test_a_root_that_gains_a_key_is_taken_up_and_told(tmp_path: Path) -> None:
    source, heard = SetSource(ROOT), Heard()
    async with started(keeper([source], tmp_path, heard)) as kept:
        assert isinstance(await ask(kept, GOOD), Verified)
        before = await ask(kept, signed(NEXT))
        source.root = BOTH
        await until(lambda: kept.trust_of(UPSTREAM) == digest(BOTH))
        after = await ask(kept, signed(NEXT))
        (status,) = kept.scopes()

    assert isinstance(before, Unsupported)
    assert isinstance(after, Verified)
    assert after.derivation.trusted_root_sha256 == digest(BOTH)
    assert status.sha256 == digest(BOTH)
    assert status.problem is None
    (told,) = heard.named("trusted-root-changed")
    assert "gained certificate authority CN=next.example" in told
    assert "lost" not in told
    assert "1 of 1 samples verify" in told
    await until(lambda: (tmp_path / PUBLIC / "in_force.json").read_bytes() == BOTH)


async def test_a_root_that_loses_a_key_is_taken_up_and_what_it_proved_is_proven_no_more(tmp_path: Path) -> None:
    source, heard = SetSource(BOTH), Heard()
    async with started(keeper([source], tmp_path, heard)) as kept:
        assert isinstance(await ask(kept, GOOD), Verified)
        assert isinstance(await ask(kept, signed(NEXT)), Verified)
        source.root = NEXT.trusted_root()
        await until(lambda: heard.named("trusted-root-changed"))
        lost, kept_one = await ask(kept, GOOD), await ask(kept, signed(NEXT))

    assert isinstance(lost, Unsupported)
    assert isinstance(kept_one, Verified)
    (told,) = heard.named("trusted-root-changed")
    assert f"lost transparency log https://sigstore.example ({OURS.log_id.hex()[:16]})" in told
    assert "1 of 2 samples verify; 1 were signed with keys that it does not hold" in told


@pytest.mark.parametrize(
    ("candidate", "why"),
    [
        (b"", "it is not JSON"),
        (ROOT[:-20], "it is not JSON"),
        (b"{}", "trusted root cannot be used"),
        (edited(ROOT, ctlogs=[]), "names no certificate transparency log"),
        (edited(ROOT, surprise={"from": "the future"}), "'surprise'"),
        (OURS.trusted_root(ca_window=LATER, ct_window=LATER, log_window=LATER), "from the future"),
        (OURS.trusted_root(log_window=LATER), "no transparency log of it has begun"),
    ],
    ids=["empty", "cut", "another object", "without a log", "an unknown member", "not begun", "one kind not begun"],
)
async def test_a_root_that_cannot_be_used_changes_nothing(tmp_path: Path, candidate: bytes, why: str) -> None:
    source, heard = SetSource(ROOT), Heard()
    async with started(keeper([source], tmp_path, heard)) as kept:
        source.root = candidate
        await until(lambda: heard.named("trusted-root-refused"))
        reads = source.reads
        await until(lambda: source.reads > reads + 3)
        (status,) = kept.scopes()

        assert isinstance(await ask(kept, GOOD), Verified)
        assert kept.trust_of(UPSTREAM) == digest(ROOT)
        source.root = ROOT
        await until(lambda: kept.scopes()[0].problem is None)

    assert status.sha256 == digest(ROOT)
    assert status.problem is not None
    assert why in status.problem
    assert "stays in force" in status.problem
    assert len(heard.named("trusted-root-refused")) == 1  # once for this candidate, however often it is read
    assert not heard.named("trusted-root-changed")


async def test_a_root_that_does_not_accept_what_it_should_is_refused(tmp_path: Path) -> None:
    """It names the authority that signed, by its key id, and holds another key: forged, or damaged."""
    source, heard = SetSource(ROOT), Heard()
    async with started(keeper([source], tmp_path, heard)) as kept:
        assert isinstance(await ask(kept, GOOD), Verified)
        source.root = with_impostor(OURS)
        await until(lambda: heard.named("trusted-root-refused"))

        assert isinstance(await ask(kept, GOOD), Verified)

    (told,) = heard.named("trusted-root-refused")
    assert f"{NAME}, which was verified before and whose keys the trusted root holds, would be rejected" in told


async def test_calls_under_way_during_a_change_are_all_answered(tmp_path: Path) -> None:
    source, heard = SetSource(ROOT), Heard()
    async with started(keeper([source], tmp_path, heard)) as kept:
        first = kept.process.pid

        async def asking() -> list[str]:
            seen: list[str] = []
            while not seen or seen[-1] != digest(BOTH):
                finding = await ask(kept, GOOD)
                assert isinstance(finding, Verified)
                seen.append(finding.derivation.trusted_root_sha256)
            return seen

        callers = [asyncio.ensure_future(asking()) for _ in range(20)]
        await asyncio.sleep(0.2)
        source.root = BOTH
        async with asyncio.timeout(30):
            answers = await asyncio.gather(*callers)

        assert all(set(seen) == {digest(ROOT), digest(BOTH)} for seen in answers)
        assert kept.process.pid != first
        assert first is not None
        await until(lambda: not Path(f"/proc/{first}").exists())


async def test_a_process_that_is_started_anew_judges_by_the_root_that_was_accepted(tmp_path: Path) -> None:
    path = tmp_path / "root.json"
    path.write_bytes(ROOT)
    source, heard = FileSource(name=PUBLIC, path=path), Heard()
    async with started(keeper([source], tmp_path / "kept", heard, poll_every=60)) as kept:
        path.write_bytes(b"{}")
        assert kept.process.pid is not None
        os.kill(kept.process.pid, signal.SIGKILL)

        assert isinstance(await ask(kept, GOOD), Verified)


async def test_a_root_that_is_just_being_written_is_not_tried(tmp_path: Path) -> None:
    source, heard = SetSource(ROOT), Heard()
    async with started(keeper([source], tmp_path, heard)) as kept:
        for length in range(0, len(BOTH), len(BOTH) // 8):
            source.root = BOTH[:length]
            await asyncio.sleep(0.1)
        source.root = BOTH
        await until(lambda: kept.trust_of(UPSTREAM) == digest(BOTH))

    assert not heard.named("trusted-root-refused")


async def test_a_candidate_that_could_not_be_tried_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(*arguments: object, **more: object) -> NoReturn:
        raise VerifierTimeout("the verifier did not answer within 5 s")

    source, heard = SetSource(ROOT), Heard()
    async with started(keeper([source], tmp_path, heard)) as kept:
        with monkeypatch.context() as patched:
            patched.setattr(trust_keeper, "self_tested", late)
            source.root = BOTH
            await until(lambda: heard.named("trusted-root-refused"))
            assert kept.trust_of(UPSTREAM) == digest(ROOT)
        await until(lambda: kept.trust_of(UPSTREAM) == digest(BOTH))
        assert kept.scopes()[0].problem is None

    assert len(heard.named("trusted-root-refused")) == 1


async def test_a_source_that_fails_in_an_unforeseen_way_is_told_and_watched_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, heard = SetSource(ROOT), Heard()

    async def broken() -> bytes:
        raise ZeroDivisionError

    async with started(keeper([source], tmp_path, heard)) as kept:
        with monkeypatch.context() as patched:
            patched.setattr(source, "read", broken)
            await until(lambda: heard.named("trusted-root-refused"))
            assert isinstance(await ask(kept, GOOD), Verified)
        source.root = BOTH
        await until(lambda: kept.trust_of(UPSTREAM) == digest(BOTH))

    assert "ZeroDivisionError" in heard.named("trusted-root-refused")[0]


async def test_closing_while_a_candidate_is_tried_leaves_no_process(tmp_path: Path) -> None:
    before = children()
    source = SetSource(ROOT)
    async with started(keeper([source], tmp_path, Heard())):
        first = children() - before
        source.root = BOTH
        await until(lambda: children() - before - first)

    assert children() == before


def children() -> set[str]:
    """The verifier processes of this one that run."""
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    found: set[str] = set()
    for task in tasks:
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            found |= set((task / "children").read_text().split())
    return found


# --- refusals that pass


async def test_a_root_that_is_refused_for_the_time_alone_is_tried_when_that_has_passed(tmp_path: Path) -> None:
    ahead = timedelta()
    source, heard = SetSource(ROOT), Heard()
    async with started(keeper([source], tmp_path, heard, clock=lambda: datetime.now(UTC) + ahead)) as kept:
        assert isinstance(await ask(kept, GOOD), Verified)
        ahead = DEFAULT_NOW - datetime.now(UTC) - timedelta(days=1)  # as if nothing had been signed yet
        source.root = BOTH
        await until(lambda: heard.named("trusted-root-refused"))
        reads = source.reads
        await until(lambda: source.reads > reads + 3)
        assert len(heard.named("trusted-root-refused")) == 1
        ahead = timedelta()
        await until(lambda: kept.trust_of(UPSTREAM) == digest(BOTH))

    assert "which was verified before, is yet to be signed" in heard.named("trusted-root-refused")[0]


async def test_a_root_whose_keys_begin_soon_is_taken_up_then(tmp_path: Path) -> None:
    ahead = timedelta()
    source, heard = SetSource(ROOT), Heard()
    async with started(keeper([source], tmp_path, heard, clock=lambda: datetime.now(UTC) + ahead)) as kept:
        source.root = later = OURS.trusted_root(log_window=(datetime.now(UTC) + timedelta(minutes=30), None))
        await until(lambda: heard.named("trusted-root-refused"))
        ahead = timedelta(minutes=31)
        await until(lambda: kept.trust_of(UPSTREAM) == digest(later))


async def test_a_sample_that_is_no_longer_accepted_anyway_blocks_nothing_and_goes(tmp_path: Path) -> None:
    """As where this version of inbond rejects what an older one verified and kept."""
    async with started(keeper([SetSource(ROOT)], tmp_path, Heard())) as kept:
        await ask(kept, GOOD)
    files = TrustFiles(tmp_path)
    bad = OURS.provenance_for(NAME, SHA256, GitHub(), signature="badsig")
    files.change_samples(PUBLIC, lambda there: tuple(msgspec.structs.replace(one, provenance=bad) for one in there))
    source, heard = SetSource(ROOT), Heard()
    async with started(keeper([source], tmp_path, heard)) as kept:
        source.root = BOTH
        await until(lambda: heard.named("trusted-root-changed"))

    (told,) = heard.named("trusted-root-changed")
    assert "0 of 0 samples verify; 1 sample verified under no root any more, and went" in told
    assert files.samples(PUBLIC) == ()


async def test_a_sample_that_the_root_in_force_need_not_accept_still_stands_against_a_new_one(tmp_path: Path) -> None:
    """A key that was lost comes back under its name with another key behind it."""
    source, heard = SetSource(BOTH), Heard()
    async with started(keeper([source], tmp_path, heard)) as kept:
        assert isinstance(await ask(kept, GOOD), Verified)
        source.root = NEXT.trusted_root()
        await until(lambda: heard.named("trusted-root-changed"))
        source.root = with_impostor(OURS)
        await until(lambda: heard.named("trusted-root-refused"))
        assert kept.trust_of(UPSTREAM) == digest(NEXT.trusted_root())


async def test_a_time_that_shrinks_is_told_apart_from_a_key_that_is_lost(tmp_path: Path) -> None:
    source, heard = SetSource(ROOT), Heard()
    async with started(keeper([source], tmp_path, heard)) as kept:
        assert isinstance(await ask(kept, GOOD), Verified)
        source.root = OURS.trusted_root(log_window=(DEFAULT_NOW + timedelta(days=1), None))
        await until(lambda: heard.named("trusted-root-changed"))

    (told,) = heard.named("trusted-root-changed")
    assert ", not since 2021-01-01 as before; 0 of 1 samples verify; 1 were signed when its keys" in told
    assert "does not hold" not in told


async def test_two_processes_keep_each_others_samples(tmp_path: Path) -> None:
    first, second = (keeper([SetSource(BOTH)], tmp_path, Heard()) for _ in range(2))
    async with started(first) as one, started(second) as two:
        assert isinstance(await ask(one, GOOD), Verified)
        await until(lambda: len(TrustFiles(tmp_path).samples(PUBLIC)) == 1)
        assert isinstance(await ask(two, signed(NEXT)), Verified)
        await until(lambda: len(TrustFiles(tmp_path).samples(PUBLIC)) == 2)


# --- at the start


async def test_a_self_test_that_could_not_be_made_at_a_start_is_made_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(*arguments: object, **more: object) -> NoReturn:
        raise VerifierTimeout("the verifier did not answer within 5 s")

    async with started(keeper([SetSource(ROOT)], tmp_path, Heard())) as kept:
        assert isinstance(await ask(kept, GOOD), Verified)
    again = keeper([SetSource(BOTH)], tmp_path, Heard())
    with monkeypatch.context() as patched:
        patched.setattr(trust_keeper, "self_tested", late)
        await again.start()
    try:
        await until(lambda: again.trust_of(UPSTREAM) == digest(BOTH))
    finally:
        await again.aclose()


async def test_without_a_last_good_root_the_samples_are_asked_all_the_same(tmp_path: Path) -> None:
    async with started(keeper([SetSource(ROOT)], tmp_path, Heard())) as kept:
        assert isinstance(await ask(kept, GOOD), Verified)
    (tmp_path / PUBLIC / "in_force.json").unlink()
    refused = keeper([SetSource(with_impostor(OURS))], tmp_path, Heard())
    with pytest.raises(ConfigurationError, match="would be rejected under it") as caught:
        await refused.start()
    await refused.aclose()
    assert caught.value.remedy is not None
    assert "remove trust/public/samples" in caught.value.remedy
    async with started(keeper([SetSource(BOTH)], tmp_path, Heard())) as kept:
        assert kept.trust_of(UPSTREAM) == digest(BOTH)


async def test_the_last_good_root_of_another_source_is_none(tmp_path: Path) -> None:
    """Whoever leaves a repository must not go on trusting it."""
    async with started(keeper([SetSource(ROOT, origin="a")], tmp_path, Heard())):
        pass
    left = keeper([SetSource(OperatorFault("it cannot be had"), origin="b")], tmp_path, Heard())
    with pytest.raises(ConfigurationError, match="came from another source, and does not count any more"):
        await left.start()
    await left.aclose()
    heard = Heard()
    async with started(keeper([SetSource(NEXT.trusted_root(), origin="b")], tmp_path, heard)) as kept:
        assert kept.trust_of(UPSTREAM) == digest(NEXT.trusted_root())
    assert heard.named("trusted-root-changed")
    assert TrustFiles(tmp_path).root(PUBLIC) is not None
    async with started(keeper([SetSource(OperatorFault("gone"), origin="b")], tmp_path, Heard())) as kept:
        assert kept.trust_of(UPSTREAM) == digest(NEXT.trusted_root())


async def test_a_root_that_broke_while_nothing_ran_gives_way_to_the_last_good_one(tmp_path: Path) -> None:
    async with started(keeper([SetSource(ROOT)], tmp_path, Heard())) as kept:
        since = kept.scopes()[0].since
    for broken in (b"{}", OperatorFault("it cannot be read")):
        heard = Heard()
        async with started(keeper([SetSource(broken)], tmp_path, heard)) as kept:
            assert isinstance(await ask(kept, GOOD), Verified)
            (status,) = kept.scopes()
            assert kept.trust_of(UPSTREAM) == digest(ROOT)

        assert status.problem is not None
        assert abs(status.since - since) < timedelta(seconds=1)
        (told,) = heard.named("trusted-root-refused")
        assert "stays in force" in told
    assert (tmp_path / PUBLIC / "in_force.json").read_bytes() == ROOT


async def test_without_a_last_good_one_there_is_no_start(tmp_path: Path) -> None:
    for broken, expected in ((b"{}", UnusableRoot), (ConfigurationError("it cannot be read"), ConfigurationError)):
        kept = keeper([SetSource(broken)], tmp_path, Heard())
        with pytest.raises(expected):
            await kept.start()
        await kept.aclose()


async def test_a_root_that_was_replaced_while_nothing_ran_is_tried_like_any_other(tmp_path: Path) -> None:
    async with started(keeper([SetSource(ROOT)], tmp_path, Heard())) as kept:
        assert isinstance(await ask(kept, GOOD), Verified)
    heard = Heard()
    async with started(keeper([SetSource(with_impostor(OURS))], tmp_path, heard)) as kept:
        assert kept.trust_of(UPSTREAM) == digest(ROOT)
        assert isinstance(await ask(kept, GOOD), Verified)
    assert "would be rejected under it" in heard.named("trusted-root-refused")[0]

    heard = Heard()
    async with started(keeper([SetSource(BOTH)], tmp_path, heard)) as kept:
        assert isinstance(await ask(kept, signed(NEXT)), Verified)
    assert "1 of 1 samples verify" in heard.named("trusted-root-changed")[0]
    assert (tmp_path / PUBLIC / "in_force.json").read_bytes() == BOTH


async def test_what_was_kept_and_damaged_counts_as_nothing(tmp_path: Path) -> None:
    async with started(keeper([SetSource(ROOT)], tmp_path, Heard())) as kept:
        await ask(kept, GOOD)
    (tmp_path / PUBLIC / "samples").write_bytes(b"junk")
    (tmp_path / PUBLIC / "in_force.json").write_bytes(b"junk")

    async with started(keeper([SetSource(ROOT)], tmp_path, Heard())) as kept:
        assert isinstance(await ask(kept, GOOD), Verified)

    assert (tmp_path / PUBLIC / "in_force.json").read_bytes() == ROOT


async def test_a_directory_that_cannot_be_written_is_told_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    source, heard = SetSource(ROOT), Heard()
    async with started(keeper([source], tmp_path / "file", heard)) as kept:
        assert isinstance(await ask(kept, GOOD), Verified)
        source.root = BOTH
        await until(lambda: len(heard.named("trust-not-kept")) == 3)  # the root, a sample, the next root

        assert kept.trust_of(UPSTREAM) == digest(BOTH)


async def test_before_the_start_there_is_nothing_to_ask(tmp_path: Path) -> None:
    kept = keeper([SetSource(ROOT)], tmp_path, Heard())
    with pytest.raises(RuntimeError, match="not started"):
        _ = kept.hello
    await kept.load()
    assert kept.scopes()[0].facts is None
    with pytest.raises(VerifierFailed, match="not started"):
        await ask(kept, GOOD)
    await kept.aclose()
    await kept.aclose()


# --- several scopes


async def test_each_scope_changes_by_itself(tmp_path: Path) -> None:
    own = Sigstore("own.example")
    public, private = SetSource(ROOT), SetSource(own.trusted_root(), name="acme", issuers=(GITLAB,))
    by_upstream = {UPSTREAM: (PUBLIC,), "own": ("acme",), "both": (PUBLIC, "acme")}
    ours = signed(own, GitLab(host=GITLAB))
    heard = Heard()
    async with started(keeper([public, private], tmp_path, heard, by_upstream=by_upstream)) as kept:
        assert isinstance(await ask(kept, ours, upstream="own"), Verified)
        assert isinstance(await ask(kept, ours, upstream="both"), Verified)
        assert isinstance(await ask(kept, ours), Unsupported)
        assert isinstance(await ask(kept, GOOD, upstream="own"), Unsupported)
        before = {upstream: kept.trust_of(upstream) for upstream in by_upstream}

        private.root = OTHER.trusted_root()
        public.root = b"not a root"
        await until(lambda: heard.named("trusted-root-changed") and heard.named("trusted-root-refused"))

        after = {upstream: kept.trust_of(upstream) for upstream in by_upstream}
        assert after[UPSTREAM] == before[UPSTREAM]
        assert after["own"] != before["own"]
        assert after["both"] != before["both"]
        assert isinstance(await ask(kept, ours, upstream="own"), Unsupported)
        assert isinstance(await ask(kept, GOOD, upstream="both"), Verified)
        assert [status.problem is None for status in kept.scopes()] == [False, True]


# --- unknown keys


async def test_an_unknown_key_has_the_root_fetched_and_the_file_judged_again(tmp_path: Path) -> None:
    source, heard = SetSource(ROOT, fetched=BOTH), Heard()
    async with started(keeper([source], tmp_path, heard, poll_every=60)) as kept:
        stale = await ask(kept, signed(NEXT))
        await until(lambda: kept.trust_of(UPSTREAM) == digest(BOTH))
        fresh = await ask(kept, signed(NEXT))

    assert isinstance(stale, Unsupported)
    assert isinstance(fresh, Verified)
    (told,) = heard.named("unknown-key")
    assert f"{NAME} from {UPSTREAM} is signed with a certificate authority" in told
    assert NEXT.ca_key_id.hex()[:16] in told


async def test_many_unknown_keys_are_few_refreshes(tmp_path: Path) -> None:
    source, heard = SetSource(ROOT), Heard()
    async with started(keeper([source], tmp_path, heard, refresh_every=0.5)) as kept:
        for _ in range(40):
            await ask(kept, signed(OTHER))
            await asyncio.sleep(0.02)
        await until(lambda: len(source.refreshes) >= 2)

    gaps = [second - first for first, second in zip(source.refreshes, source.refreshes[1:], strict=False)]
    assert min(gaps) >= 0.45
    assert len(heard.named("unknown-key")) == 1


async def test_a_forgery_is_no_reason_to_ask(tmp_path: Path) -> None:
    source, heard = SetSource(ROOT), Heard()
    async with started(keeper([source], tmp_path, heard)) as kept:
        assert isinstance(await ask(kept, OURS.provenance_for(NAME, SHA256, GitHub(), signature="badsig")), Rejected)
        await asyncio.sleep(0.1)

    assert not source.refreshes
    assert not heard.alerts


# --- readiness


async def test_a_root_whose_keys_have_all_ended_says_so(tmp_path: Path) -> None:
    window = (datetime(2022, 1, 1, tzinfo=UTC), DEFAULT_NOW + timedelta(days=1))
    source = SetSource(OURS.trusted_root(ca_window=window))
    async with started(keeper([source], tmp_path, Heard())) as kept:
        assert isinstance(await ask(kept, GOOD), Verified)  # what was signed in time still holds
        (status,) = kept.scopes()

    assert status.problem == "[trust.public] no certificate authority is in force now: nothing new verifies"


# --- for commands


async def test_a_candidate_is_checked_without_a_server(tmp_path: Path) -> None:
    async with started(keeper([SetSource(ROOT)], tmp_path, Heard())) as kept:
        await ask(kept, GOOD)
    now = datetime.now(UTC)

    passed = await check_candidate(TrustScope(name=PUBLIC, root=BOTH), directory=tmp_path, now=now)
    uncounted = await check_candidate(TrustScope(name=PUBLIC, root=NEXT.trusted_root()), directory=tmp_path, now=now)
    issuers = TrustScope(name=PUBLIC, root=ROOT, issuers=(GITLAB,))  # it no longer vouches for who signed the sample

    assert (passed.tested, passed.uncounted) == (1, 0)
    assert passed.facts.sha256 == digest(BOTH)
    assert (uncounted.tested, uncounted.uncounted) == (0, 1)
    assert (await check_candidate(issuers, directory=tmp_path, now=now)).uncounted == 1
    with pytest.raises(ConfigurationError, match="from the future"):
        await check_candidate(
            TrustScope(name=PUBLIC, root=OURS.trusted_root(ca_window=LATER)), directory=tmp_path, now=now
        )


async def test_the_facts_of_roots_are_read_in_a_process_of_their_own() -> None:
    facts = await facts_of([TrustScope(name="a", root=ROOT), TrustScope(name="b", root=BOTH)])

    assert {name: len(root.keys) for name, root in facts.items()} == {"a": 4, "b": 8}
    with pytest.raises(UnusableRoot):
        await facts_of([TrustScope(name="a", root=b"{}")])


# --- sources


async def test_a_file_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "root.json"
    os.mkfifo(tmp_path / "pipe")
    path.write_bytes(ROOT)
    (tmp_path / "link").symlink_to(path)

    assert await FileSource(name="a", path=tmp_path / "link").read() == ROOT
    assert FileSource(name="a", path=path).where == str(path)
    assert not await FileSource(name="a", path=path).refresh()
    for odd in ("missing", "pipe", "."):
        with pytest.raises(ConfigurationError, match="cannot be read") as caught:
            read_root(tmp_path / odd)
        assert caught.value.remedy
    path.write_bytes(b" " * (256 * 1024 + 1))
    with pytest.raises(ConfigurationError, match="larger than 256 KiB"):
        read_root(path)


async def test_the_bundled_root_comes_with_sigstore() -> None:
    source = BundledSource(name=PUBLIC)

    assert await source.read() == bundled_root_path().read_bytes()
    assert not await source.refresh()
    assert "sigstore" in source.where
