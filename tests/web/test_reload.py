"""Another configuration under requests: whole, at once, for what was answered before too; and refused whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.reloads import Reloads
from inbond.model.acts import Act, ActKind, ActsWanted
from inbond.web.judged_under import MAX_TIMES
from raw_client import raw
from sim.index import SimIndex
from stack import Inbond, inbond

OLD = """
[server]
listen = "127.0.0.1:0"
[storage]
path = "{data}"
[upstreams.pypi]
url = "{upstream}"
[policies.default]
min_age = "0"
listing = "lazy"
"""
DENYING = 'listing = "lazy"\ndeny = ["demo"]'


async def raw_exchange(port: int, lines: list[bytes]) -> bytes:
    """What is answered to exactly these lines."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


async def acts(proxy: Inbond) -> list[Act]:
    await proxy.up.parts.base.book.write()
    kept = await proxy.up.parts.base.ledger.acts(ActsWanted(), limit=100)
    return [one.act for one in kept]


async def test_another_policy_is_in_force_at_the_next_request_whatever_was_answered_before(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, config=OLD) as proxy:
            reloads = Reloads.of(proxy, tmp_path)
            path = await proxy.path_of("demo", wheel.filename)
            status, _, before = await proxy.get(path)
            for _ in range(3):  # the hot way, too
                assert (await proxy.get(path))[0] == status == 200
                assert not (await proxy.listed("demo", wheel.filename)).get("yanked")
            outcome = await reloads.changed('listing = "lazy"', DENYING)
            assert outcome.outcome == "reloaded"
            (changed,) = outcome.changes.policies
            status, body, after = await proxy.get(path)
            assert status == 403, body
            assert (await proxy.listed("demo", wheel.filename))["yanked"]
            assert before.headers["Inbond-Policy"] == f"default sha256:{(changed.before or '')[:12]}"
            assert after.headers["Inbond-Policy"] == f"default sha256:{(changed.after or '')[:12]}"
            assert changed.before != changed.after
            assert (await reloads.changed(DENYING, 'listing = "lazy"')).outcome == "reloaded"
            assert (await proxy.get(path))[0] == 200


async def test_every_answer_that_was_judged_tells_the_policy(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, config=OLD) as proxy:
            told = f"default sha256:{proxy.up.gateway.index('root').policy_digest[:12]}"
            path = await proxy.path_of("demo", wheel.filename)
            _, _, page = await proxy.get("/simple/demo/")
            for _ in range(2):  # the second time they are answered from memory
                for asked, headers in [
                    ("/simple/demo/", {}),
                    ("/simple/demo/", {"If-None-Match": page.headers["ETag"]}),
                    (path, {}),
                    (path, {"Range": "bytes=0-9"}),
                    (path, {"If-None-Match": f'"{wheel.sha256}"'}),
                    (f"{path}.metadata", {}),
                    (f"/-/verdict/root/demo/{wheel.filename}", {}),
                ]:
                    status, _, response = await proxy.get(asked, **headers)
                    assert status in {200, 206, 304}, asked
                    assert response.headers["Inbond-Policy"] == told, asked
            assert (await proxy.verdict("demo", wheel.filename))["policy"] == told
            for asked in ("/", "/simple/", "/-/live"):
                assert "Inbond-Policy" not in (await proxy.get(asked))[2].headers


async def test_indexes_come_and_go(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, config=OLD) as proxy:
            reloads, before = Reloads.of(proxy, tmp_path), (tmp_path / "inbond.toml").read_text()
            assert (await proxy.get("/team/simple/demo/"))[0] == 404
            outcome = await reloads(f'{before}[indexes.root]\n[indexes.team]\nupstreams = ["pypi"]\n')
            assert outcome.changes.lines() == ["index team: added"]
            assert (await proxy.get("/team/simple/demo/"))[0] == 200
            assert (await reloads(before)).changes.indexes_removed == ("team",)
            assert (await proxy.get("/team/simple/demo/"))[0] == 404
            assert (await proxy.get("/simple/demo/"))[0] == 200


async def test_decisions_of_the_configuration_come_and_go(tmp_path: Path) -> None:
    rejection = '[[decisions.rejections]]\ntarget = "demo==1.0"\nreason = "looked at"\nby = "ada"\n'
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, config=OLD) as proxy:
            reloads, before = Reloads.of(proxy, tmp_path), (tmp_path / "inbond.toml").read_text()
            path = await proxy.path_of("demo", wheel.filename)
            assert (await proxy.get(path))[0] == 200
            assert (await reloads(before + rejection)).changes.decisions_added == 1
            assert [one.decided.by for one in proxy.up.configured.now] == ["ada"]
            assert (await proxy.get(path))[0] == 403
            assert (await reloads(before)).changes.decisions_removed == 1
            assert (await proxy.get(path))[0] == 200


