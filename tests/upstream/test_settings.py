from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

import pytest

from inbond.model.errors import ConfigurationError
from inbond.upstream.settings import UpstreamSettings


def test_the_url_ends_with_a_slash() -> None:
    assert UpstreamSettings(name="a", url="https://index.example/simple").url == "https://index.example/simple/"


def test_the_defaults_are_the_documented_ones() -> None:
    settings = UpstreamSettings(name="a", url="https://index.example/simple/")
    assert (settings.fresh_for, settings.max_stale) == (timedelta(minutes=10), timedelta(days=7))
    assert (settings.trust, settings.projects, settings.authorization) == ((), (), None)


def test_credentials_leave_the_url_and_never_show() -> None:
    settings = UpstreamSettings(name="a", url="https://user:s%3Acret%20@index.example/simple/")
    assert settings.url == "https://index.example/simple/"
    assert settings.authorization == "Basic " + base64.b64encode(b"user:s:cret ").decode()
    assert "cret" not in repr(settings)
    assert settings.authorization not in repr(settings)


def test_a_token_without_a_password_is_a_credential_too() -> None:
    settings = UpstreamSettings(name="a", url="https://token@index.example/simple/")
    assert settings.authorization == "Basic " + base64.b64encode(b"token:").decode()


def test_credentials_survive_a_change_of_another_field() -> None:
    settings = UpstreamSettings(name="a", url="https://user:secret@index.example/simple/")
    assert replace(settings, name="b").authorization == settings.authorization


@pytest.mark.parametrize(
    "url",
    [
        "",
        "index.example/simple/",
        "ftp://index.example/simple/",
        "file:///simple/",
        "https:///simple/",
        "https://index.example:99999/simple/",
        "https://index.example/simple/?token=secret",
        "https://index.example/simple/#secret",
        "https://user:secret@/simple/",
        "https://[::1/simple/",
        "https://me:2024/secret@index.example/simple/",
        "https://me:2024/secret@",
        "https://a..b/simple/",
        "https://a%40b/simple/",
        "https://secret\x00.example/simple/",
    ],
)
def test_what_is_no_index_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        UpstreamSettings(name="acme", url=url)
    assert "upstreams.acme.url" in caught.value.message
    assert "secret" not in f"{caught.value.message} {caught.value.remedy}"
