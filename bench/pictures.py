"""Makes the picture in the README again, from a real run: `make pictures`."""

import subprocess
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from bench.browser import PROGRAM, page_of
from bench.setting import Setting
from localcloud.machine.base_image import build_arguments

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "tests/e2e/fixtures"
PICTURE = ROOT / "docs/pictures/console.png"
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
    """Start a cloud, push, and take the picture while the last push is on its way."""
    parameters = {"Email": "you@example.com", "RepositoryPattern": "*"}
    with Setting(parameters) as setting, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        with page_of(setting, browser) as page:
            for repository, what, state in PUSHES:
                _push(setting, repository, what)
                page.locator("#apps tr", has_text=repository).get_by_text(state).wait_for(timeout=WITHIN)
            _push(setting, *LAST)
            _take(page)


def _push(setting: Setting, repository: str, what: str) -> None:
    ecr = setting.client("ecr")
    known = [each["repositoryName"] for each in ecr.describe_repositories()["repositories"]]
    if repository not in known:
        ecr.create_repository(repositoryName=repository)
    image = f"{setting.settings.registry}/{repository}:latest"
    build = ["build", *build_arguments(setting.settings.state_dir), "--quiet", "--tag", image]
    for command in ([*build, str(FIXTURES / what)], ["push", "--quiet", image]):
        subprocess.run(["docker", *command], check=True, stdout=subprocess.DEVNULL)


def _take(page: Page) -> None:
    page.locator("#under-way", has_text="Ask whether it answers").wait_for(timeout=WITHIN)
    PICTURE.parent.mkdir(exist_ok=True)
    page.screenshot(path=PICTURE, full_page=True)


if __name__ == "__main__":
    main()
