"""Every command in the README and the other documents is typed, in order, and does what the text promises.

Blocks marked `sh` are run; `toml` blocks that begin with a comment naming a file are written to it first; blocks marked
`text` or `console` show, and are not run. `ways_in.markdown` says how a document marks an exception, and
`ways_in.reader.ELSEWHERE` holds those that are tested in other places.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

import pytest

from sim.index import SimIndex
from sim.sigstore import Sigstore
from sim.tuf import TufRepository
from tools import tool
from ways_in.markdown import Malformed, blocks, commands
from ways_in.programs import TOP, run_well, started
from ways_in.reader import Failed, Reader, copy_tree, elsewhere, reading
from ways_in.test_installed import to_the_registry

DOCUMENTS = [TOP / "README.md", TOP / "CONTRIBUTING.md", TOP / "SECURITY.md", *sorted((TOP / "docs").rglob("*.md"))]
WITH_COMMANDS = [path for path in DOCUMENTS if any(block.language == "sh" for block in blocks(path))]
SIGSTORE = Sigstore()
pytestmark = pytest.mark.timeout(300)


def lock_project(reader: Reader, *command: str, needs: str = "sampleproject") -> bytes:
    """A project locked by uv straight from the index, as a user has it before inbond."""
    project = Path(tempfile.mkdtemp(dir=reader.home))
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["{needs}"]\n'
    )
    environment = {**reader.environment, "UV_DEFAULT_INDEX": reader.upstream}
    run_well(["uv", "lock"], cwd=project, env=environment)
    if not command:
        return (project / "uv.lock").read_bytes()
    return run_well(["uv", "export", "--quiet", "--no-header", *command], cwd=project, env=environment).encode()


FILES = {
    "uv.lock": lock_project,
    "old-uv.lock": lambda reader: lock_project(reader, needs="sampleproject<4"),
    "pylock.toml": lambda reader: lock_project(reader, "--format", "pylock.toml"),
    "requirements.txt": lambda reader: lock_project(reader, "--no-emit-project"),
    "trusted_root.json": lambda _: SIGSTORE.trusted_root(Sigstore("next.example")),
    "acme_root.json": lambda _: Sigstore("acme.example").trusted_root(),
}


def add_projects(index: SimIndex) -> None:
    """What the documents' examples install."""
    index.add_sdist("sampleproject", "4.0.0")
    for version in ("3.0.0", "4.0.0"):
        index.add_wheel("sampleproject", version)
    for name in ("demo", "flask", "requests", "django"):
        index.add_wheel(name, "1.0")


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=lambda path: str(path.relative_to(TOP)))
async def test_every_command_does_what_the_document_promises(document: Path, tmp_path: Path) -> None:
    for needed in ("make", "curl", "git"):
        tool(needed)
    async with SimIndex() as index:
        add_projects(index)
        if document.name == "trust.md":
            await asyncio.to_thread(follow_beside_a_sigstore, document, tmp_path, index.url)
        else:
            await asyncio.to_thread(follow, document, tmp_path, index.url)


def follow_beside_a_sigstore(document: Path, place: Path, upstream: str) -> None:
    """With a TUF repository, which is what the public Sigstore's is to inbond."""
    with TufRepository(SIGSTORE.trusted_root()) as repository:
        tuf = {"ROOT": "auto", "TUF": repository.url, "TUF_ROOT": str(repository.write_root(place))}
        with reading(place, upstream, files=FILES) as reader:
            reader.environment |= {f"INBOND_TRUST__PUBLIC__{key}": value for key, value in tuf.items()}
            run_well(["inbond", "trust", "update"], cwd=place, env=reader.environment)  # as after a first start
            for block in blocks(document):
                reader.follow(block)


def follow(document: Path, place: Path, upstream: str) -> None:
    with reading(place, upstream, files=FILES) as reader:
        for block in blocks(document):
            reader.follow(block)


