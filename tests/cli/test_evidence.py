"""`inbond evidence`: a Sigstore bundle beside a file whose index has no provenance of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from cli.desk import Desk, configured
from sim.index import SimFile, SimIndex
from sim.sigstore import SLSA, GitHub, Sigstore
from stack import ONE_INDEX, Inbond, inbond, sigstore

ACME = GitHub(owner="acme", repo="widgets", workflow="release.yml")
EVIL = GitHub(owner="evil", repo="widgets", workflow="release.yml")
REQUIRE = """
[policies.default]
attestations = "require"
[[policies.default.rules]]
projects = ["widgets"]
publishers = ["github:acme/widgets@release.yml"]
"""
NAME = "widgets-1.0-py3-none-any.whl"


def signed(file: SimFile, by: GitHub = ACME, at: Sigstore | None = None) -> Any:
    return (at or sigstore()).signer(by).bundle(file.content)


def attested(file: SimFile, by: GitHub = ACME, **faults: Any) -> Any:
    return sigstore().signer(by, **faults).attested_bundle(file.filename, file.sha256)


def placed(desk: Desk, file: SimFile, bundle: Any) -> tuple[str, ...]:
    """The words of `add` for a file, which is put beside its bundle first."""
    own = desk.place / file.filename
    own.write_bytes(file.content)
    beside = own.with_name(f"{file.filename}.sigstore.json")
    beside.write_text(json.dumps(bundle), encoding="utf-8")
    return "evidence", "add", str(own), "--bundle", str(beside)


async def decision(proxy: Inbond, file: SimFile) -> tuple[str, str]:
    """What a file's verdict is, and its evidence; its page says the same."""
    verdict = await proxy.verdict("widgets", file.filename)
    listed = await proxy.listed("widgets", file.filename)
    assert (verdict["decision"] != "allow") is isinstance(listed["yanked"], str)
    return verdict["decision"], verdict["evidence"]["state"]


async def integrity(proxy: Inbond, file: SimFile) -> tuple[int, bytes]:
    status, body, _ = await proxy.get(f"/integrity/widgets/{file.version}/{file.filename}/provenance")
    return status, body


def wheel(index: SimIndex, claim: str | None = None, **options: Any) -> SimFile:
    return index.add_wheel("widgets", "1.0", claim=claim, **options)


@pytest.mark.parametrize("claim", [None, "silent"])
async def test_a_signature_counts_from_the_next_request_on_and_so_does_its_removal(
    tmp_path: Path, claim: str | None
) -> None:
    async with SimIndex() as index:
        file = wheel(index, claim)
        desk = Desk(tmp_path)
        async with inbond(tmp_path, index, more=REQUIRE) as proxy:
            assert await decision(proxy, file) == ("deny", "absent")
            bundle = signed(file)
            told = await desk.beside(*placed(desk, file, bundle), "--reason", "from the release job")
            assert await decision(proxy, file) == ("allow", "verified")
            verdict = await proxy.verdict("widgets", NAME)
            assert {key: verdict["attached"][key] for key in ("by", "reason")} == {
                "by": "ada", "reason": "from the release job",
            }  # fmt: skip
            assert (await integrity(proxy, file))[0] == 404  # PEP 740 has no form for it
            assert (await proxy.listed("widgets", NAME)).get("provenance") is None
            _, page, _ = await proxy.get(f"/why/{file.sha256[:12]}")
            assert "by ada, " in page.decode()
            assert ": from the release job; its index has none" in page.decode()
            again = await desk.beside(*placed(desk, file, bundle), "--reason", "once more", "--by", "bob")
            removed = await desk.beside("evidence", "remove", NAME, "--by", "bob")
            assert await decision(proxy, file) == ("deny", "absent")
            assert (await proxy.verdict("widgets", NAME))["attached"] is None
    line = f"{NAME} ({file.sha256[:12]}...), a signature over the file attached by ada: from the release job"
    assert told.splitlines() == [
        f"attached: {line}",
        "  signed by github:acme/widgets@release.yml, as the certificate proves",
        "  issuer https://token.actions.githubusercontent.com, vouched for by [trust.public]",
        "  subject https://github.com/acme/widgets/.github/workflows/release.yml@refs/tags/v1.0",
        told.splitlines()[4],
        "  it counts for upstream pypi from the next request on",
    ]
    assert told.splitlines()[4].startswith("  logged 2025-06-02 12:00 UTC, entry ")
    assert again.splitlines()[0] == f"attached already: {line}"
    assert removed == f"removed for upstream pypi: {line}\n"
    assert await desk.happened() == [
        ("decision-made", f"ada attached evidence to {NAME} of pypi: from the release job"),
        ("decision-revoked", f"bob removed the evidence attached to {NAME} of pypi: from the release job"),
    ]
    done = await desk.did()
    assert ("evidence-attached", "ada", NAME) in done
    assert done[-1] == ("evidence-removed", "bob", NAME)
    assert [kind for kind, *_ in done].count("evidence-attached") == 1


