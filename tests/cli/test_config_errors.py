"""Every message that a broken configuration can lead to, as a person reads it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from inbond.cli.config import load_config, preset_path
from inbond.cli.config_file import MAX_FILE_BYTES
from inbond.cli.config_model import ServerTable
from inbond.model.errors import ConfigurationError


def problems(
    toml: str = "",
    *,
    tmp_path: Path,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> list[str]:
    """What is said, a line each, with the file's name shortened to FILE."""
    file = tmp_path / "inbond.toml"
    file.write_text(toml, encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load_config(file=file, overrides=flags or {}, environ=environ or {})
    return [line.replace(str(file), "FILE") for line in raised.value.message.split("\n")]


LISTEN = "is not an address and a port, as in '127.0.0.1:8642' or '[::1]:8642'"
PUBLIC_URL = "is not an address such as 'https://packages.acme.example'"
INDEX_URL = "is neither the preset 'pypi' nor an index URL such as 'https://acme.example/simple/'"
SUPPORT_URL = "is not an address such as 'https://acme.example/help' or 'mailto:a@acme.example'"
DURATION = "is not a length of time: write a number and s, m, h, d or w, as in '24h'"
NO_FORGE = "does not begin with a kind of publisher (github, gitlab, google, circleci, oidc) and a colon"
NO_ENTRY = "is not a name with an optional specifier, such as 'left-pad<2'"
CREDENTIALS = ": is neither 'env:NAME' nor 'file:PATH'; the credentials themselves do not stand here"
PROXY = "is not the address of a proxy, as in 'http://proxy.acme.example:3128'"
NO_HOME = "begins with the home directory of a user whom this machine does not know"
NUL = "holds a NUL character, which no path can hold"
ACTION = "is not an action: write 'off', 'warn', 'hold 7d' or 'deny'"


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        ("server", 'listen = "127.0.0.1"', f": '127.0.0.1' {LISTEN}"),
        ("server", 'listen = ":8642"', f": ':8642' {LISTEN}"),
        ("server", 'listen = "::1:8642"', f": '::1:8642' {LISTEN}"),
        ("server", 'listen = "127.0.0.1:65536"', f": '127.0.0.1:65536' {LISTEN}"),
        ("server", 'listen = "1.2.3:80"', ": '1.2.3' is neither a host name nor an address"),
        ("server", "listen = 8642", ": must be a text in quotes, not 8642"),
        ("server", "listen = true", ": must be a text in quotes, not true"),
        ("server", "workers = 0", ": must be at least 1, not 0"),
        ("server", "workers = 65", ": must be at most 64, not 65"),
        ("server", 'workers = "1"', ": must be a whole number, not '1'"),
        ("server", "workers = true", ": must be a whole number, not true"),
        ("server", 'public_url = "acme.example"', f": 'acme.example' {PUBLIC_URL}"),
        ("server", 'public_url = "https://a b"', f": 'https://a b' {PUBLIC_URL}"),
        ("server", 'public_url = "https://u@a.test"', f": 'https://u@a.test' {PUBLIC_URL}"),
        ("server", 'public_url = "https://a.test:x"', f": 'https://a.test:x' {PUBLIC_URL}"),
        ("server", 'public_url = "https://a.test/?q"', f": 'https://a.test/?q' {PUBLIC_URL}"),
        ("server", 'public_url = "https://[::1"', f": 'https://[::1' {PUBLIC_URL}"),
        ("server", 'hosts = "acme"', ": must be a list in brackets, not 'acme'"),
        ("server", 'hosts = ["a:80"]', "[0]: 'a:80': name the host alone, without a port"),
        ("server", 'hosts = ["ok", "*.a"]', "[1]: '*.a' is neither a host name nor an address"),
        ("server", 'hosts = [["a"]]', "[0]: must be a text in quotes, not a list"),
        (
            "server",
            'trusted_proxies = ["10.0.0.1/8"]',
            "[0]: '10.0.0.1/8' is not an address or a network, as in '10.0.0.0/8': 10.0.0.1/8 has host bits set",
        ),
        ("server", 'lisen = "x"', ": unknown key; did you mean 'listen'?"),
        (
            "server",
            "zzzz = 1",
            f": unknown key; known here: {', '.join(sorted(ServerTable.model_fields))}",
        ),
        (
            "storage",
            'max_size = "much"',
            ": 'much' is not a size: write a number and B, KB, MB, GB, KiB, MiB, GiB or TiB",
        ),
        ("storage", 'max_size = "0"', ": '0': nothing could be kept"),
        (
            "storage",
            'reserve = "1 GX"',
            ": '1 GX' is not a size: write a number and B, KB, MB, GB, KiB, MiB, GiB or TiB",
        ),
        ("storage", "path = { a = 1 }", ": must be a text in quotes, not a table"),
        ("upstreams.pypi", 'url = "pipy"', f": 'pipy' {INDEX_URL}"),
        ("upstreams.pypi", 'url = "ftp://a.example/"', f": 'ftp://a.example/' {INDEX_URL}"),
        (
            "upstreams.pypi",
            'url = "https://u:secret@a.example/?x"',
            f": 'https://***@a.example/?***' {INDEX_URL}",
        ),
        (
            "upstreams.pypi",
            'url = "https://u:sec/ret@a.example/"',
            f": 'https://***@a.example/' {INDEX_URL}",
        ),
        (
            "upstreams.pypi",
            'url = "https://u:secret@[a.example/"',
            f": 'https://***@[a.example/' {INDEX_URL}",
        ),
        (
            "upstreams.pypi",
            'url = "https://me:2024/s3cret@a.example/simple/"',
            f": 'https://***@a.example/simple/' {INDEX_URL}",
        ),
        ("upstreams.pypi", 'url = "me:s3cret@a.example/simple/"', f": '***@a.example/simple/' {INDEX_URL}"),
        ("upstreams.pypi", 'url = "https://a..b/simple/"', f": 'https://a..b/simple/' {INDEX_URL}"),
        ("storage", 'path = "~nouser/x"', f": '~nouser/x' {NO_HOME}"),
        ("storage", 'path = "a\\u0000b"', f": 'a\\x00b' {NUL}"),
        ("trust.public", 'root = "~nouser/x.json"', f": '~nouser/x.json' {NO_HOME}"),
        ("trust.public", 'root = "a\\u0000b"', f": 'a\\x00b' {NUL}"),
        ("upstreams.pypi", 'credentials = "file:~nouser/x"', f": '~nouser/x' {NO_HOME}"),
        ("upstreams.pypi", 'credentials = "file:a\\u0000b"', f": 'a\\x00b' {NUL}"),
        ("upstreams.pypi", 'ca_bundle = "~nouser/x.pem"', f": '~nouser/x.pem' {NO_HOME}"),
        ("upstreams.pypi", 'ca_bundle = "a\\u0000b"', f": 'a\\x00b' {NUL}"),
        ("upstreams.pypi", 'integrity = "off"', ": 'off' is none of 'api', 'none'"),
        ("upstreams.pypi", 'fresh_for = "soon"', f": 'soon' {DURATION}"),
        ("upstreams.pypi", 'max_stale = "99999999w"', ": '99999999w' is longer than a hundred years"),
        (
            "upstreams.pypi",
            'projects = ["a b"]',
            "[0]: 'a b' is neither a project's name nor a pattern such as 'acme-*'",
        ),
        ("upstreams.pypi", 'credentials = "user:s3cret"', CREDENTIALS),
        ("upstreams.pypi", 'credentials = "Bearer s3cret"', CREDENTIALS),
        ("upstreams.pypi", 'credentials = "env:"', CREDENTIALS),
        ("upstreams.pypi", 'credentials = "env:A B"', CREDENTIALS),
        ("upstreams.pypi", 'credentials = "file:"', CREDENTIALS),
        (
            "upstreams.pypi",
            'credentials = "env:INBOND_TOKEN"',
            ": variables that begin with INBOND_ are keys of this configuration: choose another name",
        ),
        ("upstreams.pypi", 'credentials = "env:NONE"', ": the variable NONE is not set"),
        (
            "upstreams.pypi",
            'credentials = "file:/no/such/file"',
            ": the file /no/such/file cannot be read: No such file or directory",
        ),
        (
            "upstreams.pypi",
            'ca_bundle = "/no/such/ca.pem"',
            ": the file /no/such/ca.pem cannot be read: No such file or directory",
        ),
        ("upstreams.pypi", 'ca_bundle = "/"', ": the file / cannot be read: Is a directory"),
        ("upstreams.pypi", "ca_bundle = 1", ": must be a text in quotes, not 1"),
        ("upstreams.pypi", 'proxy = "off"', f": 'off' {PROXY}"),
        ("upstreams.pypi", "proxy = false", ": must be a text in quotes, not false"),
        ("upstreams.pypi", 'proxy = "proxy.acme.example:3128"', f": 'proxy.acme.example:3128' {PROXY}"),
        ("upstreams.pypi", 'proxy = "user:s3cret@proxy:3128"', f": '***@proxy:3128' {PROXY}"),
        ("upstreams.pypi", 'proxy = "http://user:s3/cret@proxy:3128"', f": 'http://***@proxy:3128' {PROXY}"),
        ("upstreams.pypi", 'proxy = "http://user:s3cret@proxy/pac"', f": 'http://***@proxy' {PROXY}"),
        (
            "upstreams.pypi",
            'proxy = "socks5h://user:s3cret@proxy:1080"',
            ": 'socks5h://***@proxy:1080' is a SOCKS proxy, which inbond does not speak; name an HTTP proxy",
        ),
        ("trust.public", 'root = ""', ': is empty; name "auto", "bundled" or the path of a trusted_root.json'),
        ("trust.public", 'tuf_root = "/no/such/file"', ": there is no file '/no/such/file'"),
        ("policies.default", 'audit = ["cooldwn"]', "[0]: 'cooldwn' is no rule; did you mean 'cooldown'?"),
        (
            "policies.default",
            'audit = ["hashes"]',
            "[0]: rule 'hashes' cannot be audited: length and digest are never relaxed",
        ),
        (
            "policies.default",
            'deny_as = "hidden"',
            ": 'hidden' is none of 'yank', 'hide'; did you mean 'hide'?",
        ),
        (
            "policies.default",
            'listing = "x"',
            ": 'x' is none of 'lazy', 'settled', 'verified'",
        ),
        (
            "policies.default",
            'attestations = "required"',
            ": 'required' is none of 'off', 'if-present', 'require'; did you mean 'require'?",
        ),
        (
            "policies.default",
            'continuity = "hold"',
            f": 'hold' {ACTION}",
        ),
        ("policies.default", 'min_age = "24 hours"', f": '24 hours' {DURATION}"),
        (
            "policies.default",
            'unknown_date = "firstseen"',
            ": 'firstseen' is none of 'first-seen', 'deny', 'allow'; did you mean 'first-seen'?",
        ),
        ("policies.default", 'unsupported = "hold"', f": 'hold' {ACTION}"),
        ("policies.default", 'unavailable = "block"', f": 'block' {ACTION}"),
        (
            "policies.default",
            'hashes = "allowed"',
            ": 'allowed' is none of 'require', 'allow'; did you mean 'allow'?",
        ),
        (
            "policies.default",
            'yanked = "denied"',
            ": 'denied' is none of 'allow', 'deny'; did you mean 'deny'?",
        ),
        (
            "policies.default",
            'predicates = ["slsa", "sbom"]',
            "[1]: 'sbom' is no kind of attestation that is verified beside publish; known here: 'slsa'",
        ),
        (
            "policies.default",
            'refs = ["main"]',
            "[0]: 'main' is no pattern of git refs: write them in full, such as 'refs/tags/*'",
        ),
        ("policies.default", 'runners = "own"', ": 'own' is none of 'any', 'hosted'"),
        (
            "policies.default",
            'environments = [""]',
            "[0]: '' names no environment: write for example 'pypi' or 'release-*'",
        ),
        (
            "policies.default",
            'deny_triggers = ["pull-request"]',
            "[0]: 'pull-request' is no event of GitHub or GitLab that starts a build: did you mean 'pull_request'?",
        ),
        (
            "policies.default",
            'reusable_workflows = "same owner"',
            ": 'same owner' is none of 'any', 'same-owner', 'none'; did you mean 'same-owner'?",
        ),
        ("policies.default", 'pull_requests = "allow"', f": 'allow' {ACTION}"),
        (
            "policies.default",
            'deny = ["evil-pkg", "left-pad >>2"]',
            "[1]: 'left-pad >>2' is not a name with an optional specifier, such as 'left-pad<2'",
        ),
        (
            "policies.default",
            'deny = ["a[extra]"]',
            "[0]: 'a[extra]': only a name and versions can be listed, no extras, markers or URLs",
        ),
        (
            "policies.default",
            "allow = []",
            ": is empty: nothing would be let through; leave the key out to keep the list open",
        ),
        ("policies.default", 'support_url = "acme"', f": 'acme' {SUPPORT_URL}"),
        ("policies.default", 'support_url = "https://a.test/ä"', f": 'https://a.test/ä' {SUPPORT_URL}"),
        ("policies.default", "rules = { a = 1 }", ": must be a list in brackets, not a table"),
        ("policies.default", "rules = [5]", "[0]: must be a table, not 5"),
        ("policies.default", 'min_agee = "1d"', ": unknown key; did you mean 'min_age'?"),
        ("indexes.root", 'policy = "defualt"', ": there is no policy 'defualt'; did you mean 'default'?"),
        (
            "indexes.root",
            'upstreams = ["pypi", "acme"]',
            "[1]: there is no upstream 'acme'; known here: pypi",
        ),
        ("indexes.root", "upstreams = []", ": is empty: name at least one upstream"),
        ("indexes.root", 'policy = "A"', ": 'A' is not a name: use small letters, digits and '-'"),
    ],
)
def test_a_bad_value_is_named_with_its_line_its_key_and_what_would_do(
    tmp_path: Path, table: str, line: str, message: str
) -> None:
    key = line.partition(" =")[0]
    assert problems(f"[{table}]\n{line}\n", tmp_path=tmp_path) == [f"FILE:2: {table}.{key}{message}"]