def test_the_readme_has_commands() -> None:
    assert TOP / "README.md" in WITH_COMMANDS


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (TOP / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([\w-]+):", makefile))
    for document in DOCUMENTS:
        for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
            for target in re.findall(r"(?:`|^\s*\$? ?)make ([a-z][\w-]*)", line):
                assert target in targets, f"{document.name}:{number}: make {target}"


@pytest.mark.network
@pytest.mark.timeout(600)
async def test_make_serve_sets_up_everything_in_a_fresh_clone(tmp_path: Path) -> None:
    copy_tree(tmp_path / "inbond")
    async with SimIndex() as index:
        add_projects(index)
        await asyncio.to_thread(serve_from_nothing, tmp_path, index.url)


def serve_from_nothing(place: Path, upstream: str) -> None:
    clone = place / "inbond"
    environment = {**to_the_registry(), "HOME": str(place), "INBOND_UPSTREAM": upstream}
    run_well([tool("make"), ".venv/.serve"], cwd=clone, env=environment, seconds=500)
    environment |= {"INBOND_LISTEN": "127.0.0.1:0", "INBOND_TRUST__PUBLIC__ROOT": "bundled"}
    with started([tool("make"), "serve"], cwd=clone, env=environment, output=place / "serve.log") as server:
        page = run_well(["curl", "-sf", f"{server.origin}/simple/sampleproject/"], cwd=place, env=environment)
        assert "sampleproject-4.0.0" in page


# --- the reader itself ---------------------------------------------------------------------------------------------

SAMPLE = """\
Text.

```sh
# a comment
export GREETING=hello
cat <<END > greeting
$GREETING
END
```

```toml
# inbond.toml
[server]
listen = "127.0.0.1:8643"
```

```sh
mkdir -p deeper && cd deeper
```

<!-- run: exits 3 -->
```sh
test "$(cat ../greeting)" = hello && \\
  exit 3
```

<!-- run: no, it would end the world -->
```sh
false
```

```text
false
```

```sh
inbond serve --config ../inbond.toml
curl -sf http://127.0.0.1:8643/-/live
curl -sf http://localhost:8642/-/live
```
"""


async def follow_text(text: str, place: Path) -> None:
    document = place / "SAMPLE.md"
    document.write_text(text)
    async with SimIndex() as index:
        add_projects(index)
        await asyncio.to_thread(follow, document, place, index.url)


async def test_a_document_is_followed(tmp_path: Path) -> None:
    # Its listen key is for the file alone: INBOND_LISTEN is stronger, and stands for the default port.
    await follow_text(SAMPLE.replace("serve --config", "serve --listen 127.0.0.1:8643 --config"), tmp_path)


FAILING = [
    ("```sh\ntrue\n\npip install no-such-project\n```\n", r"SAMPLE\.md:6: pip install no-such-project\nended with 1"),
    ("```sh\ninbond serve --polcy strict\n```\n", r"SAMPLE\.md:4: inbond serve --polcy strict\ndid not serve"),
    ("<!-- run: exits 2 -->\n```sh\ntrue\n```\n", r"SAMPLE\.md:5: true\nended with 0, not 2"),
]


async def test_a_command_that_fails_is_named_with_file_and_line(tmp_path: Path) -> None:
    async with SimIndex() as index:
        await asyncio.to_thread(fail_in_each_way, tmp_path, index.url)


def fail_in_each_way(place: Path, upstream: str) -> None:
    document = place / "SAMPLE.md"
    with reading(place, upstream) as reader:
        for text, said in FAILING:
            document.write_text(f"Text.\n\n{text}")
            (block,) = blocks(document)
            with pytest.raises(Failed, match=said):
                reader.follow(block)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```sh\ntrue\n", r"SAMPLE\.md:1: this block does not end"),
        ("```sh\n# nothing\n```\n", r"SAMPLE\.md:2: a block without a command"),
        ("```sh\necho 'open\n```\n", r"SAMPLE\.md:2: the shell finds no end"),
        ("<!-- run: never -->\n```sh\ntrue\n```\n", r"SAMPLE\.md:1: not a note that the tests know"),
    ],
)
def test_a_document_that_cannot_be_followed_is_named_with_file_and_line(text: str, said: str, tmp_path: Path) -> None:
    document = tmp_path / "SAMPLE.md"
    document.write_text(text)
    with pytest.raises(Malformed, match=said):
        [commands(block) for block in blocks(document)]


def test_exceptions_are_few_and_whole() -> None:
    assert elsewhere("make test")
    assert elsewhere("podman run --read-only inbond")
    assert elsewhere("make serve") is None
    assert elsewhere("pip install sampleproject") is None
