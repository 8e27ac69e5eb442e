"""The Kubernetes manifests: by their schemas, within the restricted profile, and about an inbond that would start."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from deploy.yaml_files import DEPLOY, document, documents
from inbond.cli.config import load_config
from tools import tool
from ways_in.programs import run

PLACE = DEPLOY / "kubernetes"
MANIFESTS = ("namespace.yaml", "statefulset.yaml", "service.yaml", "networkpolicy.yaml", "secret.example.yaml")
VERSIONS = ("1.29", "1.37")  # the oldest and the newest that they were checked against


def validate(file: Path, version: str) -> tuple[int, str]:
    command = [tool("kubernetes-validate"), "--strict", "-k", version, file]
    done = run(command, cwd=file.parent, env={})
    return done.returncode, done.stdout


def every() -> list[dict[str, Any]]:
    return [one for name in MANIFESTS for one in documents(PLACE / name)]


def the(kind: str, name: str = "inbond") -> dict[str, Any]:
    return next(one for one in every() if one["kind"] == kind and one["metadata"]["name"] == name)


def pod() -> dict[str, Any]:
    found: dict[str, Any] = the("StatefulSet")["spec"]["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    (only,) = pod()["containers"]
    found: dict[str, Any] = only
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_the_manifests_fit_their_schemas(name: str, version: str) -> None:
    code, said = validate(PLACE / name, version)
    assert code == 0, said
    assert said.count("passed for resource") == len(documents(PLACE / name)), said


def test_a_mistake_in_a_manifest_would_be_found(tmp_path: Path) -> None:
    text = (PLACE / "statefulset.yaml").read_text(encoding="utf-8")
    assert "readOnlyRootFilesystem" in text
    copy = tmp_path / "statefulset.yaml"
    copy.write_text(text.replace("readOnlyRootFilesystem", "readOnlyRootFileSystem"))
    assert validate(copy, VERSIONS[-1])[0] != 0


def test_kustomize_takes_every_manifest() -> None:
    """What is on the shelf is listed, or named in a comment with its reason."""
    text = (PLACE / "kustomization.yaml").read_text(encoding="utf-8")
    files = {path.name for path in PLACE.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(re.findall(r"- (\S+\.yaml)", text)) == files
    assert document(PLACE / "kustomization.yaml")["configMapGenerator"][0]["name"] == "inbond"


def test_the_namespace_takes_restricted_pods_only_and_this_is_one() -> None:
    labels = the("Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    whole = pod()
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(whole)
    assert whole["securityContext"]["runAsNonRoot"] is True
    assert whole["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    own = container()["securityContext"]
    assert own["allowPrivilegeEscalation"] is False
    assert own["readOnlyRootFilesystem"] is True
    assert own["capabilities"] == {"drop": ["ALL"]}
    for volume in whole["volumes"]:
        assert set(volume) - {"name"} <= {"configMap", "emptyDir", "secret", "projected", "persistentVolumeClaim"}
    assert all("hostPort" not in port for port in container()["ports"])
    assert whole["automountServiceAccountToken"] is False


def test_probes_ask_what_they_are_for_under_a_name_that_inbond_answers_to() -> None:
    paths = {"startupProbe": "/-/live", "livenessProbe": "/-/live", "readinessProbe": "/-/ready"}
    for probe, path in paths.items():
        asked = container()[probe]["httpGet"]
        assert (asked["path"], asked["port"]) == (path, "http")
        assert asked["httpHeaders"] == [{"name": "Host", "value": "localhost"}]
    assert pod()["terminationGracePeriodSeconds"] > 40 + 5  # the stop, and what comes before it


def test_everything_selects_the_pods() -> None:
    labels = the("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        the("StatefulSet")["spec"]["selector"]["matchLabels"],
        the("Service")["spec"]["selector"],
        the("Service", "inbond-each")["spec"]["selector"],
        the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        the("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
    assert the("StatefulSet")["spec"]["serviceName"] == "inbond-each"
    assert the("NetworkPolicy", "nothing")["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    monitored = document(PLACE / "servicemonitor.yaml")["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= the("Service", "inbond-each")["metadata"]["labels"].items()


def test_the_configuration_is_one_that_inbond_takes_in_the_container() -> None:
    image = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    environ = dict(re.findall(r"\b(INBOND_\w+)=(\S+)", "".join(re.findall(r"(?m)^ENV .*$", image))))
    environ |= {one["name"]: one["value"] for one in container()["env"]}
    assert environ.pop("INBOND_CONFIG") == "/etc/inbond/inbond.toml"
    config = load_config(file=PLACE / "inbond.toml", overrides={}, environ=environ)
    port = container()["ports"][0]["containerPort"]
    assert str(config.server.listen) == f"0.0.0.0:{port}"
    mounts = {mount["mountPath"]: mount for mount in container()["volumeMounts"]}
    assert str(config.storage.cache_dir).startswith("/data/")
    assert "/data" in mounts
    assert mounts["/etc/inbond"]["readOnly"] is True


def test_each_inbond_answers_under_the_name_that_it_is_watched_by() -> None:
    config = load_config(file=PLACE / "inbond.toml", overrides={}, environ={})
    replicas = the("StatefulSet")["spec"]["replicas"]
    names = {f"inbond-{number}.inbond-each.inbond.svc" for number in range(replicas)}
    assert names | {"inbond.inbond.svc"} == set(config.server.hosts)
    (relabelled,) = document(PLACE / "servicemonitor.yaml")["spec"]["endpoints"][0]["relabelings"]
    assert relabelled["replacement"] == "$1.inbond-each.inbond.svc:8642"


def test_the_cache_fits_its_volume() -> None:
    config = load_config(file=PLACE / "inbond.toml", overrides={}, environ={})
    (claim,) = the("StatefulSet")["spec"]["volumeClaimTemplates"]
    size = claim["spec"]["resources"]["requests"]["storage"]
    assert config.storage.max_size < int(size.removesuffix("Gi")) * 2**30
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_no_secret_stands_here() -> None:
    secret = the("Secret")["stringData"]
    assert secret == {"ACME_INDEX": "user:password"}
