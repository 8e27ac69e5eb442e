"""deploy/Containerfile: built without a container engine, on a base that debootstrap makes here, and run read-only.

The base of the Containerfile itself comes from a container registry, which the tests do not use; what stands in the
file is otherwise carried out as it is. Isolation is a chroot: this proves the build, the image's settings and inbond
inside it, and not what an engine adds.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.service import plain_environment
from inbond import __version__
from sim.index import SimIndex
from sim.tls import Authority
from tools import tool
from ways_in.programs import TOP, run, run_well, started
from ways_in.test_installed import to_the_registry

FILE = TOP / "deploy" / "Containerfile"
BASE = "localhost/inbond-test-base"
IMAGE = "localhost/inbond-test"
LARGEST_ADDED = 150 * 1024 * 1024  # what the image adds to its base, unpacked
USER = 10001


@dataclass(frozen=True, slots=True)
class Image:
    """The image that was built: its root directory, mounted, and its settings."""

    root: Path
    config: Mapping[str, Any]
    base_bytes: int

    @property
    def environment(self) -> dict[str, str]:
        return dict(setting.split("=", 1) for setting in self.config["Env"])


def test_what_the_build_copies_is_not_kept_from_it() -> None:
    ignored = (TOP / "deploy" / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    wanted = {
        source
        for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", FILE.read_text(encoding="utf-8"))
        for source in line.split()[:-1]
    }
    assert "*" in ignored
    assert wanted == {line.removeprefix("!") for line in ignored if line.startswith("!")}
    for name in wanted:
        assert (TOP / name).exists(), name


def test_both_stages_stand_on_the_same_base() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert re.search(r"(?m)^ARG PYTHON=python:3\.\d+-slim$", text)
    assert re.findall(r"(?m)^FROM (\S+)", text) == ["${PYTHON}", "${PYTHON}"]


def buildah(*words: str | Path, seconds: float = 110) -> str:
    environment = {**os.environ, "BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}
    return run_well([tool("buildah"), *words], cwd=TOP, env=environment, seconds=seconds).strip()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    if os.geteuid() != 0:
        pytest.fail("needs root: it makes a root directory and changes into it")
    place = tmp_path_factory.mktemp("image")
    containers = []
    try:
        base_bytes = make_base(place)
        build_image()
        containers.append(buildah("from", IMAGE))
        root = Path(buildah("mount", containers[0]))
        described = json.loads(buildah("inspect", "--type", "image", IMAGE))
        yield Image(root, described["Docker"]["config"], base_bytes)
    finally:
        for container in containers:
            buildah("rm", container)
        for name in (IMAGE, BASE):
            run([tool("buildah"), "rmi", "--force", name], cwd=TOP, env={**os.environ, "STORAGE_DRIVER": "vfs"})


def make_base(place: Path) -> int:
    """This machine's distribution with Python, as an image; how many bytes it has."""
    release = dict(re.findall(r'(?m)^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text()))
    packages = "--include=python3,python3-venv,ca-certificates"
    root = place / "base"
    bootstrap = [tool("debootstrap"), "--variant=minbase", packages, release["VERSION_CODENAME"], root]
    run_well(bootstrap, cwd=place, env={**os.environ}, seconds=600)
    size = bytes_below(root)
    container = buildah("from", "scratch")
    mounted = buildah("mount", container)
    run_well(["cp", "-a", f"{root}/.", mounted], cwd=place, env={**os.environ})
    run_well(["rm", "-rf", root], cwd=place, env={**os.environ})
    buildah("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container)
    buildah("commit", "--quiet", "--rm", container, BASE)
    return size


def build_image() -> None:
    """With this machine's index and authorities, whatever they are."""
    arguments = [f"PYTHON={BASE}"]
    environment = to_the_registry()
    if index := environment.get("PIP_INDEX_URL"):
        arguments.append(f"PIP_INDEX_URL={index}")
    words: list[str | Path] = []
    if authorities := environment.get("PIP_CERT") or ssl.get_default_verify_paths().cafile:
        words = ["--volume", f"{Path(authorities).resolve()}:/run/authorities.pem:ro"]
        arguments.append("PIP_CERT=/run/authorities.pem")
    for argument in arguments:
        words += ["--build-arg", argument]
    buildah("bud", "--format", "docker", "--file", FILE, "--tag", IMAGE, *words, TOP, seconds=600)


def bytes_below(root: Path) -> int:
    return int(run_well(["du", "-sb", root], cwd=root, env={**os.environ}).split()[0])


def inside(image: Image, data: Path, *words: str) -> list[str]:
    """A command that runs in the image's root, which is read-only but for `data`, as the image's user."""
    (user, group) = image.config["User"].split(":")
    script = (
        'mount --bind "$1" "$1" && mount --bind "$2" "$1/data" && mount -o remount,bind,ro "$1" && root=$1 && shift 2'
        f' && exec {tool("chroot")} --userspec={user}:{group} $root "$@"'
    )
    return [tool("unshare"), "--mount", "sh", "-c", script, "sh", str(image.root), str(data), *words]


def volume(place: Path) -> Path:
    data = place / "data"
    data.mkdir(mode=0o700)
    os.chown(data, USER, USER)
    return data


@pytest.mark.container
@pytest.mark.timeout(1500)
def test_the_image_says_how_it_is_run(image: Image) -> None:
    assert image.config["User"] == f"{USER}:{USER}"
    assert image.config["Entrypoint"] + image.config["Cmd"] == ["/opt/inbond/bin/inbond", "serve"]
    assert image.config["ExposedPorts"] == {"8642/tcp": {}}
    assert image.config["Volumes"] == {"/data": {}}
    assert image.config["StopSignal"] == "SIGTERM"
    assert image.config["Labels"]["org.opencontainers.image.title"] == "inbond"


@pytest.mark.container
@pytest.mark.timeout(1500)
def test_the_image_is_small_and_holds_no_tools_to_install_with(image: Image) -> None:
    added = bytes_below(image.root) - image.base_bytes
    print(f"the image adds {added / 2**20:.0f} MiB to its base")
    assert added < LARGEST_ADDED
    assert not list(image.root.glob("opt/inbond/bin/pip*"))
    assert not (image.root / "src" / "src").exists()


@pytest.mark.container
@pytest.mark.timeout(1500)
async def test_it_serves_with_a_read_only_root_and_stops_when_asked(image: Image, tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("app", "1.0")
        index.add_wheel("forged", "1.0", provenance=b'{"version": 1, "attestation_bundles": []}')
        await asyncio.to_thread(serve_inside, image, tmp_path, index.url)


def serve_inside(image: Image, place: Path, upstream: str) -> None:
    data = volume(place)
    environment = {**image.environment, "INBOND_LISTEN": "0.0.0.0:0", "INBOND_UPSTREAM": upstream}
    environment["INBOND_TRUST__PUBLIC__ROOT"] = "bundled"  # nothing is fetched
    environment["INBOND_ACCESS__READERS"] = "anybody"  # as the file's first lines run it
    version = run_well(inside(image, data, "/opt/inbond/bin/inbond", "--version"), cwd=place, env=environment)
    assert version == f"inbond, version {__version__}\n"
    written = run(inside(image, data, "touch", "/tmp/file"), cwd=place, env=environment)
    assert "Read-only file system" in written.stdout
    command = inside(image, data, *image.config["Entrypoint"], *image.config["Cmd"])
    with started(command, cwd=place, env=environment, output=place / "serve.log") as server:
        origin = server.origin.replace("THIS-HOST", "127.0.0.1")
        for path, said in (
            ("/-/verdict/root/app/app-1.0-py3-none-any.whl", '"decision":"allow"'),
            ("/-/verdict/root/forged/forged-1.0-py3-none-any.whl", '"state":"rejected"'),
        ):
            answer = run_well(["curl", "-sS", f"{origin}{path}"], cwd=place, env=plain_environment(place))
            assert said in re.sub(r'"\s*:\s*"', '":"', answer)
        check = healthy(image, data, place, environment, port=origin.rpartition(":")[2])
        began = time.monotonic()
        os.kill(server.process.pid, signal.Signals[image.config["StopSignal"]])
        assert server.process.wait(45) == 0
        assert time.monotonic() - began < 10
        assert check() != 0
    assert (data / "ledger" / "ledger.sqlite3").exists()
    with_tls(image, place, data, environment)


def with_tls(image: Image, place: Path, data: Path, environment: Mapping[str, str]) -> None:
    """The same where inbond does TLS itself."""
    shutil.copy(Authority(place).certificate(), data / "certificate.pem")
    os.chown(data / "certificate.pem", USER, USER)
    names = ("INBOND_SERVER__TLS_CERTIFICATE", "INBOND_SERVER__TLS_KEY")
    secured = {**environment, **dict.fromkeys(names, "/data/certificate.pem")}
    command = inside(image, data, *image.config["Entrypoint"], *image.config["Cmd"])
    with started(command, cwd=place, env=secured, output=place / "secured.log") as server:
        healthy(image, data, place, secured, port=server.origin.rpartition(":")[2])


def healthy(image: Image, data: Path, place: Path, environment: Mapping[str, str], *, port: str) -> Callable[[], int]:
    """That the image's health check finds an inbond alive; what it exits with from then on."""
    check = inside(image, data, *image.config["Healthcheck"]["Test"][1:])
    proxied = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    around = {**environment, **proxied, "INBOND_LISTEN": f"0.0.0.0:{port}"}
    run_well(check, cwd=place, env=around)
    return lambda: run(check, cwd=place, env=around).returncode