@pytest.mark.parametrize(
    ("line", "missing"), [('tls_certificate = "/a.pem"', "tls_key"), ('tls_key = "/a.pem"', "tls_certificate")]
)
def test_half_of_a_pair_for_tls_is_named(tmp_path: Path, line: str, missing: str) -> None:
    message = f"FILE:1: server: TLS needs a certificate and its key: {missing} is missing"
    assert problems(f"[server]\n{line}\n", tmp_path=tmp_path) == [message]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('projects = ["x"]', "1: {}: changes nothing: set at least one key besides 'projects'"),
        ('yanked = "deny"', "1: {}: the key 'projects' is missing"),
        ('yanked = "deny"\nprojects = []', "3: {}.projects: is empty: name the projects that are meant"),
        (
            'projects = ["x"]\npublishers = []',
            "3: {}.publishers: is empty: name at least one publisher, or leave the key out",
        ),
        ('projects = ["x"]\npublishers = ["git:a"]', f"3: {{}}.publishers[0]: 'git:a' {NO_FORGE}"),
        (
            'projects = ["x"]\npublishers = ["gitlab:**.a/x"]',
            "3: {}.publishers[0]: 'gitlab:**.a/x': in the name of a host, '**' would reach beyond it; write '*'",
        ),
        ('projects = ["x"]\nyanke = "deny"', "3: {}.yanke: unknown key; did you mean 'yanked'?"),
        ('projects = ["x"]\nmin_age = "1"', f"3: {{}}.min_age: '1' {DURATION}"),
        ('projects = ["x"]\nhashes = "x"', "3: {}.hashes: 'x' is none of 'require', 'allow'"),
    ],
)
def test_a_bad_rule_is_named_with_its_number(tmp_path: Path, lines: str, message: str) -> None:
    expected = f"FILE:{message.format('policies.default.rules[0]')}"
    assert problems(f"[[policies.default.rules]]\n{lines}\n", tmp_path=tmp_path) == [expected]


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('[servr]\nlisten = "x"', "servr: unknown key; did you mean 'server'?"),
        (
            '[upstreams.Acme]\nurl = "pypi"',
            "upstreams.Acme: 'Acme' is not a name: use small letters, digits and '-'",
        ),
        ('[upstreams.acme]\nfresh_for = "1m"', "upstreams.acme: the key 'url' is missing"),
        ('[polices.default]\nmin_age = "1d"', "polices: unknown key; did you mean 'policies'?"),
        ("[[polices.default.rules]]", "polices: unknown key; did you mean 'policies'?"),
        ("polices.default.min_age = 1", "polices: unknown key; did you mean 'policies'?"),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, toml: str, message: str) -> None:
    assert problems(toml, tmp_path=tmp_path) == [f"FILE:1: {message}"]


