from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from inbond.model.decisions import Target, Waiver
from inbond.model.evidence import Rejected
from inbond.model.names import ProjectName
from inbond.model.page import File
from inbond.model.verdict import Finding, Judgement, Outcome, Verdict
from inbond.policy.explain import commands, detail, reason_phrase, waived, yank_reason
from inbond.policy.settings import Listed
from policy.cases import (
    HOUR,
    NOW,
    REJECTED,
    WHEEL,
    attestation,
    file_of,
    identity_of,
    policy,
    verdict_on,
    verified,
)

URL = "http://127.0.0.1:8642/why/0ace7980f82c"
REMEDY = "use an attested version"


def judged(verdict: Verdict, *, file: File | None = None, **fields: Any) -> Judgement:
    known: dict[str, Any] = {
        "index": "root", "project": ProjectName("demo"), "version": "2.0", "evidence": REJECTED, "at": NOW,
    }  # fmt: skip
    return Judgement(file=file or file_of(), verdict=verdict, **(known | fields))


def denied(message: str, *, remedy: str | None = REMEDY, **fields: Any) -> Judgement:
    finding = Finding(rule="attestations", outcome=Outcome.DENY, message=message, remedy=remedy)
    return judged(Verdict.of([finding]), **fields)


def held(message: str = "published 2026-11-20 10:00 UTC, younger than 1d", **fields: Any) -> Judgement:
    finding = Finding(
        rule="cooldown",
        outcome=Outcome.HOLD,
        message=message,
        remedy="wait, or use an older version",
        until=NOW + 22 * HOUR,
    )
    return judged(Verdict.of([finding]), **fields)


def test_a_denial_in_one_line() -> None:
    assert reason_phrase(denied("no attestation, and one is required"), URL) == (
        "Blocked by policy: demo 2.0 is denied by rule attestations: no attestation, and one is required. "
        "Use an attested version. See http://127.0.0.1:8642/why/0ace7980f82c"
    )


def test_a_hold_in_one_line_says_when_it_ends() -> None:
    assert reason_phrase(held(), URL) == (
        "Blocked by policy: demo 2.0 is held until 2026-11-21 10:00 UTC by cooldown: "
        "published 2026-11-20 10:00 UTC, younger than 1d. Wait, or use an older version. "
        "See http://127.0.0.1:8642/why/0ace7980f82c"
    )


def test_a_hold_whose_end_is_told_gives_its_remedy_up_for_its_message() -> None:
    message = "provenance unavailable since 2026-11-20 10:00 UTC: 503"

    assert f": {message}. See http" in reason_phrase(held(message), URL)


def test_a_page_has_room_for_the_remedy() -> None:
    assert yank_reason(held(newest_allowed="1.1", support_url="https://help.example/pypi"), URL) == (
        "Blocked by policy: demo 2.0 is held until 2026-11-21 10:00 UTC by cooldown: "
        "published 2026-11-20 10:00 UTC, younger than 1d. Wait, or use an older version. "
        "The newest allowed version is 1.1. Help: https://help.example/pypi "
        "See http://127.0.0.1:8642/why/0ace7980f82c"
    )


def test_the_newest_allowed_version_is_told_where_it_fits() -> None:
    phrase = reason_phrase(denied("no attestation", newest_allowed="1.1"), URL)

    assert "The newest allowed version is 1.1. See" in phrase
    assert "newest" not in reason_phrase(denied("no attestation" * 6, newest_allowed="1.1"), URL)


def test_a_long_message_is_cut_and_the_address_stays() -> None:
    phrase = reason_phrase(denied("the certificate names nobody " * 10), URL)

    assert len(phrase) in (198, 199)  # a space in front of the cut goes with it
    assert phrase.endswith(f"... See {URL}")
    assert phrase.startswith("Blocked by policy: demo 2.0 is denied by rule attestations: the certificate names nobody")


