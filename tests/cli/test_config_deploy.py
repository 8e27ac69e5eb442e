"""What deploy/ sets is configuration that inbond takes."""

import re
import tomllib
from pathlib import Path

import pytest

from inbond.cli.config import load_config, preset_path
from inbond.web.settings import ServerSettings

DEPLOY = preset_path("inbond").parent.parent / "deploy"


def read(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def test_the_container_listens_to_all_and_keeps_everything_in_its_volume() -> None:
    text = read("Containerfile")
    environ = dict(re.findall(r"\b(INBOND_\w+)=(\S+)", "".join(re.findall(r"(?m)^ENV .*$", text))))
    config = load_config(file=None, overrides={}, environ=environ)
    assert str(config.server.listen) == "0.0.0.0:8642"
    assert config.storage.cache_dir == Path("/data/cache")
    assert config.storage.ledger_dir == Path("/data/ledger")
    assert "VOLUME /data" in text
    assert "EXPOSE 8642" in text


def test_the_service_keeps_cache_and_ledger_where_systemd_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = read("inbond.service")
    assert "CacheDirectory=inbond\n" in unit
    assert "StateDirectory=inbond\n" in unit
    for name, specifier in re.findall(r"(XDG_\w+)=(%\w)", unit):
        monkeypatch.setenv(name, {"%C": "/var/cache", "%S": "/var/lib"}[specifier])
    storage = load_config(file=None, overrides={}, environ={}).storage
    assert (storage.cache_dir, storage.ledger_dir) == (Path("/var/cache/inbond"), Path("/var/lib/inbond"))


def test_the_configuration_beside_the_nginx_example_is_valid(tmp_path: Path) -> None:
    example = "\n".join(re.findall(r"(?m)^#   (\[\w+\]|\w+ = .*)$", read("nginx.conf")))
    assert set(tomllib.loads(example)["server"]) <= set(ServerSettings.__annotations__)
    file = tmp_path / "inbond.toml"
    file.write_text(example, encoding="utf-8")
    server = load_config(file=file, overrides={}, environ={}).server
    assert server.public_url == "https://packages.acme.example"
    assert "proxy_pass http://inbond" in read("nginx.conf")
    assert f"server {server.listen};" in read("nginx.conf")
