"""The Prometheus rules: accepted by promtool, each alert tried with numbers, and about metrics that inbond has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.exposition import exported
from deploy.rule_cases import CASES, Case
from deploy.yaml_files import DEPLOY, anchors, document
from inbond.web.operations import CHECKS, Check
from sim.index import SimIndex
from stack import inbond
from tools import tool
from ways_in.programs import TOP, run, run_well

PLACE = DEPLOY / "prometheus"
RULES = ("inbond.rules.yml", "inbond.alerts.yml")
OPERATIONS = TOP / "docs" / "operations.md"


def rules(name: str) -> list[dict[str, Any]]:
    return [rule for group in document(PLACE / name)["groups"] for rule in group["rules"]]


def alert(name: str) -> dict[str, Any]:
    return next(rule for rule in rules("inbond.alerts.yml") if rule["alert"] == name)


def played(case: Case, expected: list[dict[str, Any]]) -> dict[str, Any]:
    series = [{"series": name, "values": values} for name, values in case.loud.items()]
    tested = {"eval_time": f"{case.at}m", "alertname": case.alert, "exp_alerts": expected}
    return {"interval": "1m", "name": case.alert, "input_series": series, "alert_rule_test": [tested]}


def expected(case: Case) -> dict[str, Any]:
    rule = alert(case.alert)
    labels = {"job": "inbond", "instance": "a:8642", **rule["labels"], **case.labels}
    annotations = {**rule["annotations"], "summary": case.says}
    return {"exp_labels": labels, "exp_annotations": annotations}


def test_promtool_accepts_the_files() -> None:
    run_well([tool("promtool"), "check", "rules", *(PLACE / name for name in RULES)], cwd=PLACE, env={})
    run_well([tool("promtool"), "check", "config", PLACE / "prometheus.yml"], cwd=PLACE, env={})


def test_each_alert_speaks_when_it_should_and_not_otherwise(tmp_path: Path) -> None:
    tests = []
    for case in CASES:
        tests.append(played(case, [expected(case)]))
        tests.append(played(replace(case, loud=case.quiet), []))
    told = play(tmp_path, tests)
    assert told == (0, told[1]), told[1]


def test_a_rule_that_says_something_else_would_be_found(tmp_path: Path) -> None:
    code, said = play(tmp_path, [played(CASES[0], [])])
    assert code != 0
    assert "InbondDown" in said


def play(place: Path, tests: list[dict[str, Any]]) -> tuple[int, str]:
    file = place / "tests.yml"
    file.write_text(json.dumps({"rule_files": [str(PLACE / name) for name in RULES], "tests": tests}))
    done = run([tool("promtool"), "test", "rules", file], cwd=place, env={})
    return done.returncode, done.stdout


def test_every_alert_is_played() -> None:
    assert sorted(case.alert for case in CASES) == sorted(rule["alert"] for rule in rules("inbond.alerts.yml"))


def test_every_alert_leads_to_what_is_to_be_done() -> None:
    known = anchors(OPERATIONS)
    for rule in rules("inbond.alerts.yml"):
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert (TOP / path) == OPERATIONS, rule["alert"]
        assert anchor in known, rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def expressions() -> Iterator[tuple[str, str]]:
    for name in RULES:
        for rule in rules(name):
            yield rule.get("alert") or rule["record"], rule["expr"]


@pytest.mark.parametrize("name", RULES)
async def test_rules_are_about_metrics_that_inbond_has(tmp_path: Path, name: str) -> None:
    known = await exported(tmp_path)
    recorded = {rule["record"] for rule in rules("inbond.rules.yml")}
    for rule in rules(name):
        for used in re.findall(r"\binbond[_:][a-z0-9_:]+", rule["expr"]):
            assert used in known | recorded, (rule.get("alert"), used)


def test_alerts_that_rules_name_are_told_somewhere() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (TOP / "src").rglob("*.py"))
    for alert_name, expression in expressions():
        for names in re.findall(r'alerts:new15m\{name=~?"([^"]+)"', expression):
            for one in names.split("|"):
                assert f'"{one}"' in sources, (alert_name, one)
        for kinds in re.findall(r'(?:occurrences|acts):new15m\{kind=~?"([^"]+)"', expression):
            for one in kinds.split("|"):
                assert f'"{one}"' in sources, (alert_name, one)


async def test_metrics_say_which_check_fails_as_readiness_does(tmp_path: Path) -> None:
    async def broken() -> Check:
        return Check(problem="it is broken")

    async def advised() -> Check:
        return Check(advice="look at this")

    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        checks = proxy.app[CHECKS]
        checks["one"], checks["two"] = broken, advised
        lines = (await proxy.get("/metrics"))[1].decode().splitlines()
        assert {'inbond_unready{check="one"} 1.0', 'inbond_advice{check="one"} 0.0'} <= set(lines)
        assert {'inbond_unready{check="two"} 0.0', 'inbond_advice{check="two"} 1.0'} <= set(lines)
        del checks["one"]
        checks["one"] = advised
        lines = (await proxy.get("/metrics"))[1].decode().splitlines()
        assert 'inbond_unready{check="one"} 0.0' in lines, "it holds again"
