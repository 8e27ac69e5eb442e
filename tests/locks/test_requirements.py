"""Requirements files: what pip reads in them, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version
from pip._internal.exceptions import InstallationError
from pip._internal.network.session import PipSession
from pip._internal.req.constructors import install_req_from_parsed_requirement
from pip._internal.req.req_file import parse_requirements

from inbond.locks import narrowing, requirement_lines, requirements
from inbond.locks.lock import Dependency, FromDirectory, FromFile, FromIndex, FromUrl, FromVcs, InvalidLock, Lock, Place
from inbond.locks.requirements import MAX_DEPTH, MAX_INCLUDED_FILES, read_requirements
from inbond.model.errors import NotFound

A, B, C = "a" * 64, "b" * 64, "c" * 64


def beside(files: dict[str, str]) -> Callable[[str, str], bytes]:
    def opened(_: str, path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return files[path].encode()

    return opened


def read(text: str | bytes, source: str = "requirements.txt", **files: str) -> Lock:
    raw = text if isinstance(text, bytes) else text.encode()
    return read_requirements(source, raw, open_beside=beside({f"{name}.txt": body for name, body in files.items()}))


def only(text: str | bytes, **files: str) -> Dependency:
    (entry,) = read(text, **files).dependencies
    return entry


def refused(text: str | bytes, **files: str) -> str:
    with pytest.raises(InvalidLock) as caught:
        read(text, **files)
    return f"{caught.value.message} ({caught.value.remedy})"


def outcome(raw: bytes, **files: str) -> Lock | InvalidLock:
    try:
        return read(raw, **files)
    except InvalidLock as error:
        return error


def digests(entry: Dependency) -> list[str]:
    return [f"{name}:{value}" for file in entry.files for name, value in file.digests.items()]


class TestRequirements:
    def test_a_locked_one(self) -> None:
        text = '\n# why\nFlask[async] == 3.1.0 ; python_version > "3.8" \\\n'
        text += f"  --hash=sha256:{A} \\\n  --hash sha512:{B}{B}\n"
        entry = only(text)
        assert entry.project == "flask"
        assert entry.place == Place("requirements.txt", 3)
        assert (entry.version, str(entry.specifier)) == (Version("3.1.0"), "==3.1.0")
        assert (set(entry.extras), str(entry.marker)) == ({"async"}, 'python_version > "3.8"')
        assert digests(entry) == [f"sha256:{A}", f"sha512:{B}{B}"]
        assert entry.hashed
        assert [file.sha256 for file in entry.files] == [A, None]

    @pytest.mark.parametrize(
        ("written", "version"),
        [
            ("a", None), ("a>=1", None), ("a==1.*", None), ("a===1.0", "1.0"), ("a==1.0", "1.0"), ("a (==1.0)", "1.0"),
            ("a==1.0,>=0.9", "1.0"), ("a===1.0-post1", "1.0.post1"), ("a==1.0+x,==1.0", "1.0+x"), ("a~=1.0", None),
        ],
    )  # fmt: skip
    def test_what_pins(self, written: str, version: str | None) -> None:
        assert only(written).version == (None if version is None else Version(version))

    @pytest.mark.parametrize(
        ("written", "why"),
        [
            ("reqeusts==", "requirements.txt:1: 'reqeusts==' is not a requirement: "),
            ("a==1,==2", "no version is ==1,==2"),
            ("a===dunno", "Invalid version"),
            ("a=1", "is not a requirement"),
            ("a; nonsense", "is not a requirement"),
            ("a/b==1", "is not a requirement"),
            ("./a[!]", "is not a requirement"),
            ("a==" + "9" * 5000, "is not a requirement"),
            ("a;" + "(" * 9000, "nested too deeply"),
            ("a " + "x" * 20_000, "longer than 16,384"),
            ("a" + ",".join(f">={n}" for n in range(200)), "more than 100 conditions"),
            ("b" * 300, "is not a project name"),
            ("${NAME}==1", "is not a requirement"),
            ("a==1\t--hash=sha256:" + A, "is not a requirement"),
        ],
    )
    def test_what_is_none(self, written: str, why: str) -> None:
        assert why in refused(written)

    @pytest.mark.parametrize(
        ("written", "problem"),
        [
            ("xyz", "'--hash=sha256:xyz' is no sha256 digest"),
            ("g" * 64, "is no sha256 digest"),
        ],
    )
    def test_digests_are_checked(self, written: str, problem: str) -> None:
        assert problem in refused(f"a==1 --hash=sha256:{written}")

    def test_weak_digests_are_refused(self) -> None:
        assert "not a digest that installers accept" in refused("a==1 --hash=md5:" + "0" * 32)


class TestAddresses:
    @pytest.mark.parametrize(
        ("written", "project", "version", "source"),
        [
            ("a @ https://h.example/a-1.0-py3-none-any.whl", "a", "1.0", FromUrl("https://h.example/a-1.0-py3-none-any.whl")),
            ("a@https://h.example/x/main", "a", None, FromUrl("https://h.example/x/main")),
            ("https://u:p@h.example/a_b-1.0.tar.gz", "a-b", "1.0", FromUrl("https://h.example/a_b-1.0.tar.gz")),
            ("https://h.example/main.zip#egg=a", "a", None, FromUrl("https://h.example/main.zip")),
            ("https://${USER}:${PW}@h.example/a-1.zip", "a", "1", FromUrl("https://h.example/a-1.zip")),
            ("a @ ${WHEELS}/a-1.zip", "a", "1", FromUrl("${WHEELS}/a-1.zip")),
            ("ftp://h.example/a-1.zip", "a", "1", FromUrl("ftp://h.example/a-1.zip")),
            ("a @ https://h.example/.zip", "a", None, FromUrl("https://h.example/.zip")),
            ("./a-1.0-py3-none-any.whl", "a", "1.0", FromFile("./a-1.0-py3-none-any.whl")),
            ("a-1.0.tar.gz", "a", "1.0", FromFile("a-1.0.tar.gz")),
            (r".\d\a-1.0.zip", "a", "1.0", FromFile(r".\d\a-1.0.zip")),
            ("file:///w/a%2B-1.zip#egg=a", "a", None, FromFile("/w/a+-1.zip")),
            ("file://localhost/w/a-1.zip", "a", "1", FromFile("/w/a-1.zip")),
            ("file:a-1.zip", "a", "1", FromFile("a-1.zip")),
            ("./libs/a", "a", None, FromDirectory("./libs/a", own=True)),
            ("libs/a/", "a", None, FromDirectory("libs/a/", own=True)),
            ("a@./b", "a", None, FromDirectory("./b", own=True)),
            ("a @ file:libs/b?x", "a", None, FromDirectory("libs/b", own=True)),
            ("a @ file:%2E%2E/b", "a", None, FromDirectory("../b")),
            ("a @ file://host/b", "a", None, FromDirectory("//host/b")),
            ("a @ /w/b", "a", None, FromDirectory("/w/b")),
            ("-e ../libs/a", "a", None, FromDirectory("../libs/a")),
            ("a @ file:a-1.0.tar.xz", "a", None, FromFile("a-1.0.tar.xz")),
            ("a @ file:a-1.0.tar.zst", "a", None, FromFile("a-1.0.tar.zst")),
            ("a @ file:a-1.0.TAR.GZ", "a", None, FromFile("a-1.0.TAR.GZ")),
            ("a @ file:///w/a-1.0-py3-none-any.whl?x", "a", "1.0", FromFile("/w/a-1.0-py3-none-any.whl")),
            ("a @ file:a-1.0-py3-none-any.whl/", "a", None, FromFile("a-1.0-py3-none-any.whl/")),
            ("a @ x+y://h.example/a", "a", None, FromUrl("x+y://h.example/a")),
            (".", "unnamed", None, FromDirectory(".", own=True)),
            ("-e .", "unnamed", None, FromDirectory(".", own=True)),
            ("-e ./libs/a", "a", None, FromDirectory("./libs/a", own=True)),
            ("--editable=file:///w/a", "a", None, FromDirectory("/w/a")),
            ("-e 'a @ ./libs/b'", "a", None, FromDirectory("./libs/b", own=True)),
            ("-e git+https://t@h.example/o/a.git@v1#egg=b", "b", None, FromVcs("git+https://h.example/o/a.git@v1")),
            ("git+https://h.example/o/a.git@f/x", "a", None, FromVcs("git+https://h.example/o/a.git@f/x")),
            ("git+ssh://git@h.example/o/a.git", "a", None, FromVcs("git+ssh://git@h.example/o/a.git")),
            ("git://h.example/o/a", "a", None, FromVcs("git://h.example/o/a")),
            ("ssh://git@h.example/o/a", "a", None, FromVcs("ssh://git@h.example/o/a")),
            ("git+https://h.example", "unnamed", None, FromVcs("git+https://h.example")),
            ("a @ git+https://h.example/o/b@v1", "a", None, FromVcs("git+https://h.example/o/b@v1")),
        ],
    )  # fmt: skip
    def test_each_kind(self, written: str, project: str, version: str | None, source: object) -> None:
        entry = only(written)
        assert (entry.project, entry.source) == (project, source)
        assert entry.version == (None if version is None else Version(version))

    def test_a_url_names_its_file(self) -> None:
        entry = only(f"a[x] @ https://h.example/a-1.0-py3-none-any.whl?q#sha256={A}; os_name=='nt'")
        (file,) = entry.files
        assert (file.filename, file.url) == ("a-1.0-py3-none-any.whl", "https://h.example/a-1.0-py3-none-any.whl?q")
        assert (file.sha256, entry.hashed, set(entry.extras)) == (A, True, {"x"})
        assert str(entry.marker) == 'os_name == "nt"'

    def test_digests_of_options_and_fragment(self) -> None:
        entry = only(f"https://h.example/a-1.zip#md5={'0' * 32} --hash=sha256:{A}")
        assert digests(entry) == [f"sha256:{A}", f"md5:{'0' * 32}"]
        assert not only("https://h.example/a-1.zip").hashed

    def test_extras_of_each_kind(self) -> None:
        assert only("./a-1.zip[x,y] ; os_name=='nt'").extras == {"x", "y"}
        assert only("-e ./a[x]").extras == {"x"}
        assert only("git+https://h.example/o/r#subdirectory=s&egg=a[x]").extras == {"x"}
        assert str(only('https://h.example/a;v=1/a-1.zip ; os_name == "nt"').marker) == 'os_name == "nt"'
        assert only("a ;").marker is None

    @pytest.mark.parametrize(
        ("written", "why"),
        [
            ("https://h.example/main.zip", "does not tell which project"),
            ("https://u:secret@h.example/", "'https://h.example/' does not tell"),
            ("./main.zip", "does not tell which project"),
            ("./a-1.0.tar.zst", "does not tell which project"),
            ("a @ \x1fhttp://evil.example/a-1.zip", "holds a character that is not printable"),
            ("a @ nothing:a-1.zip", "does not begin with SCHEME://"),
            (f"a @ file:libs/a --hash=sha256:{A}", "no digest can be checked"),
            ("a @ https://h.example/b-1.0-py3-none-any.whl", "is a wheel of b"),
            (f"https://h.example/a-1.zip#sha256={A}a", "is no sha256 digest"),
            (f"https://h.example/a-1.zip#sha256={A}&SHA256=zz", "'#SHA256=zz' is no sha256 digest"),
            ("https://h.example/a-1.zip#egg=!", "is not a requirement"),
            ("-e https://h.example/a-1.zip", "cannot be installed with --editable"),
            (f"git+https://h.example/o/a --hash=sha256:{A}", "no digest can be checked"),
            (f"./libs/a --hash=sha256:{A}", "no digest can be checked"),
        ],
    )
    def test_what_is_refused(self, written: str, why: str) -> None:
        assert why in refused(written)

    @pytest.mark.parametrize(
        "written",
        [
            "https://u:secret@h.example/main.zip",
            "a @ https://u:secret@h.example/b-1.0-py3-none-any.whl",
            "a = https://u:secret@h.example/",
            "-e https://u:secret@h.example/a.zip#egg=a",
            "a @ https://u:sec/secret@h.example/x y",
            "-r https://u:secret@h.example/r.txt",
            "-i https://u:secret@h.example/ https://u:secret@h.example/",
        ],
    )
    def test_credentials_stay_out_of_messages(self, written: str) -> None:
        assert "secret" not in refused(written)

    def test_an_archive_on_disk_is_a_file_whatever_its_name(self) -> None:
        for path in ("d/a-1.0.tar.zst", "d/.zip", "d/" + "x" * 300 + ".whl"):
            entry = only(f"a @ file:{path}")
            assert entry.source == FromFile(path)
            assert len(entry.files) == 1

    def test_nothing_is_no_fault(self) -> None:
        assert read("").dependencies == ()
        assert read("# nothing yet\n").dependencies == ()


class TestOptions:
    def test_every_spelling(self) -> None:
        indexes = read(
            "-i https://1.example\n-ihttps://2.example\n--index-url https://3.example\n--pypi-url=https://4.example\n"
            "--extra-index-url 'https://u:p@5.example'\n"
            "--extra-index=https://6.example\n-f wheels\n--find-links=x\\ y\n"
            '--find-links "a \\"b\\" \\c"\n'
        ).indexes
        assert [(index.place.line, index.url, index.extra) for index in indexes] == [
            (1, "https://1.example", False),
            (2, "https://2.example", False),
            (3, "https://3.example", False),
            (4, "https://4.example", False),
            (5, "https://***@5.example", True),
            (6, "https://6.example", True),
            (7, "wheels", True),
            (8, "x y", True),
            (9, 'a "b" \\c', True),
        ]

    def test_those_that_change_nothing_here(self) -> None:
        lock = read(
            "--pre --prefer-binary\n--no-binary :all:\n--only-binary=a,b\n--trusted-host h.example\n--use-feature x\n"
            "--no-require-hashes\n--all-releases a\n--only-final a\n"
            "a --config-settings='x=y z' -C k=v --config-setting k=v --global-option=\"--quiet\" --pre\n"
            "-e ./b --config-settings x=y\n"
        )
        assert [entry.project for entry in lock.dependencies] == ["a", "b"]
        assert not lock.indexes

    def test_no_index_leaves_find_links(self) -> None:
        assert [i.url for i in read("-i https://1.example\n--no-index\n-f x\n--extra-index-url y").indexes] == ["x"]

    @pytest.mark.parametrize(
        ("written", "why"),
        [
            ("--frobnicate", "unknown option '--frobnicate'"),
            ("-x", "unknown option '-x'"),
            ("--", "unknown option '--'"),
            ("a ---", "unknown option '---'"),
            ("--re x", "option '--re' is ambiguous (one of --requirement, --require-hashes)"),
            ("--index-url", "--index-url has no value"),
            ("--index-url=", "--index-url has no value"),
            ("--pre=yes", "--pre takes no value"),
            (f"a==1 --hash=sha256:{A} ; os_name=='nt'", "';' stands after the options"),
            ("-e a @ git+https://h.example/a", "'@' stands after the options"),
            ("-f 'x", "a quotation mark is not closed"),
            ("a --pre \\ ", "a quotation mark is not closed, or a backslash"),
            ("a -r b.txt", "--requirement behind a requirement"),
            ("a -i https://h.example", "--index-url behind a requirement"),
            ("-r a.txt -c b.txt", "pip reads only one"),
            ("-e a -e b", "pip reads only one"),
            (f"--hash=sha256:{A}", "an option for a requirement, but no requirement"),
            (f"-e a --hash=sha256:{A}", "--editable takes no --hash"),
        ],
    )
    def test_what_is_refused(self, written: str, why: str) -> None:
        assert f"requirements.txt:1: {why}" in refused(written)

    def test_required_hashes(self) -> None:
        assert only(f"--require-hashes\na==1 --hash=sha256:{A}").hashed
        assert only(f"--require-hashes\nhttps://h.example/a-b-c.zip#egg=a&sha256={A}").hashed
        assert "requirements.txt:2: a has no digest" in refused("--require-hashes\na==1")
        assert "requirements.txt:1: a has no digest" in refused("a==1 --require-hashes")
        assert "requirements.txt:2: a is not pinned" in refused(f"--require-hashes\na --hash=sha256:{A}")


class TestIncludes:
    def test_places_are_those_of_the_included_file(self) -> None:
        files = {
            "sub/a.txt": "\nx\n-r ../b.txt",
            "../b.txt": "y",
            "/etc/c.txt": "z",
            "https://h.example/d/e.txt": "-r f",
        }
        lock = read_requirements(
            "in/r.txt",
            b"-rsub/a.txt\n-r /etc/c.txt\n-r https://h.example/d/e.txt",
            open_beside=beside(files | {"f": "w"}),
        )
        assert [str(entry.place) for entry in lock.dependencies] == [
            "in/sub/a.txt:2", "in/b.txt:1", "/etc/c.txt:1", "https://h.example/d/f:1",
        ]  # fmt: skip

    def test_the_same_file_twice_is_no_cycle(self) -> None:
        assert only("-r a.txt\n-r b.txt", a="-r b.txt", b="x==1").version == Version("1")

    @pytest.mark.parametrize("path", ["requirements.txt", "./sub/../requirements.txt"])
    def test_a_cycle_is_named(self, path: str) -> None:
        message = refused("-r a.txt", a=f"\n-c {path}")
        assert "a.txt:2: requirements.txt includes itself: requirements.txt -> a.txt -> requirements.txt" in message

    def test_too_deep(self) -> None:
        files = {f"a{n}": f"-r a{n + 1}.txt" for n in range(MAX_DEPTH + 1)}
        assert f"more than {MAX_DEPTH} deep" in refused("-r a0.txt", **files)

    def test_too_many(self) -> None:
        assert f"more than {MAX_INCLUDED_FILES} in all" in refused("-r a.txt\n" * (MAX_INCLUDED_FILES + 1), a="")

    def test_too_large_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(requirements, "MAX_TOTAL_BYTES", 100)
        assert refused("-r a.txt", a="#" * 100).startswith("a.txt: this and the other files")

    def test_a_missing_file(self) -> None:
        assert refused("\n-r gone.txt").startswith(
            "requirements.txt:2: cannot read 'gone.txt': No such file or directory"
        )
        assert "variables are not filled in" in refused("-c ${DIR}/x.txt")

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (NotFound("no", remedy="look"), "requirements.txt:1: cannot read 'x': no"),
            (ValueError("embedded null byte"), "requirements.txt:1: cannot read 'x': embedded null byte"),
            (OSError("odd"), "requirements.txt:1: cannot read 'x': odd"),
            (InvalidLock(Place("x"), "bad"), "x: bad"),
        ],
    )
    def test_what_the_reader_raises(self, error: Exception, message: str) -> None:
        def opened(_: str, __: str) -> bytes:
            raise error

        with pytest.raises(InvalidLock) as caught:
            read_requirements("requirements.txt", b"-r x", open_beside=opened)
        assert caught.value.message == message


class TestConstraints:
    def test_they_pin_and_add_nothing(self) -> None:
        entry = only("a>=1\n-c c.txt", c=f"A==1.5 --hash=sha256:{A}\nb==2")
        assert (entry.project, entry.version, entry.hashed) == ("a", Version("1.5"), True)
        assert entry.place == Place("requirements.txt", 1)
        assert digests(entry) == [f"sha256:{A}"]

    def test_digests_are_those_in_both(self) -> None:
        entry = only(f"a==1 --hash=sha256:{A} --hash=sha256:{B}\n-c c.txt", c=f"a --hash=sha256:{B} --hash=sha256:{C}")
        assert digests(entry) == [f"sha256:{B}"]
        message = refused(f"a==1 --hash=sha256:{A}\n-c c.txt", c=f"a --hash=sha256:{C}")
        assert "requirements.txt:1: a is ruled out by its constraint at c.txt:1: the two have no digest" in message

    def test_a_url_becomes_the_source(self) -> None:
        entry = only(f"a[x]>=1 --hash=sha256:{A}\n-c c.txt", c="a @ https://h.example/a-1.0.zip")
        assert entry.source == FromUrl("https://h.example/a-1.0.zip")
        assert (entry.version, set(entry.extras)) == (Version("1.0"), {"x"})
        assert [(file.url, file.sha256) for file in entry.files] == [("https://h.example/a-1.0.zip", A)]
        assert not only("a\n-c c.txt", c="a @ https://h.example/a-1.0.zip").hashed

    def test_of_what_comes_from_a_url(self) -> None:
        assert only("a @ https://h.example/a-1.0.zip\n-c c.txt", c="a<2").version == Version("1.0")
        assert "ruled out" in refused("a @ https://h.example/a-1.0.zip\n-c c.txt", c="a>2")
        assert "different places" in refused("a @ https://h.example/1.zip\n-c c.txt", c="a @ https://h.example/2.zip")

    def test_contradictions(self) -> None:
        message = refused("a==1\n-c c.txt", c="a==2")
        assert message.startswith("requirements.txt:1: a is ruled out by its constraint at c.txt:1: no version is ==")

    def test_under_a_marker(self) -> None:
        lock = read("a>=1; os_name=='nt'\n-c c.txt", c="a==2; python_version<'3.9'\na==0; python_version>'3'\na<9")
        assert [(str(e.version), str(e.specifier), str(e.marker)) for e in lock.dependencies] == [
            ("None", "<9,>=1", 'os_name == "nt"'),
            ("2", "<9,==2,>=1", 'os_name == "nt" and python_version < "3.9"'),
        ]
        two = read("a\n-c c.txt", c="a==2; os_name=='nt'").dependencies
        assert [(str(e.version), str(e.marker)) for e in two] == [("None", "None"), ("2", 'os_name == "nt"')]
        assert only("a==2\n-c c.txt", c="a<3; os_name=='nt'").version == Version("2")
        assert only("a;os_name=='nt'\n-c c.txt", c="a==3; os_name=='nt'").version == Version("3")

    @pytest.mark.parametrize(
        ("written", "why"),
        [
            ("a[x]==1", "c.txt:1: a constraint cannot have extras"),
            ("-e ./a", "c.txt:1: a constraint cannot be editable"),
            (".", "c.txt:1: a constraint needs a name"),
        ],
    )
    def test_what_they_cannot_be(self, written: str, why: str) -> None:
        assert why in refused("-c c.txt", c=written)


class TestSeveralOfOneProject:
    def test_forks(self) -> None:
        lock = read("a==1; python_version<'3.9'\nb\nA==2; python_version>='3.9'")
        assert [(e.project, e.place.line) for e in lock.dependencies] == [("a", 1), ("a", 3), ("b", 2)]

    def test_they_count_together(self) -> None:
        entry = only(f"a>=1\na[x]==2 --hash=sha256:{A}\na[y]")
        assert (entry.version, set(entry.extras), entry.hashed) == (Version("2"), {"x", "y"}, True)
        assert only("a>=1\na @ https://h.example/a-1.0.zip").source == FromUrl("https://h.example/a-1.0.zip")

    def test_one_without_a_marker_counts_for_all(self) -> None:
        lock = read("a==1\na[x]; os_name=='nt'\na==2; os_name=='java'")
        assert [(str(e.version), set(e.extras)) for e in lock.dependencies] == [
            ("1", set()),
            ("1", {"x"}),
            ("2", set()),
        ]

    @pytest.mark.parametrize("second", ["a==2", "a @ https://h.example/a-2.zip"])
    def test_double_requirements(self, second: str) -> None:
        message = refused(f"a==1\n{second}")
        assert message.startswith("requirements.txt:2: double requirement: a stands at requirements.txt:1 too, and ")


class TestBytes:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
    def test_marks(self, encoding: str) -> None:
        mark = "" if encoding.startswith("utf-8") else "\ufeff"
        assert only(f"{mark}a # é\n".encode(encoding)).project == "a"

    @pytest.mark.parametrize("first", ["", "#\n"])
    def test_a_comment_names_the_encoding(self, first: str) -> None:
        raw = f"{first}# -*- coding: latin-1 -*-\n./é/a\n".encode("latin-1")
        assert only(raw).source == FromDirectory("./é/a", own=True)

    @pytest.mark.parametrize(
        ("raw", "why"),
        [
            (b"a\nb # \xe9", "requirements.txt:2: not text in utf-8"),
            (b"# coding: ascii\n\xe9", "requirements.txt:2: not text in ascii"),
            (b"#\n# coding: punycode\n", "requirements.txt:2: unknown encoding 'punycode'"),
            (b"# coding: nonsense\n", "requirements.txt:1: unknown encoding 'nonsense'"),
            (b"# coding: unicode_escape\n\\q", "requirements.txt:1: unknown encoding"),
        ],
    )
    def test_what_is_no_text(self, raw: bytes, why: str) -> None:
        assert why in refused(raw)

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("a\\\n==1", [("a==1", 1)]),
            ("\n  a \\\n # why\nb", [("a", 2), ("b", 4)]),
            ("#x \\\na", [("a", 2)]),
            ("a # x \\\nb\nc", [("a", 1), ("c", 3)]),
            ("a\\", [("a", 1)]),
            ("a\r\nb\rc", [("a", 1), ("b", 2), ("c", 3)]),
        ],
    )
    def test_lines(self, text: str, found: list[tuple[str, int]]) -> None:
        shown = [(f"{e.project}{e.specifier}", e.place.line) for e in read(text).dependencies]
        assert shown == found

    def test_a_number_sign_in_a_word_is_no_comment(self) -> None:
        assert only("https://h.example/x.zip#egg=a #b").project == "a"

    def test_limits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "requirements.txt:2: longer than 1,048,576 characters" in refused("#\n" + "a" * (2**20 + 1))
        monkeypatch.setattr(requirement_lines, "MAX_FILE_BYTES", 3)
        assert "too large" in refused("a==1")

    def test_limits_of_statements(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "more than 64 statements about a" in refused("a\n" * 65)
        monkeypatch.setattr(narrowing, "MAX_DEPENDENCIES", 2)
        assert "more than 2 dependencies" in refused("a\nb\nc")
        monkeypatch.setattr(requirements, "MAX_DEPENDENCIES", 2)
        assert "requirements.txt:3: more than 2 statements" in refused("a\nb\n-r c")


@pytest.mark.parametrize(
    "text",
    [
        "a \\\n" * 100_000,
        "\\\n" * 100_000,
        "a" * 10_000_000,
        " " * 10_000_000,
        "#" * 10_000_000,
        "\n" * 2_000_000,
        "-i " + "'a'" * 100_000,
        "-i " + "\\a" * 100_000,
        "-f " + "a" * 1_000_000,
        "a @ " + "://" * 300_000,
        "./" + "a[" * 8_000,
        "a;" + "'a'=='a' and " * 1_200,
        "".join(f"a{n}\n" for n in range(5_000)),
        "a" + "==1," * 4_000 + "==1",
        "\n".join(f"a; python_version=='{n}'" for n in range(32)) + "\n-c c.txt",
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_hostile_files_cost_little(text: str) -> None:
    constraints = "\n".join(f"a<{n}; python_version>'{n}'" for n in range(1, 33))
    begun = time.process_time()
    found = outcome(text.encode(), c=constraints)
    assert time.process_time() - begun < 20
    assert isinstance(found, Lock) or len(found.message) < 600


WORDS = st.sampled_from(
    [
        "a",
        "==1",
        " ",
        "\\\n",
        "\n",
        ";",
        "#",
        "-r",
        "-c x.txt",
        "--hash=sha256:",
        A,
        "@",
        "https://",
        "git+",
        "u:p@",
        "[",
        "]",
        "./",
        "-e ",
        "'",
        '"',
        "os_name",
        "==",
        "${X}",
        ".whl",
        ".zip",
        "a-1",
        "(",
        ")",
        "===",
        "%",
        "//",
        "#egg=",
    ]
)


@given(st.one_of(st.binary(), st.text().map(str.encode), st.lists(WORDS).map(lambda words: "".join(words).encode())))
@settings(deadline=None, max_examples=200)
def test_nothing_but_invalid_lock_is_raised(raw: bytes) -> None:
    found = outcome(raw, x="a<5\n")
    if isinstance(found, InvalidLock):
        assert found.message.isprintable()
        assert "://u:p@" not in found.message
    else:
        for entry in found.dependencies:
            assert str(entry.place).startswith("requirements.txt:")
            assert not isinstance(entry.source, FromUrl) or "://u:p@" not in entry.source.url


ORACLE = {
    "plain": 'a\nB_c>=1,<2  # hi\nd[x,y]==1.0 ; python_version > "3"\ne===1.0\nf (>=1)\ng~=1.0;os_name!="nt"\n',
    "hashes": f"a==1 \\\n  --hash=sha256:{A} \\\n  --hash=sha256:{B}\n    # via b\nb==2 --hash sha384:{'d' * 96}\n",
    "lines": "a\\\n>=1\\\n,<2\n#c \\\nb\n  c  \\\n # comment\nd\\",
    "urls": f"a @ https://h.example/a-1.0-py3-none-any.whl#sha256={A}\nhttps://h.example/b-2.0-py3-none-any.whl\n"
    "c@git+https://h.example/o/c@v1 ; os_name=='nt'\ngit+ssh://git@h.example/d.git#egg=d\nhttps://h.example/x.zip#egg=e\n",
    "paths": "./b-2.0-py3-none-any.whl\nc @ file:///w/c-1.0.zip\n-e git+https://h.example/o/d.git@v2#egg=d\n",
    "options": "--index-url https://h.example\n-f x\n--pre\n--no-binary :all:\na -C 'x=y z'\n--trusted-h h\nb\n",
    "nested": "a\n-r n.txt\n-c c.txt\nb\n",
}  # fmt: skip


@pytest.mark.parametrize("name", ORACLE)
def test_pip_reads_the_same(name: str, tmp_path: Path) -> None:
    files = {"r.txt": ORACLE[name], "n.txt": "n1\n-c c.txt\nn2==2\n", "c.txt": "zz<3\n-r m.txt\n", "m.txt": "m\n"}
    for path, text in files.items():
        tmp_path.joinpath(path).write_text(text)
    ours = read_requirements(str(tmp_path / "r.txt"), files["r.txt"].encode(), open_beside=beside(files))
    session = PipSession()
    theirs = {}
    for parsed in parse_requirements(str(tmp_path / "r.txt"), session):
        if not parsed.constraint:
            made = install_req_from_parsed_requirement(parsed)
            theirs[(made.name or "").lower().replace("_", "-")] = (
                parsed.line_source,
                "" if made.link else str(made.specifier),
                made.extras,
                str(made.markers),
                sorted(digest for values in made.hash_options.values() for digest in values),
                made.link is None,
            )
    session.close()
    assert {
        str(entry.project): (
            f"line {entry.place.line} of {entry.place.source}",
            str(entry.specifier) if isinstance(entry.source, FromIndex) else "",
            entry.extras,
            str(entry.marker),
            sorted(text.partition(":")[2] for text in digests(entry)) if isinstance(entry.source, FromIndex) else [],
            isinstance(entry.source, FromIndex),
        )
        for entry in ours.dependencies
    } == theirs


@pytest.mark.parametrize("text", ["a=1", "--frob", "-f 'x", "a==1; b", "-r r.txt", "-r gone.txt", "--pre=1", "a b"])
def test_pip_refuses_the_same(text: str, tmp_path: Path) -> None:
    tmp_path.joinpath("r.txt").write_text(text)
    with pytest.raises(InvalidLock):
        read_requirements("r.txt", text.encode(), open_beside=beside({"r.txt": text}))
    session = PipSession()
    with pytest.raises(InstallationError):
        [install_req_from_parsed_requirement(each) for each in parse_requirements(str(tmp_path / "r.txt"), session)]
    session.close()
