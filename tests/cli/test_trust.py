"""`inbond trust show|update`: what is said about trusted roots, and how they change."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Unpack

import msgspec
import pytest
from click.testing import CliRunner, Result

from cli.desk import Desk
from e2e.service import serving, until
from inbond.cli.main import cli
from inbond.gateway.trust import bundled_root_path
from inbond.gateway.trust_files import TrustFiles
from inbond.gateway.trust_kept import Attempt, Kept
from inbond.gateway.trust_samples import Sample
from inbond.gateway.trust_update import Repository
from inbond.model.trust import KeyUse
from sim.sigstore import DEFAULT_NOW, Faults, GitHub, Sigstore
from sim.tuf import TufRepository

OLD, NEW = Sigstore("old.example"), Sigstore("new.example")
ISSUER = "https://gitlab.acme.example"
AGO = r"\d+ seconds? ago"
ENDED = (datetime(2021, 1, 1, tzinfo=UTC), datetime(2022, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Machine:
    """A directory with a configuration, as an operator has it."""

    place: Path

    def configure(self, toml: str) -> None:
        (self.place / "inbond.toml").write_text(toml)

    def write(self, name: str, raw: bytes) -> str:
        path = self.place / name
        path.write_bytes(raw)
        return str(path)

    def run(self, *arguments: str) -> Result:
        options = ["--config", str(self.place / "inbond.toml"), "--data", str(self.place / "data")]
        return CliRunner().invoke(cli, ["trust", *arguments, *options], env={"COLUMNS": "200"})

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--format", "json")
        assert not result.stderr, result.stderr
        return json.loads(result.stdout)

    @property
    def trust(self) -> Path:
        return self.place / "data" / "ledger" / "trust"

    def with_file(self, raw: bytes) -> Path:
        path = self.write("acme.json", raw)
        self.configure(
            f'[trust.public]\nroot = "bundled"\n[trust.acme]\nroot = "{path}"\nissuers = ["{ISSUER}"]\n'
            '[upstreams.own]\nurl = "http://127.0.0.1:9/simple/"\ntrust = ["acme"]\n'
            '[indexes.root]\nupstreams = ["own"]\n'
        )
        return Path(path)

    def with_tuf(self, repository: TufRepository) -> Kept:
        root = repository.write_root(self.place)
        self.configure(f'[trust.public]\ntuf = "{repository.url}"\ntuf_root = "{root}"\n')
        return Kept(directory=self.trust / "public")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    for name in [name for name in os.environ if name.startswith("INBOND_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    return Machine(tmp_path)


def digest(raw: bytes) -> str:
    return sha256(raw).hexdigest()


def told(result: Result, code: int) -> str:
    assert result.exit_code == code, result.output
    return result.stdout


# --- show


def test_every_scope_is_shown_with_its_keys(machine: Machine) -> None:
    root = OLD.trusted_root(ct_window=ENDED, log_window=(datetime(2999, 1, 1, tzinfo=UTC), None))
    path = machine.with_file(root)
    acme, public = told(machine.run("show"), 1).split("\n\n")
    head, *lines = acme.splitlines()
    assert head == "[trust.acme]"
    assert lines.pop(2).startswith("  problem      the trusted root is from the future: no transparency log of it")
    assert re.fullmatch(f"  written      {AGO}", lines.pop(2))
    assert lines[:5] == [
        f"  from         {path}",
        f"  sha256       {digest(root)}",
        f"  vouches for  {ISSUER}",
        "  trusted by   own",
        "  keys",
    ]
    assert [line.rsplit("  ", 1)[1] for line in lines[5:]] == ["in force", "in force", "ended", "not begun"]
    assert OLD.ct_id.hex()[:16] in lines[7]
    assert "certificate transparency log  https://ctfe.old.example" in lines[7]
    assert "2021-01-01 to 2022-01-01" in lines[7]
    assert "since 2999-01-01" in lines[8]
    assert "from         bundled with sigstore" in public
    assert f"sha256       {digest(bundled_root_path().read_bytes())}" in public
    assert "vouches for  publishers that the public index knows" in public
    assert "trusted by   pypi" in public


def test_for_programs_it_is_all_there(machine: Machine) -> None:
    root = OLD.trusted_root(ct_window=ENDED)
    path = machine.with_file(root)
    acme, public = machine.json("show")["scopes"]
    keys = acme.pop("keys")
    assert datetime.fromisoformat(acme.pop("written_at")).timestamp() == pytest.approx(path.stat().st_mtime, abs=1)
    assert datetime.fromisoformat(acme.pop("as_of")).timestamp() == pytest.approx(path.stat().st_mtime, abs=1)
    assert acme == {
        "name": "acme",
        "imported": False,
        "age": None,
        "root": str(path),
        "where": str(path),
        "sha256": digest(root),
        "problem": "no certificate transparency log of it is in force now: nothing new verifies",
        "issuers": [ISSUER],
        "trusted_by": ["own"],
        "fetched": None,
        "last_refresh": None,
        "in_force": None,
    }
    assert keys[2] == {
        "kind": "certificate transparency log",
        "name": "https://ctfe.old.example",
        "key_id": OLD.ct_id.hex(),
        "start": "2021-01-01T00:00:00+00:00",
        "end": "2022-01-01T00:00:00+00:00",
        "state": "ended",
    }
    assert (public["name"], public["root"], public["where"]) == ("public", "bundled", "bundled with sigstore")


def test_a_scope_that_nobody_trusts_is_said_to_be_unused(machine: Machine) -> None:
    path = machine.write("acme.json", OLD.trusted_root())
    machine.configure(f'[trust.acme]\nroot = "{path}"\nissuers = ["{ISSUER}"]\n')
    assert "trusted by   no upstream, so it is not used" in told(machine.run("show"), 0)


def test_a_root_that_cannot_be_used_is_a_problem_and_the_one_in_force_is_shown(machine: Machine) -> None:
    machine.with_file(b"[1")
    TrustFiles(machine.trust).keep_root("acme", OLD.trusted_root(), origin="file")
    text = told(machine.run("show"), 1)
    assert "  problem      the trusted root cannot be used: it is not JSON" in text
    assert re.search(f"  in force     {digest(OLD.trusted_root())}, since {AGO}: its keys are shown", text)
    assert OLD.log_id.hex()[:16] in text
    (acme,) = (scope for scope in machine.json("show")["scopes"] if scope["name"] == "acme")
    assert acme["in_force"]["sha256"] == digest(OLD.trusted_root())


def test_without_any_root_nothing_is_in_force(machine: Machine) -> None:
    machine.with_file(b"[1")
    (acme,) = (scope for scope in machine.json("show")["scopes"] if scope["name"] == "acme")
    assert (acme["keys"], acme["in_force"]) == ([], None)


def test_an_unused_root_that_cannot_be_used_stops_nobody(machine: Machine) -> None:
    path = machine.write("acme.json", b"[1")
    machine.configure(f'[trust.acme]\nroot = "{path}"\nissuers = ["{ISSUER}"]\n')
    assert "  problem      " in told(machine.run("show"), 0)


def test_what_a_server_has_not_taken_up_yet_is_said(machine: Machine) -> None:
    machine.with_file(NEW.trusted_root())
    files = TrustFiles(machine.trust)
    files.keep_root("acme", NEW.trusted_root(), origin="file")
    assert re.search(f"  in force     since {AGO}\\n", told(machine.run("show"), 0))
    files.keep_root("acme", OLD.trusted_root(), origin="file")
    text = told(machine.run("show"), 0)
    assert re.search(
        f"{digest(OLD.trusted_root())}, since {AGO}; the new one, whose keys are shown, is checked by", text
    )


def test_the_freshness_of_a_fetched_root_is_shown_and_nobody_is_asked(machine: Machine) -> None:
    with TufRepository(OLD.trusted_root()) as repository:
        kept = machine.with_tuf(repository)
        text = told(machine.run("show"), 1)
        assert "problem      there is no trusted root yet for [trust.public]" in text
        assert "refreshed    not yet" in text
        assert repository.fetched == []
        told(machine.run("update"), 0)
        repository.fetched.clear()
        text = told(machine.run("show"), 0)
        assert f"from         tuf {repository.url}" in text
        assert re.search(f"  refreshed    {AGO}\\n", text)
        now = datetime.now(UTC)
        asked = Repository(url=repository.url, root=machine.place / "root.json").identity
        kept.note(Attempt(at=now - timedelta(hours=3), repository=asked, problem="no route", failing_since=now))
        text = told(machine.run("show"), 0)
        assert "; the last try, 3 hours ago, failed: no route" in text
        (public,) = machine.json("show")["scopes"]
        assert public["fetched"]["by"] == "tuf"
        assert public["fetched"]["from"] == repository.url
        assert public["last_refresh"]["problem"] == "no route"
        assert repository.fetched == []


def test_the_shipped_root_is_shown_until_one_was_fetched(machine: Machine) -> None:
    machine.configure("")
    text = told(machine.run("show"), 0)
    assert "from         tuf https://" in text
    assert "refreshed    not yet; it is the one that comes with sigstore" in text


def test_help_is_quick_and_names_exit_codes(machine: Machine) -> None:
    text = told(CliRunner().invoke(cli, ["trust", "update", "--help"]), 0)
    assert "1  a new root was refused; the old one stays" in text


# --- update from a file


def test_a_new_root_takes_the_place_of_the_old_one(machine: Machine) -> None:
    path = machine.with_file(OLD.trusted_root())
    path.chmod(0o640)
    new = machine.write("new.json", both := OLD.trusted_root(NEW))
    text = told(machine.run("update", "--scope", "acme", "--from", new), 0)
    lines = text.splitlines()
    assert lines[0] == f"[trust.acme] {digest(OLD.trusted_root())} -> {digest(both)}"
    assert lines[1] == "  gained 4 keys"
    assert NEW.log_id.hex()[:16] in lines[5]
    assert lines[-1] == "  in place; a server that is running takes it up within 10 s"
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (both, 0o640)
    text = told(machine.run("update", "--scope", "acme", "--from", new), 0)
    assert text == f"[trust.acme] is the newest already: {digest(both)}\n"


def test_a_root_that_was_replaced_is_in_the_audit_trail(machine: Machine) -> None:
    machine.with_file(OLD.trusted_root())
    desk = Desk(machine.place)
    assert asyncio.run(desk.did()) == []  # and the ledger is there
    new = machine.write("new.json", OLD.trusted_root(NEW))
    for _ in range(2):  # the second time it is there already
        told(machine.run("update", "--scope", "acme", "--from", new), 0)
    ((kind, _, target),) = asyncio.run(desk.did())
    assert (kind, target) == ("trust-changed", "acme")


def test_the_same_for_programs(machine: Machine) -> None:
    machine.with_file(OLD.trusted_root(NEW))
    new = machine.write("new.json", OLD.trusted_root())
    arguments = ("update", "--scope", "acme", "--from", new)
    (refused,) = machine.json(*arguments)["updated"]
    assert (refused["outcome"], refused["sha256_before"]) == ("refused", digest(OLD.trusted_root(NEW)))
    assert {key["key_id"] for key in refused["would_lose"]} >= {NEW.log_id.hex(), NEW.ct_id.hex()}
    (installed,) = machine.json(*arguments, "--lose-keys")["updated"]
    assert (installed["outcome"], len(installed["lost"]), installed["gained"]) == ("installed", 4, [])
    assert installed["sha256_after"] == digest(OLD.trusted_root())
    (unchanged,) = machine.json(*arguments)["updated"]
    assert (unchanged["outcome"], unchanged["files_tested"]) == ("unchanged", 0)
    (missing,) = machine.json("update", "--scope", "acme", "--from", "/no/such")["updated"]
    assert missing["outcome"] == "not-had"


def test_keys_are_not_lost_by_accident(machine: Machine) -> None:
    path = machine.with_file(OLD.trusted_root(NEW))
    new = machine.write("new.json", OLD.trusted_root())
    text = told(machine.run("update", "--scope", "acme", "--from", new), 1)
    assert "was refused: it does not hold keys that the old one holds\n  would lose 4 keys\n" in text
    assert f"  {digest(OLD.trusted_root(NEW))} stays\n  if that is meant, say so with --lose-keys" in text
    assert path.read_bytes() == OLD.trusted_root(NEW)
    text = told(machine.run("update", "--scope", "acme", "--from", new, "--lose-keys"), 0)
    assert "  lost 4 keys\n" in text
    assert path.read_bytes() == OLD.trusted_root()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"[1", "the trusted root cannot be used: it is not JSON"),
        (b"x" * 300_000, "is larger than 256 KiB"),
        (
            json.dumps(json.loads(OLD.trusted_root()) | {"newThing": []}).encode(),
            "it holds 'newThing', which this version of sigstore does not know; a newer inbond may read it",
        ),
        (
            json.dumps(json.loads(OLD.trusted_root()) | {"ctlogs": []}).encode(),
            "the trusted root names no certificate transparency log",
        ),
        (
            OLD.trusted_root(ca_window=(datetime(2999, 1, 1, tzinfo=UTC), None)),
            "the trusted root is from the future: no certificate authority of it has begun to be in force",
        ),
        (
            OLD.trusted_root(ct_window=ENDED),
            "no certificate transparency log of it is in force any more, so nothing signed from now on could be",
        ),
    ],
    ids=["not-json", "too-large", "newer-format", "no-ct-log", "future", "ended"],
)
def test_a_root_of_no_use_is_refused_with_the_reason(machine: Machine, raw: bytes, said: str) -> None:
    path = machine.with_file(OLD.trusted_root())
    result = machine.run("update", "--scope", "acme", "--from", machine.write("new.json", raw))
    assert result.exit_code == (2 if b"x" * 10 in raw else 1)
    assert said in result.stdout
    assert "[trust.acme] [trust.acme]" not in result.stdout
    assert ": [trust.acme]" not in result.stdout
    assert path.read_bytes() == OLD.trusted_root()


def test_where_nothing_can_be_judged_nothing_is_refused_or_installed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = machine.with_file(OLD.trusted_root())

    async def no_more_processes(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_more_processes)
    result = machine.run("update", "--scope", "acme", "--from", machine.write("new.json", OLD.trusted_root(NEW)))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("inbond: the verifier process cannot be started")
    assert path.read_bytes() == OLD.trusted_root()


def test_a_root_whose_keys_have_all_ended_may_be_meant(machine: Machine) -> None:
    path = machine.with_file(OLD.trusted_root())
    ended = OLD.trusted_root(ct_window=ENDED)
    told(machine.run("update", "--scope", "acme", "--lose-keys", "--from", machine.write("new.json", ended)), 0)
    assert path.read_bytes() == ended


def test_a_broken_root_is_repaired(machine: Machine) -> None:
    path = machine.with_file(b"[1")
    new = machine.write("new.json", OLD.trusted_root())
    text = told(machine.run("update", "--scope", "acme", "--from", new), 0)
    assert text.startswith(f"[trust.acme] {digest(b'[1')} -> {digest(OLD.trusted_root())}\n  gained 4 keys\n")
    assert path.read_bytes() == OLD.trusted_root()


@pytest.mark.parametrize("now", [b"{damaged", None], ids=["damaged", "missing"])
def test_what_cannot_be_read_is_replaced_by_what_loses_nothing_of_the_last_good_one(
    machine: Machine, now: bytes | None
) -> None:
    path = machine.with_file(now or b"")
    if now is None:
        path.unlink()
    TrustFiles(machine.trust).keep_root("acme", OLD.trusted_root(NEW), origin="file")
    arguments = ("update", "--scope", "acme", "--from")
    text = told(machine.run(*arguments, machine.write("new.json", NEW.trusted_root())), 1)
    assert "would lose 4 keys" in text
    assert f"{digest(OLD.trusted_root(NEW))} stays" in text
    assert (path.read_bytes() if path.exists() else None) == now
    told(machine.run(*arguments, machine.write("new.json", OLD.trusted_root(NEW))), 0)
    assert path.read_bytes() == OLD.trusted_root(NEW)


def test_a_time_that_shrinks_is_a_loss_if_something_was_signed_outside_it(machine: Machine) -> None:
    path = machine.with_file(OLD.trusted_root())
    new = machine.write("new.json", ended := OLD.trusted_root(log_window=(DEFAULT_NOW + timedelta(days=1), None)))
    arguments = ("update", "--scope", "acme", "--from", new)
    keep_samples(machine, msgspec.structs.replace(verified(OLD), issuers=(ISSUER,)), scope="acme")
    text = told(machine.run(*arguments), 1)
    assert "1 file verified before would be proven no more: its keys were not in force when they signed" in text
    assert "  would change the time of 1 key\n    transparency log  https://old.example" in text
    assert ", was since 2021-01-01\n" in text
    (refused,) = machine.json(*arguments)["updated"]
    assert refused["would_change_times"][0]["start_before"] == "2021-01-01T00:00:00+00:00"
    text = told(machine.run(*arguments, "--lose-keys"), 0)
    assert "  changed the time of 1 key\n" in text
    assert "1 file verified before would be proven no more" in text
    assert path.read_bytes() == ended


def test_a_file_that_cannot_be_read_is_named(machine: Machine) -> None:
    machine.with_file(OLD.trusted_root())
    text = told(machine.run("update", "--scope", "acme", "--from", "/no/such"), 2)
    assert text == (
        "[trust.acme] there is no new root to be had: the trusted root /no/such cannot be read: No such file or"
        " directory\n  name a trusted_root.json that this user may read\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            (),
            (
                'no trusted root has root = "auto", so there is nothing to fetch\n'
                "  a file is renewed with --scope NAME --from FILE\n"
            ),
        ),
        (("--scope", "amce"), "there is no trusted root [trust.amce]; did you mean 'acme'?\n"),
        (
            ("--scope", "acme"),
            (
                "[trust.acme] is the file PLACE/acme.json, which nobody fetches\n"
                "  name a new one: inbond trust update --scope acme --from FILE\n"
            ),
        ),
        (
            ("--scope", "public"),
            (
                "[trust.public] is the root that comes with sigstore, and changes with inbond alone\n"
                '  set root = "auto" or the path of a file in [trust.public] first\n'
            ),
        ),
        (
            ("--from", "/no/such"),
            "a file holds the root of one scope\n  name it with --scope: acme, public\n",
        ),
    ],
)
def test_what_cannot_be_renewed_is_said_with_what_to_do(
    machine: Machine, arguments: tuple[str, ...], said: str
) -> None:
    machine.with_file(OLD.trusted_root())
    result = machine.run("update", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"inbond: {said}".replace("PLACE", str(machine.place))


# --- what was verified before


def verified(signed_by: Sigstore, **faults: Unpack[Faults]) -> Sample:
    """A file that a server has verified and kept."""
    keys = (signed_by.ca_key_id, signed_by.ct_id, signed_by.log_id)
    return Sample(
        filename="acme-1.0.tar.gz",
        sha256="ab" * 32,
        provenance=signed_by.provenance_for("acme-1.0.tar.gz", "ab" * 32, GitHub(), **faults),
        verified_at=DEFAULT_NOW,
        keys=tuple(KeyUse(key_id=key.hex(), at=DEFAULT_NOW) for key in keys),
        issuers=(),
    )


def keep_samples(machine: Machine, *samples: Sample, scope: str = "public") -> None:
    TrustFiles(machine.trust).change_samples(scope, lambda _: samples)


def test_a_new_root_is_tried_on_what_was_verified_before(machine: Machine) -> None:
    machine.configure(f'[trust.public]\nroot = "{machine.write("root.json", OLD.trusted_root())}"\n')
    keep_samples(machine, verified(OLD))
    new = machine.write("new.json", OLD.trusted_root(NEW))
    text = told(machine.run("update", "--scope", "public", "--from", new), 0)
    assert "in place; tried on 1 file verified before; a server that is running" in text


def test_one_under_which_that_would_be_forged_is_refused(machine: Machine) -> None:
    path = machine.write("root.json", OLD.trusted_root())
    machine.configure(f'[trust.public]\nroot = "{path}"\n')
    keep_samples(machine, verified(OLD, sct="badsig"))
    new = machine.write("new.json", OLD.trusted_root(NEW))
    text = told(machine.run("update", "--scope", "public", "--from", new, "--lose-keys"), 1)
    assert "acme-1.0.tar.gz, which was verified before and whose keys the trusted root holds, would be rejected" in text
    assert Path(path).read_bytes() == OLD.trusted_root()


def test_a_server_that_is_running_takes_a_new_root_up_by_itself(machine: Machine) -> None:
    root = machine.write("root.json", OLD.trusted_root())  # by which `serving` goes
    machine.configure(f'[trust.public]\nroot = "{root}"\n')
    files = TrustFiles(machine.trust)
    with serving(machine.place, "http://127.0.0.1:9/simple/"):
        kept = files.root("public")
        assert kept is not None
        assert kept.raw == OLD.trusted_root()
        new = machine.write("new.json", both := OLD.trusted_root(NEW))
        told(machine.run("update", "--scope", "public", "--from", new), 0)
        until(lambda: (now := files.root("public")) is not None and now.raw == both, 30)
    assert re.search(f"  in force     since {AGO}\n", told(machine.run("show"), 0))


# --- update by TUF


def test_the_root_is_fetched_by_tuf(machine: Machine) -> None:
    with TufRepository(OLD.trusted_root()) as repository:
        kept = machine.with_tuf(repository)
        text = told(machine.run("update"), 0)
        assert text.startswith(f"[trust.public] none -> {digest(OLD.trusted_root())}\n  gained 4 keys\n")
        told(machine.run("update"), 0)
        repository.publish(both := OLD.trusted_root(NEW))
        assert f"-> {digest(both)}" in told(machine.run("update", "--scope", "public"), 0)
        repository.publish(NEW.trusted_root())
        assert "  lost 4 keys\n" in told(machine.run("update"), 0)  # it is signed, and a server takes it
        found = kept.read()
        assert found is not None
        assert found[0] == NEW.trusted_root()
        repository.faults = {"broken"}
        text = told(machine.run("update"), 2)
        assert text.startswith(
            f"[trust.public] there is no new root to be had: no trusted root from {repository.url}: "
        )
        assert "  see that the TUF repository can be reached" in text


def test_without_a_network_a_file_takes_the_place_of_what_was_fetched(machine: Machine) -> None:
    with TufRepository(OLD.trusted_root()) as repository:
        kept = machine.with_tuf(repository)
        told(machine.run("update"), 0)
        repository.fetched.clear()
        new = machine.write("new.json", both := OLD.trusted_root(NEW))
        told(machine.run("update", "--from", new), 0)
        assert repository.fetched == []
        found = kept.read()
        assert found is not None
        assert found[1] is not None
        assert (found[0], found[1].by, found[1].where) == (both, "file", new)
        assert f"refreshed    from the file {new}, " in told(machine.run("show"), 0)