async def test_an_attestation_is_served_as_the_provenance_that_it_is(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = wheel(index)
        desk = Desk(tmp_path)
        async with inbond(tmp_path, index, more=REQUIRE) as proxy:
            assert (await integrity(proxy, file))[0] == 404
            told = json.loads(await desk.beside(*placed(desk, file, attested(file)), "--format", "json"))
            assert await decision(proxy, file) == ("allow", "verified")
            status, body = await integrity(proxy, file)
            assert status == 200
            assert json.loads(body)["attestation_bundles"][0]["publisher"]["repository"] == "acme/widgets"
            shown = json.loads(await desk.beside("evidence", "list", "--format", "json"))["attached"]
            why = await desk.beside("why", "widgets", NAME)
    assert shown == [told["attached"]]
    assert (told["new"], told["upstreams"], told["attached"]["form"]) == (True, ["pypi"], "attestation")
    assert told["evidence"]["state"] == "verified"
    (line,) = [line for line in why.splitlines() if line.startswith("  attached ")]
    assert " by ada, " in line
    assert "its index has none" in line


async def test_what_does_not_verify_or_proves_another_file_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file, other = wheel(index), index.add_wheel("widgets", "2.0")
        desk = Desk(tmp_path)
        stranger = Sigstore("elsewhere.example")
        broken = signed(file)
        broken["messageSignature"]["signature"] = signed(other)["messageSignature"]["signature"]
        cases = [
            (signed(other), "the bundle is about another file: it signs"),
            (broken, "the bundle does not verify by the trust of upstream pypi: its signature is not genuine"),
            (attested(other), "the bundle does not verify by the trust of upstream pypi: it is about another file"),
            (signed(file, at=stranger), "the bundle cannot be judged by the trust of upstream pypi: signed with a"),
            (attested(file, predicate_type=SLSA), "there is no publish attestation"),
            ({"mediaType": "text/plain"}, "the bundle is not a Sigstore bundle of version 0.3"),
        ]
        async with inbond(tmp_path, index, more=REQUIRE) as proxy:
            for bundle, told in cases:
                assert told in await desk.beside(*placed(desk, file, bundle), code=1)
            changed = [*placed(desk, file, signed(file))]
            (desk.place / NAME).write_bytes(other.content)
            changed[-1] = placed(desk, other, signed(other))[-1]
            told = await desk.beside(*changed, code=1)
            assert f"upstream pypi lists other bytes of {NAME}: {file.sha256}, FILE has {other.sha256}" in told
            assert await decision(proxy, file) == ("deny", "absent")
        assert await desk.beside("evidence", "list") == "nothing is attached\n"


async def test_the_wrong_publisher_is_attached_and_denied_by_the_policy(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = wheel(index)
        desk = Desk(tmp_path)
        async with inbond(tmp_path, index, more=REQUIRE) as proxy:
            await desk.beside(*placed(desk, file, signed(file, EVIL)))
            assert await decision(proxy, file) == ("deny", "verified")
            await desk.beside(*placed(desk, file, signed(file)))  # the latest counts
            assert await decision(proxy, file) == ("allow", "verified")


async def test_an_index_s_own_provenance_wins_and_an_attached_one_hides_nothing(tmp_path: Path) -> None:
    async with SimIndex() as index:
        forged = sigstore().provenance_for(NAME, "0" * 64, ACME)
        file = index.add_wheel("widgets", "1.0", provenance=forged)
        desk = Desk(tmp_path)
        async with inbond(tmp_path, index, more=REQUIRE) as proxy:
            result = await asyncio.to_thread(desk.run, *placed(desk, file, signed(file)))
            assert result.exit_code == 0
            assert "names provenance of its own" in result.stderr
            assert await decision(proxy, file) == ("deny", "rejected")
            assert (await proxy.verdict("widgets", NAME))["attached"] is None
            assert await integrity(proxy, file) == (200, forged)


def test_with_an_upstream_that_is_named_nobody_is_asked(tmp_path: Path) -> None:
    index = SimIndex()
    file = wheel(index)
    desk = configured(tmp_path, '[upstreams.pypi]\nurl = "http://127.0.0.1:9/simple/"\n')
    words = placed(desk, file, signed(file))

    assert desk.json(*words, "--upstream", "pypi")["upstreams"] == ["pypi"]
    (row,) = desk.told("evidence", "list").splitlines()[1:]
    assert row.split()[:4] == [NAME, "pypi", file.sha256, "signature"]
    assert "there is no upstream 'acme'" in desk.told(*words, "--upstream", "acme", code=2)
    nonsense = ["evidence", "add", str(tmp_path / "absent.whl"), "--bundle", str(tmp_path / "absent")]
    assert "there is no upstream 'acme'" in desk.told(*nonsense, "--upstream", "acme", code=2)
    assert "127.0.0.1:9" in desk.told(*words, code=2)
    assert desk.told("evidence", "remove", file.sha256).startswith("removed for upstream pypi: ")
    assert desk.told("evidence", "list") == "nothing is attached\n"


async def test_a_file_that_nobody_lists_is_not_told_by_whose_trust(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = index.add_wheel("gadgets", "1.0")
        index.add_wheel("widgets", "1.0")
        desk = configured(tmp_path, ONE_INDEX.format(data=tmp_path / "data", upstream=index.url))
        unlisted = SimIndex().add_wheel("gadgets", "3.0")
        assert "no upstream lists gadgets-3.0-py3-none-any.whl" in await desk.beside(
            *placed(desk, unlisted, signed(unlisted)), code=2
        )
        assert file.filename == "gadgets-1.0-py3-none-any.whl"


def test_what_cannot_be_read_or_is_not_there_is_told(tmp_path: Path) -> None:
    file = wheel(SimIndex())
    desk = configured(tmp_path)
    words = placed(desk, file, signed(file))

    assert f"nothing is attached to '{NAME}'" in desk.told("evidence", "remove", NAME, code=1)
    assert f"nothing is attached to {'0' * 64}" in desk.told("evidence", "remove", "0" * 64, code=1)
    assert "none.json cannot be read" in desk.told(*words[:-1], str(tmp_path / "none.json"), code=2)
    (tmp_path / "large.json").write_bytes(b" " * (512 * 1024 + 1))
    assert "large.json cannot be read" in desk.told(*words[:-1], str(tmp_path / "large.json"), code=2)
    assert "x.whl cannot be read" in desk.told("evidence", "add", "x.whl", *words[3:], code=2)
    assert "--reason: '?' is no reason" in desk.told(*words, "--reason", "?", code=2)


def test_of_two_files_of_one_name_the_digest_says_which(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    files = [SimIndex().add_wheel("widgets", "1.0", module=text) for text in ("a = 1\n", "a = 2\n")]
    for file in files:
        desk.told(*placed(desk, file, signed(file)), "--upstream", "pypi")

    told = desk.told("evidence", "remove", NAME, code=2)
    assert f"several files of the name {NAME} have something attached" in told
    assert all(file.sha256 in told for file in files)
    desk.told("evidence", "remove", files[0].sha256)
    assert [one["sha256"] for one in desk.json("evidence", "list")["attached"]] == [files[1].sha256]
