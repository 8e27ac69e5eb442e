"""A statement on its way: what is believed, what is refused without asking anybody, and what nobody can tell."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from inbond.access.principal import Workload
from inbond.model.errors import StatementRefused, StatementUnchecked
from inbond.oidc.limits import REMEMBERED_SECONDS, TOKEN_CHARS
from inbond.oidc.settings import CiSettings
from inbond.oidc.statements import CiStatements
from oidc.support import GRANT, Heard, now, rules_of, settings_of, statements_by
from sim.issuer import Defect, SimIssuer

BOTH = ["/.well-known/openid-configuration", "/keys"]


async def refusal(statements: CiStatements, token: str) -> StatementRefused:
    with pytest.raises(StatementRefused) as raised:
        await statements.check(token, now())
    assert token[:20] not in f"{raised.value.message} {raised.value.detail} {raised.value.remedy}"
    return raised.value


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"])
async def test_a_job_is_known_by_its_statement(algorithm: str) -> None:
    async with SimIssuer() as issuer, statements_by(settings_of(issuer)) as statements:
        issuer.add_key("k2", algorithm)
        whose = await statements.check(issuer.sign("k2"), now())
        subject = "repo:acme/widgets:ref:refs/heads/main"
        assert whose == Workload(issuer=issuer.issuer, subject=subject, rule="builds", grant=GRANT)
        assert issuer.asked == BOTH


async def test_many_requests_with_one_statement_cost_one_check() -> None:
    async with SimIssuer() as issuer, statements_by(settings_of(issuer)) as statements:
        token = issuer.sign()
        assert statements.known(token, now()) is None
        found = await asyncio.gather(*(statements.check(token, now()) for _ in range(50)))
        assert len(set(map(str, found))) == 1
        assert statements.known(token, now()) == found[0]
        assert issuer.asked == BOTH
        # A key that the issuer has taken back counts only until then.
        assert statements.known(token, now() + timedelta(seconds=REMEMBERED_SECONDS)) is None


async def test_what_was_not_used_for_longest_is_forgotten_first() -> None:
    async with SimIssuer() as issuer, statements_by(settings_of(issuer), at_most=2) as statements:
        first, second, third = (issuer.sign(jti=str(number)) for number in range(3))
        await statements.check(first, now())
        await statements.check(second, now())
        assert await statements.check(first, now()) == statements.known(first, now())
        await statements.check(third, now())
        assert [statements.known(one, now()) is not None for one in (first, second, third)] == [True, False, True]


async def test_a_statement_that_was_checked_ends_when_it_says() -> None:
    async with SimIssuer() as issuer, statements_by(settings_of(issuer)) as statements:
        token = issuer.sign(exp=issuer.claims()["iat"] + 30)
        await statements.check(token, now())
        later = now() + timedelta(seconds=100)
        assert statements.known(token, later) is None
        with pytest.raises(StatementRefused, match="has expired at"):
            await statements.check(token, later)


def _without_kid(issuer: SimIssuer) -> str:
    return issuer.unsigned({"alg": "RS256", "typ": "JWT"}, b"x" * 256)


def _alg_none(issuer: SimIssuer) -> str:
    return issuer.unsigned({"alg": "none", "kid": "k1"})


def _public_key_as_secret(issuer: SimIssuer) -> str:
    unsigned = issuer.unsigned({"alg": "HS256", "kid": "k1", "typ": "JWT"}, b"x")
    signed = unsigned.rpartition(".")[0]
    mac = base64.urlsafe_b64encode(hmac.digest(issuer.public_pem(), signed.encode(), hashlib.sha256))
    return f"{signed}.{mac.rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_alg_none, "is signed by 'none', which is not accepted"),
        (_public_key_as_secret, "is signed by 'HS256', which is not accepted"),
        (_without_kid, "does not name the key that signed it"),
        (lambda i: i.unsigned({"alg": ["RS256"], "kid": "k1"}, b"x"), "is signed by ['RS256'], which is not accepted"),
        (lambda i: i.unsigned({"alg": "RS256", "kid": 1}, b"x"), "does not name the key that signed it"),
        (lambda i: i.unsigned({"alg": "RS256", "kid": "k1"}), "has no signature"),
        (lambda i: i.unsigned({"alg": "RS256", "kid": "k1", "typ": "dpop+jwt"}, b"x"), "is a token of another type"),
        (lambda i: i.sign(head={"typ": "at+jwt"}), "is a token of another type"),
        (
            lambda i: i.unsigned({"alg": "RS256", "kid": "k", "crit": ["exp"]}, b"x"),
            "asks for an extension that is not",
        ),
        (lambda i: i.unsigned({"alg": "RS256", "kid": "k", "b64": False}, b"x"), "asks for an extension that is not"),
        (lambda i: i.sign(pad="x" * TOKEN_CHARS), "is longer than 8192 characters"),
        (lambda i: i.sign() + ".x", "is no signed token: it has not three parts in Base64"),
        (lambda i: "eyJ.eyJ.é", "is no signed token: it has not three parts in Base64"),
        (lambda i: "eyJhbGciOiJSUzI1NiJ9.e30.x" + "\n", "is no signed token: it has not three parts in Base64"),
        (lambda i: "W10.e30.eA", "has a head that is no JSON object"),
        (lambda i: "e.e30.eA", "has a head that is no JSON object"),
        (lambda i: i.sign().split(".")[0] + ".W10.eA", "has a body that is no JSON object"),
        (lambda i: i.sign(iss="https://other.example"), "is of an issuer that is not known here"),
        (lambda i: i.sign(iss=f"{i.issuer}/"), "is of an issuer that is not known here"),
        (lambda i: i.sign(exp=None), "has no usable claim exp"),
        (lambda i: i.sign(exp=i.claims()["iat"] - 120, iat=i.claims()["iat"] - 600), "has expired at"),
        (lambda i: i.sign(nbf=i.claims()["iat"] + 300), "is not in force before"),
        (lambda i: i.sign(exp=i.claims()["iat"] + 90_000), "is good for more than 24 hours"),
    ],
)
async def test_what_no_key_could_make_good_costs_the_issuer_nothing(make: Callable[[SimIssuer], str], why: str) -> None:
    async with SimIssuer() as issuer, statements_by(settings_of(issuer)) as statements:
        refused = await refusal(statements, make(issuer))
        assert refused.message.startswith(f"this statement of a CI system {why}")
        assert issuer.asked == []


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"aud": "somebody-else"}, "builds: the audience is ['somebody-else'], not 'inbond'"),
        ({"repository": "evil/widgets"}, "builds: the claim repository is 'evil/widgets', which 'acme/*' does not fit"),
        ({"repository": None}, "builds: there is no claim repository"),
    ],
)
async def test_a_job_of_somebody_elses_learns_nothing_and_the_log_everything(
    changed: dict[str, Any], detail: str
) -> None:
    async with SimIssuer() as issuer, statements_by(settings_of(issuer)) as statements:
        refused = await refusal(statements, issuer.sign(**changed))
        assert refused.message == "this statement of a CI system is of no job that may come in here"
        assert refused.detail == f"{refused.message} ({detail})"
        assert "acme" not in f"{refused.message} {refused.remedy}"


async def test_a_signature_of_somebody_elses_does_not_fit() -> None:
    async with SimIssuer() as issuer, SimIssuer() as other, statements_by(settings_of(issuer)) as statements:
        refused = await refusal(statements, other.sign(iss=issuer.issuer))
        assert "has a signature that does not fit" in refused.message


async def test_a_statement_that_was_changed_on_its_way_does_not_fit() -> None:
    async with SimIssuer() as issuer, statements_by(settings_of(issuer)) as statements:
        head, _, signature = issuer.sign(repository="evil/widgets").split(".")
        changed = issuer.sign().split(".")[1]
        refused = await refusal(statements, f"{head}.{changed}.{signature}")
        assert "has a signature that does not fit" in refused.message


async def test_a_key_is_for_one_algorithm() -> None:
    async with SimIssuer() as issuer, statements_by(settings_of(issuer)) as statements:
        issuer.add_key("k2", "RS256", alg="PS256")  # published for another than it signs by
        refused = await refusal(statements, issuer.sign("k2"))
        assert refused.detail.endswith("is signed by a key that its issuer does not have (no key 'k2')")


async def test_a_new_key_is_asked_for_and_an_old_one_goes_with_its_set() -> None:
    async with SimIssuer() as issuer, statements_by(settings_of(issuer)) as statements:
        old = issuer.sign("k1", jti="1")
        await statements.check(issuer.sign("k1"), now())
        issuer.rotate("k2")
        whose = await statements.check(issuer.sign("k2"), now())
        assert whose.rule == "builds"
        assert issuer.asked == BOTH * 2
        refused = await refusal(statements, old)
        assert "is signed by a key that its issuer does not have" in refused.message


async def test_while_an_issuer_is_down_nobody_is_called_a_forger() -> None:
    heard = Heard()
    async with SimIssuer() as issuer, statements_by(settings_of(issuer), heard) as statements:
        issuer.defect = Defect.DOWN
        token = issuer.sign()
        for _ in range(2):
            with pytest.raises(StatementUnchecked) as raised:
                await statements.check(token, now())
            assert "could not be checked" in raised.value.message
            assert "answered 503" in raised.value.detail
        assert [alert.name for alert in heard.alerts] == ["issuer-failing"]
        issuer.defect = Defect.NONE
        assert (await statements.check(token, now())).rule == "builds"
        # What is known goes on.
        issuer.defect = Defect.DOWN
        assert (await statements.check(issuer.sign(jti="2"), now())).rule == "builds"


async def test_entries_of_a_reload_count_at_once_for_what_was_checked_before() -> None:
    async with SimIssuer() as issuer, SimIssuer() as other, statements_by(settings_of(issuer)) as statements:
        token = issuer.sign()
        assert (await statements.check(token, now())).rule == "builds"
        renamed = CiSettings(rules=rules_of(issuer, name="others"), issuers=settings_of(issuer).issuers)
        statements.use(renamed)
        known = statements.known(token, now())
        assert known is not None
        assert known.rule == "others"
        statements.use(settings_of(issuer, repository="elsewhere/*"))
        assert statements.known(token, now()) is None
        await refusal(statements, token)
        assert issuer.asked == BOTH  # its keys are known
        statements.use(settings_of(other))
        assert "is of an issuer that is not known here" in (await refusal(statements, token)).message
        assert (await statements.check(other.sign(), now())).rule == "builds"
