"""The manifests of the page about Kubernetes: their commands run with the users, variables and volumes of pods."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

import pages
import pytest
import support
import yaml
from containers import Container, Volume, add_mount_point

PAGE = "how-to/kubernetes"
MANIFESTS = {
    manifest["kind"]: manifest for manifest in map(yaml.safe_load, (b.text for b in pages.blocks(PAGE, "yaml")))
}
COMMANDS = [command.command for block in pages.blocks(PAGE, "console") for command in pages.commands(block)]
#: Prints the verdicts of contexts with default trust, and that of requests on the server of *bundled*.
APP = f"""{support.VERDICTS}
import requests
port = dict(pair.split(":") for pair in os.environ["SERVERS"].split())["bundled"]
print(requests.get(f"https://localhost:{{port}}", timeout=20).text)
"""


class ConfigMap:
    """A volume of a ConfigMap: its files are links to those of the current version, a directory with a link."""

    def __init__(self, directory: Path, files: dict[str, bytes]) -> None:
        self.directory = directory
        directory.mkdir()
        # Independent of the umask.
        directory.chmod(0o777)
        self.update(files)
        for name in files:
            (directory / name).symlink_to(f"..data/{name}")

    def update(self, files: dict[str, bytes]) -> None:
        """Replace the version, as the kubelet does."""
        version = self.directory / f"..2026_11_29_{len(list(self.directory.glob('..2026*')))}"
        version.mkdir()
        version.chmod(0o755)
        for name, content in files.items():
            (version / name).write_bytes(content)
            (version / name).chmod(0o644)
        new = self.directory / "..data_tmp"
        new.symlink_to(version.name)
        os.replace(new, self.directory / "..data")


class Pod:
    """A pod: the containers of its specification in the image *shop*, with its volumes.

    :param config_maps: the directory of each ConfigMap
    """

    def __init__(self, specification: dict, image: Container, directory: Path, config_maps: dict[str, Path]) -> None:
        self.specification = specification
        self.image = image
        self.directory = directory
        self.sources = {}
        for volume in specification["volumes"]:
            if "configMap" in volume:
                self.sources[volume["name"]] = config_maps[volume["configMap"]["name"]]
            else:
                assert volume["emptyDir"] == {}
                (directory / volume["name"]).mkdir()
                (directory / volume["name"]).chmod(0o777)
                self.sources[volume["name"]] = directory / volume["name"]

    def run(
        self, container: dict, *command: str, user: str | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, by default that of the container, with its user, variables and volumes."""
        volumes = []
        for mount in container["volumeMounts"]:
            add_mount_point(self.image, mount["mountPath"])
            volumes.append(Volume(self.sources[mount["name"]], mount["mountPath"], not mount.get("readOnly")))
        pod = self.specification.get("securityContext", {})
        return self.image.run(
            *(command or container["command"]),
            env={**{each["name"]: each["value"] for each in container["env"]}, **variables},
            user=user or f"{pod.get('runAsUser', 0)}:{pod.get('runAsGroup', 0)}",
            read_only=container.get("securityContext", {}).get("readOnlyRootFilesystem", False),
            volumes=tuple(volumes),
        )


@pytest.fixture
def config_map(tmp_path, cas) -> ConfigMap:
    """The ConfigMap that the first command of the page creates."""
    return ConfigMap(tmp_path / "company-ca", {"company-ca.pem": cas.pem("system")})


@pytest.fixture
def make_pod(shop, tmp_path, config_map) -> Callable[[dict], Pod]:
    """Create a pod of a specification."""

    def make(specification: dict) -> Pod:
        image = shop.child(tmp_path / "pod")
        image.write("/app/app.py", APP)
        return Pod(specification, image, tmp_path, {"company-ca": config_map.directory})

    return make


@pytest.fixture
def deployment(make_pod, servers) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command, by default the one of the manifest, in the pod of the deployment."""
    specification = MANIFESTS["Deployment"]["spec"]["template"]["spec"]
    pod = make_pod(specification)

    def run(*command: str, **arguments: str) -> subprocess.CompletedProcess[str]:
        return pod.run(specification["containers"][0], *command, SERVERS=support.server_list(servers), **arguments)

    return run


def trusted(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the authorities that the application trusts."""
    assert (done.returncode, done.stderr) == (0, "")
    first, requested = done.stdout.splitlines()
    assert requested == "hello"
    return {name for name, is_trusted in support.verdicts(first).items() if is_trusted}