def test_a_remedy_that_leaves_no_room_for_the_message_gives_way() -> None:
    phrase = reason_phrase(denied("the certificate names nobody at all in any of its fields", remedy="r" * 70), URL)

    assert "the certificate names nobody at all in any of its fields. See" in phrase


def test_without_a_remedy_the_message_stands_alone() -> None:
    assert reason_phrase(denied("no attestation", remedy=None), URL).endswith(f"no attestation. See {URL}")


@pytest.mark.parametrize("length", [10, 60, 100, 130, 150, 152, 153, 170, 190, 400])
def test_the_address_is_never_cut(length: int) -> None:
    url = f"http://{'h' * length}.example/why/0ace7980f82c"

    for judgement in (denied("no attestation, and one is required"), held(), judged(Verdict.of([]))):
        phrase = reason_phrase(judgement, url)
        assert phrase.endswith(f" See {url}")
        assert phrase.startswith(("Blocked by policy", "Allowed by policy"))
        assert len(phrase) < 200 or length > 120


def test_an_address_that_is_no_ascii_or_no_single_line_is_quoted() -> None:
    phrase = reason_phrase(denied("no attestation"), "http://bücher.example/a b\r\nX-Evil: 1")

    assert phrase.endswith(" See http://b%C3%BCcher.example/a%20b%0D%0AX-Evil:%201")


def test_upstreams_words_become_one_printable_line() -> None:
    rejected = Rejected(reason="bad\r\nSet-Cookie: a=1\x00 \x1b[31m ☠", attestations=(), derivation=REJECTED.derivation)

    phrase = reason_phrase(judged(verdict_on(file_of(), rejected)), URL)

    assert "attestation rejected: bad Set-Cookie: a=1? ?[31m ?." in phrase
    assert phrase.isascii()
    assert phrase.isprintable()


def test_the_shown_end_of_a_hold_is_never_early() -> None:
    def phrase(seconds: float) -> str:
        until = NOW + timedelta(seconds=seconds)
        finding = Finding(rule="cooldown", outcome=Outcome.HOLD, message="m", until=until)
        return reason_phrase(judged(Verdict.of([finding])), URL)

    assert "held until 2026-11-20 12:00 UTC" in phrase(0)
    assert "held until 2026-11-20 12:01 UTC" in phrase(0.000001)
    assert "held until 2026-11-20 12:01 UTC" in phrase(60)


def test_a_file_of_no_known_version_is_named_by_its_filename() -> None:
    assert f"{WHEEL} is denied" in reason_phrase(denied("no attestation", version=None), URL)


def test_a_long_subject_is_cut() -> None:
    phrase = reason_phrase(denied("no attestation", project=ProjectName("a" * 250)), URL)

    assert len(phrase) < 200
    assert f"{'a' * 57}... is denied by rule attestations" in phrase


def test_the_detail_tells_everything_that_stops_the_file() -> None:
    settings = policy(deny=(Listed.parse("demo"),))
    verdict = verdict_on(file_of(upload_time=NOW - 2 * HOUR), REJECTED, settings=settings)

    told = detail(judged(verdict, newest_allowed="1.1", support_url="https://help.example"), URL)

    assert told == (
        "demo 2.0 (demo-2.0-py3-none-any.whl) is denied by rule attestations: "
        "attestation rejected: the subject's digest is another. "
        "It is also denied by rule deny: the deny list names demo. "
        "It is also held until 2026-11-21 10:00 UTC by cooldown: published 2026-11-20 10:00 UTC, younger than 1d. "
        "What to do: do not install it; ask its maintainers; use another project, or have the entry removed; "
        "wait, or use an older version. "
        "The newest allowed version is 1.1. Help: https://help.example "
        "The whole story: http://127.0.0.1:8642/why/0ace7980f82c "
        "Only whoever runs this inbond can let it through, after a look at it."
    )


