from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
from pypi_attestations import AttestationType

from inbond.attest.limits import MAX_PROVENANCE_BYTES
from inbond.gateway import verifier_spare
from inbond.gateway.trust import bundled_root_path
from inbond.gateway.verifier import SENT_AHEAD, UnusableRoot, VerifierFailed, VerifierProcess, VerifierTimeout
from inbond.gateway.verifier_frames import Scope, Setup, frame
from inbond.gateway.verifier_spare import Spare, beginning, killed, spawn
from inbond.gateway.verifier_worker import MAX_ADDRESS_SPACE
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.evidence import Rejected, Unsupported, Verified
from inbond.model.names import Filename
from inbond.model.trust import PUBLIC, Trust, TrustScope, trust_digest
from sim.sigstore import GitHub, Sigstore

pytestmark = pytest.mark.measured_children

NAME = Filename("widgets-1.0.tar.gz")
UPSTREAM = "pypi"
SHA256 = hashlib.sha256(b"widgets").hexdigest()
OURS = Sigstore()
NOW = OURS.now + timedelta(days=1)
GOOD = OURS.provenance_for(NAME, SHA256, GitHub())


def trust_in(root: bytes) -> Trust:
    return Trust(scopes={PUBLIC: TrustScope(name=PUBLIC, root=root)}, by_upstream={UPSTREAM: (PUBLIC,)})


ROOT = OURS.trusted_root()
TRUST = trust_in(ROOT)

# A child that speaks the frames and misbehaves as the provenance tells it. It imports no sigstore and starts quickly.
UNRULY = """
import os, sys, time
from datetime import datetime, UTC
import msgspec
from inbond.attest.limits import derivation
from inbond.attest.wire import encode_evidence
from inbond.gateway.verifier_frames import MAX_SETUP_BYTES, Answer, Hello, Request, body_length, frame
from inbond.model.evidence import Absent, Rejected

read, write = sys.stdin.buffer.read, sys.stdout.buffer.write
digests = tuple(sys.argv[3].split())
hello = Hello(
    sigstore_version="0", pypi_attestations_version="0", publish_predicate_type="x", digests=digests, roots={}
)
read(body_length(read(4), limit=MAX_SETUP_BYTES))
with open(sys.argv[1], "a") as starts:
    starts.write(f"{os.getpid()}\\n")
mood = sys.argv[2] if len(sys.argv) > 2 else ""
if mood == "silent":
    time.sleep(60)
if mood == "dumb":
    sys.exit(3)
if mood == "once" and len(open(sys.argv[1]).readlines()) > 1:
    sys.exit(3)
write(frame(hello) if mood != "babbling" else b"Traceback (most recent call last)")
sys.stdout.flush()
while header := read(4):
    request = msgspec.msgpack.decode(read(body_length(header)), type=Request)
    number = request.id
    evidence = Rejected(
        reason="as asked",
        attestations=(),
        derivation=derivation(request.provenance, trusted_root_sha256="0", now=request.now),
    )
    match request.provenance:
        case b"hang":
            time.sleep(60)
        case b"hiccup":
            time.sleep(0.3)
        case b"crash":
            os._exit(7)
        case b"crash once" if len(open(sys.argv[1]).readlines()) == 1:
            os._exit(7)
        case b"garbage":
            write(b"\\x00\\x00\\x00\\x03abc")
        case b"endless":
            write(b"\\xff\\xff\\xff\\xff")
        case b"another":
            number += 1
        case b"doze":
            time.sleep(0.05)
        case b"absent":
            evidence = Absent()
    write(frame(Answer(id=number, evidence=encode_evidence(evidence))))
    sys.stdout.flush()
"""


@asynccontextmanager
async def running(verifier: VerifierProcess) -> AsyncIterator[VerifierProcess]:
    try:
        await verifier.start()
        yield verifier
    finally:
        await verifier.aclose()


