"""What may change while inbond runs, and what differs between two configurations."""

from __future__ import annotations

from pathlib import Path

import pytest

from inbond.cli.config import Loaded, settings_of
from inbond.cli.config_model import ServerTable, Written
from inbond.cli.reload_changes import (
    SECTIONS,
    SERVER_KEYS,
    Changes,
    authorities_of,
    changes_between,
    digest_of,
    needing_restart,
    renewing,
)
from inbond.cli.reload_source import Source
from sim.tls import Authority

PIN = '[[decisions.pins]]\nproject = "demo"\npublisher = "github:acme/demo"\nby = "ada"\n'


def loaded(text: str, place: Path) -> Loaded:
    (place / "inbond.toml").write_text(text)
    source = Source(file=place / "inbond.toml", overrides={}, environ={})
    return source.load(source.raw())


def changes(before: str, after: str, place: Path) -> Changes:
    old, new = loaded(before, place), loaded(after, place)
    return changes_between(old, settings_of(old), new, settings_of(new))


def test_nothing_differs_from_itself(tmp_path: Path) -> None:
    text = f'[policies.default]\ndeny = ["a"]\n[indexes.root]\n{PIN}'
    found = changes(text, text, tmp_path)
    assert found == Changes(configuration=found.configuration)
    assert Changes().lines() == []
    assert digest_of(loaded(text, tmp_path)) == digest_of(loaded(text, tmp_path))


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("", "[indexes.root]\n[indexes.team]\n", ["index team: added"]),
        ("[indexes.root]\n[indexes.team]\n", "[indexes.root]\n", ["index team: removed"]),
        ("[indexes.root]\n", '[indexes.root]\nfreeze = "2026-01-01"\n', ["index root: changed"]),
        ("", PIN, ["decisions: 1 added, 0 removed"]),
        (PIN, "", ["decisions: 0 added, 1 removed"]),
        ("", "[history]\nclients = false\n", ["history.clients: changed"]),
        ("", '[server]\nhosts = ["a.example"]\n', ["server.hosts: changed"]),
    ],
)  # fmt: skip
def test_each_difference_is_a_line(tmp_path: Path, before: str, after: str, lines: list[str]) -> None:
    assert changes(before, after, tmp_path).lines() == lines
    assert digest_of(loaded(before, tmp_path)) != digest_of(loaded(after, tmp_path))


def test_policies_are_told_with_their_digests(tmp_path: Path) -> None:
    both = '[policies.default]\ndeny = ["a"]\n[policies.other]\n'
    (changed, added) = changes("", both, tmp_path).lines()
    assert changed.startswith("policy default: sha256 ")
    assert " -> " in changed
    assert added.startswith("policy other: added, sha256 ")
    (_, removed) = changes(both, "", tmp_path).lines()
    assert removed.startswith("policy other: removed, sha256 ")


def test_what_a_lock_says_belongs_to_its_policy(tmp_path: Path) -> None:
    lock, text = tmp_path / "requirements.txt", f'[policies.default]\nlocks = ["{tmp_path}/requirements.txt"]\n'
    lock.write_text(f"demo==1.0 --hash=sha256:{'0' * 64}\n")
    old = loaded(text, tmp_path)
    lock.write_text(f"demo==1.0 --hash=sha256:{'1' * 64}\n")
    new = loaded(text, tmp_path)
    (line,) = changes_between(old, settings_of(old), new, settings_of(new)).lines()
    assert line.startswith("policy default: sha256")
    assert digest_of(old) != digest_of(new)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ('[server]\nlisten = "127.0.0.1:1"\nworkers = 3\n', ("server.listen", "server.workers")),
        ('[storage]\npath = "/elsewhere"\n', ("storage.path",)),
        ('[upstreams.acme]\nurl = "https://packages.acme.example/simple/"\n', ("upstreams.acme.url",)),
        ('[upstreams.pypi]\nfresh_for = "1m"\n', ("upstreams.pypi.fresh_for",)),
        ('[trust.public]\nroot = "bundled"\n', ("trust.public.root",)),
        ('[imports]\nmax_age = "7d"\n', ("imports.max_age",)),
    ],
)
def test_what_needs_a_restart_is_named(tmp_path: Path, text: str, keys: tuple[str, ...]) -> None:
    found = needing_restart(loaded("", tmp_path), loaded(text, tmp_path))
    assert set(keys) <= set(found)
    assert {one.rpartition(".")[0] for one in found} == {one.rpartition(".")[0] for one in keys}


def test_every_key_that_is_named_is_one_and_new_ones_need_a_restart() -> None:
    """Whoever adds a key decides here whether a reload may change it."""
    assert Written.model_fields.keys() >= SECTIONS
    assert ServerTable.model_fields.keys() >= SERVER_KEYS
    assert Written.model_fields.keys() - SECTIONS == {
        "advisories", "imports", "server", "storage", "trust", "upstreams", "webhooks",
    }  # fmt: skip


def test_files_that_hold_something_else_are_told_as_their_keys(tmp_path: Path) -> None:
    for name, held in {"secret": "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3", "login": "ada:old"}.items():
        (tmp_path / name).write_text(held)
        (tmp_path / name).chmod(0o600)
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(Authority(tmp_path, "first").bundle.read_bytes())
    text = f"""
[upstreams.acme]
url = "https://packages.acme.example/simple/"
credentials = "file:{tmp_path / "login"}"
ca_bundle = "{bundle}"
[webhooks.chat]
url = "https://chat.acme.example/"
secret = "file:{tmp_path / "secret"}"
[[access.ci]]
name = "builds"
issuer = "https://ci.acme.example"
audience = "inbond"
indexes = ["root"]
claims = {{ project = "a/b" }}
ca_bundle = "{bundle}"
"""
    before = loaded(text, tmp_path)
    assert (needing_restart(before, loaded(text, tmp_path)), renewing(before, before)) == ((), ())
    (tmp_path / "login").write_text("ada:new")
    after = loaded(text, tmp_path)
    assert needing_restart(before, after) == ()  # whoever sends them reads them again
    (told,) = renewing(before, after)
    assert told.startswith("upstreams.acme.credentials: its file holds others")
    (tmp_path / "secret").write_text("whsec_" + "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4")
    bundle.write_bytes(Authority(tmp_path, "second").bundle.read_bytes())
    after = loaded(text, tmp_path)
    assert needing_restart(before, after) == ("upstreams.acme.ca_bundle", "webhooks.chat.secret")
    (authority,) = changes_between(before, settings_of(before), after, settings_of(after)).keys
    assert authority.startswith("access.")
    assert authorities_of(before) != authorities_of(after)
