"""What is in force: defaults, file, environment and flags, and what the rooms get of it."""

import re
import tomllib
from collections import ChainMap
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from inbond.cli.config import Config, load_config, load_written, policy_digest, preset_path, resolve_preset
from inbond.cli.config_model import RuleTable, Written, holds_tables, keys_of, kind_at
from inbond.cli.config_presets import PRESET_POLICIES
from inbond.cli.config_trust import ScopeSettings
from inbond.gateway.settings import IndexSettings
from inbond.model.errors import ConfigurationError
from inbond.model.names import ProjectName
from inbond.model.publisher import Forge, PublisherPattern
from inbond.model.verdict import Outcome
from inbond.policy.demands import PREDICATES, ReusableWorkflows, Runners
from inbond.policy.engine import NEVER_AUDITED, RULE_NAMES
from inbond.policy.settings import Action, Attestations, Listing, Presence, UnknownDate
from inbond.web.settings import ListenAddress
from inbond.webhooks.settings import new_secret

PREDICATE_TYPE = "https://docs.index.example/attestations/publish/v1"
SHIPPED = preset_path("inbond")


def load(
    toml: str | None = None,
    *,
    tmp_path: Path,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    file = None
    if toml is not None:
        file = tmp_path / "inbond.toml"
        file.write_text(toml, encoding="utf-8")
    return load_config(file=file, overrides=flags or {}, environ=environ or {})


def with_examples(text: str) -> str:
    """The file with its examples switched on: lines of "#" and a key, or a table, without a space between."""
    return re.sub(r"(?m)^#(?=\[|\w+ = )", "", text)


def test_without_anything_inbond_stands_on_loopback_in_front_of_pypi(tmp_path: Path) -> None:
    config = load(tmp_path=tmp_path)
    assert str(config.server.listen) == "127.0.0.1:8642"
    assert config.server.public_url is None
    assert config.indexes == (IndexSettings(name="root", policy="default", upstreams=("pypi",)),)
    (upstream,) = config.upstreams_at(PREDICATE_TYPE)
    assert (upstream.name, upstream.url, upstream.trust) == ("pypi", "https://index.example/simple/", ("public",))
    assert (upstream.fresh_for, upstream.max_stale) == (timedelta(minutes=10), timedelta(days=7))
    assert config.trust == (ScopeSettings(name="public", root="auto"),)
    policy = config.policies["default"]
    assert policy.listing is Listing.SETTLED
    assert policy.base.attestations is Attestations.IF_PRESENT
    assert policy.base.min_age == timedelta(hours=24)
    assert policy.base.unavailable == Action(outcome=Outcome.HOLD, age=timedelta(hours=1))
    assert policy.allow is None
    assert policy.support_url is None


def test_the_shipped_file_sets_nothing_but_the_defaults() -> None:
    written = load_written(file=SHIPPED, overrides={}, environ={}).written
    assert written == load_written(file=None, overrides={}, environ={}).written


def test_every_key_is_documented_in_the_shipped_file_and_every_documented_key_exists() -> None:
    documented = tomllib.loads(without_second_deny(with_examples(SHIPPED.read_text(encoding="utf-8"))))
    sections = {**documented, **{name: ChainMap(*documented[name].values()) for name in named_sections()}}
    for section, table in sections.items():
        path = (section, "x") if section in named_sections() else (section,)
        assert set(table) == keys_of(kind_at(path)), section
    (rule,) = documented["policies"]["default"]["rules"]
    assert set(rule) == set(RuleTable.model_fields)
    assert set(sections) == set(Written.model_fields)


def named_sections() -> set[str]:
    return {section for section in Written.model_fields if holds_tables(kind_at((section,)))}


def without_second_deny(text: str) -> str:
    return text.replace("deny = []\n", "", 1)


def test_the_examples_in_the_shipped_file_are_valid(tmp_path: Path) -> None:
    text = without_second_deny(with_examples(SHIPPED.read_text(encoding="utf-8")))
    config = load(text, tmp_path=tmp_path, environ={"WEBHOOK_SECRET": new_secret()})
    assert [webhook.name for webhook in config.webhooks] == ["acme"]
    policy = config.policies["default"]
    assert [str(entry.text) for entry in policy.deny] == ["evil-pkg", "left-pad<2", "typo-*"]
    assert policy.for_project(ProjectName("acme-x")).attestations is Attestations.REQUIRE
    assert policy.for_project(ProjectName("other")).attestations is Attestations.IF_PRESENT


def test_every_key_of_the_shipped_file_is_explained_above_it() -> None:
    lines = SHIPPED.read_text(encoding="utf-8").split("\n")
    in_rules = lines.index("#[[policies.default.rules]]")
    for number, line in enumerate(lines):
        if re.match(r"\w+ = ", line) and number < in_rules:
            assert lines[number - 1].startswith("# "), line


def test_every_rule_that_can_be_audited_is_named_in_the_shipped_file() -> None:
    text = re.sub(r"\n# ", " ", SHIPPED.read_text(encoding="utf-8"))
    found = re.search(r"stop nothing, by name: ([a-z_, ]+)\.", text)
    assert found is not None
    assert set(found[1].split(", ")) == RULE_NAMES - NEVER_AUDITED


@pytest.mark.parametrize("name", ["inbond", *sorted(PRESET_POLICIES)])
def test_presets_are_loadable_as_configurations(name: str) -> None:
    config = load_config(file=preset_path(name), overrides={}, environ={})
    assert config.indexes[0].policy == {"inbond": "default"}.get(name, name)


def test_the_preset_strict_denies_where_the_default_warns_or_holds(tmp_path: Path) -> None:
    base = load(tmp_path=tmp_path, flags={"policy": "strict"}).policies["strict"].base
    assert base.attestations is Attestations.REQUIRE
    assert {base.unsupported.outcome, base.unavailable.outcome} == {Outcome.DENY}
    assert base.unknown_date is UnknownDate.DENY
    assert {base.yanked, base.sdists} == {Presence.DENY}


@pytest.mark.parametrize(
    ("file", "environ", "flags", "expected"),
    [
        (None, {}, {}, "127.0.0.1:8642"),
        ("127.0.0.1:1", {}, {}, "127.0.0.1:1"),
        ("127.0.0.1:1", {"INBOND_SERVER__LISTEN": "127.0.0.1:2"}, {}, "127.0.0.1:2"),
        ("127.0.0.1:1", {"INBOND_LISTEN": "127.0.0.1:3"}, {}, "127.0.0.1:3"),
        (None, {"INBOND_SERVER__LISTEN": "127.0.0.1:2", "INBOND_LISTEN": "127.0.0.1:3"}, {}, "127.0.0.1:3"),
        ("127.0.0.1:1", {"INBOND_LISTEN": "127.0.0.1:3"}, {"listen": "127.0.0.1:4"}, "127.0.0.1:4"),
        ("127.0.0.1:1", {"INBOND_LISTEN": ""}, {}, "127.0.0.1:1"),
    ],
)
def test_flags_beat_the_environment_beats_the_file_beats_the_defaults(
    tmp_path: Path, file: str | None, environ: dict[str, str], flags: dict[str, str], expected: str
) -> None:
    toml = f'[server]\nlisten = "{file}"\n' if file else None
    assert str(load(toml, tmp_path=tmp_path, environ=environ, flags=flags).server.listen) == expected


def test_tables_are_joined_key_by_key_and_lists_replaced_whole(tmp_path: Path) -> None:
    config = load(
        '[policies.default]\nmin_age = "48h"\ndeny = ["a", "b"]\n',
        tmp_path=tmp_path,
        environ={"INBOND_POLICIES__DEFAULT__DENY": "c"},
    )
    policy = config.policies["default"]
    assert policy.base.min_age == timedelta(hours=48)
    assert [entry.text for entry in policy.deny] == ["c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acme,other.example", ["acme", "other.example"]),
        (" acme , ,", ["acme"]),
        ("", []),
        ('["acme", "other.example"]', ["acme", "other.example"]),
        ("['acme']", ["acme"]),
        ("[]", []),
    ],
)
def test_lists_in_the_environment_are_toml_or_json_or_separated_by_commas(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    assert load(tmp_path=tmp_path, environ={"INBOND_SERVER__HOSTS": text}).server.hosts == set(expected)


@pytest.mark.parametrize(
    "text",
    [
        '[{ projects = ["acme-*"], attestations = "require" }]',
        '[{"projects": ["acme-*"], "attestations": "require"}]',
    ],
)
def test_rules_can_stand_in_the_environment(tmp_path: Path, text: str) -> None:
    policy = load(tmp_path=tmp_path, environ={"INBOND_POLICIES__DEFAULT__RULES": text}).policies["default"]
    assert policy.for_project(ProjectName("acme-x")).attestations is Attestations.REQUIRE


def test_names_in_variables_have_dashes_for_underscores(tmp_path: Path) -> None:
    environ = {"INBOND_UPSTREAMS__ACME_INTERNAL__URL": "http://127.0.0.1:9/simple"}
    config = load(
        '[indexes.my-index]\nupstreams = ["acme-internal"]\n',
        tmp_path=tmp_path,
        environ=environ | {"INBOND_INDEXES__MY_INDEX__POLICY": "strict"},
    )
    assert config.indexes[1] == IndexSettings(name="my-index", policy="strict", upstreams=("acme-internal",))
    assert "strict" in config.policies


def test_a_number_in_the_environment_is_read_as_one(tmp_path: Path) -> None:
    assert load(tmp_path=tmp_path, environ={"INBOND_SERVER__WORKERS": "6"}).server.workers == 6


def test_variables_of_others_and_of_single_commands_are_left_alone(tmp_path: Path) -> None:
    environ = {"INBONDED": "x", "PATH": "/bin", "INBOND_LOG": "json", "inbond_x": "y"}
    assert load(tmp_path=tmp_path, environ=environ) == load(tmp_path=tmp_path)


def test_a_variable_may_name_the_file_and_the_flag_beats_it(tmp_path: Path) -> None:
    named, other = tmp_path / "named.toml", tmp_path / "other.toml"
    named.write_text("[server]\nlisten = '127.0.0.1:1'\n", encoding="utf-8")
    other.write_text("[server]\nlisten = '127.0.0.1:2'\n", encoding="utf-8")
    environ = {"INBOND_CONFIG": str(named)}
    assert load_config(file=None, overrides={}, environ=environ).server.listen.port == 1
    assert load_config(file=other, overrides={}, environ=environ).server.listen.port == 2


def test_a_policy_flag_names_a_policy_of_the_file_for_index_root(tmp_path: Path) -> None:
    toml = '[policies.lax]\nmin_age = "0"\n[indexes.other]\n'
    config = load(toml, tmp_path=tmp_path, flags={"policy": "lax"})
    assert {index.name: index.policy for index in config.indexes} == {"root": "lax", "other": "default"}


def test_a_policy_called_strict_starts_from_the_preset(tmp_path: Path) -> None:
    toml = '[policies.strict]\nmin_age = "1d"\n[indexes.root]\npolicy = "strict"\n'
    strict = load(toml, tmp_path=tmp_path).policies["strict"]
    assert strict.base.min_age == timedelta(days=1)
    assert strict.base.attestations is Attestations.REQUIRE


def test_a_preset_is_there_only_where_it_is_used(tmp_path: Path) -> None:
    assert set(load(tmp_path=tmp_path).policies) == {"default"}


def test_the_audit_flag_lets_every_policy_only_record(tmp_path: Path) -> None:
    toml = '[policies.other]\naudit = ["deny"]\n'
    for given in ({"flags": {"audit": True, "policy": "strict"}}, {"environ": {"INBOND_AUDIT": "1"}}):
        policies = load(toml, tmp_path=tmp_path, **given).policies
        assert all(policy.audits("attestations") for policy in policies.values())
    assert not load(toml, tmp_path=tmp_path, environ={"INBOND_AUDIT": "no"}).policies["other"].audits("attestations")


def test_an_upstream_flag_replaces_the_upstreams_of_index_root_alone(tmp_path: Path) -> None:
    toml = '[indexes.other]\nupstreams = ["pypi"]\n'
    config = load(toml, tmp_path=tmp_path, flags={"upstream": "http://user:secret@127.0.0.1:8080/root/simple"})
    root, other = sorted(config.indexes, key=lambda index: index.name, reverse=True)
    assert root.upstreams == ("127-0-0-1-8080-root-simple",)
    assert other.upstreams == ("pypi",)
    added = config.upstreams_at(PREDICATE_TYPE)[1]
    assert added.url == "http://127.0.0.1:8080/root/simple/"
    assert added.authorization is not None


def test_an_upstream_flag_may_name_an_upstream_of_the_file(tmp_path: Path) -> None:
    toml = '[upstreams.acme]\nurl = "http://127.0.0.1:9/simple/"\nprojects = ["acme-*"]\n'
    config = load(toml, tmp_path=tmp_path, flags={"upstream": "acme"})
    assert config.indexes[0].upstreams == ("acme",)
    assert {upstream.name: upstream.projects for upstream in config.upstreams_at(PREDICATE_TYPE)} == {
        "pypi": (),
        "acme": ("acme-*",),
    }


def test_rules_change_only_the_keys_that_they_name(tmp_path: Path) -> None:
    toml = """
        [policies.default]
        min_age = "48h"
        [[policies.default.rules]]
        projects = ["Acme_*"]
        publishers = ["github:acme/*@release.yml"]
        unavailable = "deny"
        [[policies.default.rules]]
        projects = ["acme-lib"]
        min_age = "0"
    """
    policy = load(toml, tmp_path=tmp_path).policies["default"]
    refined = policy.for_project(ProjectName("acme-lib"))
    assert refined.min_age == timedelta(0)
    assert refined.publishers == (
        PublisherPattern(forge=Forge.GITHUB, subject="acme/*", workflow="release.yml", environment=None),
    )
    assert refined.unavailable.outcome is Outcome.DENY
    assert refined.attestations is Attestations.IF_PRESENT
    assert policy.for_project(ProjectName("acme-x")).min_age == timedelta(hours=48)


def test_demands_on_signers_are_parsed_and_lifted_again_by_a_rule(tmp_path: Path) -> None:
    toml = """
        [policies.default]
        predicates = ["slsa"]
        refs = ["refs/tags/*"]
        runners = "hosted"
        environments = ["pypi", "release-*"]
        deny_triggers = ["workflow_run"]
        reusable_workflows = "same-owner"
        pull_requests = "hold 7d"
        [[policies.default.rules]]
        projects = ["free"]
        predicates = []
        refs = []
        runners = "any"
        environments = []
        deny_triggers = []
        reusable_workflows = "any"
        pull_requests = "off"
    """
    policy = load(toml, tmp_path=tmp_path).policies["default"]
    assert policy.base.predicates == (PREDICATES["slsa"],)
    assert (policy.base.refs, policy.base.environments) == (("refs/tags/*",), ("pypi", "release-*"))
    assert policy.base.runners is Runners.HOSTED
    assert policy.base.deny_triggers == ("workflow_run",)
    assert policy.base.reusable_workflows is ReusableWorkflows.SAME_OWNER
    assert policy.base.pull_requests == Action.parse("hold 7d")
    free = policy.for_project(ProjectName("free"))
    assert (free.demands, free.pull_requests) == ((), Action.parse("off"))


def test_the_server_gets_its_names_and_networks_parsed(tmp_path: Path) -> None:
    toml = """
        [server]
        listen = "[::1]:0"
        public_url = "https://packages.acme.example/py/"
        hosts = ["Packages", "[FE80::1]"]
        trusted_proxies = ["10.0.0.0/8", "::1"]
    """
    server = load(toml, tmp_path=tmp_path).server
    assert server.listen == ListenAddress(host="::1", port=0)
    assert server.public_url == "https://packages.acme.example/py"
    assert server.hosts == {"packages", "fe80::1"}
    assert server.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))


