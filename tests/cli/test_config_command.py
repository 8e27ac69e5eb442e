"""`inbond config check` and `inbond config show`, as typed."""

import json
import os
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from inbond.cli.config import load_config, preset_path
from inbond.cli.config_command import config_group
from inbond.cli.config_model import Written
from inbond.cli.options import GivenOptions, config_from_options, config_options
from inbond.model.errors import ConfigurationError


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("INBOND_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "d"))


def run(*arguments: str, environ: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(config_group, arguments, env=environ)


def written(tmp_path: Path, toml: str) -> str:
    file = tmp_path / "inbond.toml"
    file.write_text(toml, encoding="utf-8")
    return str(file)


def test_check_says_what_was_read_and_what_follows(tmp_path: Path) -> None:
    file = written(tmp_path, '[policies.default]\naudit = ["deny"]\n[storage]\nmax_size = "1MiB"\n')
    result = run("check", "--config", file, "--listen", "[::1]:9", environ={"INBOND_SERVER__HOSTS": "a"})
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"valid: {file}, INBOND_SERVER__HOSTS, --listen",
        "listens on  [::1]:9",
        f"cache       {tmp_path}/c/inbond, at most 1.0 MiB",
        f"ledger      {tmp_path}/d/inbond",
        "index       root: policy default (only recording: deny), upstreams pypi",
    ]


def test_check_without_anything_finds_the_defaults_valid() -> None:
    result = run("check")
    assert result.exit_code == 0
    assert result.stdout.startswith("valid: defaults only\nlistens on  127.0.0.1:8642\n")


def test_check_names_a_preset_that_was_read() -> None:
    assert run("check", "--policy", "strict").stdout.startswith("valid: preset strict.toml, --policy\n")


def test_check_says_everything_that_is_wrong_and_fails(tmp_path: Path) -> None:
    file = written(tmp_path, "[server]\nlisen = 1\n")
    result = run("check", "--config", file, "--policy", "X")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"{file}:2: server.lisen: unknown key; did you mean 'listen'?",
        "--policy: indexes.root.policy: 'X' is not a name: use small letters, digits and '-'",
        f"(every key is explained in {preset_path('inbond')})",
    ]


def test_check_does_not_send_to_a_file_whoever_mistyped_a_flag() -> None:
    result = run("check", "--listen", "foo")
    assert result.exit_code == 1
    assert result.stderr == (
        "--listen: server.listen: 'foo' is not an address and a port, as in '127.0.0.1:8642' or '[::1]:8642'\n"
    )


def test_check_says_no_more_than_it_knows_of_a_file_that_is_missing() -> None:
    result = run("check", "--config", "/no/such/file")
    assert result.exit_code == 1
    assert result.stderr == "/no/such/file: cannot be read: No such file or directory\n"


def test_check_answers_programs_in_json(tmp_path: Path) -> None:
    file = written(tmp_path, "[server]\nlisen = 1\n")
    good, bad = run("check", "--format", "json", "--audit"), run("check", "--format", "json", "--config", file)
    assert good.exit_code == 0
    assert json.loads(good.stdout) == {"valid": True, "sources": ["--audit"], "problems": [], "warnings": []}
    assert bad.exit_code == 1
    assert json.loads(bad.stdout) == {
        "valid": False,
        "sources": [],
        "problems": [f"{file}:2: server.lisen: unknown key; did you mean 'listen'?"],
        "warnings": [],
    }


def test_show_gives_every_value_with_its_source(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[policies.default]\nmin_age = "48h"\n[[policies.default.rules]]\nprojects = ["acme-*"]\nyanked = "deny"\n',
    )
    environ = {"INBOND_POLICIES__DEFAULT__DENY": '["a\\"b"]', "INBOND_DATA": "/data"}
    result = run("show", "--config", file, "--audit", environ={**environ, "INBOND_POLICIES__DEFAULT__DENY": "evil"})
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert 'listen = "127.0.0.1:8642" # default' in lines
    assert 'path = "/data" # INBOND_DATA' in lines
    assert f'min_age = "48h" # {file}:2' in lines
    assert 'deny = ["evil"] # INBOND_POLICIES__DEFAULT__DENY' in lines
    assert 'audit = ["*"] # --audit' in lines
    assert lines[lines.index("[[policies.default.rules]]") + 1 :][:2] == [
        f'projects = ["acme-*"] # {file}:4',
        f'yanked = "deny" # {file}:5',
    ]


