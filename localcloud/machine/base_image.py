"""Gets the base image of a Dockerfile: from Docker, by a pull, or built from Debian packages."""

import configparser
import os
import platform
import re
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from localcloud.machine import debian
from localcloud.machine.docker_engine import containers_reach_out
from localcloud.processes import CloudError, run

Progress = Callable[[str], None]

STAND_IN_LABEL = "stand-in-for"
# Seconds without output from the engine, not for the whole pull, which may be slow.
PULL_PATIENCE = 20
IMPORT_TIMEOUT = 120

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_BUNDLE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_HOOKS = Path("/usr/share/mmdebstrap/hooks")
_unpullable: set[str] = set()

# Runs on this machine: $1 is the folder of the image's file system, $2 that of our files. pip is installed from
# its wheel, without setuptools, as in the official image.
_FINISH = r"""
set -eu
cd "$1"
version=$(chroot . python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
library=usr/local/lib/python$version/dist-packages
mkdir -p "$library" usr/local/bin
for wheel in usr/share/python-wheels/pip-*.whl; do chroot . python3 -m zipfile -e "/$wheel" "/$library"; done
chroot . python3 -m compileall -q -j 0 "/$library/pip"
printf '#!/bin/sh\nexec python3 -m pip "$@"\n' > usr/local/bin/pip
chmod 755 usr/local/bin/pip
ln -sf pip usr/local/bin/pip3
ln -sf /usr/bin/python3 usr/local/bin/python
rm -f usr/lib/python3*/EXTERNALLY-MANAGED
if [ -e "$2/ca-certificates.crt" ]; then cp "$2/ca-certificates.crt" etc/ssl/certs/ca-certificates.crt; fi
chmod 644 etc/ssl/certs/ca-certificates.crt
cp "$2/pip.conf" etc/pip.conf
chmod 644 etc/pip.conf
rm -rf etc/apt/sources.list etc/apt/sources.list.d etc/apt/apt.conf.d/99mmdebstrap etc/apt/auth.conf.d
rm -rf usr/share/python-wheels usr/share/doc usr/share/man usr/share/locale usr/share/info
"""


class BaseImageUnavailable(CloudError):
    """The base image is missing and cannot be pulled or built; the message says what to do."""


def ensure_base_image(reference: str, state_dir: Path, progress: Progress) -> None:
    """Make sure that the image `reference` is in the Docker engine, e.g. "python:3.13-slim".

    If it cannot be pulled, a Python image is built from Debian packages under the same name. It has Debian's
    Python, whatever version the tag names, and the label stand-in-for. Raises BaseImageUnavailable, or
    CloudError with the end of the output of apt-get or mmdebstrap.
    """
    try:
        # requests' time-out is between two parts of a response; it has no other.
        client = docker.from_env(timeout=PULL_PATIENCE)
    except DockerException as error:
        raise BaseImageUnavailable("No Docker engine answers. Start Docker, then run this again.") from error
    try:
        if _present(client, reference, progress):
            return
        why = _pull(client, reference, progress)
        if why is None:
            return
        _refuse_if_not_to_be_made(reference, why)
        _make(client, reference, state_dir, progress)
    finally:
        client.close()


def build_arguments(state_dir: Path) -> list[str]:
    """Extra arguments that `docker build` needs on this machine; usually none.

    A proxy is named without its value: docker takes the value from its environment, and it is not stored in the
    image.
    """
    arguments = [word for name in _PROXIES if os.environ.get(name) for word in ("--build-arg", name)]
    proxies = [urlsplit(os.environ.get(name, "")).hostname for name in _PROXIES if "no" not in name.lower()]
    near = any(host in ("localhost", "127.0.0.1", "::1") for host in proxies)
    if near or not containers_reach_out(state_dir):
        arguments.append("--network=host")
    return arguments


