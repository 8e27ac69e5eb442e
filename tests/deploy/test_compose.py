"""deploy/compose.yaml: by the compose specification's schema, and about an inbond that would start."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from deploy.yaml_files import DEPLOY, document
from inbond.cli.config import load_config
from tools import tool
from ways_in.programs import run

FILE = DEPLOY / "compose.yaml"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")


def service() -> dict[str, Any]:
    found: dict[str, Any] = document(FILE)["services"]["inbond"]
    return found


def validate(file: Path) -> tuple[int, str]:
    done = run([tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", file], cwd=file.parent, env={})
    return done.returncode, done.stdout


def test_the_file_fits_its_schema() -> None:
    code, said = validate(FILE)
    assert code == 0, said


def test_a_mistake_in_the_file_would_be_found(tmp_path: Path) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert "cap_drop:" in text
    copy = tmp_path / FILE.name
    copy.write_text(text.replace("cap_drop:", "cap_dropp:"))
    assert validate(copy)[0] != 0


def test_it_can_do_little_and_stops_in_its_own_time() -> None:
    one = service()
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in one["security_opt"]
    assert f"\nUSER {one['user']}\n" in CONTAINERFILE
    assert "privileged" not in one
    assert int(one["stop_grace_period"].removesuffix("s")) > 40
    assert f"\nSTOPSIGNAL {one['stop_signal']}\n" in CONTAINERFILE
    for published in one["ports"]:
        assert published.startswith("127.0.0.1:"), "TLS comes in front"


def test_everything_that_is_written_lies_in_the_volume() -> None:
    (volume,) = service()["volumes"]
    named, place = volume.split(":")
    assert named in document(FILE)["volumes"]
    assert f"\nVOLUME {place}\n" in CONTAINERFILE


def test_inbond_takes_what_is_set() -> None:
    environ = dict(re.findall(r"\b(INBOND_\w+)=(\S+)", "".join(re.findall(r"(?m)^ENV .*$", CONTAINERFILE))))
    environ |= service()["environment"]
    (given,) = service()["configs"]
    assert environ.pop("INBOND_CONFIG") == given["target"]
    config = load_config(file=None, overrides={}, environ=environ)
    assert str(config.server.listen) == "0.0.0.0:8642"
    assert given["source"] in document(FILE)["configs"]


def test_the_health_check_is_the_images_own() -> None:
    check = service()["healthcheck"]
    written = r"HEALTHCHECK --interval=(\S+) --timeout=(\S+) --start-period=(\S+) \\\n  CMD (.*)"
    image = re.search(written, CONTAINERFILE)
    assert image is not None
    assert (check["interval"], check["timeout"], check["start_period"]) == image.groups()[:3]
    assert check["test"] == ["CMD", *json.loads(image[4])]
