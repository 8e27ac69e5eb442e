"""The pages for people: what they say, and that they say it alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from selectolax.lexbor import LexborHTMLParser, LexborNode

from inbond.gateway.why import Subject
from inbond.web import views
from sim.attested import attested_files
from sim.index import SimFile, SimIndex, Status
from sim.sigstore import GitHub
from stack import ONE_INDEX, Inbond, inbond, sigstore

Provenance = Callable[[str, str], bytes]
PUBLISHER = GitHub(owner="acme", repo="widgets", workflow="release.yml")


def signed(filename: str, sha256: str) -> bytes:
    return sigstore().provenance_for(filename, sha256, PUBLISHER)


def for_other_bytes(filename: str, _sha256: str) -> bytes:
    return sigstore().provenance_for(filename, "0" * 64, PUBLISHER)


def under_an_unknown_kind(filename: str, sha256: str) -> bytes:
    attestation = sigstore().attest(filename, sha256, PUBLISHER)
    return sigstore().provenance([({"kind": "Forgejo", "repository": "acme/widgets"}, [attestation])])


async def page(proxy: Inbond, path: str, *, status: int = 200) -> LexborHTMLParser:
    answered, body, _ = await proxy.get(path)
    assert answered == status, body
    return LexborHTMLParser(body)


async def story(proxy: Inbond, wheel: SimFile) -> LexborHTMLParser:
    """The page that explains a file, once it has been judged."""
    await proxy.verdict(wheel.project, wheel.filename)
    return await page(proxy, f"/why/{wheel.sha256[:12]}")


def facts(parsed: LexborHTMLParser | LexborNode) -> dict[str, str]:
    """The rows of lists of facts; the first of each name."""
    rows = [(inside(row, "dt"), inside(row, "dd")) for row in parsed.css("dl > div")]
    return dict(reversed(rows))


def inside(parsed: LexborNode, selector: str) -> str:
    found = parsed.css_first(selector)
    assert found is not None, selector
    return found.text(separator=" ", strip=True)


def text_of(parsed: LexborHTMLParser) -> str:
    assert parsed.body is not None
    return " ".join(parsed.body.text().split())


async def test_a_denial_is_told_in_whole_sentences(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        wheel = index.add_wheel("demo", "2.0")
        async with inbond(tmp_path, index, more='[policies.default]\ndeny = ["demo==2.0"]\n') as proxy:
            text = text_of(await story(proxy, wheel))
            assert f"{wheel.filename} is denied by rule deny: the deny list names demo==2.0." in text
            assert "What would lift it: use a version that the list does not name, or have the entry removed." in text
            assert "What can be had now: demo==1.0" in text


@pytest.mark.parametrize(
    ("provenance", "status", "words"),
    [
        (None, None, "none (absent)"),
        (signed, None, "there, and genuine (verified)"),
        (for_other_bytes, None, "there, but wrong (rejected): "),
        (under_an_unknown_kind, None, "there, but cannot be judged (unsupported): "),
        (signed, 500, "could not be had (unavailable): "),
    ],
)
async def test_each_state_of_the_evidence_has_words_of_its_own(
    tmp_path: Path, provenance: Provenance | None, status: int | None, words: str
) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=provenance)
        if status is not None:
            index.fault(wheel.provenance_path, Status(status))
        async with inbond(tmp_path, index) as proxy:
            said = facts(await story(proxy, wheel))["Attestations"]
            assert said.startswith(words) if words.endswith(" ") else said == words


async def test_every_time_is_written_alike(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed)
        async with inbond(tmp_path, index) as proxy:
            parsed = await story(proxy, wheel)
            found = facts(parsed)
            for name in ("Uploaded", "First seen here", "Checked", "Signed"):
                assert re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC\b", found[name]), name
            assert not re.search(r"\d\dT\d\d:", text_of(parsed))


async def test_the_end_of_a_hold_is_shown_as_its_denial_says_it(tmp_path: Path) -> None:
    uploaded = datetime.now(UTC).replace(second=20, microsecond=0) - timedelta(hours=2)
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=uploaded)
        async with inbond(tmp_path, index) as proxy:
            text = text_of(await story(proxy, wheel))
            end = (uploaded + timedelta(hours=24, seconds=40)).strftime("%Y-%m-%d %H:%M UTC")
            assert f"is held by rule cooldown: published {uploaded:%Y-%m-%d %H:%M} UTC, younger than 1d." in text
            assert f"The hold ends by itself on {end}." in text
            assert f"held until {end}" in (await proxy.listed("demo", wheel.filename))["yanked"]


async def test_a_file_of_several_indexes_begins_with_where_it_is_stopped(tmp_path: Path) -> None:
    more = '[policies.none]\nmin_age = "0"\n[policies.listed]\ndeny = ["demo"]\n' + "".join(
        f'[indexes.{name}]\npolicy = "{name}"\nupstreams = ["pypi"]\n' for name in ("none", "listed")
    )
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=datetime.now(UTC) - timedelta(hours=2))
        async with inbond(tmp_path, index, more=more) as proxy:
            one = await story(proxy, wheel)
            for name in ("none", "listed"):
                await proxy.get(f"/-/verdict/{name}/demo/{wheel.filename}")
            parsed = await page(proxy, f"/why/{wheel.sha256[:12]}")
    assert not one.css("ul.indexes")
    said = [" ".join(item.text().split()) for item in parsed.css("ul.indexes li")]
    assert said == [
        f"{how} on index {name}: {wheel.filename}"
        for how, name in (("deny", "listed"), ("hold", "root"), ("allow", "none"))
    ]
    assert [inside(article, ".badge") for article in parsed.css("article")] == ["deny", "hold", "allow"]
    assert [link.attributes["href"] for link in parsed.css("ul.indexes a")] == [
        f"#{article.attributes['id']}" for article in parsed.css("article")
    ]


async def test_a_command_that_a_remedy_ends_with_has_no_full_stop_behind_it(tmp_path: Path) -> None:
    async with SimIndex() as index:
        past = [datetime.now(UTC) - timedelta(days=days) for days in (300, 200, 100)]
        for version, at in zip(("1.0", "1.1", "1.2"), past, strict=True):
            attested_files(index, sigstore(), "demo", [version], PUBLISHER, uploaded=at, signed=at)
        other = GitHub(owner="evil", repo="widgets", workflow="release.yml")
        now = datetime.now(UTC)
        (strange,) = attested_files(index, sigstore(), "demo", ["1.3"], other, uploaded=now, signed=now)
        async with inbond(tmp_path, index, more='[policies.default]\nmin_age = "0"\n') as proxy:
            text = text_of(await story(proxy, strange))
            status, body, reason = await proxy.get(strange.path)
    command = "inbond pins accept demo github:evil/widgets@release.yml"
    assert command in text
    assert f"{command}." not in text
    assert status == 403
    assert f"{command}." not in body.decode()
    assert command not in str(reason)


async def test_a_pin_without_a_reason_ends_with_its_publisher(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        more = DECIDED.replace('reason = "as its documentation says"\n', "")
        async with inbond(tmp_path, index, more=more) as proxy:
            listed = [" ".join(item.text().split()) for item in (await story(proxy, wheel)).css("ul.plain li")]
    assert listed[-1].endswith("accepts github:acme/widgets with repository id 1001")


async def test_each_cell_of_a_table_names_its_column(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, more='[policies.default]\ndeny = ["demo"]\n') as proxy:
            findings, releases = (await story(proxy, wheel)).css("table.stacks")
    for table, last, number in ((findings, "What would lift it", 2), (releases, "Now", 1)):
        columns = [cell.text() for cell in table.css("th")]
        rows = table.css("tbody tr")
        assert columns[-1] == last
        assert len(rows) == number
        for row in rows:
            assert [cell.attributes["data-label"] for cell in row.css("td")] == columns


async def test_what_cannot_be_told_is_said_to_be_so(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        index.fault("/simple/demo/", Status(403))
        async with inbond(tmp_path, index) as proxy:
            proxy.up.gateway.why.note(wheel.sha256, Subject("root", "demo", wheel.filename))
            text = text_of(await page(proxy, f"/why/{wheel.sha256[:12]}"))
            assert "could not tell" in text
            assert re.search(r"403\b.*\.", text)


async def test_a_link_that_leads_nowhere_says_which_do(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        text = text_of(await page(proxy, "/why/0123456789ab", status=404))
        assert "0123456789ab" in text
        assert "lead to files that were judged here, and outlive a restart for those that were refused" in text


SEVERAL = """
[upstreams.acme]
url = "http://user:secret@packages.acme.example/simple/"
[policies.default]
audit = ["deny", "cooldown"]
[policies.lax]
attestations = "off"
min_age = "0"
audit = ["*"]
[policies.tight]
attestations = "require"
min_age = "36h"
[[policies.tight.rules]]
projects = ["acme-*"]
min_age = "0"
[indexes.lax]
policy = "lax"
[indexes.tight]
policy = "tight"
upstreams = ["acme", "pypi"]
"""


async def test_the_page_of_use_says_what_stands_behind_each_index_and_what_its_policy_means(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, config=ONE_INDEX + SEVERAL) as proxy:
        parsed = await page(proxy, "/-/use")
        told = {inside(card, "h3"): facts(card) for card in parsed.css("section.card")}
    assert told == {
        "root": {
            "Address": f"{proxy.origin}/simple/",
            "In front of": index.url,
            "Policy": "default",
            "Attestations": "genuine where there are any; forged ones are refused, files without any pass",
            "Cooldown": "files younger than 1d wait",
            "Enforcement": "these rules only record what they find: cooldown, deny; the others refuse",
        },
        "lax": {
            "Address": f"{proxy.origin}/lax/simple/",
            "In front of": index.url,
            "Policy": "lax",
            "Attestations": "not looked at",
            "Cooldown": "none",
            "Enforcement": "nothing is refused: all rules only record what they find",
        },
        "tight": {
            "Address": f"{proxy.origin}/tight/simple/",
            "In front of": f"http://packages.acme.example/simple/ {index.url}",
            "Policy": "tight, with other rules for some projects",
            "Attestations": "required; files without genuine ones are refused",
            "Cooldown": "files younger than 1d12h wait",
            "Enforcement": "what the policy does not let through is refused",
        },
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [("http://user:secret@packages.acme.example/simple/", "http://packages.acme.example/simple/"), ("pypi", "pypi")],
)
def test_no_credentials_are_shown(url: str, shown: str) -> None:
    assert views.without_credentials(url) == shown


async def test_pages_load_nothing_but_the_style_and_the_icon_from_here(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        parsed = await page(proxy, "/")
        assert [link.attributes["href"] for link in parsed.css("link")] == [
            "/-/static/favicon.svg", "/-/static/inbond.css",
        ]  # fmt: skip
        assert not parsed.css("script, style, img, [style]")


async def test_the_icon_is_an_image_without_script(tmp_path: Path) -> None:
    app = web.Application()
    app.router.add_get("/icon", views.favicon)
    async with TestServer(app) as server, aiohttp.request("GET", server.make_url("/icon")) as response:
        assert response.content_type == "image/svg+xml"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        icon = ET.fromstring(await response.text())  # noqa: S314 (a file of our own)
    assert icon.tag == "{http://www.w3.org/2000/svg}svg"
    assert not [element for element in icon.iter() if element.tag.endswith(("script", "style", "image"))]


NOTHING = "\u2013"
DECIDED = """
[[decisions.waivers]]
target = "demo==2.0"
rule = "cooldown"
until = "2999-01-01"
reason = "mends an <b>outage</b>"
by = "ada@acme.example"
[[decisions.rejections]]
target = "demo==0.1"
index = ""
reason = "rewritten by strangers"
by = "ada@acme.example"
[[decisions.pins]]
project = "demo"
publisher = "github:acme/widgets"
repository_id = "1001"
reason = "as its documentation says"
by = "ada@acme.example"
"""


async def test_a_held_file_comes_with_the_command_that_lifts_it(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        wheel = index.add_wheel("demo", "2.0", upload_time=datetime.now(UTC) - timedelta(hours=2))
        async with inbond(tmp_path, index) as proxy:
            parsed = await story(proxy, wheel)
            verdict = await proxy.verdict("demo", wheel.filename)
    assert inside(parsed.css("main")[0], "pre.commands") == verdict["commands"][0]
    assert verdict["commands"] == ["inbond waive add demo==2.0 --rule cooldown --until 1d --index root --reason '...'"]
    (finding, *_) = verdict["findings"]
    assert (finding["id"], finding["code"], finding["waiver"]) == ("cooldown/young", "young", None)
    assert "Most malicious releases are found and removed within a day" in text_of(parsed)


async def test_decisions_are_shown_where_they_count(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "2.0", upload_time=datetime.now(UTC) - timedelta(hours=2))
        async with inbond(tmp_path, index, more=DECIDED) as proxy:
            parsed = await story(proxy, wheel)
            verdict = await proxy.verdict("demo", wheel.filename)
    text = text_of(parsed)
    assert f"{wheel.filename} is allowed: a waiver lifts cooldown." in text
    assert "hold (waived)" in text
    assert "cooldown is waived by ada@acme.example until 2999-01-01 00:00 UTC: mends an <b>outage</b>." in text
    listed = [" ".join(item.text().split()) for item in parsed.css("ul.plain li")]
    assert [line.partition(" ")[2].partition(":")[0] for line in listed] == [
        "ada@acme.example waives cooldown for demo==2.0 until 2999-01-01 00",
        "ada@acme.example rejects demo==0.1",
        "ada@acme.example accepts github",
    ]
    assert not parsed.css("main b")
    assert verdict["decision"] == "allow"
    assert verdict["findings"][0]["waiver"]["by"] == "ada@acme.example"


async def test_the_releases_are_told_with_who_published_them(tmp_path: Path) -> None:
    async with SimIndex() as index:
        old = index.add_wheel("demo", "1.0", provenance=signed)
        wheel = index.add_wheel("demo", "2.0", upload_time=datetime(2025, 7, 1, tzinfo=UTC))
        async with inbond(tmp_path, index) as proxy:
            await proxy.verdict("demo", old.filename)
            rows = (await story(proxy, wheel)).css("table.timeline tbody tr")
    told = [[" ".join(cell.text().split()) for cell in row.css("td")] for row in rows]
    assert [[row[0], *row[2:]] for row in told] == [
        ["2.0 (this one)", "no", NOTHING, NOTHING, "allowed"],
        ["1.0", "full", "github:acme/widgets@release.yml", "first attested release", "allowed"],
    ]
    assert rows[0].attributes["aria-current"] == "true"
