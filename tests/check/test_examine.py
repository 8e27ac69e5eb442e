"""What becomes of the entries of a lock: clear, warned, held, denied, or not to be told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from check.support import ACME, OLD, check, dependency, lock, locked, report, row, rules, signed_by, young
from inbond.check.files import Result, UnlistedFile
from inbond.locks.lock import FromDirectory, FromFile, FromIndex, FromUrl, FromVcs, LockFormat, NamedIndex, Place
from inbond.model.names import Filename
from sim.index import SimIndex, Status


async def test_a_locked_release_that_is_on_the_page_is_clear(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        found = await row(tmp_path, index, dependency("demo", "1.0", locked(wheel)))
    assert found.result is Result.CLEAR
    assert (found.version, found.upstream, found.published) == ("1.0", "pypi", OLD)
    assert (len(found.files), found.attested, found.verified, found.publishers) == (1, 0, 0, ())


async def test_verified_attestations_are_counted_and_their_signer_named(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        sdist = index.add_sdist("demo", "1.0", upload_time=OLD)
        found = await row(tmp_path, index, dependency("demo", "1.0", locked(wheel, sdist)), more=NO_COOLDOWN)
    assert found.result is Result.CLEAR
    assert (len(found.files), found.attested, found.verified) == (2, 1, 1)
    assert found.publishers == ("github:acme/widgets@release.yml",)


NO_COOLDOWN = '[policies.default]\nmin_age = "0"\n'


async def test_a_forged_attestation_is_denied_and_said_by_whom(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(signature="badsig"), upload_time=OLD)
        found = await row(tmp_path, index, dependency("demo", "1.0", locked(wheel)))
    assert found.result is Result.DENIED
    assert found.deciding is not None
    assert found.deciding.rule == "attestations"
    assert (found.attested, found.verified) == (1, 0)


async def test_a_young_release_is_held_until_it_is_old_enough(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=OLD)
        wheel = index.add_wheel("demo", "2.0", upload_time=young(1))
        found = await row(tmp_path, index, dependency("demo", "2.0", locked(wheel)))
    assert found.result is Result.HELD
    assert found.deciding is not None
    assert found.deciding.rule == "cooldown"
    assert found.judged[0].judgement.newest_allowed == "1.0"


async def test_evidence_that_cannot_be_had_is_no_pass_and_no_denial(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        index.fault(wheel.provenance_path, Status(503))
        found = await row(tmp_path, index, dependency("demo", "1.0", locked(wheel)))
    assert found.result is Result.UNTOLD
    assert found.unavailable


@pytest.mark.parametrize(
    ("line", "rule"), [('publishers = ["github:acme/*"]', "publishers"), ('runners = "hosted"', "runners")]
)
async def test_a_signer_that_could_not_be_checked_is_not_told_either(tmp_path: Path, line: str, rule: str) -> None:
    more = f'[[policies.default.rules]]\nprojects = ["demo"]\nattestations = "off"\n{line}\n'
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        index.fault(wheel.provenance_path, Status(503))
        found = await row(tmp_path, index, dependency("demo", "1.0", locked(wheel)), more=more)
    assert found.result is Result.UNTOLD
    assert found.deciding is not None
    assert found.deciding.rule == rule


async def test_an_open_requirement_is_not_told_by_the_version_before_one_that_could_not_be_checked(
    tmp_path: Path,
) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=OLD)
        newest = index.add_wheel("demo", "2.0", provenance=signed_by(), upload_time=OLD)
        index.fault(newest.provenance_path, Status(503))
        found = await row(tmp_path, index, dependency("demo"))
    assert (found.version, found.result) == ("2.0", Result.UNTOLD)


@pytest.mark.parametrize("digests", [{}, {"sha512": "1" * 128}, {"md5": "1" * 32}])
async def test_one_file_that_another_index_may_replace_is_denied_beside_a_pinned_one(
    tmp_path: Path, digests: dict[str, str]
) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        sdist = index.add_sdist("demo", "1.0", upload_time=OLD)
        extra = NamedIndex(place=Place("poetry.lock", 1), url="https://other.example/simple/", extra=True)
        entry = dependency("demo", "1.0", (*locked(wheel), *locked(sdist, digests=digests)))
        alone = (await check(tmp_path, index, lock(entry))).reports[0].rows[0]
        beside = (await check(tmp_path, index, lock(entry, indexes=(extra,)))).reports[0].rows[0]
    assert (alone.result, beside.result) == (Result.WARNED, Result.DENIED)


async def test_an_index_that_does_not_answer_is_no_pass(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=OLD)
        index.fault(index.page_path("demo"), Status(500))
        found = await row(tmp_path, index, dependency("demo", "1.0"))
    assert found.result is Result.UNTOLD
    assert found.untold is not None
    assert "500" in found.untold.reason


async def test_a_project_that_no_upstream_has_is_denied(tmp_path: Path) -> None:
    async with SimIndex() as index:
        found = await row(tmp_path, index, dependency("reqeusts", "1.0"))
    assert found.result is Result.DENIED
    assert rules(found) == {"not-listed"}


async def test_another_digest_than_the_indexs_is_denied_whatever_else_is_there(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        sdist = index.add_sdist("demo", "1.0", upload_time=OLD)
        files = (*locked(wheel, digests={"sha256": "0" * 64}), *locked(sdist))
        found = await row(tmp_path, index, dependency("demo", "1.0", files))
    assert found.result is Result.DENIED
    assert found.deciding is not None
    assert found.deciding.rule == "digest"
    assert "000000000000..." in found.deciding.message


async def test_one_file_that_is_gone_warns_and_all_of_them_deny(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        sdist = index.add_sdist("demo", "1.0", upload_time=OLD)
        index.remove(sdist)
        some = dependency("demo", "1.0", locked(wheel, sdist))
        none = dependency("demo", "1.0", locked(sdist))
        first, second = (await report(tmp_path, index, some, none)).rows
    assert (first.result, second.result) == (Result.WARNED, Result.DENIED)
    assert isinstance(first.files[1], UnlistedFile)


async def test_a_file_of_another_release_under_a_pin_is_denied(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=OLD)
        other = index.add_wheel("demo", "2.0", upload_time=OLD)
        by_name = dependency("demo", "1.0", locked(other))
        by_digest = dependency("demo", "1.0", locked(other, filename=None))
        found = (await report(tmp_path, index, by_name, by_digest)).rows
    assert [one.result for one in found] == [Result.DENIED, Result.DENIED]
    assert [rules(one) for one in found] == [{"other-release"}, {"other-release"}]


async def test_files_known_by_digest_alone_are_found(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        sdist = index.add_sdist("demo", "1.0", upload_time=OLD)
        entry = dependency("demo", "1.0", locked(sdist, wheel, filename=None))
        found = await row(tmp_path, index, entry)
    assert found.result is Result.CLEAR
    assert [one.judgement.file.filename for one in found.judged] == [sdist.filename, wheel.filename]


async def test_a_pin_without_files_means_all_of_the_release(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=OLD)
        index.add_sdist("demo", "1.0", upload_time=OLD)
        index.add_wheel("demo", "2.0", upload_time=OLD)
        there, gone = (await report(tmp_path, index, dependency("demo", "1.0"), dependency("demo", "3.0"))).rows
    assert (there.result, len(there.files)) == (Result.CLEAR, 2)
    assert (gone.result, rules(gone)) == (Result.DENIED, {"not-listed"})


async def test_an_open_requirement_takes_what_an_installer_would_take(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=OLD)
        index.add_wheel("demo", "2.0", upload_time=OLD, yanked="broken")
        index.add_wheel("demo", "3.0", upload_time=OLD, requires_python=">=4")
        index.add_wheel("demo", "4.0a1", upload_time=OLD)
        index.add_wheel("demo", "5.0", upload_time=young())
        found = await row(tmp_path, index, dependency("demo"))
    assert (found.version, found.result) == ("1.0", Result.WARNED)
    assert found.deciding is not None
    assert found.deciding.rule == "cooldown"
    assert "5.0 is passed over" in found.deciding.message


async def test_an_open_requirement_for_which_everything_is_stopped(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=OLD)
        index.add_wheel("demo", "2.0", upload_time=young())
        held = dependency("demo", specifier=">=2")
        none = dependency("demo", specifier=">=3")
        first, second = (await report(tmp_path, index, held, none)).rows
    assert (first.version, first.result) == ("2.0", Result.HELD)
    assert (second.version, second.result, rules(second)) == (None, Result.DENIED, {"not-listed"})


async def test_an_sdist_that_the_policy_does_not_take_beside_a_clear_wheel_only_warns(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        sdist = index.add_sdist("demo", "1.0", upload_time=OLD)
        both = dependency("demo", "1.0", locked(sdist, wheel))
        alone = dependency("demo", "1.0", locked(sdist))
        more = '[policies.default]\nsdists = "deny"\n'
        first, second = (await report(tmp_path, index, both, alone, more=more)).rows
    assert (first.result, second.result) == (Result.WARNED, Result.DENIED)
    assert first.deciding is not None
    assert first.deciding.rule == "sdists"


async def test_sources_besides_an_index(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        url = "https://files.example/demo-1.0-py3-none-any.whl"
        known = dependency("demo", "1.0", locked(wheel), source=FromUrl(url))
        foreign = dependency("demo", "1.0", locked(wheel, digests={"sha256": "1" * 64}), source=FromUrl(url))
        nowhere = dependency("unknown", "1.0", locked(wheel), source=FromUrl(url))
        bare = dependency("demo", "1.0", source=FromUrl(url))
        vcs = dependency("demo", source=FromVcs("git+https://git.example/demo@abc"))
        archive = dependency("demo", "1.0", source=FromFile("vendor/demo-1.0-py3-none-any.whl"))
        climbing = dependency("demo", "1.0", source=FromDirectory("../elsewhere"))
        half = dependency(
            "demo", "1.0", (*locked(wheel), *locked(wheel, digests={"sha256": "1" * 64})), source=FromUrl(url)
        )
        found = await report(tmp_path, index, known, foreign, nowhere, bare, vcs, archive, climbing, half)
    assert [one.result for one in found.rows] == [Result.CLEAR, *[Result.UNTOLD] * 7]
    assert all(one.untold is not None for one in found.rows[1:])


async def test_what_is_the_projects_own_is_counted_and_not_asked_for(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        own = dependency("shop", "1.0", source=FromDirectory(".", own=True))
        beside = dependency("shop-models", source=FromDirectory("models", own=True))
        found = await report(tmp_path, index, own, beside, dependency("demo", "1.0", locked(wheel)))
        assert index.count("page") == 1
    assert ([str(one.project) for one in found.own], len(found.rows)) == (["shop", "shop-models"], 1)
    assert found.result is Result.CLEAR


async def test_a_digest_of_another_kind_is_compared_where_it_can_be(tmp_path: Path) -> None:
    async with SimIndex() as index:
        hashes = {"sha256": "", "md5": "a" * 32}
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        index.change(wheel, hashes={**hashes, "sha256": wheel.sha256})
        same = dependency("demo", "1.0", locked(wheel, digests={"md5": "a" * 32}))
        other = dependency("demo", "1.0", locked(wheel, digests={"md5": "b" * 32}))
        by_digest = dependency("demo", "1.0", locked(wheel, digests={"md5": "a" * 32}, filename=None))
        found = (await report(tmp_path, index, same, other, by_digest)).rows
    assert [one.result for one in found] == [Result.WARNED, Result.DENIED, Result.WARNED]
    assert [rules(one) - {"attestations"} for one in found] == [{"no-sha256"}, {"digest"}, {"no-sha256"}]


async def test_a_second_check_asks_upstream_for_nothing(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        sdist = index.add_sdist("demo", "1.0", claim="silent", upload_time=OLD)
        entry = lock(dependency("demo", "1.0", locked(wheel, sdist)))
        await check(tmp_path, index, entry)
        asked = len(index.requests)
        again = await check(tmp_path, index, entry)
        assert len(index.requests) == asked
    assert again.reports[0].rows[0].verified == 1


async def test_an_entry_with_files_is_never_the_projects_own(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        entry = dependency("demo", "1.0", locked(wheel), source=FromDirectory(".", own=True))
        found = await report(tmp_path, index, entry)
    assert found.own == ()
    assert [one.result for one in found.rows] == [Result.UNTOLD]


async def test_a_url_that_the_index_does_not_list_is_denied_beside_whatever_else(tmp_path: Path) -> None:
    """Installers take the best tag, not the file that is listed."""
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        evil = locked(wheel, filename=Filename("demo-1.0-9-py3-none-any.whl"), digests={"sha256": "1" * 64},
                      url="https://evil.example/demo-1.0-9-py3-none-any.whl")  # fmt: skip
        found = await row(tmp_path, index, dependency("demo", "1.0", (*locked(wheel), *evil)))
    assert found.result is Result.DENIED


async def test_an_unlisted_digest_is_denied_where_the_lock_asks_another_index_too(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        files = (*locked(wheel, filename=None), *locked(wheel, filename=None, digests={"sha256": "1" * 64}))
        extra = NamedIndex(place=Place("requirements.txt", 1), url="https://other.example/simple/", extra=True)
        entry = dependency("demo", "1.0", files)
        alone = (await check(tmp_path, index, lock(entry, form=LockFormat.REQUIREMENTS))).reports[0]
        beside = (await check(tmp_path, index, lock(entry, form=LockFormat.REQUIREMENTS, indexes=(extra,)))).reports[0]
    assert (alone.rows[0].result, beside.rows[0].result) == (Result.WARNED, Result.DENIED)


async def test_nothing_is_told_of_what_another_index_may_answer(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=OLD)
        other = NamedIndex(place=Place("requirements.txt", 1), url="https://other.example/simple/")
        same = NamedIndex(place=Place("requirements.txt", 1), url=index.url)
        entries = (dependency("demo", "1.0"), dependency("demo"))
        asked = (await check(tmp_path, index, lock(*entries, indexes=(other,)))).reports[0]
        fine = (await check(tmp_path, index, lock(*entries, indexes=(same,)))).reports[0]
        own = (await check(tmp_path, index, lock(dependency("demo", "1.0", source=FromIndex(other.url))))).reports[0]
    assert [one.result for one in asked.rows] == [Result.UNTOLD, Result.UNTOLD]
    assert [one.result for one in fine.rows] == [Result.CLEAR, Result.CLEAR]
    assert [one.result for one in own.rows] == [Result.UNTOLD]


async def test_a_file_without_a_digest_from_somewhere_else_is_denied_and_not_counted(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        bare = locked(wheel, digests={}, url="https://evil.example/demo-1.0-py3-none-any.whl")
        right = locked(wheel, digests={}, url=f"{index.origin}{wheel.path}")
        other = locked(wheel, digests={"sha512": "1" * 128}, url="https://evil.example/demo-1.0-py3-none-any.whl")
        found = await report(
            tmp_path, index, *(dependency("demo", "1.0", one) for one in (bare, right, other)), more=NO_COOLDOWN
        )
    assert [one.result for one in found.rows] == [Result.DENIED, Result.WARNED, Result.DENIED]
    assert [one.verified for one in found.rows] == [0, 0, 0]
    assert all(one.publishers == () for one in found.rows)


async def test_many_digests_of_one_entry_are_looked_up_and_not_searched_for(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        (known,) = locked(wheel, filename=None)
        many = [replace(known, digests={"sha256": f"{number:064x}"}) for number in range(20_000)]
        found = await row(tmp_path, index, dependency("demo", "1.0", [known, *many]))
        assert found.result is Result.WARNED
    assert sum(one.result is found.result for one in found.files) == 20_000


async def test_totals_and_coverage(tmp_path: Path) -> None:
    async with SimIndex() as index:
        signed = index.add_wheel("signed", "1.0", provenance=signed_by(ACME), upload_time=OLD)
        plain = index.add_wheel("plain", "1.0", upload_time=OLD)
        entries = [
            dependency("signed", "1.0", locked(signed)),
            dependency("plain", "1.0", locked(plain)),
            dependency("gone", "1.0"),
        ]
        totals = (await report(tmp_path, index, *entries, more=NO_COOLDOWN)).totals
    assert (totals.dependencies, totals.dependencies_verified) == (3, 1)
    assert (totals.files, totals.files_attested, totals.files_verified) == (2, 1, 1)
    assert {result: number for result, number in totals.by_result.items() if number} == {
        Result.CLEAR: 2,
        Result.DENIED: 1,
    }


@pytest.mark.parametrize(("audit", "result"), [("[]", Result.DENIED), ('["*"]', Result.CLEAR)])
async def test_audited_rules_do_not_count(tmp_path: Path, audit: str, result: Result) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        more = f'[policies.default]\naudit = {audit}\ndeny = ["demo"]\n'
        found = await row(tmp_path, index, dependency("demo", "1.0", locked(wheel)), more=more)
    assert found.result is result
