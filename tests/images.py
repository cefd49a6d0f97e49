"""Manifests as Docker, buildx, cosign, SOCI and others write them, and a configuration.

They contain little more than what Portcall reads; the digests are invented.
"""

from typing import Any

AMD64, ARM64, OTHER = ("sha256:" + letter * 64 for letter in "abc")
CONFIG = "sha256:" + "d" * 64


def descriptor(media_type: str, digest: str = OTHER, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": 1463, **more}


def manifest(
    config: str, *layers: str, media_type: str = "oci.image.manifest.v1", **more: Any
) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": f"application/vnd.{media_type}+json",
        "config": descriptor(config, CONFIG),
        "layers": [descriptor(layer) for layer in layers],
        **more,
    }


OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER = manifest(
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    media_type="docker.distribution.manifest.v2",
)
OCI = manifest(OCI_CONFIG, OCI_LAYER + "+gzip")

APPS = {
    "docker": DOCKER,
    "oci": OCI,
    "oci without its own media type": {key: OCI[key] for key in ("schemaVersion", "config", "layers")},
    "zstd": manifest(OCI_CONFIG, OCI_LAYER + "+zstd"),
    "foreign layers": DOCKER
    | {"layers": [descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", urls=["https://example.com"])]},
    "layers not to be distributed": manifest(OCI_CONFIG, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
    "no layers at all": manifest(OCI_CONFIG),
    "one layer of another kind": manifest(OCI_CONFIG, OCI_LAYER, "application/vnd.example.notes"),
    "indexed by SOCI": OCI | {"annotations": {"com.amazon.soci.index-digest": OTHER}},
    "schema 1": {"schemaVersion": 1, "name": "flask-app", "tag": "latest", "architecture": "amd64", "fsLayers": [], "history": []},
}  # fmt: skip

ARTIFACTS = {
    "cosign signature": manifest(OCI_CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json"),
    "cosign attestation": manifest(OCI_CONFIG, "application/vnd.dsse.envelope.v1+json"),
    "cosign SBOM": manifest(OCI_CONFIG, "text/spdx+json"),
    "sigstore bundle": manifest(
        EMPTY, "application/vnd.dev.sigstore.bundle.v0.3+json", artifactType="application/vnd.dev.sigstore.bundle.v0.3+json"
    ),
    "notation signature": manifest("application/vnd.cncf.notary.signature", "application/jose+json"),
    "CycloneDX": manifest(EMPTY, "application/vnd.cyclonedx+json", artifactType="application/vnd.cyclonedx+json"),
    "buildx attestation": manifest(OCI_CONFIG, "application/vnd.in-toto+json"),
    "SOCI index v1": manifest(EMPTY, "application/octet-stream", artifactType="application/vnd.amazon.soci.index.v1+json"),
    "SOCI index v2": manifest("application/vnd.amazon.soci.index.v2+json", "application/octet-stream"),
    "Helm chart": manifest("application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
    "WASM module": manifest("application/vnd.wasm.config.v0+json", "application/wasm"),
    "WASM that poses as an image": manifest(OCI_CONFIG, "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm"),
    "Docker plugin": manifest("application/vnd.docker.plugin.v1+json", "application/vnd.docker.image.rootfs.diff.tar.gzip"),
    "artifact manifest": {
        "mediaType": "application/vnd.oci.artifact.manifest.v1+json",
        "artifactType": "application/vnd.example+type",
        "blobs": [descriptor("application/octet-stream")],
    },
    "image with an artifact type": manifest(OCI_CONFIG, OCI_LAYER, artifactType="application/vnd.example+type"),
    "artifact with layers of a file system": manifest(EMPTY, OCI_LAYER, artifactType="application/vnd.example+type"),
}  # fmt: skip


def child(digest: str, platform: str = "", **more: Any) -> dict[str, Any]:
    """One line of an index, e.g. for `linux/arm/v7`."""
    if platform:
        more["platform"] = dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))
    return descriptor("application/vnd.oci.image.manifest.v1+json", digest, **more)


def index(*children: dict[str, Any], media_type: str = "oci.image.index.v1") -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": f"application/vnd.{media_type}+json", "manifests": list(children)}


ATTESTATION = child(
    OTHER,
    "unknown/unknown",
    annotations={"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": AMD64},
)
SOCI = child(
    OTHER,
    "linux/amd64",
    artifactType="application/vnd.amazon.soci.index.v2+json",
    annotations={"com.amazon.soci.image-manifest-digest": AMD64},
)
BUILDX = index(child(AMD64, "linux/amd64"), child(ARM64, "linux/arm64"), ATTESTATION, ATTESTATION)

CONFIGURATION: dict[str, Any] = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2026-11-25T13:38:39.515963714Z",
    "config": {
        "User": "",
        "ExposedPorts": {"3000/tcp": {}},
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "PORT=3000"],
        "Entrypoint": None,
        "Cmd": ["python", "-m", "flask_app"],
        "Healthcheck": {
            "Test": ["CMD-SHELL", "curl -f http://localhost:3000/healthz || exit 1"],
            "Interval": 10_000_000_000,
            "Timeout": 1_500_000_000,
            "StartPeriod": 5_000_000_000,
            "Retries": 5,
        },
        "Volumes": None,
        "WorkingDir": "/app",
        "Labels": {
            "org.opencontainers.image.title": "flask-app",
            "portcall.env.GREETING": "Hello, World",
            "portcall.memory": "1G",
        },
    },
    "rootfs": {"type": "layers", "diff_ids": [OTHER]},
    "history": [{"created_by": '/bin/sh -c #(nop)  CMD ["python"]', "empty_layer": True}],
}
