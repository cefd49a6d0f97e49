"""The files, names and make targets that the documentation mentions exist."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
).stdout.splitlines()
FOLDERS = {Path(path).parts[0] for path in TRACKED if "/" in path}
MODULES: dict[str, list[str]] = {}
for tracked in TRACKED:
    if tracked.endswith(".py"):
        # A package has the names of its modules, for it hands them on.
        for name in (Path(tracked).stem, Path(tracked).parent.name):
            MODULES.setdefault(name, []).append(tracked)
PAGES = [
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    *(path for path in TRACKED if re.match(r"docs/[\w-]+\.md", path)),
]
# What a page calls by the name of a module of ours, though it is of AWS or of another package.
OTHERS = {
    "time",
    "http",
    "ecr",
    "ecs",
    "ec2",
    "iam",
    "sns",
    "ssm",
    "logs",
    "events",
    "lambda",
    "portcall",
    "api",
}


def code(page: str) -> list[str]:
    """The words in backticks, outside of blocks."""
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


@pytest.mark.parametrize("page", PAGES)
def test_each_file_that_a_page_names_exists(page: str) -> None:
    named = [each.rstrip("/") for each in code(page) if re.fullmatch(r"[\w.*-]+(/[\w.*-]+)*/?", each)]
    paths = [each for each in named if "/" in each and each.split("/")[0] in FOLDERS]
    files = [
        each for each in named if "/" not in each and each.endswith((".py", ".md", ".yaml", ".toml", ".sh"))
    ]
    files = [each for each in files if each != "utils.py"]  # docs/style.md: there is none
    missing = [each for each in paths if not list(ROOT.glob(each))]
    # A page may also name a file from within the package that it is about: `domain/sweep.py`.
    inner = [each for each in named if "/" in each and each.endswith(".py") and each not in paths]
    known = "\n".join(TRACKED) + "\n"
    assert missing + [each for each in files + inner if f"/{each}\n" not in known and each not in TRACKED] == []


@pytest.mark.parametrize("page", PAGES)
def test_each_name_of_a_module_that_a_page_names_is_in_it(page: str) -> None:
    missing = []
    for module, name in (
        each.split(".") for each in code(page) if re.fullmatch(r"[a-z_]+\.[A-Za-z_]{3,}", each)
    ):
        if (
            module in MODULES
            and module not in OTHERS
            and name not in ("py", "md", "yaml", "json", "txt", "jsonl")
        ):
            text = "".join((ROOT / path).read_text() for path in MODULES[module])
            if not re.search(rf"\b{name}\b", text):
                missing.append(f"{module}.{name}")
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_each_make_target_that_a_page_names_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / page).read_text()
    named = re.findall(r"`make ([a-z-]+)", text) + re.findall(r"^    make ([a-z-]+)", text, re.MULTILINE)
    assert set(named) - targets == set()


@pytest.mark.parametrize("page", PAGES)
def test_each_module_that_a_page_runs_exists(page: str) -> None:
    for module in re.findall(
        r"python -m ((?:bench|localcloud|portcall|release|scan)[\w.]*)", (ROOT / page).read_text()
    ):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