def _present(client: docker.DockerClient, reference: str, progress: Progress) -> bool:
    try:
        image = client.images.get(reference)
    except ImageNotFound:
        return False
    if STAND_IN_LABEL in image.labels:
        progress(f"Using the stand-in for {reference} (to have it pulled next time: docker rmi {reference})")
    return True


def _pull(client: docker.DockerClient, reference: str, progress: Progress) -> str | None:
    """Pull the image; None if it is here, otherwise why not. This process does not retry a failed pull."""
    if reference in _unpullable:
        return "it could not be pulled before"
    progress(f"Pulling {reference}")
    layers: dict[str, tuple[int, int]] = {}
    try:
        repository, tag = _split(reference)
        for event in client.api.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in event:
                raise DockerException(event["error"])
            detail = event.get("progressDetail") or {}
            if event.get("status") == "Downloading" and "total" in detail:
                layers[event["id"]] = (detail["current"], detail["total"])
                done, total = (sum(each) / 1e6 for each in zip(*layers.values(), strict=True))
                progress(f"Pulling {reference} ({done:.0f} of {total:.0f} MB)")
        client.images.get(reference)
    except (DockerException, requests.RequestException, OSError) as error:
        _unpullable.add(reference)
        if isinstance(error, requests.Timeout | requests.ConnectionError):
            return f"its registry did not answer within {PULL_PATIENCE} seconds"
        text = (error.explanation if isinstance(error, APIError) else None) or str(error)
        return text.strip().rstrip(".")[:200]
    return None


def _split(reference: str) -> tuple[str, str]:
    """Repository and tag (or digest), which the API takes separately."""
    repository, at, digest = reference.partition("@")
    if at:
        return repository.rsplit(":", 1)[0] if ":" in repository.rsplit("/", 1)[-1] else repository, digest
    folder, slash, name = reference.rpartition("/")
    name, _, tag = name.partition(":")
    return f"{folder}{slash}{name}", tag or "latest"


def _refuse_if_not_to_be_made(reference: str, why: str) -> None:
    repository, tag = _split(reference)
    failed = f"The base image {reference} cannot be pulled: {why}."
    if not repository.endswith("/python") and repository != "python":
        raise BaseImageUnavailable(f"{failed} Only a Python image can be built without it. Check the network.")
    if ":" in tag:
        raise BaseImageUnavailable(f"{failed} An image built here has another digest. Check the network.")
    if not debian.is_debian():
        raise BaseImageUnavailable(f"{failed} Check the network, or load it with `docker load`.")
    if debian.as_root() is None:
        raise BaseImageUnavailable(
            f"{failed} Root, or a user with sudo without a password, can build it from Debian packages."
        )


def _make(client: docker.DockerClient, reference: str, state_dir: Path, progress: Progress) -> None:
    log = state_dir / "logs" / "docker.log"
    root = debian.as_root() or []
    if debian.which("mmdebstrap") is None:
        debian.install(["mmdebstrap"], log=log, progress=progress)
    release = platform.freedesktop_os_release()
    name = release.get("PRETTY_NAME", "Debian")
    progress(f"Making {reference} from packages of {name} (mmdebstrap)")
    state_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=state_dir, prefix="base-image-", ignore_cleanup_errors=True) as folder:
        made = Path(folder) / "image.tar"
        command = _mmdebstrap(release.get("VERSION_CODENAME", "stable"), Path(folder), made)
        run(
            [*root, *command],
            log=log,
            environment=debian.environment(),
            folder=Path("/"),
            failed=f"{reference} could not be pulled, and could not be built from Debian packages.",
        )
        progress(f"Importing {reference} ({made.stat().st_size / 1e6:.0f} MB)")
        repository, tag = _split(reference)
        description = f"Made from packages of {name}, because {reference} could not be pulled"
        changes = [
            f'LABEL "{STAND_IN_LABEL}"="{reference}"',
            f'LABEL "org.opencontainers.image.description"="{description}"',
            "ENV LANG=C.UTF-8",
            "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
            'CMD ["python3"]',
        ]
        client.api.timeout = IMPORT_TIMEOUT
        try:
            client.api.import_image_from_file(str(made), repository=repository, tag=tag, changes=changes)
            client.images.get(reference)
        except (DockerException, requests.RequestException) as error:
            raise BaseImageUnavailable(
                f"Docker does not accept the image that was built for {reference}: {error}."
            ) from error


