"""The dashboard: whole, about one data source that can be chosen, and about metrics that inbond has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from deploy.exposition import exported
from deploy.yaml_files import DEPLOY
from tools import tool
from ways_in.programs import run_well

FILE = DEPLOY / "grafana" / "inbond.json"
RULES = DEPLOY / "prometheus" / "inbond.rules.yml"
COLUMNS = 24  # of Grafana's grid
VARIABLES = {"$__rate_interval": "5m", "$instance": ".*"}


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return read


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dashboard()["panels"]
    return found


def queries() -> list[str]:
    board = dashboard()
    asked = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    return [*asked, *(one["expr"] for one in board["annotations"]["list"])]


def test_panels_are_distinct_and_explained() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    for panel in panels():
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["description"].endswith("."), panel["title"]
            assert panel["targets"], panel["title"]
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_panels_do_not_lie_on_each_other() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels():
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= COLUMNS, panel["title"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, (panel["title"], taken[x, y])
                taken[x, y] = panel["title"]


def test_everything_is_asked_of_the_data_source_that_was_chosen() -> None:
    board = dashboard()
    variables = {one["name"]: one["type"] for one in board["templating"]["list"]}
    assert variables == {"datasource": "datasource", "instance": "query"}
    for panel in panels():
        for asking in (panel, *panel.get("targets", ())):
            if panel["type"] != "row":
                assert asking["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for used in re.findall(r"\$\{?(\w+)", FILE.read_text(encoding="utf-8")):
        assert used in variables or used.startswith("__"), used


def test_promtool_understands_the_queries(tmp_path: Path) -> None:
    rules = []
    for number, query in enumerate(queries()):
        asked = re.sub(r"\$\w+", lambda variable: VARIABLES[variable[0]], query)
        rules.append({"record": f"panel:{number}", "expr": asked})
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    run_well([tool("promtool"), "check", "rules", file], cwd=tmp_path, env={})


async def test_queries_are_about_metrics_that_inbond_has(tmp_path: Path) -> None:
    known = await exported(tmp_path)
    known |= set(re.findall(r"record: (\S+)", RULES.read_text(encoding="utf-8")))
    for query in queries():
        for used in re.findall(r"\binbond[_:][a-z0-9_:]+", query):
            assert used in known, (query, used)
