"""`[webhooks.NAME]` and `[history]` as they are written, and `inbond webhooks test|secret`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from inbond.cli.config import Config, load_config, load_written
from inbond.cli.config_show import as_toml
from inbond.cli.main import cli
from inbond.gateway.book import HistorySettings
from inbond.model.errors import ConfigurationError
from inbond.model.occurrence import OccurrenceKind
from inbond.webhooks.settings import SECRET_PREFIX, new_secret, parse_keys
from ports import free_port
from sim.receiver import Behaviour, Receiver
from sim.tls import Authority

SECRET = new_secret()


def loaded(place: Path, toml: str, environ: Mapping[str, str] | None = None) -> Config:
    (place / "inbond.toml").write_text(toml)
    return load_config(file=place / "inbond.toml", overrides={}, environ=environ or {"HOOK": SECRET})


def hook(more: str = "", *, url: str = "https://hooks.acme.example/in?token=t", source: str = "env:HOOK") -> str:
    return f'[webhooks.acme]\nurl = "{url}"\nsecret = "{source}"\n{more}'


def test_a_webhook_as_it_is_written(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    more = f'events = ["file-stopped"]\nca_bundle = "{authority.bundle}"\nproxy = "http://proxy.acme.example:3128"\n'
    (webhook,) = loaded(tmp_path, hook(more)).webhooks
    assert (webhook.name, webhook.url) == ("acme", "https://hooks.acme.example/in?token=t")
    assert webhook.keys == parse_keys(SECRET)
    assert webhook.kinds == {OccurrenceKind.FILE_STOPPED}
    assert webhook.tls is not None
    assert webhook.proxies.https is not None
    assert webhook.proxies.https.url == "http://proxy.acme.example:3128"
    assert "token" not in repr(webhook)
    assert repr(webhook.keys[0]) not in repr(webhook)


def test_a_secret_may_be_in_a_file_and_there_may_be_two(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n{new_secret()}\n")
    file.chmod(0o600)
    config = loaded(tmp_path, hook(source=f"file:{file}"))
    assert len(config.webhooks[0].keys) == 2
    assert config.warnings == ()
    file.chmod(0o644)
    assert "everybody on this machine" in loaded(tmp_path, hook(source=f"file:{file}")).warnings[0]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (hook(source="env:MISSING"), "the variable MISSING: is not set"),
        (hook(source="env:WEAK"), "the variable WEAK: holds no secret"),
        (hook(source=SECRET), "is neither 'env:NAME' nor 'file:PATH'"),
        (hook(source=""), "is neither 'env:NAME' nor 'file:PATH'"),
        ('[webhooks.acme]\nurl = "https://hooks.acme.example/"\n', "the key 'secret' is missing"),
        ('[webhooks.acme]\nsecret = "env:HOOK"\n', "the key 'url' is missing"),
        (hook(url="ftp://hooks.acme.example/"), "is not the address of a webhook"),
        (hook(url="https://"), "is not the address of a webhook"),
        (hook(url="https://ada:pw@hooks.acme.example/"), "carries credentials"),
        (hook('events = ["file-stoped"]\n'), "did you mean 'file-stopped'?"),
        (hook('colour = "red"\n'), "unknown key"),
        ('[history]\nkeep = "0"\n', "nothing would be kept"),
    ],
)
def test_what_is_wrong_is_told_without_the_secret(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, toml, {"HOOK": SECRET, "WEAK": "hunter2"})
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert SECRET not in str(refused.value)


def test_what_is_shown_holds_no_token(tmp_path: Path) -> None:
    (tmp_path / "inbond.toml").write_text(hook())
    written = load_written(file=tmp_path / "inbond.toml", overrides={}, environ={"HOOK": SECRET})
    shown = as_toml(written)
    assert 'url = "https://hooks.acme.example/in?***"' in shown
    assert 'secret = "env:HOOK"' in shown
    assert SECRET not in shown + repr(written)


def test_the_audit_trail_as_it_is_written(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").history == HistorySettings(keep=timedelta(days=90), clients=True)
    kept = loaded(tmp_path, '[history]\nkeep = "30d"\nclients = false\n').history
    assert kept == HistorySettings(keep=timedelta(days=30), clients=False)


def run(place: Path, *arguments: str) -> Result:
    config = ["--config", str(place / "inbond.toml")]
    return CliRunner().invoke(cli, ["webhooks", *arguments, *config], env={"HOOK": SECRET})


async def tried(place: Path, *answers: Behaviour) -> tuple[Result, Receiver]:
    async with Receiver(*answers) as receiver:
        (place / "inbond.toml").write_text(hook(url=receiver.url))
        return await asyncio.to_thread(run, place, "test", "acme"), receiver


async def test_a_webhook_is_tried_with_one_signed_message(tmp_path: Path) -> None:
    result, receiver = await tried(tmp_path, Behaviour(status=200, body=b"thank\x1b[1m you\n"))
    assert result.exit_code == 0, result.output
    assert result.stdout == "webhook acme: arrived, answered 200\n  thank\\x1b[1m you\n"
    (got,) = receiver.got
    assert got.json["type"] == "test"
    assert got.headers["webhook-signature"].startswith("v1,")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Behaviour(status=401, body=b"bad signature"), "did not arrive: the receiver answered 401\n  bad signature\n"),
        (Behaviour(status=410), "not wanted: the receiver answered 410: it wants no such messages\n"),
        (Behaviour(cut=True), "did not arrive: the connection was cut\n"),
    ],
)
async def test_what_a_receiver_does_instead_is_said(tmp_path: Path, answer: Behaviour, said: str) -> None:
    result, _ = await tried(tmp_path, answer)
    assert (result.exit_code, result.stdout) == (1, f"webhook acme: {said}")


def test_nobody_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "inbond.toml").write_text(hook(url=f"http://127.0.0.1:{free_port()}/"))
    result = run(tmp_path, "test", "acme")
    assert result.exit_code == 1
    assert "no connection could be made" in result.stdout


def test_a_webhook_that_is_not_there_is_not_tried(tmp_path: Path) -> None:
    (tmp_path / "inbond.toml").write_text(hook())
    result = run(tmp_path, "test", "acne")
    assert result.exit_code == 2
    assert "did you mean 'acme'?" in result.stderr
    (tmp_path / "inbond.toml").write_text("")
    assert "the configuration has none" in run(tmp_path, "test", "acme").stderr


def test_a_secret_is_made(tmp_path: Path) -> None:
    made = [CliRunner().invoke(cli, ["webhooks", "secret"]).stdout.strip() for _ in range(2)]
    assert made[0] != made[1]
    assert all(text.startswith(SECRET_PREFIX) for text in made)
    assert [len(key) for key in parse_keys(" ".join(made))] == [32, 32]
