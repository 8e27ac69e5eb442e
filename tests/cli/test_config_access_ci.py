"""`[[access.ci]]` in the configuration: what it becomes, and what is said where it cannot be meant so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from yarl import URL

from inbond.access.principal import Grant
from inbond.access.roles import Role
from inbond.access.statement import WorkloadRule
from inbond.cli.config import Config, load_config, load_written
from inbond.cli.config_command import config_group
from inbond.cli.config_show import as_json, as_toml
from inbond.model.errors import ConfigurationError
from inbond.oidc.settings import IssuerSettings
from sim.tls import Authority

ISSUER = "https://token.actions.example"
ENTRY = {
    "name": '"builds"',
    "issuer": f'"{ISSUER}"',
    "audience": '"inbond"',
    "claims": '{ repository = "acme/*", ref = "refs/heads/main" }',
    "indexes": '["root"]',
}


def entry(**changed: str) -> str:
    keys = {name: value for name, value in {**ENTRY, **changed}.items() if value}
    return "\n".join(["[[access.ci]]", *(f"{name} = {value}" for name, value in keys.items()), ""])


def load(toml: str, tmp_path: Path, environ: Mapping[str, str] | None = None) -> Config:
    file = tmp_path / "inbond.toml"
    file.write_text(toml, encoding="utf-8")
    return load_config(file=file, overrides={}, environ=environ or {})


def problems(toml: str, tmp_path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        load(toml, tmp_path)
    return [line.replace(f"{tmp_path}/", "") for line in raised.value.message.split("\n")]


def test_an_entry_becomes_a_rule_and_an_issuer(tmp_path: Path) -> None:
    config = load(entry(), tmp_path)
    assert config.ci.rules == (
        WorkloadRule(
            name="builds",
            issuer=ISSUER,
            audience="inbond",
            claims={"repository": "acme/*", "ref": "refs/heads/main"},
            grant=Grant(role=Role.READER, indexes=frozenset({"root"})),
        ),
    )
    assert config.ci.issuers == (IssuerSettings(issuer=ISSUER),)
    assert str(config.ci.issuers[0].discovery) == f"{ISSUER}/.well-known/openid-configuration"


def test_without_an_entry_no_ci_system_is_known(tmp_path: Path) -> None:
    config = load("", tmp_path)
    assert (config.ci.rules, config.ci.issuers) == ((), ())


def test_entries_of_one_issuer_reach_it_once(tmp_path: Path) -> None:
    second = entry(name='"releases"', claims='{ ref = "refs/tags/*" }', indexes='["*"]')
    other = entry(name='"lab"', issuer='"https://gitlab.acme.example"', role='"admin"', claims='{ project_id = "7" }')
    config = load(entry() + second + other, tmp_path)
    assert [rule.name for rule in config.ci.rules] == ["builds", "releases", "lab"]
    assert [one.issuer for one in config.ci.issuers] == [ISSUER, "https://gitlab.acme.example"]
    assert config.ci.rules[2].grant.role is Role.ADMIN


def test_an_issuer_is_reached_as_an_upstream_is(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    toml = entry(ca_bundle=f'"{authority.bundle}"', proxy='"http://proxy.acme.example:3128"')
    (issuer,) = load(toml, tmp_path).ci.issuers
    assert issuer.tls is not None
    proxy = issuer.proxies.for_url(URL(ISSUER))
    assert proxy is not None
    assert proxy.url == "http://proxy.acme.example:3128"
    (by_environment,) = load(entry(), tmp_path, {"HTTPS_PROXY": "http://other.acme.example:3128"}).ci.issuers
    found = by_environment.proxies.for_url(URL(ISSUER))
    assert found is not None
    assert found.url == "http://other.acme.example:3128"


def test_check_tells_which_jobs_are_let_in(tmp_path: Path) -> None:
    file = tmp_path / "inbond.toml"
    file.write_text(entry(), encoding="utf-8")
    told = CliRunner().invoke(config_group, ["check", "--config", str(file)])
    assert told.exit_code == 0
    assert f"ci jobs     builds: reader on root, by {ISSUER}" in told.stdout


def test_the_password_of_a_proxy_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "inbond.toml"
    file.write_text(entry(proxy='"http://me:s3cret@proxy.acme.example:3128"'), encoding="utf-8")
    loaded = load_written(file=file, overrides={}, environ={})
    assert "http://***@proxy.acme.example:3128" in as_toml(loaded)
    assert "http://***@proxy.acme.example:3128" in str(as_json(loaded))
    assert "s3cret" not in f"{as_toml(loaded)}{as_json(loaded)}"


def test_what_is_shown_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "inbond.toml"
    file.write_text(entry(), encoding="utf-8")
    shown = as_toml(load_written(file=file, overrides={}, environ={}))
    assert load(shown, tmp_path).ci == load(entry(), tmp_path).ci


PLAIN = "is not encrypted: whoever is on the way could name keys of their own"
NO_ISSUER = "is not an OIDC issuer such as 'https://token.actions.example'"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "inbond.toml:1: access.ci[0]: the key 'name' is missing"),
        ({"issuer": ""}, "inbond.toml:1: access.ci[0]: the key 'issuer' is missing"),
        ({"audience": ""}, "inbond.toml:1: access.ci[0]: the key 'audience' is missing"),
        ({"claims": ""}, "inbond.toml:1: access.ci[0]: the key 'claims' is missing"),
        ({"indexes": ""}, "inbond.toml:1: access.ci[0]: the key 'indexes' is missing"),
        ({"name": '"A B"'}, ".name: 'A B' is not a name: use small letters, digits and '-'"),
        ({"issuer": '"token.actions.example"'}, f".issuer: 'token.actions.example' {NO_ISSUER}"),
        ({"issuer": '"http://token.actions.example"'}, f".issuer: 'http://token.actions.example' {PLAIN}"),
        ({"issuer": '"https://u:s3cret@ci.example"'}, f".issuer: 'https://***@ci.example' {NO_ISSUER}"),
        ({"issuer": '"https://ci.example/?a=b"'}, f".issuer: 'https://ci.example/?***' {NO_ISSUER}"),
        ({"issuer": '"https://ci.example/a b"'}, f".issuer: 'https://ci.example/a b' {NO_ISSUER}"),
        ({"issuer": '"ftp://ci.example"'}, f".issuer: 'ftp://ci.example' {NO_ISSUER}"),
        ({"issuer": '"https://[ci"'}, f".issuer: 'https://[ci' {NO_ISSUER}"),
        ({"audience": '" "'}, ".audience: ' ' is no audience: write what jobs ask their statement for, as in 'inbond'"),
        ({"claims": "{}"}, ".claims: is empty: any job of that issuer's would fit, of whomever it is; name"),
        ({"claims": '{ sub = "*" }'}, ".claims.sub: '*' fits everybody's: write what yours are, as in 'acme/*', or"),
        ({"claims": '{ sub = "" }'}, ".claims.sub: '' is no pattern such as 'acme/*'"),
        ({"claims": '{ sub = "*a*b*c*" }'}, ".claims.sub: '*a*b*c*' has '*' in more than 3 places"),
        ({"claims": '{ aud = "x" }'}, ".claims.aud: 'aud' is checked anyway: leave it out, and set 'audience'"),
        ({"claims": '{ exp = "x" }'}, ".claims.exp: 'exp' is checked anyway: leave it out"),
        ({"claims": '{ "a b" = "x" }'}, ".claims.a b: 'a b' is no name of a claim such as 'repository'"),
        ({"claims": "{ run = 1 }"}, ".claims.run: must be a text in quotes, not 1"),
        ({"claims": '"repository"'}, ".claims: must be a table, not 'repository'"),
        ({"role": '"root"'}, ".role: 'root' is none of 'reader', 'operator', 'admin'"),
        ({"role": '"operator"'}, "access.ci[0]: role 'operator' needs claims without '*', and 'repository' has one"),
        ({"claims": '{ repository = "*/*" }'}, ".claims.repository: '*/*' fits everybody's: write what yours are"),
        (
            {"role": '"admin"', "claims": '{ ref = "refs/heads/main", environment = "production" }'},
            "role 'admin' needs a claim that says whose job it is, such as repository, project_path or sub: anybody's",
        ),
        ({"indexes": "[]"}, '.indexes: is empty: name the indexes that are meant, or "*" for all'),
        ({"indexes": '["rot"]'}, ".indexes[0]: there is no index 'rot'; did you mean 'root'?"),
        ({"indexes": '["A"]'}, ".indexes[0]: 'A' is not a name: use small letters, digits and '-'"),
        ({"proxy": '"socks5://p.example:1"'}, ".proxy: 'socks5://p.example:1' is a SOCKS proxy, which inbond does not"),
        ({"ca_bundle": '"/none.pem"'}, ".ca_bundle: the file /none.pem cannot be read: No such file or directory"),
        ({"subject": '"x"'}, ".subject: unknown key"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_entry_is_said(changed: dict[str, str], said: str, tmp_path: Path) -> None:
    found = problems(entry(**changed), tmp_path)
    assert any(said in line for line in found), found
    assert "s3cret" not in str(found)


def test_entries_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    second = entry(proxy='"none"')
    way = "is reached in another way than by an entry above: write the same ca_bundle and proxy"
    assert problems(entry() + second, tmp_path) == [
        f"inbond.toml:7: access.ci[1]: {ISSUER} {way}",
        "inbond.toml:8: access.ci[1].name: another entry is named 'builds' too: logs could not tell them apart",
    ]


def test_what_is_no_list_of_tables_is_refused_and_nothing_else_breaks(tmp_path: Path) -> None:
    assert problems("[access]\nci = 1\n", tmp_path) == ["inbond.toml:2: access.ci: must be a list in brackets, not 1"]
    assert problems("[access]\nci = [1]\n", tmp_path) == ["inbond.toml:2: access.ci[0]: must be a table, not 1"]


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80/auth"])
def test_an_issuer_on_this_machine_may_be_asked_without_encryption(issuer: str, tmp_path: Path) -> None:
    assert load(entry(issuer=f'"{issuer}"'), tmp_path).ci.issuers[0].issuer == issuer
