"""Who may read what, over real sockets: credentials in every usual form, and their end at the next request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from inbond.access.principal import EVERY_INDEX
from inbond.access.roles import Role
from inbond.cli.config import load_config
from inbond.gateway.attempts import MAX_FAILURES
from inbond.model.acts import ActKind, ActsWanted
from inbond.model.events import unobserved
from inbond.store.ledger import open_ledger
from inbond.web.hot import HOT
from inbond.web.routing import ROUTES
from raw_client import RawClient, raw
from sim.index import SimIndex
from stack import JSON, ONE_INDEX, Inbond, inbond
from web.members import LONG_AGO, WHEEL, Organisation, basic, organisation, revoked, token

GRANTED = '[access]\nreaders = "granted"\n'
PAGE = "/a/simple/demo/"


async def acts(proxy: Inbond, kind: ActKind) -> list[str]:
    """The messages of the acts of a kind."""
    await proxy.up.parts.base.book.write()
    found = await proxy.up.parts.base.ledger.acts(ActsWanted(kinds=frozenset({kind})))
    return [one.act.message for one in found]


# --- credentials


@pytest.mark.parametrize(
    "how",
    [
        basic,
        lambda secret: basic(secret, "ada"),
        lambda secret: basic(secret, ""),
        lambda secret: f"Bearer {secret}",
        lambda secret: f"bearer  {secret} ",
        lambda secret: basic(secret).replace("Basic", "BASIC"),
    ],
    ids=["__token__", "any user", "no user", "bearer", "bearer with blanks", "scheme in capitals"],
)
async def test_a_token_comes_as_password_of_any_user_or_as_bearer(how: Callable[[str], str], tmp_path: Path) -> None:
    async with organisation(tmp_path) as org:
        made = await token(org.proxy, Role.READER, "a")
        status, _, response = await org.proxy.get(PAGE, Authorization=how(made.secret), Accept=JSON)
        assert status == 200
        assert "WWW-Authenticate" not in response.headers


@pytest.mark.parametrize(
    ("authorization", "said"),
    [
        (None, "sign-in is needed here"),
        (basic("hunter2", "ada"), "none of inbond's"),
        ("Basic ☃".encode("latin-1", "replace").decode("latin-1"), "none of inbond's"),
        ("Digest username=x", "none of inbond's"),
        ("Bearer eyJhbGciOiJub25lIn0.e30.", "none of inbond's"),
        (basic("inbond_short"), "this is no whole token"),
        (basic("inbond_" + "A" * 49), "this is no whole token"),
        ("Basic " + "A" * 8000, "none of inbond's"),
    ],
)
async def test_whoever_may_not_is_asked_for_a_password(authorization: str | None, said: str, tmp_path: Path) -> None:
    async with organisation(tmp_path) as org:
        headers = {} if authorization is None else {"Authorization": authorization}
        status, body, response = await org.proxy.get(PAGE, **headers)
        assert status == 401
        assert response.headers["WWW-Authenticate"].startswith('Basic realm="inbond"')
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["Cache-Control"] == "no-store"
        assert said in json.loads(body)["detail"]


async def test_what_a_front_asked_for_is_no_credential_where_anybody_may_read(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        index.add_wheel("demo", "1.0", upload_time=LONG_AGO)
        status, _, _ = await proxy.get("/simple/demo/", Authorization=basic("hunter2", "ada"))
        assert status == 200


async def test_a_token_of_ours_that_is_not_in_force_is_refused_where_anybody_may_read(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        index.add_wheel("demo", "1.0", upload_time=LONG_AGO)
        made = await token(proxy, Role.READER, "root")
        await revoked(proxy, made)
        status, body, _ = await proxy.get("/simple/demo/", Authorization=basic(made.secret))
        assert (status, "was revoked" in json.loads(body)["detail"]) == (401, True)
        assert (await proxy.get("/-/live", Authorization=basic(made.secret)))[0] == 200


async def test_tokens_of_the_configuration_count_like_those_of_the_ledger(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=LONG_AGO)
        async with inbond(tmp_path, index, more=GRANTED) as proxy:
            made = await token(proxy, Role.READER, "root")
        entry = (
            f'{GRANTED}[[access.tokens]]\nname = "ci"\nsha256 = "{made.token.digest.hex()}"\nindexes = ["root"]\n'
            'expires = "2120-01-01"\n'
        )
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        async with inbond(elsewhere, index, more=entry) as proxy:
            assert (await proxy.get("/simple/demo/"))[0] == 401
            assert (await proxy.get("/simple/demo/", Authorization=basic(made.secret)))[0] == 200
            proxy.clock.advance(timedelta(days=366 * 100))
            assert (await proxy.get("/simple/demo/", Authorization=basic(made.secret)))[0] == 401


async def test_an_index_says_by_itself_who_may_read_it(tmp_path: Path) -> None:
    more = '[indexes.open]\nreaders = "anybody"\n[indexes.closed]\n[access]\nreaders = "granted"\n'
    async with SimIndex() as index, inbond(tmp_path, index, more=more) as proxy:
        index.add_wheel("demo", "1.0", upload_time=LONG_AGO)
        assert (await proxy.get("/open/simple/demo/"))[0] == 200
        assert (await proxy.get("/closed/simple/demo/"))[0] == 401
        assert (await proxy.get("/metrics"))[0] == 401


# --- a front


async def test_people_are_believed_of_trusted_fronts_alone(tmp_path: Path) -> None:
    async with SimIndex() as index, organisation(tmp_path) as org:
        assert (await org.proxy.get(PAGE, **{"X-Remote-User": "ada"}))[0] == 200
        assert (await org.proxy.get("/b/simple/demo/", **{"X-Remote-User": "ada"}))[0] == 403
        headers = {"X-Remote-User": "eve", "X-Remote-Groups": "staff, packaging"}
        assert (await org.proxy.get("/b/simple/demo/", **headers))[0] == 200
        strangers = tmp_path / "strangers"
        strangers.mkdir()
        more = (
            '[access]\nreaders = "granted"\nfront_header = "X-Remote-User"\n'
            '[[access.people]]\nnames = ["*"]\nindexes = ["*"]\n'
        )
        config = ONE_INDEX.replace("[server]\n", '[server]\ntrusted_proxies = ["192.0.2.1"]\n')
        async with inbond(strangers, index, config=config, more=more) as proxy:
            assert (await proxy.get("/simple/demo/", **{"X-Remote-User": "ada"}))[0] == 401


async def test_a_front_that_names_two_people_names_nobody(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org, raw(org.proxy) as client:
        head = client.head(PAGE, X_Remote_User="bob").replace(b"\r\n\r\n", b"\r\nX-Remote-User: ada\r\n\r\n")
        assert (await client.ask(head)).status == 401


# --- no oracle


@pytest.mark.parametrize("path", ["/{}/simple/demo/", "/{}/simple/", f"/-/verdict/{{}}/demo/{WHEEL}", "/{}/packages/x"])
async def test_an_index_that_is_not_is_answered_as_one_that_may_not_be_read(path: str, tmp_path: Path) -> None:
    async with organisation(tmp_path) as org:
        for who in ("anonymous", "reader a", "ada"):
            closed = await org.ask(who, "GET", path.format("b"))
            absent = await org.ask(who, "GET", path.format("c"))
            assert closed[0] in {401, 403}
            assert absent[0] == closed[0]
            assert absent[1].replace(b"index c", b"index b") == closed[1]
        status, body, _ = await org.ask("admin", "GET", path.format("c"))
        assert status == 404
        assert b"Configured are: root, a, b" in body


async def test_an_explanation_tells_of_those_indexes_alone_that_may_be_read(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org:
        digits = ""
        for index in ("a", "b"):
            await org.ask("admin", "GET", f"/{index}/simple/demo/")
            _, body, _ = await org.ask("admin", "GET", f"/-/verdict/{index}/demo/{WHEEL}")
            digits = json.loads(body)["why"].rpartition("/")[2]
        of_both = (await org.ask("admin", "GET", f"/why/{digits}"))[1]
        assert b"/-/verdict/a/" in of_both
        assert b"/-/verdict/b/" in of_both
        status, of_a, _ = await org.ask("reader a", "GET", f"/why/{digits}")
        assert status == 200
        assert b"/-/verdict/a/" in of_a
        assert b"/-/verdict/b/" not in of_a


# --- in force at the next request


async def hot(proxy: Inbond) -> float:
    await asyncio.sleep(0)
    proxy.app[HOT].tell()
    return await proxy.metric("inbond_requests_again_total", route="page-of-index")


async def warmed(org: Organisation, client: RawClient, secret: str) -> bytes:
    """The head of a request that is answered the hot way by now."""
    head = client.head(PAGE, Accept=JSON, Authorization=basic(secret))
    assert (await client.ask(head)).status == 200
    before = await hot(org.proxy)
    assert (await client.ask(head)).status == 200
    assert await hot(org.proxy) == before + 1
    return head


async def test_a_token_that_was_revoked_is_none_at_the_next_request(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org, raw(org.proxy) as client:
        made = await token(org.proxy, Role.READER, "a")
        head = await warmed(org, client, made.secret)
        await revoked(org.proxy, made)
        assert (await client.ask(head)).status == 401


async def test_so_is_one_that_another_process_revoked(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org, raw(org.proxy) as client:
        made = await token(org.proxy, Role.READER, "a")
        head = await warmed(org, client, made.secret)
        other = open_ledger(org.proxy.up.parts.base.ledger.path, observer=unobserved)
        org.proxy.up.signing_in.access.tokens  # noqa: B018 (of this process, and left alone)
        try:
            from inbond.gateway.tokens import Asking, revoke_token  # noqa: PLC0415 (of the other process)

            await revoke_token(other, made.token.id, Asking(by="other", client="command", now=org.proxy.clock()))
        finally:
            await other.aclose()
        assert (await client.ask(head)).status == 401


async def test_so_is_one_that_has_expired(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org, raw(org.proxy) as client:
        # Sooner than the page is asked for anew: nothing else than the clock ends the answer.
        made = await token(org.proxy, Role.READER, "a", expires=timedelta(seconds=30))
        head = await warmed(org, client, made.secret)
        org.proxy.clock.advance(timedelta(seconds=30))
        assert (await client.ask(head)).status == 401


async def test_other_rules_are_in_force_at_the_next_request(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy, raw(proxy) as client:
        index.add_wheel("demo", "1.0", upload_time=LONG_AGO)
        head = client.head("/simple/demo/", Accept=JSON)
        assert [(await client.ask(head)).status for _ in range(2)] == [200, 200]
        file = tmp_path / "inbond.toml"
        opened = load_config(file=file, overrides={}, environ={})
        file.write_text(file.read_text() + GRANTED)
        proxy.up.signing_in.use(load_config(file=file, overrides={}, environ={}))
        assert (await client.ask(head)).status == 401
        proxy.up.signing_in.use(opened)
        assert (await client.ask(head)).status == 200


async def test_whoever_writes_other_tokens_ends_no_hot_answers(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org, raw(org.proxy) as client:
        made = await token(org.proxy, Role.READER, "a")
        head = await warmed(org, client, made.secret)
        await token(org.proxy, Role.READER, "a")
        before = await hot(org.proxy)
        assert (await client.ask(head)).status == 200
        assert await hot(org.proxy) == before + 1


async def test_one_head_with_other_credentials_is_another(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org, raw(org.proxy) as client:
        made = await token(org.proxy, Role.READER, "a")
        head = await warmed(org, client, made.secret)
        other = await token(org.proxy, Role.READER, "b")
        assert (await client.ask(head.replace(basic(made.secret).encode(), basic(other.secret).encode()))).status == 403
        assert (await client.ask(client.head(PAGE, Accept=JSON))).status == 401


# --- attempts


async def test_too_many_attempts_are_told_to_wait_and_those_in_force_are_not(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org:
        made = await token(org.proxy, Role.READER, "a")
        wrong = basic("inbond_wrong")
        statuses = [(await org.proxy.get(PAGE, Authorization=wrong))[0] for _ in range(MAX_FAILURES + 2)]
        assert statuses[:MAX_FAILURES] == [401] * MAX_FAILURES
        assert statuses[-1] == 429
        status, _, response = await org.proxy.get(PAGE, Authorization=wrong)
        assert (status, int(response.headers["Retry-After"]) > 0) == (429, True)
        assert (await org.proxy.get(PAGE, Authorization=basic(made.secret)))[0] == 200
        org.proxy.clock.advance(timedelta(minutes=2))
        joined, first = await acts(org.proxy, ActKind.SIGN_IN_FAILED)
        assert "more time" not in first
        assert f"({MAX_FAILURES + 2} more times since" in joined  # all of them, also those that the log leaves out
        counted = await org.proxy.metric("inbond_acts_total", kind="sign-in-failed")
        assert counted == MAX_FAILURES + 3


async def test_whoever_brings_no_credentials_has_not_failed(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org:
        statuses = {(await org.proxy.get(PAGE))[0] for _ in range(MAX_FAILURES + 5)}
        assert statuses == {401}
        assert await acts(org.proxy, ActKind.SIGN_IN_FAILED) == []


async def test_what_is_refused_to_somebody_known_is_told(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org:
        assert (await org.ask("reader a", "GET", "/b/simple/demo/"))[0] == 403
        (message,) = await acts(org.proxy, ActKind.REFUSED)
        assert message == "GET /b/simple/demo/ was refused: it needs the role reader"


async def test_no_line_of_the_log_holds_a_token(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org, raw(org.proxy) as client:
        made = await token(org.proxy, Role.READER, "a")
        with capture_logs() as lines:
            await org.proxy.get(PAGE, Authorization=basic(made.secret))
            await org.proxy.get("/b/simple/demo/", Authorization=basic(made.secret))
            await org.proxy.get("/b/simple/demo/", Authorization=basic(made.secret + "x"))
            host = org.proxy.origin.removeprefix("http://")
            head = client.head(PAGE).replace(b"GET /", f"GET http://__token__:{made.secret}@{host}/".encode())
            await client.ask(head)
        assert any(line.get("who", "").startswith("token:t-") for line in lines)
        assert made.secret not in json.dumps(lines, default=str)


async def test_the_use_of_a_token_is_noted(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org, raw(org.proxy) as client:
        made = await token(org.proxy, Role.READER, "a")
        await warmed(org, client, made.secret)
        access = org.proxy.up.signing_in.access
        await access.uses.write()
        (use,) = [one for one in await access.tokens.token_uses() if one.token == made.token.id]
        assert use.client == "127.0.0.1"


async def test_readiness_gives_strangers_no_reasons(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org:
        assert json.loads((await org.ask("anonymous", "GET", "/-/ready"))[1]) == {"ready": True}
        assert "checks" in json.loads((await org.ask("admin", "GET", "/-/ready"))[1])


async def test_metrics_are_for_readers_of_all_or_for_anybody(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org:
        everything = await token(org.proxy, Role.READER, EVERY_INDEX)
        assert (await org.ask("reader a", "GET", "/metrics"))[0] == 403
        assert (await org.proxy.get("/metrics", Authorization=f"Bearer {everything.secret}"))[0] == 200
    opened = tmp_path / "open"
    opened.mkdir()
    async with SimIndex() as index, inbond(opened, index, more=GRANTED + 'metrics = "anybody"\n') as proxy:
        assert (await proxy.get("/metrics"))[0] == 200


async def test_a_browser_is_sent_to_the_form_and_an_installer_is_not(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org:
        status, _, response = await org.proxy.get("/why/0123456789ab?x=1", **{"Sec-Fetch-Mode": "navigate"})
        assert (status, response.headers["Location"]) == (303, "../-/sign-in?next=/why/0123456789ab%3Fx%3D1")
        assert (await org.proxy.get("/why/0123456789ab", Accept="text/html"))[0] == 401


async def test_a_route_that_does_not_say_what_it_needs_is_answered_to_nobody(tmp_path: Path) -> None:
    async with organisation(tmp_path) as org:
        assert (await org.ask("admin", "GET", "/-/use"))[0] == 200
        del org.proxy.app[ROUTES]["use"]
        for who in ("anonymous", "admin"):
            status, body, _ = await org.ask(who, "GET", "/-/use")
            assert (status, b"/a/simple/" in body) == (500, False)
            assert (await org.ask(who, "GET", "/-/nothing"))[0] == 404
            assert (await org.ask(who, "PUT", "/-/use"))[0] == 405