class Unruly:
    """Starts unruly children and counts them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._script = directory / "unruly.py"
        self._script.write_text(UNRULY)

    def verifier(
        self,
        mood: str = "",
        *,
        call_timeout: float = 0.5,
        start_timeout: float = 20.0,
        max_waiting: int = 100,
        digests: str = TRUST.digest([PUBLIC]),
    ) -> VerifierProcess:
        return VerifierProcess(
            TRUST,
            call_timeout=call_timeout,
            start_timeout=start_timeout,
            max_waiting=max_waiting,
            command=[sys.executable, str(self._script), str(self._directory / "starts"), mood, digests],
        )

    @property
    def pids(self) -> list[int]:
        return [int(line) for line in (self._directory / "starts").read_text().split()]


@pytest.fixture
def unruly(tmp_path: Path) -> Unruly:
    return Unruly(tmp_path)


def asked(verifier: VerifierProcess, provenance: bytes) -> Awaitable[Verified | Rejected | Unsupported]:
    return verifier.verify(provenance, upstream=UPSTREAM, filename=NAME, sha256=SHA256, now=NOW)


def runs(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(happens: Callable[[], bool], *, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happens():
            return True
        time.sleep(0.02)
    return False


# --- the real process


async def test_provenance_is_verified_over_there() -> None:
    async with running(VerifierProcess(TRUST)) as verifier:
        good = await asked(verifier, GOOD)
        forged = await asked(verifier, OURS.provenance_for(NAME, SHA256, GitHub(), signature="badsig"))
        foreign = await asked(verifier, Sigstore("other.example").provenance_for(NAME, SHA256, GitHub()))

    assert isinstance(good, Verified)
    assert str(good.identities[0]) == "github:acme/widgets@release.yml"
    assert good.derivation.verified_at == NOW
    assert good.derivation.provenance_sha256 == hashlib.sha256(GOOD).hexdigest()
    assert isinstance(forged, Rejected)
    assert isinstance(foreign, Unsupported)


async def test_the_process_says_what_it_verifies_with() -> None:
    async with running(VerifierProcess(TRUST)) as verifier:
        hello = verifier.hello

    assert hello.publish_predicate_type == AttestationType.PYPI_PUBLISH_V1.value
    assert hello.digests == (hashlib.sha256(ROOT).hexdigest(),)
    assert hello.roots[PUBLIC].sha256 == hashlib.sha256(ROOT).hexdigest()
    assert OURS.log_id.hex() in {key.key_id for key in hello.roots[PUBLIC].keys}
    assert hello.sigstore_version == version("sigstore")
    assert hello.pypi_attestations_version == version("pypi-attestations")


async def test_many_callers_at_once_get_each_their_own_answer() -> None:
    names = [Filename(f"widgets-1.{number}.tar.gz") for number in range(40)]
    provenances = [OURS.provenance_for(name, SHA256, GitHub(ref=f"refs/tags/{name}")) for name in names]

    async with running(VerifierProcess(TRUST)) as verifier:
        findings = await asyncio.gather(
            *(
                verifier.verify(provenance, upstream=UPSTREAM, filename=name, sha256=SHA256, now=NOW)
                for name, provenance in zip(names, provenances, strict=True)
            )
        )

    refs = [finding.identities[0].ref for finding in findings if isinstance(finding, Verified)]
    assert refs == [f"refs/tags/{name}" for name in names]


async def test_killed_while_idle_it_is_replaced_at_the_next_call() -> None:
    async with running(VerifierProcess(TRUST)) as verifier:
        first = verifier.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)

        finding = await asked(verifier, GOOD)

        assert isinstance(finding, Verified)
        assert verifier.pid not in (None, first)
        assert verifier.alive


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_signals_that_mean_the_server_do_not_end_it(stop: signal.Signals) -> None:
    async with running(VerifierProcess(TRUST)) as verifier:
        pid = verifier.pid
        assert pid is not None
        os.kill(pid, stop)

        assert isinstance(await asked(verifier, GOOD), Verified)
        assert verifier.pid == pid


async def test_what_is_too_large_is_rejected_without_being_sent() -> None:
    async with running(VerifierProcess(TRUST)) as verifier:
        finding = await asked(verifier, b" " * (MAX_PROVENANCE_BYTES + 1))

    assert isinstance(finding, Rejected)
    assert "larger than 512 KiB" in finding.reason


async def test_the_largest_provenance_is_judged() -> None:
    async with running(VerifierProcess(TRUST)) as verifier:
        finding = await asked(verifier, b" " * MAX_PROVENANCE_BYTES)

    assert isinstance(finding, Rejected)
    assert finding.reason == "the provenance is not JSON"


async def test_a_question_that_cannot_be_asked_is_the_caller_s_mistake(unruly: Unruly) -> None:
    async with running(unruly.verifier()) as verifier:
        with pytest.raises(ValueError, match="sha256"):
            await verifier.verify(GOOD, upstream=UPSTREAM, filename=NAME, sha256="0ACE", now=NOW)
        with pytest.raises(ValueError, match="zone"):
            await verifier.verify(GOOD, upstream=UPSTREAM, filename=NAME, sha256=SHA256, now=NOW.replace(tzinfo=None))


async def test_a_broken_trusted_root_is_told_at_the_start_by_its_scope() -> None:
    ours = TrustScope(name="ours", root=b"{}", issuers=("https://gitlab.example",))
    verifier = VerifierProcess(Trust(scopes={**TRUST.scopes, "ours": ours}, by_upstream=TRUST.by_upstream))

    with pytest.raises(UnusableRoot, match=r"^\[trust\.ours\] the trusted root cannot be used") as caught:
        await verifier.start()

    assert isinstance(caught.value, ConfigurationError)
    assert caught.value.scope == "ours"
    assert caught.value.remedy is not None
    assert not verifier.alive
    await verifier.aclose()


async def test_each_upstream_s_files_are_judged_under_its_own_scopes() -> None:
    theirs = Sigstore("other.example")
    scopes = {
        **TRUST.scopes,
        "theirs": TrustScope(name="theirs", root=theirs.trusted_root(), issuers=("https://x.example",)),
    }
    by_upstream = {UPSTREAM: (PUBLIC,), "own": ("theirs",), "both": ("theirs", PUBLIC)}
    trust = Trust(scopes=scopes, by_upstream=by_upstream)

    async with running(VerifierProcess(trust)) as verifier:
        findings = {
            upstream: await verifier.verify(GOOD, upstream=upstream, filename=NAME, sha256=SHA256, now=NOW)
            for upstream in by_upstream
        }

        assert isinstance(findings[UPSTREAM], Verified)
        assert isinstance(findings["own"], Unsupported)
        assert isinstance(findings["both"], Verified)
        for upstream, finding in findings.items():
            assert finding.derivation.trusted_root_sha256 == verifier.trust_of(upstream)
            assert verifier.trust_of(upstream) == trust_digest(trust.of(upstream))


async def test_who_signed_is_told_where_it_is_asked_for() -> None:
    async with running(VerifierProcess(TRUST)) as verifier:
        trust = verifier.trust_of(UPSTREAM)
        plain = await verifier.ask(GOOD, trust=trust, filename=NAME, sha256=SHA256, now=NOW)
        asked_for = await verifier.ask(GOOD, trust=trust, filename=NAME, sha256=SHA256, now=NOW, keys=True)
        forged = await verifier.ask(b"{}", trust=trust, filename=NAME, sha256=SHA256, now=NOW, keys=True)

    (keys,) = asked_for.keys
    assert [use.key_id for use in keys] == [OURS.ca_key_id.hex(), OURS.ct_id.hex(), OURS.log_id.hex()]
    assert plain.keys == forged.keys == ()


async def test_a_process_of_another_version_is_not_asked(unruly: Unruly) -> None:
    verifier = unruly.verifier(digests="0" * 64)

    with pytest.raises(OperatorFault, match="another version"):
        await verifier.start()
    await verifier.aclose()


async def test_memory_is_bounded() -> None:
    async with running(VerifierProcess(TRUST)) as verifier:
        limits = Path(f"/proc/{verifier.pid}/limits").read_text().splitlines()

    (address_space,) = [line for line in limits if line.startswith("Max address space")]
    assert address_space.split()[3] == str(MAX_ADDRESS_SPACE)


# --- what a process may do


async def test_a_hang_takes_only_its_own_file_down(unruly: Unruly) -> None:
    async with running(unruly.verifier()) as verifier:
        before, hung, after = await asyncio.gather(
            asked(verifier, b"fine"), asked(verifier, b"hang"), asked(verifier, b"fine too"), return_exceptions=True
        )

    assert isinstance(before, Rejected)
    assert isinstance(hung, VerifierTimeout)
    assert "0.5 s" in hung.message
    assert isinstance(after, Rejected)
    first, second = unruly.pids
    assert first != second
    assert not runs(first)


async def test_a_crash_takes_only_its_own_file_down(unruly: Unruly) -> None:
    async with running(unruly.verifier()) as verifier:
        crashed, after = await asyncio.gather(
            asked(verifier, b"crash"), asked(verifier, b"fine"), return_exceptions=True
        )

    assert isinstance(crashed, VerifierFailed)
    assert isinstance(after, Rejected)
    assert len(unruly.pids) == 3  # the first, the second try's, and the one after


async def test_a_file_that_was_there_when_a_process_died_is_asked_again(unruly: Unruly) -> None:
    async with running(unruly.verifier()) as verifier:
        assert isinstance(await asked(verifier, b"crash once"), Rejected)

    assert len(unruly.pids) == 2


async def test_those_behind_a_hang_are_answered_in_the_next_process_and_once(unruly: Unruly) -> None:
    """They were sent already, and some of them may lie in the pipe of the process that is killed."""
    async with running(unruly.verifier()) as verifier:
        names = [Filename(f"widgets-1.{number}.tar.gz") for number in range(60)]
        provenances = [b"hang" if at in (10, 11, 40) else b"fine %d" % at for at in range(60)]
        outcomes = await asyncio.gather(
            *(
                verifier.verify(provenance, upstream=UPSTREAM, filename=name, sha256=SHA256, now=NOW)
                for name, provenance in zip(names, provenances, strict=True)
            ),
            return_exceptions=True,
        )

    for at, (provenance, outcome) in enumerate(zip(provenances, outcomes, strict=True)):
        if at in (10, 11, 40):
            assert isinstance(outcome, VerifierTimeout)
        else:
            assert isinstance(outcome, Rejected)
            assert outcome.derivation.provenance_sha256 == hashlib.sha256(provenance).hexdigest()
    assert len(unruly.pids) == 4


async def test_each_call_has_its_own_time_however_many_stand_before_it(unruly: Unruly) -> None:
    async with running(unruly.verifier(call_timeout=0.5)) as verifier:
        outcomes = await asyncio.gather(*(asked(verifier, b"doze") for _ in range(16)))  # 0.8 s

    assert all(isinstance(outcome, Rejected) for outcome in outcomes)
    assert len(unruly.pids) == 1


async def test_finishing_takes_no_new_calls_and_answers_the_old(unruly: Unruly) -> None:
    verifier = unruly.verifier(call_timeout=20)
    await verifier.start()
    calls = [asyncio.ensure_future(asked(verifier, provenance)) for provenance in (b"hiccup", b"fine")]
    await asyncio.sleep(0.1)

    finishing = asyncio.ensure_future(verifier.finish(within=20))
    await asyncio.sleep(0)
    with pytest.raises(VerifierFailed, match="shut down"):
        await asked(verifier, b"fine")
    await finishing

    assert all(isinstance(outcome, Rejected) for outcome in await asyncio.gather(*calls))
    assert not runs(unruly.pids[0])


async def test_finishing_is_bounded(unruly: Unruly) -> None:
    verifier = unruly.verifier(call_timeout=20)
    await verifier.start()
    call = asyncio.ensure_future(asked(verifier, b"hang"))
    await asyncio.sleep(0.1)

    await verifier.finish(within=0.2)

    with pytest.raises(VerifierFailed, match="shut down"):
        await call


async def test_an_answer_that_lies_there_counts_however_late_this_process_is(unruly: Unruly) -> None:
    """An event loop that stood still is no reason to blame the file, nor to end the process."""
    async with running(unruly.verifier(call_timeout=0.5)) as verifier:
        await asked(verifier, b"fine")
        calls = [asyncio.ensure_future(asked(verifier, b"fine")) for _ in range(5)]
        await asyncio.sleep(0.01)
        time.sleep(1.0)

        assert all(isinstance(found, Rejected) for found in await asyncio.gather(*calls))
        assert len(unruly.pids) == 1


async def test_killed_in_the_middle_of_a_call_it_is_replaced_and_asked_again(unruly: Unruly) -> None:
    async with running(unruly.verifier(call_timeout=20)) as verifier:
        call = asyncio.ensure_future(asked(verifier, b"hiccup"))
        await asyncio.sleep(0.1)
        os.kill(unruly.pids[0], signal.SIGKILL)

        assert isinstance(await call, Rejected)

    assert len(unruly.pids) == 2


@pytest.mark.parametrize("answer", [b"garbage", b"endless", b"another", b"absent"])
async def test_an_answer_that_is_none_is_a_failure_and_the_next_call_works(unruly: Unruly, answer: bytes) -> None:
    async with running(unruly.verifier(call_timeout=20)) as verifier:
        with pytest.raises(VerifierFailed, match="ended twice"):
            await asked(verifier, answer)

        assert isinstance(await asked(verifier, b"fine"), Rejected)


async def test_a_caller_that_goes_away_disturbs_nobody(unruly: Unruly) -> None:
    async with running(unruly.verifier(call_timeout=20)) as verifier:
        under_way = asyncio.ensure_future(asked(verifier, b"hiccup"))
        sent = [asyncio.ensure_future(asked(verifier, b"junk")) for _ in range(SENT_AHEAD - 1)]
        waiting = asyncio.ensure_future(asked(verifier, b"hang"))
        staying = asyncio.ensure_future(asked(verifier, b"fine"))
        await asyncio.sleep(0.1)
        for call in (under_way, *sent, waiting):
            call.cancel()

        finding = await staying

    assert isinstance(finding, Rejected)
    assert finding.derivation.provenance_sha256 == hashlib.sha256(b"fine").hexdigest()
    assert len(unruly.pids) == 1


async def test_more_calls_than_may_wait_fail_at_once(unruly: Unruly) -> None:
    async with running(unruly.verifier(call_timeout=20, max_waiting=2)) as verifier:
        under_way = asyncio.ensure_future(asked(verifier, b"hiccup"))
        await asyncio.sleep(0.1)
        waiting = [asyncio.ensure_future(asked(verifier, b"fine")) for _ in range(2)]
        await asyncio.sleep(0)

        with pytest.raises(VerifierFailed, match="too many files"):
            await asked(verifier, b"fine")

        assert all(isinstance(each, Rejected) for each in await asyncio.gather(under_way, *waiting))


async def test_a_process_that_cannot_start_again_fails_calls_and_pauses(unruly: Unruly) -> None:
    async with running(unruly.verifier("once")) as verifier:
        os.kill(unruly.pids[0], signal.SIGKILL)
        failures: list[str] = []
        while not any("times in a row" in failure for failure in failures):
            with pytest.raises(VerifierFailed) as caught:
                await asked(verifier, b"fine")
            failures.append(caught.value.message)
        starts = len(unruly.pids)

        with pytest.raises(VerifierFailed, match="times in a row"):
            await asked(verifier, b"fine")

        assert "ended before it was ready" in failures[0]
        assert len(unruly.pids) == starts  # nothing is started during the pause
        assert not verifier.alive


@pytest.mark.parametrize(
    ("mood", "said"),
    [
        ("silent", "did not start within 1 s"),
        ("dumb", "ended before it was ready"),
        ("babbling", "before it was ready"),
    ],
)
async def test_a_process_that_does_not_say_hello_is_an_operator_s_fault(unruly: Unruly, mood: str, said: str) -> None:
    verifier = unruly.verifier(mood, start_timeout=1.0 if mood == "silent" else 20.0)

    with pytest.raises(OperatorFault, match=said):
        await verifier.start()

    assert not verifier.alive
    assert not any(runs(pid) for pid in unruly.pids)
    await verifier.aclose()


async def test_a_program_that_is_not_there_is_an_operator_s_fault(tmp_path: Path) -> None:
    verifier = VerifierProcess(TRUST, command=[str(tmp_path / "nowhere")])

    with pytest.raises(OperatorFault, match="cannot be started"):
        await verifier.start()
    await verifier.aclose()


async def test_closing_ends_the_process_and_whoever_waits(unruly: Unruly) -> None:
    verifier = unruly.verifier(call_timeout=20)
    await verifier.start()
    calls = [asyncio.ensure_future(asked(verifier, provenance)) for provenance in (b"hang", b"fine")]
    await asyncio.sleep(0.1)

    await verifier.aclose()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(outcome, VerifierFailed) for outcome in outcomes)
    assert not runs(unruly.pids[0])
    with pytest.raises(VerifierFailed, match="shut down"):
        await asked(verifier, b"fine")
    await verifier.aclose()


async def test_a_process_that_was_begun_before_is_the_first_and_no_other() -> None:
    async with beginning() as spare:
        process = spare.take()
        assert process is not None
        async with running(VerifierProcess(TRUST, spare=Spare(process))) as verifier:
            assert verifier.pid == process.pid
            assert verifier.hello.publish_predicate_type
        async with running(VerifierProcess(TRUST, spare=spare)) as another:
            assert another.pid != process.pid
    assert not runs(process.pid)


async def test_a_spare_process_that_ended_is_none() -> None:
    process = await spawn([sys.executable, "-c", ""])
    await process.wait()
    assert Spare(process).take() is None
    await killed(process)


async def test_a_spare_that_nobody_took_is_ended_and_one_that_cannot_be_begun_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[asyncio.subprocess.Process] = []
    really = verifier_spare.spawn

    async def spawned() -> asyncio.subprocess.Process:
        begun.append(await really())
        return begun[0]

    async def refused() -> asyncio.subprocess.Process:
        raise OSError("no more processes")

    monkeypatch.setattr(verifier_spare, "spawn", spawned)
    async with beginning():
        assert runs(begun[0].pid)
    assert not runs(begun[0].pid)
    monkeypatch.setattr(verifier_spare, "spawn", refused)
    async with beginning() as spare:
        assert spare.take() is None


def test_before_the_start_there_is_nothing_to_ask() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        _ = VerifierProcess(TRUST).hello


# --- the child's side of things


PARENT = """
import asyncio, sys
from datetime import datetime, UTC
from pathlib import Path
from inbond.gateway.verifier import VerifierProcess
from inbond.model.trust import Trust, TrustScope

