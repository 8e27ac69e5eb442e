"""`[access]` and who may read: what the configuration comes to, and what it cannot mean."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from inbond.access.principal import Grant
from inbond.access.roles import Role
from inbond.access.settings import Front, PeopleRule
from inbond.cli.config import Config, load_config
from inbond.model.errors import ConfigurationError

DIGEST = "ab" * 32
TOKEN = f'[[access.tokens]]\nname = "ci"\nsha256 = "{DIGEST}"\n'
FRONT = '[server]\ntrusted_proxies = ["127.0.0.1"]\n[access]\nfront_header = "X-Remote-User"\n'


def load(tmp_path: Path, toml: str) -> Config:
    file = tmp_path / "inbond.toml"
    file.write_text(toml)
    return load_config(file=file, overrides={}, environ={})


@pytest.mark.parametrize(
    ("listen", "readers", "anybody"),
    [
        ("127.0.0.1:0", "auto", True),
        ("[::1]:0", "auto", True),
        ("localhost:0", "auto", True),
        ("0.0.0.0:0", "auto", False),
        ("[::]:0", "auto", False),
        ("192.0.2.1:0", "auto", False),
        ("inbond.acme.example:0", "auto", False),
        ("0.0.0.0:0", "anybody", True),
        ("127.0.0.1:0", "granted", False),
    ],
)
def test_anybody_reads_on_loopback_or_where_that_is_said(
    listen: str, readers: str, anybody: bool, tmp_path: Path
) -> None:
    config = load(tmp_path, f'[server]\nlisten = "{listen}"\n[access]\nreaders = "{readers}"\n')
    assert (config.access.indexes, config.access.anybody) == ({"root": anybody}, anybody)


def test_an_index_says_otherwise_and_then_nothing_that_belongs_to_all_is_open(tmp_path: Path) -> None:
    config = load(tmp_path, '[indexes.a]\nreaders = "granted"\n[indexes.b]\nreaders = "anybody"\n[indexes.c]\n')
    assert config.access.indexes == {"root": True, "a": False, "b": True, "c": True}
    assert not config.access.anybody


def test_tokens_and_people_of_the_configuration_have_their_roles(tmp_path: Path) -> None:
    toml = (
        f'{FRONT}front_groups_header = "X-Groups"\nmetrics = "anybody"\n'
        f'{TOKEN}role = "operator"\nindexes = ["root"]\nexpires = "2027-01-31"\n'
        '[[access.people]]\nnames = ["ada"]\ngroups = ["ops"]\nrole = "admin"\nindexes = ["*"]\n'
    )
    access = load(tmp_path, toml).access
    (token,) = access.tokens.values()
    assert token.digest == bytes.fromhex(DIGEST)
    assert token.grant == Grant(role=Role.OPERATOR, indexes=frozenset({"root"}))
    assert token.expires == datetime(2027, 1, 31, tzinfo=UTC)
    assert access.front == Front(header="X-Remote-User", groups="X-Groups")
    assert access.metrics_open
    everything = Grant(role=Role.ADMIN, indexes=frozenset({"*"}))
    assert access.people == (PeopleRule(grant=everything, names=frozenset({"ada"}), groups=frozenset({"ops"})),)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[access]\nreaders = "everybody"\n', "readers: 'everybody' is none of 'auto', 'anybody', 'granted'"),
        ('[access]\nmetrics = "auto"\n', "metrics: 'auto' is none of 'readers', 'anybody'"),
        ('[access]\nanonymous = "read"\n', "access.anonymous: unknown key"),
        ('[indexes.root]\nreaders = "auto"\n', "'auto' is none of 'anybody', 'granted' and"),
        (f'{TOKEN}indexes = ["rot"]\n', "there is no index 'rot'; did you mean 'root'?"),
        (f"{TOKEN}indexes = []\n", "name the indexes that are meant"),
        (f'{TOKEN}indexes = ["root"]\nrole = "owner"\n', "role: 'owner' is none of"),
        (f'{TOKEN}indexes = ["root"]\nexpires = "soon"\n', "expires"),
        ('[[access.tokens]]\nname = "ci"\nsha256 = "abc"\nindexes = ["root"]\n', "is no sha256 digest of a token"),
        (f'{TOKEN}indexes = ["root"]\n{TOKEN}indexes = ["root"]\n', "another token has the same sha256"),
        ('[access]\nfront_header = "X-Remote-User"\n', "name the front's address in trusted_proxies"),
        (FRONT.replace("X-Remote-User", "Authorization"), "name one that the front alone sets"),
        (FRONT.replace("X-Remote-User", "X Remote"), "is no name of a header"),
        ('[access]\nfront_groups_header = "X-Groups"\n', "says whose groups?"),
        (f'{FRONT}[[access.people]]\nindexes = ["*"]\n', "is about nobody"),
        (f'{FRONT}[[access.people]]\nnames = ["ada"]\nindexes = ["rot"]\n', "there is no index 'rot'"),
    ],
)
def test_what_cannot_be_meant_is_refused(toml: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(tmp_path, toml)
    assert said in raised.value.message


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[server]\npublic_url = "https://packages.acme.example"\n', "others reach this inbond through a front"),
        ('[server]\ntrusted_proxies = ["127.0.0.1"]\n', "others reach this inbond through a front"),
        ('[[access.people]]\nnames = ["ada"]\nindexes = ["*"]\n', "nobody is signed in by a front"),
    ],
)
def test_what_may_not_be_meant_is_told(toml: str, said: str, tmp_path: Path) -> None:
    assert any(said in warning for warning in load(tmp_path, toml).warnings)
    settled = load(tmp_path, f'{FRONT}readers = "granted"\n[[access.people]]\nnames = ["ada"]\nindexes = ["*"]\n')
    assert not any(said in warning for warning in settled.warnings)
