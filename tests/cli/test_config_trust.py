"""`[trust.NAME]` and `trust` of an upstream: what may be written, what comes of it, and what is refused with why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from inbond.cli.config import Config, load_config
from inbond.cli.config_command import config_group
from inbond.cli.config_trust import ScopeSettings
from inbond.cli.trust_sources import scope_dir, sources, trust_by_upstream
from inbond.gateway.trust import BundledSource, FileSource
from inbond.gateway.trust_update import AutoSource
from inbond.model.errors import ConfigurationError

ISSUERS = 'issuers = ["https://gitlab.acme.example"]\n'
ACME = f'[trust.acme]\nroot = "PLACE/acme.json"\n{ISSUERS}'
OWN_ROOT = (
    'name the path of a trusted_root.json as root, or both tuf = "https://…", the address of a TUF repository,'
    " and tuf_root, the root.json it begins with"
)
OWN_ISSUERS = 'name the issuers that this root may vouch for, as in issuers = ["https://gitlab.acme.example"]'


def load(toml: str, *, tmp_path: Path, environ: Mapping[str, str] | None = None) -> Config:
    for name in ("acme.json", "root.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    file = tmp_path / "inbond.toml"
    file.write_text(toml.replace("PLACE", str(tmp_path)), encoding="utf-8")
    given = {name: text.replace("PLACE", str(tmp_path)) for name, text in (environ or {}).items()}
    return load_config(file=file, overrides={"data": tmp_path / "data"}, environ=given)


def problems(toml: str, *, tmp_path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        load(toml, tmp_path=tmp_path)
    return [line.replace(f"{tmp_path}/inbond.toml:", "") for line in raised.value.message.split("\n")]


@pytest.mark.parametrize(
    ("toml", "scope"),
    [
        ("", ScopeSettings(name="public", root="auto")),
        ('[trust.public]\nroot = "auto"\n', ScopeSettings(name="public", root="auto")),
        ('[trust.public]\nroot = "bundled"\n', ScopeSettings(name="public", root="bundled")),
        (
            '[trust.public]\ntuf = "https://mirror.acme.example/tuf"\n',
            ScopeSettings(name="public", root="auto", tuf_url="https://mirror.acme.example/tuf"),
        ),
        (
            '[trust.public]\nissuers = ["https://a.example/x", "https://b.example"]\n',
            ScopeSettings(name="public", root="auto", issuers=("https://a.example/x", "https://b.example")),
        ),
    ],
)
def test_the_public_scope_may_leave_everything_to_inbond(tmp_path: Path, toml: str, scope: ScopeSettings) -> None:
    assert load(toml, tmp_path=tmp_path).trust == (scope,)


def test_a_scope_of_ones_own_is_a_file_or_a_tuf_repository(tmp_path: Path) -> None:
    toml = f'{ACME}[trust.b]\ntuf = "https://tuf.acme.example"\ntuf_root = "PLACE/root.json"\n{ISSUERS}'
    acme, own, _ = load(toml, tmp_path=tmp_path).trust
    assert acme == ScopeSettings(name="acme", root=tmp_path / "acme.json", issuers=("https://gitlab.acme.example",))
    assert (own.root, own.tuf_url, own.tuf_root) == ("auto", "https://tuf.acme.example", tmp_path / "root.json")


def test_an_upstream_may_trust_any_scope_and_several(tmp_path: Path) -> None:
    toml = f'{ACME}[upstreams.own]\nurl = "http://127.0.0.1/simple/"\ntrust = ["acme", "public"]\n'
    config = load(toml, tmp_path=tmp_path)
    own = next(one for one in config.upstreams_at("https://docs.index.example/v1") if one.name == "own")
    assert own.trust == ("acme", "public")


def test_the_environment_names_scopes_too(tmp_path: Path) -> None:
    environ = {
        "INBOND_TRUST__PUBLIC__ROOT": "bundled",
        "INBOND_TRUST__ACME_SIGN__ROOT": "PLACE/acme.json",
        "INBOND_TRUST__ACME_SIGN__ISSUERS": "https://a.example,https://b.example",
        "INBOND_UPSTREAMS__PYPI__TRUST": "public,acme-sign",
    }
    config = load("", tmp_path=tmp_path, environ=environ)
    assert [(scope.name, scope.root) for scope in config.trust] == [
        ("acme-sign", tmp_path / "acme.json"),
        ("public", "bundled"),
    ]
    assert config.upstream_tables["pypi"].trust == ("public", "acme-sign")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('[trust.a]\nroot = "PLACE/acme.json"\n', f"1: trust.a: {OWN_ISSUERS}"),
        ('[trust.a]\nroot = "PLACE/acme.json"\nissuers = []\n', f"3: trust.a.issuers: {OWN_ISSUERS}"),
        (f"[trust.a]\n{ISSUERS}", f"1: trust.a: {OWN_ROOT}"),
        (f'[trust.a]\nroot = "auto"\n{ISSUERS}', f"2: trust.a.root: {OWN_ROOT}"),
        (f'[trust.a]\ntuf = "https://tuf.example"\n{ISSUERS}', f"1: trust.a: {OWN_ROOT}"),
        (f'[trust.a]\ntuf_root = "PLACE/root.json"\n{ISSUERS}', f"1: trust.a: {OWN_ROOT}"),
        (
            f'[trust.a]\nroot = "bundled"\n{ISSUERS}',
            '2: trust.a.root: "bundled" is the public Sigstore\'s, as in [trust.public]; name a trusted_root.json',
        ),
        ('[trust.public]\ntuf_root = "/no/such"\n', "2: trust.public.tuf_root: there is no file '/no/such'"),
        ("[trust.public]\nroot = 1\n", "2: trust.public.root: must be a text in quotes, not 1"),
        (
            '[trust.public]\nroot = "bundled"\ntuf = "https://tuf.example"\n',
            '3: trust.public.tuf: is used with root = "auto" alone: leave one of them out',
        ),
        (
            '[trust.public]\nroot = "PLACE/acme.json"\ntuf_root = "PLACE/root.json"\n',
            '3: trust.public.tuf_root: is used with root = "auto" alone: leave one of them out',
        ),
        (
            '[trust.public]\ntuf = "ftp://tuf.example"\n',
            (
                "2: trust.public.tuf: 'ftp://tuf.example' is not the address of a TUF repository,"
                " as in 'https://tuf.acme.example/'"
            ),
        ),
        (
            '[trust.public]\ntuf = "https://u:s3cret@tuf.example"\n',
            "2: trust.public.tuf: carries credentials, which are not sent to a TUF repository: leave them out",
        ),
        (
            '[trust.public]\ntuf = "https://[x"\n',
            "2: trust.public.tuf: 'https://[x' is not the address of a TUF repository, as in 'https://tuf.acme.example/'",
        ),
        (
            '[trust.public]\nissuers = ["http://a.example"]\n',
            "2: trust.public.issuers[0]: 'http://a.example' is not an OIDC issuer such as 'https://gitlab.acme.example'",
        ),
        (
            '[trust.public]\nissuers = ["https://[x"]\n',
            "2: trust.public.issuers[0]: 'https://[x' is not an OIDC issuer such as 'https://gitlab.acme.example'",
        ),
        (
            '[upstreams.pypi]\ntrust = ["public", "acne"]\n[trust.acme]\nroot = "PLACE/acme.json"\n' + ISSUERS,
            "2: upstreams.pypi.trust[1]: there is no trusted root [trust.acne]; did you mean 'acme'?",
        ),
        (
            "[upstreams.pypi]\ntrust = []\n",
            (
                '2: upstreams.pypi.trust: is empty: name at least one trusted root, as in ["public"]; where'
                ' attestations shall not be looked at, set attestations = "off" in a policy'
            ),
        ),
        ("trust = 1\n", "1: trust: must be a table, not 1"),
        ("[trust.A]\n", "1: trust.A: 'A' is not a name: use small letters, digits and '-'"),
        ("[trust]\npublic = 1\n", "2: trust.public: must be a table, not 1"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_do(tmp_path: Path, toml: str, message: str) -> None:
    assert message in problems(toml, tmp_path=tmp_path)


def test_only_scopes_that_an_upstream_in_use_trusts_have_a_source(tmp_path: Path) -> None:
    own = '[upstreams.own]\nurl = "http://127.0.0.1/simple/"\ntrust = ["acme"]\n'
    config = load(f'{ACME}{own}[indexes.root]\nupstreams = ["own"]\n', tmp_path=tmp_path)
    assert [source.name for source in sources(config)] == ["acme"]
    assert trust_by_upstream(config) == {"own": ("acme",)}


def test_an_upstream_that_owns_projects_is_in_use(tmp_path: Path) -> None:
    own = '[upstreams.own]\nurl = "http://127.0.0.1/simple/"\ntrust = ["acme"]\nprojects = ["acme-*"]\n'
    config = load(ACME + own, tmp_path=tmp_path)
    assert [source.name for source in sources(config)] == ["acme", "public"]


def test_each_kind_of_root_has_its_source(tmp_path: Path) -> None:
    toml = f'{ACME}[upstreams.pypi]\ntrust = ["acme", "public"]\n'
    acme, public = sources(load(toml, tmp_path=tmp_path))
    assert isinstance(acme, FileSource)
    assert acme.issuers == ("https://gitlab.acme.example",)
    assert isinstance(public, AutoSource)
    bundled = f'{toml}[trust.public]\nroot = "bundled"\n'
    assert isinstance(sources(load(bundled, tmp_path=tmp_path))[1], BundledSource)


def test_what_is_fetched_is_kept_beside_the_ledger(tmp_path: Path) -> None:
    config = load("", tmp_path=tmp_path)
    assert scope_dir(config, "public") == tmp_path / "data" / "ledger" / "trust" / "public"


@pytest.mark.parametrize(
    ("toml", "environ", "https", "http"),
    [
        ("", {}, None, None),
        ("", {"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://q:1"}, "http://p:1", None),
        ('[trust.public]\ntuf = "http://t.example"\n', {"HTTP_PROXY": "http://q:1"}, None, "http://q:1"),
        ('[trust.public]\nroot = "bundled"\n', {"HTTPS_PROXY": "http://p:1"}, None, None),
    ],
)
def test_roots_are_fetched_through_the_proxies_of_the_environment(
    tmp_path: Path, toml: str, environ: dict[str, str], https: str | None, http: str | None
) -> None:
    (scope,) = load(toml, tmp_path=tmp_path, environ=environ).trust
    found = scope.proxies
    assert (found.https and found.https.url, found.http and found.http.url) == (https, http)


def test_a_proxy_that_cannot_be_used_is_a_warning_where_only_roots_would_go_through_it(tmp_path: Path) -> None:
    environ = {"HTTPS_PROXY": "socks5://p:1"}
    config = load('[upstreams.pypi]\nproxy = "none"\n', tmp_path=tmp_path, environ=environ)
    assert config.warnings == (
        (
            "HTTPS_PROXY: 'socks5://p:1' is a SOCKS proxy, which inbond does not speak; name an HTTP proxy;"
            " trusted roots are fetched without one"
        ),
    )
    assert (
        load('[upstreams.pypi]\nproxy = "none"\n[trust.public]\nroot = "bundled"\n', tmp_path=tmp_path).warnings == ()
    )


def test_check_names_the_roots_that_are_not_the_usual(tmp_path: Path) -> None:
    load(f'{ACME}[upstreams.pypi]\ntrust = ["acme"]\n', tmp_path=tmp_path)
    shown = CliRunner().invoke(config_group, ["check", "--config", str(tmp_path / "inbond.toml")])
    assert [line for line in shown.output.splitlines() if line.startswith("trust")] == [
        f"trust       acme: {tmp_path}/acme.json, for upstreams pypi"
    ]
    load('[trust.public]\nroot = "bundled"\n[upstreams.pypi]\nurl = "pypi"\n', tmp_path=tmp_path)
    shown = CliRunner().invoke(config_group, ["check", "--config", str(tmp_path / "inbond.toml")])
    assert "trust       public: bundled, for upstreams pypi" in shown.output