def test_one_data_directory_holds_cache_and_ledger(tmp_path: Path) -> None:
    storage = load(tmp_path=tmp_path, flags={"data": tmp_path / "data"}).storage
    assert storage.cache_dir == tmp_path / "data" / "cache"
    assert storage.ledger_dir == tmp_path / "data" / "ledger"


def test_without_a_data_directory_the_users_own_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "d"))
    storage = load(tmp_path=tmp_path).storage
    assert (storage.cache_dir, storage.ledger_dir) == (tmp_path / "c" / "inbond", tmp_path / "d" / "inbond")


def test_the_cache_takes_what_is_configured_or_a_tenth_of_the_free_disk(tmp_path: Path) -> None:
    small = load('[storage]\nmax_size = "1MiB"\n', tmp_path=tmp_path, flags={"data": tmp_path / "not" / "yet"}).storage
    assert small.limit() == 1024 * 1024
    large = load('[storage]\nmax_size = "999999TB"\n', tmp_path=tmp_path, flags={"data": tmp_path}).storage
    assert 0 < large.limit() < large.max_size // 1000


def test_of_the_disk_a_gigabyte_stays_free_or_what_is_configured(tmp_path: Path) -> None:
    assert load(tmp_path=tmp_path).storage.reserve == 2**30
    assert load('[storage]\nreserve = "0"\n', tmp_path=tmp_path).storage.reserve == 0