@pytest.mark.parametrize(
    "word", ["simple", "packages", "integrity", "provenance", "why", "metrics", "verdict", "osv", "live", "ready", "-"]
)
def test_an_index_cannot_be_named_like_a_path_of_inbonds_own(tmp_path: Path, word: str) -> None:
    assert problems(f"[indexes.{word}]\n", tmp_path=tmp_path) == [
        f"FILE:1: indexes.{word}: {word!r} cannot name an index: it is a word of inbond's own paths"
    ]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("INBOND_SERVER__LISTN", "x", "unknown variable; did you mean 'INBOND_SERVER__LISTEN'?"),
        ("INBOND_SERVR__LISTEN", "x", "unknown variable; did you mean 'INBOND_SERVER'?"),
        ("INBOND_LISTN", "x", "unknown variable; did you mean 'INBOND_LISTEN'?"),
        ("INBOND_STORAGE__MAXSIZE", "1GB", "unknown variable; did you mean 'INBOND_STORAGE__MAX_SIZE'?"),
        ("INBOND_SERVER__LISTEN__X", "x", "unknown variable"),
        ("INBOND_SERVER", "x", "names a table: set its keys, as in INBOND_SERVER__HOSTS"),
        ("INBOND_POLICIES", "x", "names a table: set its keys, as in INBOND_POLICIES__NAME__KEY"),
        ("INBOND_POLICIES__DEFAULT", "x", "names a table: set its keys, as in INBOND_POLICIES__DEFAULT__ALLOW"),
        ("INBOND_SERVER__HOSTS", "[a", "'[a' is neither a list in TOML or JSON nor separated by commas"),
        ("INBOND_AUDIT", "maybe", "'maybe' is neither 'true' nor 'false'"),
        ("INBOND_SERVER__WORKERS", "many", "server.workers: must be a whole number, not 'many'"),
        ("INBOND_SERVER__LISTEN", "x", f"server.listen: 'x' {LISTEN}"),
        ("INBOND_LISTEN", "x", f"server.listen: 'x' {LISTEN}"),
        ("INBOND_POLICIES__DEFAULT__DENY", "left-pad>1,<2", f"policies.default.deny[1]: '<2' {NO_ENTRY}"),
        ("INBOND_POLICY", "strickt", "indexes.root.policy: there is no policy 'strickt'; did you mean 'strict'?"),
        ("INBOND_UPSTREAM", "pipy", f"upstreams.pipy.url: 'pipy' {INDEX_URL}"),
        (
            "INBOND_UPSTREAM", "https://me:2024/s3cret@a.example/x/?s3cret",
            f"upstreams.a-example-x.url: 'https://***@a.example/x/?***' {INDEX_URL}",
        ),
        ("INBOND_UPSTREAM", "https://u:secret@[x/", f"upstreams.upstream.url: 'https://***@[x/' {INDEX_URL}"),
    ],
)  # fmt: skip
def test_a_bad_variable_is_named(tmp_path: Path, name: str, value: str, message: str) -> None:
    assert problems(tmp_path=tmp_path, environ={name: value}) == [f"{name}: {message}"]


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("listen", "x", f"server.listen: 'x' {LISTEN}"),
        (
            "policy",
            "x",
            "indexes.root.policy: there is no policy 'x'; known here: airgap, baseline, default, strict, team",
        ),
        ("upstream", "ftp://a.example", f"upstreams.a-example.url: 'ftp://a.example' {INDEX_URL}"),
        ("lisen", "x", "unknown flag; did you mean 'listen'?"),
    ],
)
def test_a_bad_flag_is_named(tmp_path: Path, flag: str, value: str, message: str) -> None:
    assert problems(tmp_path=tmp_path, flags={flag: value}) == [f"--{flag}: {message}"]


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    toml = '[server]\nlisten = "x"\nhots = []\n\n[[policies.default.rules]]\nprojects = ["x"]\nyanked = "no"\n'
    found = problems(toml, tmp_path=tmp_path, environ={"INBOND_AUDT": "1"}, flags={"policy": "X"})
    assert found == [
        f"FILE:2: server.listen: 'x' {LISTEN}",
        "FILE:3: server.hots: unknown key; did you mean 'hosts'?",
        "FILE:7: policies.default.rules[0].yanked: 'no' is none of 'allow', 'deny'",
        "INBOND_AUDT: unknown variable; did you mean 'INBOND_AUDIT'?",
        "--policy: indexes.root.policy: 'X' is not a name: use small letters, digits and '-'",
    ]


