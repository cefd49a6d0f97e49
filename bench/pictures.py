"""Makes the pictures of the README and the docs again, from a real run: `make pictures`."""

import os
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.text import Text

from bench.cloud.bench_cloud import BenchCloud
from bench.cloud.browser import PROGRAM, page_of
from bench.workflow_drawing import PICTURE, workflow
from localcloud.machine.base_image import build_arguments

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "tests/e2e/fixtures"
PICTURES = ROOT / "docs/pictures"
# The columns of the terminal.
COLUMNS = 96
# In this order; each is a push, and (repository, what is pushed, how the page shows it at last).
PUSHES = (
    ("api", "plain-http", "live"),
    ("team/shop", "plain-http", "live"),
    ("blog", "plain-http", "live"),
    ("blog", "exits-at-once", "failed"),
)
LAST = ("team/shop", "slow-starter")
# Milliseconds.
WITHIN = 300_000


def main() -> None:
    """Draw the workflow; start a cloud, push, and take the others while the last push is on its way."""
    PICTURES.mkdir(exist_ok=True)
    PICTURE.write_text(workflow())
    parameters = {"Email": "you@example.com", "RepositoryPattern": "*"}
    with BenchCloud(parameters) as cloud, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        with page_of(cloud, browser) as page:
            for repository, what, state in PUSHES:
                _push(cloud, repository, what)
                page.locator("#apps tr", has_text=repository).get_by_text(state).wait_for(timeout=WITHIN)
            _push(cloud, *LAST)
            _take(page)
            _take_terminal(cloud, "status")


def _push(cloud: BenchCloud, repository: str, what: str) -> None:
    ecr = cloud.client("ecr")
    known = [each["repositoryName"] for each in ecr.describe_repositories()["repositories"]]
    if repository not in known:
        ecr.create_repository(repositoryName=repository)
    image = f"{cloud.settings.registry}/{repository}:latest"
    build = ["build", *build_arguments(cloud.settings.state_dir), "--quiet", "--tag", image]
    for command in ([*build, str(FIXTURES / what)], ["push", "--quiet", image]):
        subprocess.run(["docker", *command], check=True, stdout=subprocess.DEVNULL)


def _take(page: Page) -> None:
    page.locator("#under-way", has_text="Check whether it answers").wait_for(timeout=WITHIN)
    page.screenshot(path=PICTURES / "console.png", full_page=True)


def _take_terminal(cloud: BenchCloud, *words: str) -> None:
    """What a command prints on a terminal."""
    environment = {
        **os.environ,
        "COLUMNS": str(COLUMNS),
        "FORCE_COLOR": "1",
        "PORTCALL_STATE_DIR": str(cloud.settings.state_dir),
    }
    command = [str(Path(sys.executable).with_name("portcall")), *words]
    printed = subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    terminal = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115
    terminal.print(Text("$ ", style="dim") + Text(" ".join(["portcall", *words]), style="bold"))
    terminal.print(Text.from_ansi(printed.stdout))
    svg = terminal.export_svg(title="portcall", unique_id="terminal")
    # It would load a typeface from elsewhere.
    (PICTURES / "terminal.svg").write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL))


if __name__ == "__main__":
    main()
