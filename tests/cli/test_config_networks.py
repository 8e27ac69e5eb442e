"""Company networks in the configuration: proxies, private authorities, credentials."""

import base64
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from yarl import URL

from inbond.cli.config import Config, load_config, preset_path
from inbond.cli.config_command import config_group
from inbond.cli.config_presets import resolve_preset, written_predicate_type
from inbond.model.errors import ConfigurationError
from inbond.upstream.proxies import Proxy
from inbond.upstream.settings import UpstreamSettings
from sim.tls import Authority

ACME = '[upstreams.acme]\nurl = "https://pkgs.acme.example/simple/"\n'
PLAIN = '[upstreams.acme]\nurl = "http://pkgs.acme.example/simple/"\n'


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("INBOND_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def load(toml: str, *, tmp_path: Path, environ: Mapping[str, str] | None = None) -> Config:
    file = tmp_path / "inbond.toml"
    file.write_text(toml, encoding="utf-8")
    return load_config(file=file, overrides={}, environ=environ or {})


def acme(toml: str, *, tmp_path: Path, environ: Mapping[str, str] | None = None) -> UpstreamSettings:
    config = load(toml, tmp_path=tmp_path, environ=environ)
    return next(one for one in config.upstreams_at("https://docs.index.example/v1") if one.name == "acme")


def proxy_for(settings: UpstreamSettings) -> Proxy | None:
    return settings.proxies.for_url(URL(settings.url))


def problems(toml: str, *, tmp_path: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        load(toml, tmp_path=tmp_path, environ=environ)
    assert "s3cret" not in f"{raised.value!r} {raised.value.message} {raised.value.remedy}"
    return [line.replace(f"{tmp_path}/", "") for line in raised.value.message.split("\n")]


def run(*arguments: str, environ: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(config_group, arguments, env=environ)


@pytest.mark.parametrize(
    ("toml", "environ", "url", "source"),
    [
        (ACME, {}, None, None),
        (ACME, {"HTTPS_PROXY": "http://p:1"}, "http://p:1", "HTTPS_PROXY"),
        (ACME, {"https_proxy": "http://p:1"}, "http://p:1", "https_proxy"),
        (ACME, {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:2"}, "http://q:2", "https_proxy"),
        (ACME, {"HTTPS_PROXY": "p:1"}, "http://p:1", "HTTPS_PROXY"),
        (ACME, {"HTTPS_PROXY": "u:s3cret@p:1"}, "http://p:1", "HTTPS_PROXY"),
        (ACME, {"HTTP_PROXY": "http://p:1"}, None, None),
        (ACME, {"HTTP_PROXY": "socks5://p:1"}, None, None),
        (PLAIN, {"HTTP_PROXY": "http://p:1"}, "http://p:1", "HTTP_PROXY"),
        (PLAIN, {"HTTPS_PROXY": "http://p:1"}, None, None),
        (ACME, {"ALL_PROXY": "http://p:1"}, "http://p:1", "ALL_PROXY"),
        (ACME, {"ALL_PROXY": "socks5://p:1", "HTTPS_PROXY": "http://q:2"}, "http://q:2", "HTTPS_PROXY"),
        (ACME, {"HTTPS_PROXY": "", "all_proxy": "http://p:1"}, "http://p:1", "all_proxy"),
        (ACME, {"https_proxy": "", "HTTPS_PROXY": "http://p:1"}, None, None),
        (ACME, {"https_proxy": " ", "HTTPS_PROXY": "http://p:1", "ALL_PROXY": "http://q:2"}, "http://q:2", "ALL_PROXY"),
        (ACME, {"HTTPS_PROXY": "http://p:1", "no_proxy": "", "NO_PROXY": "*"}, "http://p:1", "HTTPS_PROXY"),
        (
            ACME,
            {"HTTPS_PROXY": "http://p:1", "NO_PROXY": f"pkgs.acme.example:{'9' * 5000}"},
            "http://p:1",
            "HTTPS_PROXY",
        ),
        (ACME, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "localhost,.acme.example"}, None, None),
        (ACME, {"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, None, None),
        (ACME, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "acme.test"}, "http://p:1", "HTTPS_PROXY"),
        (ACME + 'proxy = "none"\n', {"HTTPS_PROXY": "http://p:1"}, None, None),
        (ACME + 'proxy = "none"\n', {"HTTPS_PROXY": "socks5://p:1"}, None, None),
        (
            ACME + 'proxy = "http://q:2"\n',
            {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"},
            "http://q:2",
            "upstreams.acme.proxy",
        ),
    ],
)
def test_the_proxy_is_the_keys_or_the_environments(
    tmp_path: Path, toml: str, environ: dict[str, str], url: str | None, source: str | None
) -> None:
    # The built-in upstream would complain about what is no proxy for it either.
    own = '[upstreams.pypi]\nproxy = "none"\n' + toml
    proxy = proxy_for(acme(own, tmp_path=tmp_path, environ=environ))
    assert (proxy and proxy.url, proxy and proxy.source) == (url, source)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"HTTPS_PROXY": "socks5h://u:s3cret@p:1080"},
            "HTTPS_PROXY: 'socks5h://***@p:1080' is a SOCKS proxy, which inbond does not speak; name an HTTP proxy",
        ),
        (
            {"all_proxy": "ftp://p"},
            "all_proxy: 'ftp://p' is not the address of a proxy, as in 'http://proxy.acme.example:3128'",
        ),
        (
            {"https_proxy": "u:s3cret@p:x"},
            "https_proxy: 'http://***@p:x' is not the address of a proxy, as in 'http://proxy.acme.example:3128'",
        ),
        (
            {"HTTPS_PROXY": "http://me:s3c://s3cret@p:1?token=s3cret"},
            "HTTPS_PROXY: 'http://***@p:1' is not the address of a proxy, as in 'http://proxy.acme.example:3128'",
        ),
    ],
)
def test_a_bad_variable_is_named_once(tmp_path: Path, environ: dict[str, str], message: str) -> None:
    assert problems(ACME, tmp_path=tmp_path, environ=environ) == [message]


def test_credentials_come_from_a_variable(tmp_path: Path) -> None:
    toml = ACME + 'credentials = "env:ACME_LOGIN"\n'
    basic = acme(toml, tmp_path=tmp_path, environ={"ACME_LOGIN": "user:s3cret"})
    assert basic.authorization == "Basic " + base64.b64encode(b"user:s3cret").decode()
    assert basic.renew is None
    bearer = acme(toml, tmp_path=tmp_path, environ={"ACME_LOGIN": "Bearer s3cret"})
    assert bearer.authorization == "Bearer s3cret"
    config = load(toml, tmp_path=tmp_path, environ={"ACME_LOGIN": "Bearer s3cret"})
    assert "s3cret" not in repr(config) + repr(bearer)


def test_credentials_come_from_a_file_and_are_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("Bearer s3cret\n")
    file.chmod(0o600)
    toml = ACME + f'credentials = "file:{file}"\n'
    settings = acme(toml, tmp_path=tmp_path)
    assert settings.authorization == "Bearer s3cret"
    assert settings.renew is not None
    file.write_text("﻿Bearer another\r\n")
    assert settings.renew() == "Bearer another"
    file.write_text("")
    assert settings.renew() is None
    file.unlink()
    assert settings.renew() is None


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_a_file_that_everybody_may_use_is_warned_of(tmp_path: Path, mode: int, *, warned: bool) -> None:
    file = tmp_path / "token"
    file.write_text("Bearer s3cret\n")
    file.chmod(mode)
    config = load(ACME + f'credentials = "file:{file}"\n', tmp_path=tmp_path)
    expected = f"everybody on this machine may use the file {file} (mode {mode:04o}): chmod o= it"
    assert config.warnings == ((f"upstreams.acme.credentials: {expected}",) if warned else ())


def test_what_is_wrong_is_said_all_at_once(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"user:\xe9")
    (tmp_path / "long").write_bytes(b"x" * 70_000)
    (tmp_path / "ca.pem").write_text("no PEM")
    toml = f"""[upstreams.a]
url = "https://a.example/simple/"
credentials = "env:UNSET"
ca_bundle = "{tmp_path}/ca.pem"
[upstreams.b]
url = "https://user:s3cret@b.example/simple/"
credentials = "env:GIVEN"
[upstreams.c]
url = "https://c.example/simple/"
credentials = "file:{tmp_path}/latin"
[upstreams.d]
url = "https://d.example/simple/"
credentials = "file:{tmp_path}/long"
proxy = "none"
[upstreams.e]
credentials = "env:BAD"
ca_bundel = "x"
"""
    environ = {"GIVEN": "user:s3cret", "BAD": "s3cret", "HTTPS_PROXY": "socks5://p", "INBOND_LOGS": "1"}
    assert problems(toml, tmp_path=tmp_path, environ=environ) == [
        "inbond.toml:3: upstreams.a.credentials: the variable UNSET is not set",
        "inbond.toml:4: upstreams.a.ca_bundle: the file ca.pem holds no certificate in PEM that can be read",
        "inbond.toml:7: upstreams.b.credentials: the url holds credentials too: leave one of them out",
        "inbond.toml:10: upstreams.c.credentials: the file latin is not UTF-8",
        "inbond.toml:13: upstreams.d.credentials: the file long is larger than 65536 bytes",
        "inbond.toml:15: upstreams.e: the key 'url' is missing",
        "inbond.toml:16: upstreams.e.credentials: the variable BAD holds neither 'user:password' nor 'Bearer TOKEN'",
        "inbond.toml:17: upstreams.e.ca_bundel: unknown key; did you mean 'ca_bundle'?",
        "HTTPS_PROXY: 'socks5://p' is a SOCKS proxy, which inbond does not speak; name an HTTP proxy",
        "INBOND_LOGS: unknown variable; did you mean 'INBOND_LOG'?",
    ]


def test_a_url_that_is_wrong_itself_is_said_alone(tmp_path: Path) -> None:
    toml = '[upstreams.acme]\nurl = "https://[acme/"\ncredentials = "env:LOGIN"\n'
    [problem] = problems(toml, tmp_path=tmp_path, environ={"LOGIN": "user:s3cret"})
    assert problem.startswith("inbond.toml:2: upstreams.acme.url: 'https://[acme/' is neither the preset")


def test_the_keys_can_be_variables_too(tmp_path: Path) -> None:
    environ = {
        "INBOND_UPSTREAMS__ACME__CREDENTIALS": "env:LOGIN",
        "INBOND_UPSTREAMS__ACME__PROXY": "http://u:s3cret@p:1",
        "LOGIN": "user:s3cret",
    }
    settings = acme(ACME, tmp_path=tmp_path, environ=environ)
    assert settings.authorization is not None
    proxy = proxy_for(settings)
    assert proxy is not None
    assert proxy.authorization is not None
    assert proxy.source == "upstreams.acme.proxy"


def test_check_says_how_each_upstream_is_reached_and_what_to_look_after(tmp_path: Path) -> None:
    token, bundle = tmp_path / "token", Authority(tmp_path).bundle
    token.write_text("Bearer s3cret")
    token.chmod(0o644)
    file = tmp_path / "inbond.toml"
    file.write_text(ACME + f'credentials = "file:{token}"\nca_bundle = "{bundle}"\nproxy = "http://u:s3cret@p:1"\n')
    environ = {"HTTPS_PROXY": "http://u:s3cret@q:2"}
    result = run("check", "--config", str(file), environ=environ)
    assert result.exit_code == 0, result.output
    own = f"proxy http://p:1 (upstreams.acme.proxy), certificates by {bundle}, credentials from file:{token}"
    assert [line for line in result.stdout.splitlines() if line.startswith("upstream ")] == [
        "upstream    pypi: proxy http://q:2 (HTTPS_PROXY)",
        f"upstream    acme: {own}",
    ]
    assert result.stderr == (
        f"warning: upstreams.acme.credentials: everybody on this machine may use the file {token} (mode 0644):"
        " chmod o= it\n"
    )
    assert "s3cret" not in result.output
    found = json.loads(run("check", "--config", str(file), "--format", "json", environ=environ).stdout)
    assert [warning.split(":")[0] for warning in found["warnings"]] == ["upstreams.acme.credentials"]


def test_check_names_no_proxy_that_the_preset_is_exempt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    predicate_type = written_predicate_type()
    assert predicate_type is not None
    host = URL(resolve_preset("pypi", predicate_type)).host or ""
    for exempt, lines in ((host, []), ("acme.example", ["upstream    pypi: proxy http://q:2 (HTTPS_PROXY)"])):
        result = run("check", environ={"HTTPS_PROXY": "http://q:2", "NO_PROXY": exempt})
        assert result.exit_code == 0
        assert [line for line in result.stdout.splitlines() if line.startswith("upstream ")] == lines


def test_check_fails_for_credentials_that_are_not_there(tmp_path: Path) -> None:
    file = tmp_path / "inbond.toml"
    file.write_text(ACME + 'credentials = "env:ACME_TOKEN"\n[server]\nlisen = "x"\n')
    result = run("check", "--config", str(file))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[:2] == [
        f"{file}:3: upstreams.acme.credentials: the variable ACME_TOKEN is not set",
        f"{file}:5: server.lisen: unknown key; did you mean 'listen'?",
    ]


def test_show_masks_a_proxys_credentials(tmp_path: Path) -> None:
    file = tmp_path / "inbond.toml"
    file.write_text(ACME + 'credentials = "env:LOGIN"\nproxy = "http://u:s3cret@p:1"\n')
    for form in ("toml", "json"):
        result = run("show", "--config", str(file), "--format", form, environ={"LOGIN": "user:s3cret"})
        assert result.exit_code == 0
        assert "s3cret" not in result.output
        assert "http://***@p:1" in result.output
        assert "env:LOGIN" in result.output


def test_what_the_documentation_shows_is_valid(tmp_path: Path) -> None:
    text = (preset_path("inbond").parent.parent / "docs" / "networks.md").read_text(encoding="utf-8")
    samples = re.findall(r"(?ms)^```toml\n(.*?)^```", text)
    (tmp_path / "forge").write_text("__token__:s3cret")
    authority = Authority(tmp_path)
    for sample in samples:
        here = sample.replace("/etc/ssl/acme-ca.pem", str(authority.bundle))
        here = here.replace("/run/credentials/inbond.service", str(tmp_path))
        config = load(here, tmp_path=tmp_path, environ={"ACME_LOGIN": "user:s3cret"})
        assert config.upstreams_at("https://docs.index.example/v1")
    assert len(samples) == 4


def test_the_environment_that_the_documentation_shows_means_what_it_says(tmp_path: Path) -> None:
    text = (preset_path("inbond").parent.parent / "docs" / "networks.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"(?m)^(HTTPS_PROXY=.*) inbond serve$", text)
    environ = dict(part.split("=", 1) for part in shown.split())
    proxies = load("", tmp_path=tmp_path, environ=environ).upstreams_at("https://docs.index.example/v1")[0].proxies
    ways = {host: proxies.for_url(URL(f"https://{host}/")) for host in ("index.example", "a.acme.example", "10.9.8.7")}
    assert {host: way and way.url for host, way in ways.items()} == {
        "index.example": "http://proxy.acme.example:3128", "a.acme.example": None, "10.9.8.7": None,
    }  # fmt: skip
