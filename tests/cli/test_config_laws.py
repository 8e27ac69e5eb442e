"""Laws of the configuration, over generated ones."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from inbond.cli.config import Loaded, load_written
from inbond.cli.config_environ import path_of, variable_of
from inbond.cli.config_layers import Layer, merged, place_of
from inbond.cli.config_short import name_for
from inbond.cli.config_show import as_toml, literal

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
hosts = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?(\.test|\.example)", fullmatch=True)
ages = st.builds("{}{}".format, st.integers(1, 99), st.sampled_from("smhdw"))
actions = st.one_of(st.sampled_from(["off", "warn", "deny"]), ages.map("hold {}".format))
keys = st.fixed_dictionaries(
    {},
    optional={
        "min_age": ages,
        "unsupported": actions,
        "unavailable": actions,
        "attestations": st.sampled_from(["off", "if-present", "require"]),
        "yanked": st.sampled_from(["allow", "deny"]),
        "refs": st.lists(st.sampled_from(["refs/tags/*", "**"]), max_size=2),
        "runners": st.sampled_from(["any", "hosted"]),
        "deny_triggers": st.lists(st.sampled_from(["push", "workflow_run"]), max_size=2),
        "pull_requests": actions,
    },
)
rules = st.lists(
    st.builds(
        lambda projects, changed: {"projects": projects, "sdists": "deny", **changed},
        st.lists(names, min_size=1, max_size=3),
        keys,
    ),
    max_size=3,
)
policies = st.builds(
    lambda base, refined, denied, allowed: {
        **base, "rules": refined, "deny": denied, **({"allow": allowed} if allowed else {})
    },
    keys, rules, st.lists(names, max_size=3), st.lists(names, max_size=2),
)  # fmt: skip
decisions = st.fixed_dictionaries(
    {},
    optional={
        "waivers": st.lists(
            st.builds(
                lambda project, reason: {
                    "target": f"{project}==1.0", "rule": "cooldown", "until": "2026-12-01", "reason": f"{reason}.",
                    "by": "ada",
                },
                names, names,
            ),
            max_size=2,
        ),
        "pins": st.lists(
            names.map(lambda name: {"project": name, "publisher": f"github:acme/{name}", "by": "ada"}), max_size=2
        ),
    },
)  # fmt: skip
configurations = st.fixed_dictionaries(
    {},
    optional={
        "decisions": decisions,
        "server": st.fixed_dictionaries({"hosts": st.lists(hosts, max_size=3)}),
        "policies": st.dictionaries(names, policies, max_size=3),
        "imports": st.fixed_dictionaries({"max_age": ages}),
        "mirrors": st.dictionaries(
            names,
            st.fixed_dictionaries({}, optional={"projects": st.lists(names), "newest": st.integers(1, 9)}),
            max_size=2,
        ),
        "upstreams": st.dictionaries(names, st.fixed_dictionaries({"url": hosts.map("http://{}/simple/".format)})),
    },
)
trees = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2),
    lambda below: st.dictionaries(st.sampled_from("abc"), below, max_size=3),
    max_leaves=8,
).filter(lambda tree: isinstance(tree, dict))


def read(toml: str) -> Loaded:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "inbond.toml"
        file.write_text(toml, encoding="utf-8")
        return load_written(file=file, overrides={}, environ={})


def as_text(values: dict[str, Any]) -> str:
    return "".join(f"{section} = {literal(table)}\n" for section, table in values.items())


@given(configurations)
def test_what_is_shown_reads_back_to_the_same(values: dict[str, Any]) -> None:
    loaded = read(as_text(values))
    assert read(as_toml(loaded)).written == loaded.written


@given(configurations)
def test_every_value_that_was_written_is_in_force_and_traced_to_its_file(values: dict[str, Any]) -> None:
    loaded = read(as_text(values))
    for name, policy in values.get("policies", {}).items():
        shown = loaded.written.policies[name].model_dump(mode="json", exclude_unset=True)
        assert {key: shown[key] for key in policy} == policy
        for key in policy:
            assert "inbond.toml:" in loaded.source(("policies", name, key))


@given(st.text())
def test_any_text_survives_as_a_literal(text: str) -> None:
    import tomllib  # noqa: PLC0415 (the one place that reads TOML directly)

    encodable = text.encode("utf-8", "ignore").decode("utf-8")
    assert tomllib.loads(f"x = {literal(encodable)}") == {"x": encodable}


# Two dashes in a row would look like the mark between two parts.
@given(names.filter(lambda name: "--" not in name))
def test_a_variables_name_leads_back_to_its_key(name: str) -> None:
    path = ("policies", name, "min_age")
    assert path_of(variable_of(path)) == path


@given(hosts, hosts)
def test_upstreams_given_by_url_are_kept_apart_by_host(one: str, other: str) -> None:
    same = name_for(f"http://{one}/simple/") == name_for(f"http://user:secret@{other}/simple/")
    assert same == (one.replace(".", "-") == other.replace(".", "-"))


@given(st.lists(trees, max_size=3))
def test_the_topmost_layer_that_holds_a_key_is_its_source(values: list[dict[str, Any]]) -> None:
    layers = [Layer(values=tree, places={(): str(number)}) for number, tree in enumerate(values)]
    result = merged(layers)
    for key, value in result.items():
        if not isinstance(value, dict):
            assert values[int(place_of((key,), layers))][key] == value


@given(trees)
def test_a_layer_on_itself_changes_nothing(tree: dict[str, Any]) -> None:
    layer = Layer(values=tree, places={(): "x"})
    assert merged([layer, layer]) == merged([layer]) == tree