def test_names_that_nothing_bears_are_said_together_with_bad_values(tmp_path: Path) -> None:
    toml = """
[indexes.root]
policy = "strikt"
upstreams = ["pipy", "pypi"]
[trust.public]
tuf_root = "/no/such/file"
[policies.default]
min_age = 5
"""
    assert problems(toml, tmp_path=tmp_path) == [
        "FILE:3: indexes.root.policy: there is no policy 'strikt'; did you mean 'strict'?",
        "FILE:4: indexes.root.upstreams[0]: there is no upstream 'pipy'; did you mean 'pypi'?",
        "FILE:6: trust.public.tuf_root: there is no file '/no/such/file'",
        "FILE:8: policies.default.min_age: must be a text in quotes, not 5",
    ]


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('policies = 1\n[indexes.root]\npolicy = "x"\n', "FILE:1: policies: must be a table, not 1"),
        ('upstreams = 1\n[indexes.root]\nupstreams = ["x"]\n', "FILE:1: upstreams: must be a table, not 1"),
        ("[indexes.root]\npolicy = 1\n", "FILE:2: indexes.root.policy: must be a text in quotes, not 1"),
        (
            "[indexes.root]\nupstreams = [1, 'pypi']\n",
            "FILE:2: indexes.root.upstreams[0]: must be a text in quotes, not 1",
        ),
        ("[trust]\npublic = 1\n", "FILE:2: trust.public: must be a table, not 1"),
    ],
)
def test_a_reference_is_not_held_against_what_is_wrong_itself(tmp_path: Path, toml: str, message: str) -> None:
    assert problems(toml, tmp_path=tmp_path) == [message]


