"""Jobs of a CI system at a whole inbond: each wrong statement has its own answer, and pip installs with a right one."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from yarl import URL

from sim.index import SimIndex
from sim.issuer import Defect, SimIssuer
from stack import JSON, ONE_INDEX, Inbond, inbond

MORE = """
[policies.default]
min_age = "0"
[indexes.other]
[access]
readers = "granted"
[[access.ci]]
name = "builds"
issuer = "{issuer}"
audience = "inbond"
claims = {{{{ repository = "acme/*", ref = "refs/heads/main" }}}}
indexes = ["root"]
"""


PEOPLE = """
front_header = "X-Remote-User"
[[access.people]]
names = ["*"]
indexes = ["root"]
"""


@asynccontextmanager
async def guarded(
    place: Path, *, offline: bool = False, front: bool = False
) -> AsyncIterator[tuple[Inbond, SimIssuer]]:
    async with SimIndex() as index, SimIssuer() as issuer:
        index.add_wheel("demo", "1.0")
        config = ONE_INDEX.replace("[server]\n", "[server]\noffline = true\n") if offline else ONE_INDEX
        more = MORE.format(issuer=issuer.issuer)
        if front:
            config = config.replace("[server]\n", '[server]\ntrusted_proxies = ["127.0.0.1"]\n')
            more = more.replace('readers = "granted"\n', f'readers = "granted"{PEOPLE}')
        async with inbond(place, index, config=config, more=more) as proxy:
            yield proxy, issuer


def basic(token: str, user: str = "__token__") -> str:
    return f"Basic {base64.b64encode(f'{user}:{token}'.encode()).decode()}"


async def asked(proxy: Inbond, authorization: str, path: str = "/simple/demo/") -> tuple[int, str]:
    status, body, _ = await proxy.get(path, Accept=JSON, Authorization=authorization)
    return status, body.decode()


def _refusals() -> Iterator[tuple[str, Callable[[SimIssuer], str], str]]:
    yield "wrong audience", lambda i: i.sign(aud="somebody-else"), "is of no job that may come in here"
    yield "wrong repository", lambda i: i.sign(repository="evil/widgets"), "is of no job that may come in here"
    yield "wrong ref", lambda i: i.sign(ref="refs/pull/1/merge"), "is of no job that may come in here"
    yield "expired", lambda i: i.sign(iat=i.claims()["iat"] - 900, exp=i.claims()["iat"] - 300), "has expired at"
    yield "alg none", lambda i: i.unsigned({"alg": "none", "kid": "k1"}), "is signed by 'none', which is not accepted"
    yield "secret key", lambda i: i.unsigned({"alg": "HS256", "kid": "k1"}, b"x"), "is signed by 'HS256'"
    yield "foreign issuer", lambda i: i.sign(iss="https://ci.example"), "is of an issuer that is not known here"
    yield "made up", lambda i: i.unsigned({"alg": "RS256", "kid": "k1"}, b"x" * 256), "has a signature that does not"
    yield "unknown key", lambda i: i.unsigned({"alg": "RS256", "kid": "k9"}, b"x" * 256), "is signed by a key that its"


async def test_a_statement_lets_a_job_read_where_its_entry_says(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (proxy, issuer):
        token = issuer.sign()
        assert (await asked(proxy, basic(token)))[0] == 200
        assert (await asked(proxy, basic(token, user="ci")))[0] == 200
        assert (await asked(proxy, f"Bearer {token}"))[0] == 200
        assert len(issuer.asked) == 2
        status, told = await asked(proxy, basic(token), "/other/simple/demo/")
        assert status == 403
        assert "ci:builds" in told
        status, _, answer = await proxy.get("/simple/demo/", Accept=JSON)
        assert status == 401
        assert "Basic" in answer.headers["WWW-Authenticate"]


async def test_every_wrong_statement_is_told_why_and_nothing_else(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (proxy, issuer):
        for name, make, why in _refusals():
            token = make(issuer)
            status, told = await asked(proxy, basic(token))
            assert (status, why in told) == (401, True), (name, status, told)
            assert token.split(".")[1] not in told, name
            assert "acme" not in told, name
        await proxy.up.parts.base.book.write()
        acts = [kept.act.message for kept in await proxy.up.parts.base.ledger.acts()]
        assert any("(builds: the claim ref is 'refs/pull/1/merge', which" in message for message in acts), acts
        # None of them keeps a right one out.
        assert (await asked(proxy, basic(issuer.sign())))[0] == 200


async def test_a_huge_statement_is_refused_unread(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (proxy, issuer):
        status, _ = await asked(proxy, basic(issuer.sign(pad="x" * 20_000)))
        assert status == 400
        assert issuer.asked == []
        assert (await asked(proxy, basic(issuer.sign(pad="x" * 3_000))))[0] == 200


async def test_an_answer_that_was_given_before_ends_with_its_statement(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (proxy, issuer):
        token = issuer.sign(exp=issuer.claims()["iat"] + 120)
        for _ in range(3):
            assert (await asked(proxy, basic(token)))[0] == 200
        proxy.clock.advance(timedelta(minutes=5))
        status, told = await asked(proxy, basic(token))
        assert (status, "has expired at" in told) == (401, True)


async def test_while_the_issuer_is_down_jobs_are_told_to_come_again(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (proxy, issuer):
        issuer.defect = Defect.DOWN
        status, body, answer = await proxy.get("/simple/demo/", Accept=JSON, Authorization=basic(issuer.sign()))
        assert status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert b"could not be checked" in body
        issuer.defect = Defect.NONE
        assert (await asked(proxy, basic(issuer.sign())))[0] == 200


async def test_offline_nobody_is_asked_and_no_job_let_in(tmp_path: Path) -> None:
    async with guarded(tmp_path, offline=True) as (proxy, issuer):
        status, told = await asked(proxy, basic(issuer.sign()))
        assert (status, "could not be checked" in told) == (503, True)
        assert issuer.asked == []


async def test_a_key_that_was_rotated_lets_jobs_in_at_once(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (proxy, issuer):
        assert (await asked(proxy, basic(issuer.sign())))[0] == 200
        issuer.rotate("k2")
        assert (await asked(proxy, basic(issuer.sign("k2"))))[0] == 200


async def test_pip_downloads_with_a_statement_as_its_password(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (proxy, issuer):
        done = await asyncio.to_thread(_download, proxy, issuer.sign(), tmp_path / "right")
        assert done.returncode == 0, done.stdout
        assert [path.name for path in (tmp_path / "right").iterdir()] == ["demo-1.0-py3-none-any.whl"]
        assert len(issuer.asked) == 2
        done = await asyncio.to_thread(_download, proxy, issuer.sign(aud="x"), tmp_path / "wrong")
        assert done.returncode != 0
        assert not list((tmp_path / "wrong").glob("*"))


def _download(proxy: Inbond, token: str, into: Path) -> subprocess.CompletedProcess[str]:
    url = URL(proxy.url("/simple/")).with_user("__token__").with_password(token)
    command = [sys.executable, "-m", "pip", "--isolated", "download", "--no-input", "--no-cache-dir", "--no-deps"]
    return subprocess.run(
        [*command, "--index-url", str(url), "--dest", str(into), "demo"],
        check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={"HOME": str(into.parent)},
    )  # fmt: skip


async def test_a_front_that_sends_a_token_of_its_own_keeps_nobody_out(tmp_path: Path) -> None:
    async with guarded(tmp_path, front=True) as (proxy, issuer), SimIssuer() as front:
        for name, own in {
            "signed": front.sign(),
            "of another kind": front.unsigned({"alg": "HS256", "typ": "JWT"}, b"x" * 32),
            "without an issuer": front.sign(iss=None),
        }.items():
            bearer = {"Authorization": f"Bearer {own}"}
            assert (await proxy.get("/simple/demo/", **bearer, **{"X-Remote-User": "ada"}))[0] == 200, name
            status, told, _ = await proxy.get("/simple/demo/", **bearer)
            assert (status, b"of an issuer that is not known here" in told) == (401, True), name
        # What says that it is of the configured issuer has to be.
        made_up = {"Authorization": f"Bearer {front.sign(iss=issuer.issuer)}"}
        assert (await proxy.get("/simple/demo/", **made_up, **{"X-Remote-User": "ada"}))[0] == 401