def test_passwords_in_urls_are_in_no_representation_of_the_configuration(tmp_path: Path) -> None:
    config = load('[upstreams.acme]\nurl = "http://u:secret@127.0.0.1/simple/"\n', tmp_path=tmp_path)
    assert "secret" not in repr(config) + repr(config.upstreams_at(PREDICATE_TYPE))


def test_a_loaded_configuration_cannot_be_changed(tmp_path: Path) -> None:
    config = load(tmp_path=tmp_path)
    with pytest.raises(AttributeError):
        config.trust = ()  # type: ignore[misc]
    with pytest.raises(TypeError):
        config.policies["x"] = config.policies["default"]  # type: ignore[index]


def test_the_preset_is_the_parent_domain_of_the_predicate_types_host() -> None:
    assert resolve_preset("pypi", PREDICATE_TYPE) == "https://index.example/simple/"
    assert resolve_preset("http://127.0.0.1/simple/", PREDICATE_TYPE) == "http://127.0.0.1/simple/"


@pytest.mark.parametrize("predicate_type", ["", "index", "https://example/publish/v1", "https://docs.example/v1"])
def test_a_predicate_type_without_a_parent_domain_is_no_preset(predicate_type: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        resolve_preset("pypi", predicate_type)
    assert raised.value.message == f"the preset 'pypi' cannot be derived from {predicate_type!r}"
    assert raised.value.remedy == "write the index URL into upstreams.pypi.url"


def test_a_file_that_should_have_come_with_inbond_is_missed() -> None:
    with pytest.raises(ConfigurationError) as raised:
        preset_path("no-such-preset")
    assert raised.value.message == "the file no-such-preset.toml, which comes with inbond, is missing"


@pytest.mark.parametrize(
    "change",
    [
        'audit = ["deny"]',
        'deny_as = "hide"',
        'listing = "lazy"',
        'attestations = "off"',
        'min_age = "25h"',
        'unknown_date = "deny"',
        'unsupported = "deny"',
        'unavailable = "hold 2h"',
        'yanked = "deny"',
        'sdists = "deny"',
        'deny = ["x"]',
        'allow = ["x"]',
        'predicates = ["slsa"]',
        'refs = ["refs/tags/*"]',
        'runners = "hosted"',
        'environments = ["pypi"]',
        'deny_triggers = ["workflow_run"]',
        'reusable_workflows = "none"',
        'pull_requests = "off"',
        'support_url = "https://acme.example"',
        'rules = [{ projects = ["x"], publishers = ["github:a/b"] }]',
        'rules = [{ projects = ["x"], unavailable = "hold 2h" }]',
    ],
)
def test_the_digest_of_a_policy_changes_with_each_of_its_keys(tmp_path: Path, change: str) -> None:
    changed = load(f"[policies.default]\n{change}\n", tmp_path=tmp_path).policies["default"]
    assert policy_digest(changed) != policy_digest(load(tmp_path=tmp_path).policies["default"])


def test_the_digest_of_a_policy_does_not_depend_on_how_it_was_written(tmp_path: Path) -> None:
    audits = [f"[policies.default]\nmin_age = {age}\naudit = {audit}\n" for age, audit in [
        ('"24h"', '["deny", "allow", "release"]'), ('"1d"', '["release", "allow", "deny"]'),
    ]]  # fmt: skip
    first, second = (policy_digest(load(toml, tmp_path=tmp_path).policies["default"]) for toml in audits)
    assert first == second
    assert re.fullmatch("[0-9a-f]{64}", first)