def test_the_deployment_trusts_the_ca_of_the_config_map(deployment) -> None:
    assert trusted(deployment()) == {"system", "bundled"}
    assert trusted(deployment(CERTHOOK_EXTRA_CA_CERTS="")) == {"bundled"}
    assert trusted(deployment(user="1000660000:0", HOME="/")) == {"system", "bundled"}, "OpenShift"


def test_the_commands_that_verify_the_deployment(deployment, servers) -> None:
    exec_lines = [shlex.split(command) for command in COMMANDS if command.startswith("kubectl exec deploy/shop -- ")]
    status, fetch = (words[words.index("--") + 1 :] for words in exec_lines)
    done = deployment(*status)
    assert done.returncode == 0, done.stdout
    assert "extra" in done.stdout
    fetch[-1] = fetch[-1].replace("intranet.example", f"localhost:{servers.port('system')}")
    assert deployment(*fetch).returncode == 0
    assert deployment(*fetch, CERTHOOK_EXTRA_CA_CERTS="").returncode == 1


def test_ssl_cert_file_replaces_the_public_roots(deployment) -> None:
    chosen = {"SSL_CERT_FILE": "/etc/company/company-ca.pem", "CERTHOOK_EXTRA_CA_CERTS": ""}
    assert trusted(deployment(**chosen)) == {"system"}


def test_new_contexts_use_an_updated_config_map(deployment, config_map, cas) -> None:
    # The name of the process in the directory of the volume is not visible, so the server's side shows that it runs:
    # the process waits for the second version, which is created after its first verdicts.
    code = f"""
import time
exec({support.VERDICTS!r})
print(flush=True)
before, end = os.readlink("/etc/company/..data"), time.monotonic() + 60
while os.readlink("/etc/company/..data") == before and time.monotonic() < end:
    time.sleep(0.05)
time.sleep(0.2)
exec({support.VERDICTS!r})
"""
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(deployment, "python", "-c", code)
        time.sleep(5)
        config_map.update({"company-ca.pem": cas.pem("extra")})
        done = running.result()
    assert done.stderr == ""
    first, second = (support.verdicts(line) for line in done.stdout.splitlines() if line)
    assert (first["system"], first["extra"]) == (True, False), "the first version was replaced before it was read"
    assert (second["system"], second["extra"]) == (False, True)


def test_the_init_container_writes_the_roots_for_another_program(make_pod, servers) -> None:
    specification = MANIFESTS["Pod"]["spec"]
    pod = make_pod(specification)
    (init,), (report,) = specification["initContainers"], specification["containers"]
    command = [word.replace("intranet.example", f"localhost:{servers.port('system')}") for word in report["command"]]
    assert pod.run(report, *command).returncode != 0
    for user in ("0:0", "10001:10001"):
        done = pod.run(init, user=user)
        assert (done.returncode, done.stderr) == (0, "")
        done = pod.run(report, *command, user=user)
        assert (done.returncode, done.stdout) == (0, "hello"), done.stderr
        (pod.sources["roots"] / "roots.pem").unlink()


def test_an_empty_dir_is_refused_as_the_directory_of_stores_and_of_exported_files(make_pod) -> None:
    specification = MANIFESTS["Pod"]["spec"]
    pod = make_pod(specification)
    (init,) = specification["initContainers"]
    done = pod.run(init, "certhook", "export", "/roots/roots.pem", user="10001:10001")
    assert done.returncode == 1
    assert "/roots" in done.stderr
    assert "777" in done.stderr
    done = pod.run(init, "python", "-m", "certhook", user="10001:10001", CERTHOOK_STORE_DIR="/roots")
    assert support.shows(done.stdout, "/roots is writable by other users (mode 777)")


def test_the_config_map_has_the_keys_that_the_manifests_name(tmp_path) -> None:
    (create,) = [command for command in COMMANDS if command.startswith("kubectl create configmap")]
    words = shlex.split(create)
    assert words[3:] == ["company-ca", "--from-file=company-ca.pem"]
    for manifest in (MANIFESTS["Deployment"]["spec"]["template"]["spec"], MANIFESTS["Pod"]["spec"]):
        (volume,) = [each for each in manifest["volumes"] if "configMap" in each]
        assert volume["configMap"] == {"name": "company-ca"}
    assert MANIFESTS["Bundle"]["spec"]["sources"][1]["configMap"] == {"name": "company-ca", "key": "company-ca.pem"}
    if shutil.which("kubectl"):
        (tmp_path / "company-ca.pem").write_text("roots")
        done = support.run_command(*words, "--dry-run=client", "--output=yaml", cwd=tmp_path)
        assert yaml.safe_load(done.stdout)["data"] == {"company-ca.pem": "roots"}
