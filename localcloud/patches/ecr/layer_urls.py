"""GetDownloadUrlForLayer's URL.

MiniStack: returns a URL of the real ECR.
AWS: returns a URL from which the layer can be downloaded.
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
Upstream: none known, ready to send:
    docs/upstream/ecr-layer-download-url.md
Kind: core
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import ecr

from localcloud.options import Settings
from localcloud.patches.patch import Function, patch


@patch(ecr, "_get_download_url_for_layer")
def _local_url(original: Function, data: dict[str, Any], *, settings: Settings) -> Any:
    status, headers, body = original(data)
    if status != 200:
        return status, headers, body
    repository, digest = data["repositoryName"], data.get("layerDigest", "")
    if digest not in ecr._layer_blobs.get(repository, {}):
        return error_response_json(
            "LayersNotFoundException",
            f"The layer '{digest}' does not exist in the repository with name '{repository}'",
            400,
        )
    url = f"{settings.endpoint}/v2/{repository}/blobs/{digest}"
    return json_response({"downloadUrl": url, "layerDigest": digest})