def test_what_show_prints_is_a_configuration_that_means_the_same(tmp_path: Path) -> None:
    text = """
        [server]
        hosts = ["a.test", "[::1]"]
        [upstreams.acme]
        url = "http://127.0.0.1/simple/"
        [policies.strict]
        allow = ["numpy>=2"]
        support_url = "https://acme.example/a?b=\\"c'"
        [[policies.strict.rules]]
        projects = ["x"]
        publishers = ["oidc:https://issuer.example#sub"]
        [indexes.acme-only]
        upstreams = ["acme"]
        policy = "strict"
    """
    text = text.replace("\\\"c'", "c'")
    file = written(tmp_path, text)
    shown = run("show", "--config", file)
    assert shown.exit_code == 0, shown.stderr
    again = tmp_path / "again.toml"
    again.write_text(shown.stdout, encoding="utf-8")
    first = load_config(file=Path(file), overrides={}, environ={})
    assert load_config(file=again, overrides={}, environ={}) == first


def test_show_masks_credentials(tmp_path: Path) -> None:
    file = written(tmp_path, '[upstreams.acme]\nurl = "https://user:secret@pkgs.example/simple/"\n')
    for form in ("toml", "json"):
        result = run("show", "--config", file, "--format", form, "--upstream", "http://t0ken@127.0.0.1/simple/")
        assert result.exit_code == 0
        assert "secret" not in result.output
        assert "t0ken" not in result.output
        assert "https://***@pkgs.example/simple/" in result.output


def test_show_leaves_an_at_sign_in_a_path_alone(tmp_path: Path) -> None:
    token = tmp_path / "me@acme"
    token.write_text("Bearer secret")
    file = written(tmp_path, f'[upstreams.acme]\nurl = "https://a.example/"\ncredentials = "file:{token}"\n')
    result = run("show", "--config", file)
    assert f'credentials = "file:{token}"' in result.output


def test_show_answers_programs_in_json(tmp_path: Path) -> None:
    file = written(tmp_path, '[[policies.default.rules]]\nprojects = ["x"]\nyanked = "deny"\n')
    shown = json.loads(run("show", "--config", file, "--format", "json").stdout)
    assert shown["values"]["policies"]["default"]["rules"] == [{"projects": ["x"], "yanked": "deny"}]
    assert shown["values"]["server"]["listen"] == "127.0.0.1:8642"
    assert shown["sources"]["server.listen"] == "default"
    assert shown["sources"]["policies.default.rules"] == f"{file}:1"
    assert "allow" not in shown["values"]["policies"]["default"]


def test_show_of_what_is_not_valid_says_why_and_fails() -> None:
    result = run("show", environ={"INBOND_SERVER__LISTN": "x"})
    assert result.exit_code == 1
    assert result.stderr.startswith("INBOND_SERVER__LISTN: unknown variable; did you mean 'INBOND_SERVER__LISTEN'?\n")
    in_json = run("show", "--format", "json", environ={"INBOND_SERVER__LISTN": "x"})
    assert json.loads(in_json.stdout)["valid"] is False


def test_show_without_anything_is_valid_toml_with_every_section() -> None:
    shown = tomllib.loads(run("show").stdout)
    assert set(shown) == set(Written.model_fields) - {"advisories", "mirrors", "webhooks"}  # of which none is built in


def test_any_command_can_take_the_options_of_the_configuration(tmp_path: Path) -> None:
    @click.command()
    @config_options
    @click.option("--other")
    def command(given: GivenOptions, other: str) -> None:
        config = config_from_options(given)
        click.echo(f"{other} {config.server.listen} {config.storage.cache_dir}")

    result = CliRunner().invoke(command, ["--other", "x", "--listen", "[::1]:9", "--data", str(tmp_path)])
    assert result.output == f"x [::1]:9 {tmp_path}/cache\n"
    failed = CliRunner().invoke(command, [], env={"INBOND_LISTEN": "x"})
    assert isinstance(failed.exception, ConfigurationError)


def test_help_names_the_variable_of_every_option() -> None:
    text = " ".join(run("check", "--help").output.split())
    for flag in ("config", "listen", "data", "upstream", "policy", "audit"):
        assert f"--{flag} " in text
        assert f"[env: INBOND_{flag.upper()}]" in text
