"""What one team decides, uses and meets: on no page that another team may read, nor in what that page is as JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from inbond.access.roles import Role
from inbond.model.names import ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.web.overview import MAX_READ
from sim.index import SimIndex
from stack import JSON, Inbond, inbond
from web.members import LONG_AGO, WHEEL, basic, token

# All that is the other team's has this in it.
MARK: Final = "zebra"
CONFIG: Final = """
[server]
listen = "127.0.0.1:0"
[storage]
path = "{data}"
[access]
readers = "granted"
[upstreams.pypi]
url = "{upstream}"
[upstreams.zebra-upstream]
url = "{upstream1}"
projects = ["zebra-own"]
[policies.off]
attestations = "off"
[policies.zebra-policy]
attestations = "require"
[indexes.a]
policy = "off"
upstreams = ["pypi"]
[indexes.zebra]
policy = "zebra-policy"
upstreams = ["zebra-upstream", "pypi"]
"""
# Every page on which something of several indexes, or of one project on all of them, comes together.
PAGES: Final = (
    "/",
    "/-/use",
    "/-/search?q=",
    "/-/trust",
    "/-/upstreams",
    "/-/denials",
    "/-/projects/{index}/demo",
    "/-/files/{index}/demo/{wheel}",
    "/-/verdict/{index}/demo/{wheel}",
    "/why/{digits}",
)


class Teams:
    """An inbond that both teams have used. Each answers with the status and the text of what came back."""

    def __init__(self, proxy: Inbond, secrets: Mapping[str, str], digits: str) -> None:
        self.proxy = proxy
        self.secrets = secrets
        self.digits = digits

    async def get(self, who: str, path: str, accept: str) -> tuple[int, str]:
        path = path.format(index=who, wheel=WHEEL, digits=self.digits)
        status, body, _ = await self.proxy.get(path, Authorization=basic(self.secrets[who]), Accept=accept)
        return status, body.decode()

    async def post(self, who: str, path: str, fields: Mapping[str, str]) -> int:
        headers = {"Authorization": basic(self.secrets[who])}
        async with self.proxy.session.post(self.proxy.url(path), json=fields, headers=headers) as response:
            return response.status


@asynccontextmanager
async def teams(tmp_path: Path) -> AsyncIterator[Teams]:
    async with SimIndex() as index, SimIndex() as own:
        wheel = index.add_wheel("demo", "1.0", upload_time=LONG_AGO)
        for project in ("zebra-own", "zebra-public"):
            (own if project == "zebra-own" else index).add_wheel(project, "1.0", upload_time=LONG_AGO)
        async with inbond(tmp_path, index, own, config=CONFIG) as proxy:
            made = {name: await token(proxy, Role.OPERATOR, name) for name in ("zebra", "a")}
            found = Teams(proxy, {name: one.secret for name, one in made.items()}, wheel.sha256[:12])
            for who in ("a", "zebra"):
                for project in ("demo", "zebra-own", "zebra-public") if who == "zebra" else ("demo",):
                    assert (await found.get(who, f"/{who}/simple/{project}/", JSON))[0] == 200
            assert (await found.get("zebra", f"/zebra{wheel.path}", "*/*"))[0] == 403
            await _decided(found)
            await proxy.up.parts.base.ledger.happened([_happened("zebra", 0, datetime.now(UTC))])
            await proxy.up.parts.base.book.write()
            yield found


async def _decided(found: Teams) -> None:
    waiver = {"target": "demo==2.0", "rule": "attestations", "until": "7d", "index": "zebra"}
    assert await found.post("zebra", "/-/waivers", {**waiver, "reason": "zebra: we need it"}) == 201
    rejection = {"target": "demo==3.0", "reason": "zebra: we looked into it", "index": "zebra"}
    assert await found.post("zebra", "/-/rejections", rejection) == 201


def _happened(index: str, number: int, at: datetime) -> Occurrence:
    return Occurrence(
        key=f"{index}/{number}",
        kind=OccurrenceKind.SERVED_TURNED_BAD,
        at=at,
        message=f"{index}: something bad",
        index=index,
        upstream="pypi",
        project=ProjectName("demo"),
    )


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Teams]:
    async with teams(tmp_path) as found:
        yield found


async def test_nothing_of_another_team_is_on_any_page_or_in_its_twin(both: Teams) -> None:
    for path in PAGES:
        for accept in ("text/html", "application/json"):
            status, text = await both.get("a", path, accept)
            assert (status, [line for line in text.splitlines() if MARK in line]) == (200, []), (path, accept)


async def test_and_the_team_itself_has_it_there(both: Teams) -> None:
    for path in PAGES:
        for accept in ("text/html", "application/json"):
            status, text = await both.get("zebra", path, accept)
            assert status == 200
            if path != "/-/trust":  # nothing is verified here
                assert MARK in text, (path, accept)
    _, text = await both.get("zebra", "/-/projects/{index}/demo", "application/json")
    standing = json.loads(text)["standing"]
    assert (len(standing["waivers"]), len(standing["rejections"])) == (1, 1)


async def test_what_happened_elsewhere_pushes_out_nothing_of_ones_own(both: Teams) -> None:
    now = datetime.now(UTC)
    own = _happened("a", 0, now - timedelta(hours=1))
    await both.proxy.up.parts.base.ledger.happened(
        [own, *(_happened("zebra", number, now) for number in range(1, MAX_READ + 2))]
    )
    _, overview = await both.get("a", "/", "application/json")
    _, project = await both.get("a", "/-/projects/{index}/demo", "application/json")
    assert [one["message"] for one in json.loads(overview)["happened"]] == ["a: something bad"]
    assert [one["message"] for one in json.loads(project)["events"]] == ["a: something bad"]
