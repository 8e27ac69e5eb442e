"""`inbond pins`: accepting publishers, and carrying what was accepted through git."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cli.desk import Desk, configured
from sim.attested import attested_files
from sim.index import SimIndex
from sim.sigstore import GitHub
from stack import inbond, sigstore

FLASK = ("pins", "accept", "Flask", "github:pallets/flask@publish.yaml", "--repository-id", "596892")
PINS = """\
# Decisions of inbond. In a configuration: [decisions] files = [...] names this file.

[[pins]]
project = "demo"
publisher = "github:acme/demo"
by = "bob"
at = "2026-11-20T09:30:00Z"

[[pins]]
project = "flask"
publisher = "github:pallets/flask@publish.yaml"
repository_id = "596892"
reason = "the \\"workflow\\" was renamed"
by = "ada"
at = "2026-11-20T09:30:00Z"
"""


def with_pins(desk: Desk, text: str = PINS, name: str = "pins.toml") -> str:
    (desk.place / name).write_text(text, encoding="utf-8")
    return str(desk.place / name)


async def test_a_publisher_is_accepted_listed_and_revoked(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    told = await desk.beside(*FLASK, "--reason", "the workflow was renamed")
    pin_id, _, sentence = told.strip().partition(": ")

    says = "ada accepted github:pallets/flask@publish.yaml for flask, repository id 596892: the workflow was renamed"
    assert sentence == says
    (row,) = (await desk.beside("pins", "list")).splitlines()[1:]
    assert row.startswith(f"{pin_id}  flask    github:pallets/flask@publish.yaml  596892 ")
    assert f"{pin_id} was in force already: ada accepted" in await desk.beside(*FLASK)
    assert await desk.beside("pins", "revoke", pin_id, "--by", "bob") == f"revoked {pin_id}: {says}\n"
    assert await desk.beside("pins", "list") == "no pins\n"
    assert await desk.happened() == [
        ("decision-made", says),
        ("decision-revoked", f"bob revoked {pin_id}: {says}"),
    ]


async def test_a_publisher_that_none_of_the_project_is_gets_a_warning(tmp_path: Path) -> None:
    async with SimIndex() as index:
        attested_files(index, sigstore(), "demo", ["1.0"], GitHub(owner="acme", repo="widgets", workflow="release.yml"))
        index.add_wheel("plain", "1.0")
        async with inbond(tmp_path, index) as proxy:
            for project in ("demo", "plain"):
                await proxy.page(project)
            await proxy.verdict("demo", "demo-1.0-py3-none-any.whl")
    desk = Desk(tmp_path)
    accepted = [
        ("demo", "github:acme/widget@release.yml"),
        ("demo", "github:acme/widgets"),
        ("plain", "github:acme/plain"),  # nobody is known: nothing can be told
    ]
    misspelt, right, unknown = [
        (await asyncio.to_thread(desk.run, "pins", "accept", *words)).stderr for words in accepted
    ]
    named = "is no publisher of demo that is known here; those are github:acme/widgets@release.yml"
    assert misspelt == f"warning: github:acme/widget@release.yml {named}\n"
    assert (right, unknown) == ("", "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("no name", "github:acme/demo"), "PROJECT: 'no name' is not a project name"),
        (("demo", "acme/demo"), "PUBLISHER: 'acme/demo' does not begin with a kind of publisher"),
        (("demo", "github:acme"), "PUBLISHER: 'github:acme': no repository is named so"),
        (("demo", "github:acme/demo", "--repository-id", "#1"), "--repository-id: '#1' is no repository's id"),
        (("demo", "github:acme/demo", "--reason", "?"), "--reason: '?' is no reason"),
    ],
)
def test_what_names_nobody_is_refused(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    desk = configured(tmp_path)
    assert told in desk.told("pins", "accept", *words, code=2)
    assert desk.json("pins", "list") == {"pins": []}


def test_a_file_is_taken_in_once_and_written_as_it_was(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    file = with_pins(desk)

    assert desk.told("pins", "import", file).splitlines()[-1] == "2 new, 0 known already"
    assert desk.told("pins", "import", file).splitlines()[-1] == "0 new, 2 known already"
    assert desk.told("pins", "export") == PINS
    assert desk.json("pins", "import", file)["pins"][0]["new"] is False
    reversed_file = with_pins(
        desk, "\n".join(f"[[pins]]{one}" for one in reversed(PINS.split("[[pins]]")[1:])), "r.toml"
    )
    (tmp_path / "other").mkdir()
    other = configured(tmp_path / "other")
    other.told("pins", "import", reversed_file)
    other.told("pins", "export", str(tmp_path / "again.toml"))
    assert (tmp_path / "again.toml").read_text(encoding="utf-8") == PINS


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (
            PINS.replace("github:pallets/", "github:"),
            "pins.toml:11: pins[1].publisher: 'github:flask@publish.yaml': no",
        ),
        (PINS.replace('by = "bob"\n', ""), "pins.toml:3: pins[0]: the key 'by' is missing"),
        (PINS.replace("[[pins]]", "[[pin]]"), "pins.toml:3: pin: unknown key; did you mean 'pins'?"),
        (
            PINS + '[[rejections]]\ntarget = "demo"\nreason = "x"\nby = "ada"\n',
            "pins.toml: holds other decisions than pins",
        ),
        ("x", "pins.toml: is not TOML"),
    ],
)
def test_of_a_file_with_a_mistake_nothing_is_taken_in(tmp_path: Path, broken: str, told: str) -> None:
    desk = configured(tmp_path)

    assert told in desk.told("pins", "import", with_pins(desk, broken), code=2)
    assert desk.json("pins", "list") == {"pins": []}


def test_a_file_without_pins_is_fine(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    assert desk.told("pins", "import", with_pins(desk, "")) == "0 new, 0 known already\n"


def test_what_is_written_can_be_named_in_the_configuration(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    desk.told(*FLASK)
    file = tmp_path / "pins.toml"
    desk.told("pins", "export", str(file))
    (pin,) = desk.json("pins", "list")["pins"]
    desk.told("pins", "revoke", pin["id"])
    desk = configured(tmp_path, '[decisions]\nfiles = ["pins.toml"]\n')

    (again,) = desk.json("pins", "list")["pins"]
    assert again == pin | {"source": "configuration", "place": f"{file}:3"}
    assert "stands in the configuration" in desk.told("pins", "revoke", pin["id"], code=1)
    desk.told("pins", "accept", "demo", "github:acme/demo")
    desk.told("pins", "export", str(file))
    assert file.read_text(encoding="utf-8").count("[[pins]]") == 2


def test_no_file_is_overwritten_that_holds_something_else(tmp_path: Path) -> None:
    desk = configured(tmp_path, 'storage.max_size = "1GiB"\n')
    desk.told(*FLASK)

    assert "inbond.toml:1: storage: unknown key" in desk.told("pins", "export", str(tmp_path / "inbond.toml"), code=2)
    assert (tmp_path / "inbond.toml").read_text(encoding="utf-8") == 'storage.max_size = "1GiB"\n'


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    desk = configured(tmp_path)
    file = tmp_path / "none" / "pins.toml"

    assert f"{file} cannot be written: No such file or directory" in desk.told("pins", "export", str(file), code=2)