def test_the_detail_leaves_out_what_is_only_recorded() -> None:
    settings = policy(audit=frozenset({"attestations"}))
    verdict = verdict_on(file_of(upload_time=NOW - 2 * HOUR), REJECTED, settings=settings)

    told = detail(judged(verdict), URL)

    assert "attestation" not in told
    assert "held until" in told


def test_what_is_allowed_is_said_to_be() -> None:
    judgement = judged(Verdict.of([]))

    assert reason_phrase(judgement, URL) == f"Allowed by policy: demo 2.0. See {URL}"
    assert detail(judgement, URL) == f"demo 2.0 is allowed by the policy. The whole story: {URL}"


WAIVER = Waiver(
    target=Target.parse("demo==2.0"), rule="cooldown", until=NOW + 30 * HOUR, reason="mends an\noutage", by="ada"
)
YOUNG: dict[str, Any] = {
    "rule": "cooldown",
    "code": "young",
    "outcome": Outcome.HOLD,
    "message": "young",
    "until": NOW + 22 * HOUR,
}
LISTED: dict[str, Any] = {
    "rule": "deny",
    "code": "listed",
    "outcome": Outcome.DENY,
    "message": "listed",
    "remedy": "have it removed",
}
CHANGED: dict[str, Any] = {
    "rule": "continuity",
    "code": "changed",
    "outcome": Outcome.HOLD,
    "message": "m",
    "until": NOW + 22 * HOUR,
}
RECREATED: dict[str, Any] = {"rule": "continuity", "code": "recreated", "outcome": Outcome.DENY, "message": "made anew"}
MALWARE: dict[str, Any] = {"rule": "malware", "code": "named-release", "outcome": Outcome.DENY, "message": "malware"}
FORGED: dict[str, Any] = {"rule": "attestations", "code": "rejected", "outcome": Outcome.DENY, "message": "forged"}
REPLACED: dict[str, Any] = {"rule": "filename", "code": "replaced", "outcome": Outcome.DENY, "message": "replaced"}

REJECTED_HERE: dict[str, Any] = {
    "rule": "review",
    "code": "rejected",
    "outcome": Outcome.DENY,
    "message": "ada rejected demo==2.0: steals tokens",
    "remedy": "use another version, or have rejection r-0123456789 revoked",
}

WAIVE_COOLDOWN = "inbond waive add demo==2.0 --rule cooldown --until 1d --index root --reason '...'"
WAIVE_DENY = "inbond waive add demo==2.0 --rule deny --until 30d --index root --reason '...'"
PIN = "inbond pins accept demo github:acme/demo@release.yml"
SIGNED = verified(attestation(identity_of(repository_id="9009")))


def found(*findings: dict[str, Any], **fields: Any) -> Judgement:
    return judged(Verdict.of([Finding(**one) for one in findings]), **fields)