def test_a_policy_that_is_wrong_itself_is_there_all_the_same(tmp_path: Path) -> None:
    toml = '[indexes.root]\npolicy = "mine"\n[policies.mine]\nmin_age = 5\n'
    assert problems(toml, tmp_path=tmp_path) == [
        "FILE:4: policies.mine.min_age: must be a text in quotes, not 5",
    ]


def test_problems_stand_in_the_order_of_lines_then_variables_then_flags(tmp_path: Path) -> None:
    lines = [f"[policies.p{number}]\nmin_age = {number}\n" for number in range(12)]
    found = problems(
        "".join(reversed(lines)) + '[server]\nlisten = "x"\n',
        tmp_path=tmp_path, environ={"INBOND_Y": "", "INBOND_LISTEN": "x", "INBOND_X": ""}, flags={"listen": "y"},
    )  # fmt: skip
    assert [line.split(": ")[0] for line in found] == [
        *(f"FILE:{number}" for number in range(2, 27, 2)), "INBOND_LISTEN", "INBOND_X", "INBOND_Y", "--listen",
    ]  # fmt: skip


def test_a_bad_value_is_an_error_although_something_stronger_hides_it(tmp_path: Path) -> None:
    found = problems('policies = "x"\n', tmp_path=tmp_path, flags={"audit": True})
    assert found == ["FILE:1: policies: must be a table, not 'x'"]
    found = problems(
        '[indexes]\nroot = 1\n[server]\nlisten = "x"\n', tmp_path=tmp_path, environ={"INBOND_LISTEN": "[::1]:1"}
    )
    assert found == ["FILE:2: indexes.root: must be a table, not 1", f"FILE:4: server.listen: 'x' {LISTEN}"]


