"""A hostile page of a pushed image, opened in the browser of this machine's user."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.e2e.browser import opened, text_of
from tests.e2e.conftest import FIXTURES, Portcall, get
from tests.local.conftest import eventually

# A name of the attacker's that resolves to this machine, without Chromium's own checks, which older browsers lack.
OPTIONS = (
    "--host-resolver-rules=MAP evil.test 127.0.0.1,MAP x.localhost 127.0.0.1",
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,HttpsUpgrades",
)
NAME = "pwned"


def made(portcall: Portcall) -> list[str]:
    """All that the page has tried to make, if it is there."""
    names: list[str] = portcall.client("sqs").list_queues().get("QueueUrls", [])
    names += [each["TopicArn"] for each in portcall.client("sns").list_topics()["Topics"]]
    names += [each["Name"] for each in portcall.client("s3").list_buckets()["Buckets"]]
    names += [each["FunctionName"] for each in portcall.client("lambda").list_functions()["Functions"]]
    tags: list[dict[str, Any]] = portcall.client("ecr").list_images(repositoryName="hostile-app")["imageIds"]
    names += [each.get("imageTag", "") for each in tags]
    blob = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    found = portcall.by_hand.request("HEAD", f"/v2/hostile-app/blobs/{blob}")[0]
    return [name for name in names if NAME in name] + ([blob] if found == 200 else [])


def test_nothing_that_the_page_of_an_app_tries_takes_effect(portcall: Portcall, tmp_path: Path) -> None:
    digest = portcall.push(FIXTURES / "hostile-page", "hostile-app")
    url = portcall.mail("hostile-app", digest).text.splitlines()[0]
    environment = portcall.environment()
    given = {
        "port": portcall.port,
        "name": NAME,
        "account": environment["AWS_ACCESS_KEY_ID"],
        "region": environment["AWS_REGION"],
    }
    with opened(f"{url}?{urlencode(given)}", tmp_path, *OPTIONS):
        report = json.loads(eventually(lambda: get(f"{url}report"), every=0.5))
    # Each attempt was made, and none was answered with more than a refusal.
    assert len(report) == 4 * 19 + 1, sorted(report)
    assert not [how for how, seen in report.items() if seen.startswith("200") or seen == "open"], report
    assert made(portcall) == []
    # Nothing was reset either.
    assert get(url).startswith("<!doctype html>")
    assert [each["app"] for each in portcall.apps("hostile-app")] == ["hostile-app"]


def test_no_name_of_somebody_elses_reaches_the_cloud(portcall: Portcall, tmp_path: Path) -> None:
    """DNS rebinding: the page's own name turns into this machine's address, so nothing is cross-origin."""
    for host in ("evil.test", "x.localhost", "localhost"):
        said = text_of(f"http://{host}:{portcall.port}/_ministack/health", tmp_path, *OPTIONS)
        assert "embedded cloud" in said
        assert "services" not in said