@pytest.mark.parametrize(
    ("findings", "fields", "expected"),
    [
        ([YOUNG], {}, (WAIVE_COOLDOWN,)),
        ([YOUNG, LISTED], {}, (WAIVE_DENY, WAIVE_COOLDOWN)),
        ([YOUNG], {"at": None}, ()),
        ([YOUNG], {"version": None, "file": file_of(hashes={})}, ()),
        ([CHANGED], {"evidence": SIGNED}, (PIN,)),
        ([RECREATED], {"evidence": SIGNED}, (f"{PIN} --repository-id 9009",)),
        ([RECREATED], {}, ()),
        ([RECREATED, YOUNG], {}, ()),
        ([REJECTED_HERE], {}, ("inbond review revoke r-0123456789",)),
        ([REJECTED_HERE, YOUNG], {}, ("inbond review revoke r-0123456789", WAIVE_COOLDOWN)),
        ([{**REJECTED_HERE, "remedy": "use another version, or have rejection r-0123456789 removed"}], {}, ()),
        ([{**CHANGED, "code": "lost"}], {}, (WAIVE_COOLDOWN.replace("cooldown", "continuity"),)),
        # a pin would open every kind of ref
        (
            [{**CHANGED, "code": "ref-changed"}],
            {"evidence": SIGNED},
            (WAIVE_COOLDOWN.replace("cooldown", "continuity"),),
        ),
        ([MALWARE], {}, ()),
        ([MALWARE, YOUNG], {}, ()),
        ([FORGED], {}, ()),
        ([REPLACED], {}, ()),
        ([{**YOUNG, "code": ""}], {}, ()),
        ([{**YOUNG, "audited": True}], {}, ()),
        ([], {}, ()),
    ],
)
def test_the_commands_lift_all_that_stops_the_file_or_there_are_none(
    findings: list[dict[str, Any]], fields: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert commands(found(*findings, **fields)) == expected


def test_publishers_that_sign_one_file_are_few() -> None:
    many = verified(*(attestation(identity_of(f"acme/{letter}")) for letter in "abcdef"))

    assert len(commands(found(CHANGED, evidence=many))) == 3


@pytest.mark.parametrize("name", ["x" * 400, "bücher"])
def test_no_command_is_shown_that_would_have_to_be_changed(name: str) -> None:
    stranger = verified(attestation(identity_of(f"acme/{name}")))

    assert commands(found(CHANGED, evidence=stranger)) == ()


def test_the_detail_hands_the_commands_out() -> None:
    told = detail(found(YOUNG, LISTED), URL)

    assert told.endswith(f" Whoever runs this inbond can let it through: {WAIVE_DENY} && {WAIVE_COOLDOWN}")
    assert "inbond waive" not in reason_phrase(found(YOUNG, LISTED), URL)


CONFIRMED: dict[str, Any] = {**CHANGED, "remedy": f"if its maintainers confirm it: {PIN}"}


def test_a_command_that_a_remedy_has_told_stands_once_and_nothing_behind_it() -> None:
    told = detail(found(CONFIRMED, evidence=SIGNED), URL)

    assert told.count(PIN) == 1
    assert "What to do: if its maintainers confirm it: the command at the end. " in told
    assert told.endswith(f" Whoever runs this inbond can let it through: {PIN}")


def test_a_command_that_is_not_handed_out_stands_on_the_page() -> None:
    told = detail(found(MALWARE, CONFIRMED, evidence=SIGNED), URL)

    assert PIN not in told
    assert "What to do: if its maintainers confirm it: see the whole story. " in told


def test_a_reason_phrase_has_no_command_which_its_full_stop_would_end() -> None:
    assert reason_phrase(found(CONFIRMED, evidence=SIGNED), URL).endswith(f"by continuity: m. See {URL}")


def test_a_waiver_is_said_to_end_no_later_than_it_does() -> None:
    waiver = replace(WAIVER, until=NOW + timedelta(seconds=59))

    assert "until 2026-11-20 12:00 UTC: " in waived(Finding(**YOUNG, waiver=waiver))


@pytest.mark.parametrize(
    ("finding", "is_said"),
    [(MALWARE, True), (FORGED, True), (REPLACED, False), ({**YOUNG, "code": "no-such"}, False)],
)
def test_what_looks_like_an_attack_is_for_the_operator_to_look_at(finding: dict[str, Any], is_said: bool) -> None:
    told = detail(found(finding), URL)

    assert ("Only whoever runs this inbond can let it through, after a look at it." in told) is is_said


def test_what_is_waived_is_said_to_be() -> None:
    judgement = found({**YOUNG, "waiver": WAIVER})

    assert detail(judgement, URL) == (
        "demo 2.0 is allowed by the policy. "
        "cooldown is waived by ada until 2026-11-21 18:00 UTC: mends an outage. "
        f"The whole story: {URL}"
    )
    assert judgement.headline == f"{WHEEL} is allowed: a waiver lifts cooldown"
    assert waived(Finding(**YOUNG)) == ""
