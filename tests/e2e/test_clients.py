"""Every client that pushes images, in both formats, one image or an index."""

import gzip
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import Portcall, docker, get
from tests.local.conftest import HOST_ARCHITECTURE, OTHER_ARCHITECTURE, busybox_layer

pytestmark = pytest.mark.long(30)

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
BOTH = f"--platform=linux/{HOST_ARCHITECTURE},linux/{OTHER_ARCHITECTURE}"
# Nothing in it runs while it is built, so that it builds for any CPU and wherever the tests run.
DOCKERFILE = """\
FROM scratch
ADD root.tar /
COPY index.html /www/
EXPOSE 3000
STOPSIGNAL SIGKILL
CMD ["/bin/busybox", "httpd", "-f", "-p", "3000", "-h", "/www"]
"""


@dataclass
class Bench:
    """A folder to build in, and where each client keeps its images, apart from the user's own."""

    folder: Path
    storage: Path

    def run(self, *command: str) -> None:
        install(command[0])
        # podman takes no path of more than 50 characters here.
        storage = self.storage / command[0]
        own = [f"--root={storage}/root", f"--runroot={storage}/run", "--storage-driver=vfs"]
        options = own if command[0] in ("podman", "buildah") else []
        line = [command[0], *options, *command[1:]]
        ended = subprocess.run(line, cwd=self.folder, capture_output=True, text=True)
        assert ended.returncode == 0, f"{' '.join(line)}\n{ended.stdout}{ended.stderr}"

    def build(self, builder: str, *options: str) -> None:
        # podman's cache takes an image for one CPU for that for another.
        self.run(builder, "build", "--no-cache", *options, str(self.folder))

    def archive(self) -> str:
        """The image as `docker save` writes it, for skopeo."""
        file = self.folder / "image.tar"
        self.build("docker", "--quiet", "--tag=portcall-e2e-clients")
        docker("save", "--output", str(file), "portcall-e2e-clients")
        docker("rmi", "portcall-e2e-clients")
        return f"docker-archive:{file}"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("clients")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / ".dockerignore").write_text("*\n!root.tar\n!index.html\n")
    (folder / "root.tar").write_bytes(gzip.decompress(busybox_layer()))
    with tempfile.TemporaryDirectory(prefix="images-") as storage:
        yield Bench(folder, Path(storage))
    shutil.rmtree(folder)


def install(client: str) -> None:
    """Have the client on this machine; its lack is a failure, for then nobody knows whether it works."""
    if shutil.which(client):
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", client]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-q"], capture_output=True, check=False)
        subprocess.run(command, env=environment, capture_output=True, check=False)
    assert shutil.which(client), f"{client} is not here and could not be installed: apt-get install {client}"


def skopeo(form: str) -> Callable[[Bench, str], None]:
    def push(bench: Bench, image: str) -> None:
        to = f"docker://{image}"
        bench.run("skopeo", "copy", "--dest-tls-verify=false", f"--format={form}", bench.archive(), to)

    return push


def built(builder: str, form: str) -> Callable[[Bench, str], None]:
    """`podman build` or `buildah build`, and push."""

    def push(bench: Bench, image: str) -> None:
        bench.build(builder, f"--format={form}", f"--tag={image}")
        bench.run(builder, "push", "--tls-verify=false", image)

    return push


def built_with_zstd(bench: Bench, image: str) -> None:
    bench.build("buildah", "--format=oci", f"--tag={image}")
    bench.run("buildah", "push", "--tls-verify=false", "--compression-format=zstd", image)


def built_for_both(builder: str, form: str) -> Callable[[Bench, str], None]:
    """An index of the image for two CPUs; its children are pushed without a tag."""

    def push(bench: Bench, image: str) -> None:
        name = image.rpartition("/")[2].replace(":", "-")
        bench.build(builder, BOTH, f"--format={form}", f"--manifest={name}")
        options = ["--all", "--tls-verify=false", f"--format={'v2s2' if form == 'docker' else 'oci'}"]
        bench.run(builder, "manifest", "push", *options, name, f"docker://{image}")

    return push


def docker_manifest(bench: Bench, image: str) -> None:
    """`docker manifest` makes its list of what is in the registry already, here under a name nobody watches."""
    staged = f"{image.rpartition('/')[0]}/staged:latest"
    bench.build("docker", "--quiet", f"--tag={staged}")
    docker("push", "--quiet", staged)
    docker("manifest", "create", "--insecure", image, staged)
    docker("manifest", "push", "--purge", "--insecure", image)


def skopeo_index(bench: Bench, image: str) -> None:
    """Copied with `--all` from another repository, as CI pipelines promote their images."""
    staged = f"{image.rpartition('/')[0]}/staged:both"
    built_for_both("buildah", "oci")(bench, staged)
    options = ["--all", "--src-tls-verify=false", "--dest-tls-verify=false"]
    bench.run("skopeo", "copy", *options, f"docker://{staged}", f"docker://{image}")


# How each pushes, the type of what the tag then points to, and how many images an index has.
CLIENTS: dict[str, tuple[Callable[[Bench, str], None], str, int]] = {
    "docker-manifest": (docker_manifest, DOCKER_LIST, 1),
    "skopeo-v2s2": (skopeo("v2s2"), DOCKER, 0),
    "skopeo-oci": (skopeo("oci"), OCI, 0),
    "skopeo-index": (skopeo_index, OCI_INDEX, 2),
    "podman-v2s2": (built("podman", "docker"), DOCKER, 0),
    "podman-oci": (built("podman", "oci"), OCI, 0),
    "podman-list": (built_for_both("podman", "docker"), DOCKER_LIST, 2),
    "buildah-v2s2": (built("buildah", "docker"), DOCKER, 0),
    "buildah-zstd": (built_with_zstd, OCI, 0),
    "buildah-oci": (built("buildah", "oci"), OCI, 0),
    "buildah-index": (built_for_both("buildah", "oci"), OCI_INDEX, 2),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_push_with_this_client_is_deployed_once(portcall: Portcall, bench: Bench, client: str) -> None:
    push, media_type, children = CLIENTS[client]
    for repository in ("staged", "client-app"):
        portcall.repository(repository)
    (bench.folder / "index.html").write_text(client)
    before = len(portcall.deployments.of("client-app"))
    push(bench, portcall.image("client-app"))
    pushed = portcall.pushed("client-app")
    digest = pushed["imageDigest"]
    assert pushed["imageManifestMediaType"] == media_type
    document = json.loads(portcall.by_hand.request("GET", f"/v2/client-app/manifests/{digest}")[1])
    assert len(document.get("manifests", [])) == children
    mail = portcall.mail("client-app", digest)
    assert mail.attributes == {"app": "client-app", "outcome": "deployed"}, mail.text
    assert get(mail.text.splitlines()[0]) == client
    # The children of an index, and what was staged elsewhere, have started nothing.
    assert len(portcall.deployments.of("client-app")) == before + 1