def _mmdebstrap(suite: str, folder: Path, made: Path) -> list[str]:
    """The command that builds the file system, with its files in `folder`."""
    (folder / "finish").write_text(_FINISH)
    (folder / "pip.conf").write_text(_pip_configuration())
    bundle = _certificates()
    if bundle is not None:
        (folder / "ca-certificates.crt").write_bytes(bundle.read_bytes())
    # `usr-is-merged` replaces usrmerge, which needs 55 MB of Perl.
    merged = ["usr-is-merged"] if debian.known("usr-is-merged") else []
    packages = ",".join(["python3", "python3-pip-whl", "ca-certificates", "passwd", *merged])
    hooks = [f"--hook-dir={_HOOKS / 'merged-usr'}"] if merged and (_HOOKS / "merged-usr").is_dir() else []
    return [
        "mmdebstrap",
        "--variant=essential",
        f"--include={packages}",
        '--aptopt=Apt::Install-Recommends "false"',
        *(f"--aptopt={option}" for option in _apt_options()),
        "--dpkgopt=force-unsafe-io",
        *hooks,
        f'--customize-hook=sh {shlex.quote(str(folder / "finish"))} "$1" {shlex.quote(str(folder))}',
        suite,
        str(made),
        *map(str, _sources(suite)),
    ]


def _sources(suite: str, folder: Path = Path("/etc/apt")) -> list[Path]:
    """This machine's apt sources for the release, without third parties."""
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    own = re.compile(rf"(^|\s){re.escape(suite)}(-\w+)?(\s.*)?\smain(\s|$)", re.DOTALL)
    return [
        path
        for path in files
        if path.suffix in (".list", ".sources") and path.is_file() and own.search(path.read_text())
    ]


def _apt_options() -> Iterator[str]:
    """This machine's apt options for its mirrors, because mmdebstrap does not read apt's configuration."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True).stdout
    for line in dump.splitlines():
        if re.match(r'Acquire::(https?::(Proxy|CaInfo)|Check-)\S* "[^"]+";$', line, re.IGNORECASE):
            yield line.rstrip(";")


def _certificates() -> Path | None:
    """This machine's CA bundle, which may contain the certificate of a proxy."""
    paths = [Path(value) for name in _BUNDLE_VARIABLES if (value := os.environ.get(name))]
    return next((path for path in [*paths, Path(_BUNDLE)] if path.is_file()), None)


def _pip_configuration() -> str:
    """This machine's pip configuration, without local folders and credentials."""
    lines = ["[global]", f"cert = {_BUNDLE}"]
    settings = _pip_settings()
    for name in ("index-url", "extra-index-url"):
        kept = [url for url in settings.get(name, "").split() if _may_be_shared(url)]
        if kept:
            lines.append(f"{name} = {' '.join(kept)}")
    if settings.get("trusted-host"):
        lines.append(f"trusted-host = {settings['trusted-host']}")
    return "\n".join([*lines, ""])


def _pip_settings() -> dict[str, str]:
    parser = configparser.RawConfigParser()
    home = Path.home()
    try:
        parser.read(["/etc/pip.conf", home / ".pip/pip.conf", home / ".config/pip/pip.conf"], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return {}
    found = (
        {key: " ".join(value.split()) for key, value in parser["global"].items()} if "global" in parser else {}
    )
    named = {
        name: os.environ.get(f"PIP_{name.upper().replace('-', '_')}")
        for name in ("index-url", "extra-index-url")
    }
    return {**found, **{name: value for name, value in named.items() if value}}


def _may_be_shared(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and parts.username is None and parts.password is None