async def test_hosts_and_proxies_are_believed_from_the_next_request_on(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, config=OLD) as proxy:
            reloads = Reloads.of(proxy, tmp_path)
            port = int(proxy.origin.rpartition(":")[2])
            head = [b"GET /simple/demo/ HTTP/1.1", b"Host: packages.acme.example", b"Connection: close"]
            assert b" 421 " in await raw_exchange(port, head)
            listen = 'listen = "127.0.0.1:0"'
            more = f'{listen}\nhosts = ["packages.acme.example"]\npublic_url = "https://packages.acme.example"'
            outcome = await reloads.changed(listen, more)
            assert outcome.changes.keys == ("server.hosts", "server.public_url")
            assert b" 200 " in await raw_exchange(port, head)
            assert "https://packages.acme.example" in (await proxy.get("/why/" + "0" * 12))[1].decode()
            forwarded = [*head[:1], b"Host: localhost", b"X-Forwarded-Host: elsewhere.example", b"Connection: close"]
            assert b" 200 " in await raw_exchange(port, forwarded)
            await reloads.changed(listen, f'{listen}\ntrusted_proxies = ["127.0.0.1"]')
            assert b" 421 " in await raw_exchange(port, forwarded)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda text: text + "[policies.default", "is not TOML"),
        (lambda text: text.replace('listing = "lazy"', 'listing = "eager"'), "policies.default.listing"),
        (lambda text: text + '[indexes.root]\npolicy = "gone"\n', "gone"),
        (lambda text: text.replace("[storage]", "max_requests = 7\n[storage]"), "a restart: server.max_requests"),
        (lambda text: text.replace('url = "', 'fresh_for = "1m"\nurl = "'), "restart: upstreams.pypi.fresh_for"),
        (lambda text: text.replace("[storage]", "workers = 2\n[storage]") + 'deny = ["demo"]\n', "server.workers"),
    ],
)  # fmt: skip
async def test_what_is_wrong_changes_nothing_and_is_said(
    tmp_path: Path, broken: Callable[[str], str], said: str
) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, config=OLD) as proxy:
            reloads = Reloads.of(proxy, tmp_path)
            path, before = await proxy.path_of("demo", wheel.filename), reloads.text
            _, _, first = await proxy.get(path)
            outcome = await reloads(broken(before))
            assert outcome.is_refused
            assert said in (outcome.reason or "")
            status, _, after = await proxy.get(path)
            assert (status, after.headers["Inbond-Policy"]) == (200, first.headers["Inbond-Policy"])
            assert await proxy.metric("inbond_configuration_reloads_total", outcome="refused") == 1
            (act,) = [one for one in await acts(proxy) if one.kind is ActKind.CONFIGURATION_REFUSED]
            assert act.by == "ada"
            assert said in act.message
            assert (await reloads(before)).outcome == "unchanged"


async def test_the_audit_trail_tells_who_changed_which_policy(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, config=OLD) as proxy:
        outcome = await Reloads.of(proxy, tmp_path).changed('listing = "lazy"', DENYING)
        (changed,) = outcome.changes.policies
        found = {one.kind: one for one in await acts(proxy)}
        policy = found[ActKind.POLICY_CHANGED]
        assert (policy.by, policy.target) == ("ada", "default")
        assert policy.detail == {"before": changed.before, "after": changed.after}
        assert "policy default: sha256" in found[ActKind.CONFIGURATION_RELOADED].message
        assert await proxy.metric("inbond_configuration_reloads_total", outcome="reloaded") == 1
        assert await proxy.metric("inbond_configuration_loaded_timestamp_seconds") > 0


async def test_a_request_that_a_reload_overtakes_is_answered_by_the_new_configuration(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, config=OLD) as proxy:
            reloads = Reloads.of(proxy, tmp_path)
            gate = index.gate(index.page_path("demo"))
            asked = asyncio.create_task(proxy.get("/simple/demo/"))
            await gate.reached.wait()
            outcome = await reloads.changed('listing = "lazy"', DENYING)
            gate.open()
            _, body, response = await asked
            (changed,) = outcome.changes.policies
            assert response.headers["Inbond-Policy"] == f"default sha256:{(changed.after or '')[:12]}"
            assert b"data-yanked" in body or b'"yanked"' in body


