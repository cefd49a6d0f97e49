"""Builds and pushes images with the real docker, with a login only for this run."""

import base64
import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from localcloud.machine.base_image import build_arguments, ensure_base_image
from localcloud.settings import PROJECT, CloudSettings
from portcall.verify.account import Account
from portcall.verify.errors import CheckFailedError
from portcall.verify.state import State
from portcall.verify.tools import Tools

EXAMPLE = PROJECT / "flask_app"
PROBE = Path(__file__).parent / "app"
# The user's Docker configuration without its logins.
KEPT = ("currentContext", "cliPluginsExtraDirs", "proxies", "plugins", "features")


def base_of(folder: Path) -> str:
    """The image that a folder's Dockerfile begins FROM."""
    lines = (folder / "Dockerfile").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("FROM "))


class Images:
    """Builds and pushes images of one repository; each image name is first recorded in the state."""

    def __init__(self, account: Account, state: State, tools: Tools, folder: Path) -> None:
        self._account, self._state, self._tools = account, state, tools
        self._docker_config = folder / "docker"
        self._state_dir = CloudSettings.load().state_dir
        self._logged_in = False

    @property
    def repository(self) -> str:
        """The install's repository, as docker names it."""
        return self._account.registry(self._state.outputs["RepositoryUri"])

    def _log_in(self) -> None:
        """Run `docker login` with ECR's password, in a separate configuration: the user's is not changed."""
        if self._logged_in:
            return
        self._logged_in = True
        users = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
        self._docker_config.mkdir(parents=True, exist_ok=True)
        for entry in users.iterdir() if users.is_dir() else ():
            link = self._docker_config / entry.name
            if entry.name != "config.json" and not link.is_symlink():
                link.symlink_to(entry)
        try:
            configured = json.loads((users / "config.json").read_text())
        except (OSError, ValueError):
            configured = {}
        kept = {name: configured[name] for name in KEPT if name in configured}
        (self._docker_config / "config.json").write_text(json.dumps(kept))
        token = self._account.client("ecr").get_authorization_token()["authorizationData"][0]
        if self._account.embedded:
            # The embedded registry needs no login.
            return
        user, _, password = base64.b64decode(token["authorizationToken"]).decode().partition(":")
        registry = self.repository.partition("/")[0]
        self._docker("login", "--username", user, "--password-stdin", registry, given=password)

    def build(self, tag: str, folder: Path = PROBE, **arguments: str) -> str:
        """Build the image of a folder, and return its name."""
        self._log_in()
        given = [word for pair in arguments.items() for word in ("--build-arg", "=".join(pair))]
        image = self._named(tag)
        local: list[str] = []
        if self._account.embedded:
            # A laptop without access to Docker Hub has its own base image.
            ensure_base_image(base_of(folder), self._state_dir, lambda phase: None)
            local = build_arguments(self._state_dir)
        self._docker("build", *local, "--quiet", "--tag", image, *given, str(folder))
        return image

    def build_for(self, platform: str, tag: str, folder: Path = PROBE, **arguments: str) -> str:
        """The same for another CPU, e.g. "linux/arm64"; without RUN lines, this needs no emulator."""
        given = [word for pair in arguments.items() for word in ("--build-arg", "=".join(pair))]
        image = self._named(tag)
        self._docker("buildx", "build", "--platform", platform, "--load", "--tag", image, *given, str(folder))
        return image

    def push(self, image: str) -> None:
        """Run `docker push`, logged in."""
        self._log_in()
        self._docker("push", "--quiet", image)

    def digest(self, tag: str) -> str:
        """The digest of a tag in the registry."""
        found = self._account.client("ecr").describe_images(
            repositoryName=self._state.name, imageIds=[{"imageTag": tag}]
        )
        return str(found["imageDetails"][0]["imageDigest"])

    def also(self, image: str, tag: str) -> str:
        """Give an image another name, and return that."""
        named = self._named(tag)
        self._docker("tag", image, named)
        return named

    def _named(self, tag: str) -> str:
        image = f"{self.repository}:{tag}"
        if image not in self._state.images:
            self._state.images.append(image)
            self._state.save()
        return image

    def _docker(self, *arguments: str, given: str = "") -> str:
        return self._tools.run(
            "docker", *arguments, given=given, more={"DOCKER_CONFIG": str(self._docker_config)}
        )


def forget(tools: Tools, images: Sequence[str]) -> None:
    """Remove the run's images from this machine, also those that have lost their tag to another image."""
    for repository in sorted({image.rpartition(":")[0] for image in images}):
        if names := _names(tools, repository):
            # docker reports an error for a name that was removed together with another one.
            with contextlib.suppress(CheckFailedError):
                tools.run("docker", "rmi", *names)
        if left := _names(tools, repository):
            raise CheckFailedError(f"docker rmi leaves {', '.join(left)}")


def _names(tools: Tools, repository: str) -> list[str]:
    """docker's images of a repository, by tag and by digest."""
    form = "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}"
    listed = tools.run("docker", "images", "--digests", "--filter", f"reference={repository}", "--format", form)
    return sorted({name for name in listed.split() if not name.endswith("<none>")})