async def main():
    scope = TrustScope(name="public", root=Path(sys.argv[1]).read_bytes())
    verifier = VerifierProcess(Trust(scopes={"public": scope}, by_upstream={"pypi": ("public",)}))
    await verifier.start()
    print(verifier.pid, flush=True)
    provenance = Path(sys.argv[2]).read_bytes()
    while True:
        await verifier.verify(
            provenance, upstream="pypi", filename="widgets-1.0.tar.gz", sha256="0" * 64, now=datetime.now(UTC)
        )

asyncio.run(main())
"""


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[int]:
    """A verifier whose parent was just killed with SIGKILL while it was kept busy."""
    provenance = tmp_path / "provenance"
    provenance.write_bytes(GOOD)
    root = tmp_path / "trusted_root.json"
    root.write_bytes(ROOT)
    command = [sys.executable, "-c", PARENT, str(root), str(provenance)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert runs(child)
        time.sleep(0.1)
        parent.kill()
    yield child
    if runs(child):
        os.kill(child, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_it_ends_when_its_parent_is_killed(orphan: int) -> None:
    assert until(lambda: not runs(orphan))


def worker() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "inbond.gateway.verifier_worker"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)


SETUP = frame(Setup(scopes=(Scope(name=PUBLIC, root=ROOT, issuers=()),), sets=((PUBLIC,),)))


@pytest.mark.parametrize("said", [b"", SETUP], ids=["at once", "once it has said hello"])
def test_it_ends_when_its_stdin_does(said: bytes) -> None:
    with worker() as process:
        _, _ = process.communicate(said, timeout=30)

    assert process.returncode == 0


@pytest.mark.parametrize(
    "garbage",
    [b"\xff" * 64, b"\0\0\0\3abc", b"\0\0\0\x08abc", b"\0\0", b"\0\0\0\0"],
    ids=["too-long", "junk", "cut", "cut-length", "empty"],
)
@pytest.mark.parametrize("first", [b"", SETUP], ids=["at once", "later"])
def test_it_ends_on_what_is_no_request(first: bytes, garbage: bytes) -> None:
    with worker() as process:
        _, said = process.communicate(first + garbage, timeout=30)

    assert process.returncode == 1
    assert b"not a request" in said


def test_the_serving_process_does_not_import_sigstore() -> None:
    script = (
        "import sys; import inbond.gateway.trust_keeper;"
        "from inbond.gateway.trust import bundled_root_path; bundled_root_path();"
        "print(sorted({'sigstore', 'pypi_attestations', 'cryptography', 'pydantic'} & set(sys.modules)))"
    )

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"


def test_an_installation_without_sigstore_is_an_operator_s_fault() -> None:
    script = """
import sys
from importlib.machinery import ModuleSpec
class Hidden:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return ModuleSpec(name, None) if name == "sigstore" else None
sys.meta_path.insert(0, Hidden)
from inbond.gateway.trust import bundled_root_path
from inbond.model.errors import OperatorFault
try:
    bundled_root_path()
except OperatorFault as error:
    print(error.message)
"""

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert "not installed" in printed


async def test_the_root_that_sigstore_ships_can_be_used() -> None:
    async with running(VerifierProcess(trust_in(bundled_root_path().read_bytes()))) as verifier:
        finding = await asked(verifier, GOOD)

    assert isinstance(finding, Unsupported)  # our private Sigstore is none of its keys