async def test_under_load_every_answer_is_of_one_configuration_and_none_is_old_after_the_reload(
    tmp_path: Path,
) -> None:
    """Policy and decision are exchanged together: an answer of half of each would be a denial by neither."""
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, config=OLD) as proxy:
            reloads, lax = Reloads.of(proxy, tmp_path), (tmp_path / "inbond.toml").read_text()
            until = datetime.now(UTC) + timedelta(days=30)
            waived = f"""{lax}deny = ["demo"]
[[decisions.waivers]]
target = "demo==1.0"
rule = "deny"
until = "{until:%Y-%m-%d}"
reason = "looked at"
by = "ada"
"""
            path = await proxy.path_of("demo", wheel.filename)
            seen: list[tuple[int, str]] = []
            under_way = True

            async def client(number: int) -> None:
                while under_way:
                    asked = path if number % 2 else "/simple/demo/"
                    status, body, response = await proxy.get(asked)
                    assert b"yanked=" not in body
                    seen.append((status, response.headers["Inbond-Policy"]))

            clients = [asyncio.create_task(client(number)) for number in range(8)]
            in_force = ""
            for text in (waived, lax, waived, f"{lax}\nbroken", lax):
                while len(seen) < 50:
                    await asyncio.sleep(0.001)
                outcome = await reloads(text)
                assert outcome.is_refused == ("broken" in text)
                _, _, response = await proxy.get(path)
                now = response.headers["Inbond-Policy"]
                assert outcome.is_refused == (now == in_force)
                in_force = now
                seen.clear()
            under_way = False
            await asyncio.gather(*clients)
            assert {status for status, _ in seen} == {200}


async def trail(proxy: Inbond) -> list[tuple[str, int]]:
    """The decisions that the audit trail has of requests for files, and how many of each."""
    base = proxy.up.parts.base
    await base.book.write()
    return [
        (str(row.first.decision), row.count) for row in await base.ledger.asked(since=datetime(2020, 1, 1, tzinfo=UTC))
    ]


@pytest.mark.parametrize(("more", "decision"), [(DENYING, "deny"), ('listing = "lazy"', "allow")])
async def test_a_download_that_a_reload_overtakes_is_told_once_and_as_it_ended(
    tmp_path: Path, more: str, decision: str
) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=300_000)
        async with inbond(tmp_path, index, config=OLD, ahead=False) as proxy:
            reloads = Reloads.of(proxy, tmp_path)
            await proxy.page("demo")
            gate = index.gate(wheel.path)
            asked = asyncio.create_task(proxy.get(wheel.path))
            await gate.reached.wait()
            await reloads.changed('listing = "lazy"', more)
            gate.open()
            assert (await asked)[0] == (403 if decision == "deny" else 200)
            assert await trail(proxy) == [(decision, 1)]


async def test_what_differs_in_nothing_overtakes_nobody(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, config=OLD) as proxy:
        reloads, version = Reloads.of(proxy, tmp_path), proxy.up.gateway.indexes.version
        assert (await reloads(reloads.text)).outcome == "unchanged"
        assert proxy.up.gateway.indexes.version == version
        await reloads.changed('listing = "lazy"', DENYING)
        assert proxy.up.gateway.indexes.version == version + 1


async def test_a_request_that_is_overtaken_each_time_is_to_come_again_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, config=OLD) as proxy, raw(proxy) as client:
            reloads, pages = Reloads.of(proxy, tmp_path), proxy.up.gateway.pages
            before, honest, times = reloads.text, pages.page, 0

            async def overtaken(*arguments: Any, **more: Any) -> Any:
                nonlocal times
                times += 1
                found = await honest(*arguments, **more)
                denied = f"x{times}" if times < MAX_TIMES else "demo"
                await reloads(before.replace('listing = "lazy"', f'listing = "lazy"\ndeny = ["{denied}"]'))
                return found

            head = client.head("/simple/demo/")
            await client.ask(head)
            pages.page = overtaken  # type: ignore[method-assign]
            answer = await client.ask(client.head("/simple/demo/", X_Other="1"))
            pages.page = honest  # type: ignore[method-assign]
            assert (answer.status, times) == (503, MAX_TIMES)
            for _ in range(2):
                assert b"data-yanked" in (await client.ask(client.head("/simple/demo/", X_Other="1"))).body


async def test_a_reload_says_what_a_start_would_warn_of(tmp_path: Path) -> None:
    login = tmp_path / "login"
    login.write_text("ada:secret")
    async with SimIndex() as index:
        config = OLD.replace('url = "', f'credentials = "file:{login}"\nurl = "')
        login.chmod(0o600)
        async with inbond(tmp_path, index, config=config) as proxy:
            reloads = Reloads.of(proxy, tmp_path)
            assert (await reloads(reloads.text)).warnings == ()
            login.chmod(0o604)
            (told,) = (await reloads(reloads.text)).warnings
            assert "everybody on this machine may use the file" in told