def test_the_lines_of_keys_are_found_however_they_are_written(tmp_path: Path) -> None:
    toml = """# a comment
server.listen = "x"   # dotted
"storage" . max_size = "x"
policies.default.deny = [
    "evil-pkg",
    "a[b]",
]

[[policies.other.rules]]
projects = ["x"]
yanked = "x"

  [[ policies.other.rules ]]  # the second one
  projects = ["x"]
  'yanked' = "x"
[indexes]
b = { policy = "X" }
"""
    found = [line.partition(": ")[::2] for line in problems(toml, tmp_path=tmp_path)]
    assert [(place, text.split(":")[0]) for place, text in found] == [
        ("FILE:2", "server.listen"),
        ("FILE:3", "storage.max_size"),
        ("FILE:4", "policies.default.deny[1]"),
        ("FILE:11", "policies.other.rules[0].yanked"),
        ("FILE:15", "policies.other.rules[1].yanked"),
        ("FILE:17", "indexes.b.policy"),
    ]


def test_what_is_not_toml_is_said_with_its_line(tmp_path: Path) -> None:
    assert problems("[server]\nlisten = x\n", tmp_path=tmp_path) == [
        "FILE: is not TOML: Invalid value (at line 2, column 10)"
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.toml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigurationError) as raised:
            load_config(file=path, overrides={}, environ={})
        assert raised.value.message == f"{path}: cannot be read: {reason}"


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "latin1.toml"
    file.write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigurationError) as raised:
        load_config(file=file, overrides={}, environ={})
    assert raised.value.message == f"{file}: is not UTF-8 at byte 5"


def test_a_file_over_the_limit_is_not_read_further(tmp_path: Path) -> None:
    file = tmp_path / "large.toml"
    file.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(ConfigurationError) as raised:
        load_config(file=file, overrides={}, environ={})
    assert raised.value.message == f"{file}: is larger than 1048576 bytes"


def test_the_error_says_where_keys_are_explained(tmp_path: Path) -> None:
    file = tmp_path / "inbond.toml"
    file.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load_config(file=file, overrides={}, environ={})
    assert raised.value.remedy == f"every key is explained in {preset_path('inbond')}"
    with pytest.raises(ConfigurationError) as raised:
        load_config(file=None, overrides={"listen": "x", "lisen": "x"}, environ={})
    assert raised.value.remedy is None


def test_values_that_lie_too_deep_in_each_other_are_refused(tmp_path: Path) -> None:
    deep = "x = " + "[" * 20_000 + "]" * 20_000
    assert problems(deep, tmp_path=tmp_path) == ["FILE: its values lie too deep in each other"]
