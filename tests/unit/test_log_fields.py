"""No log line can fail: `extra` must not use the names of a log record's own fields."""

import ast
import logging
from pathlib import Path

DEPLOYER = Path(__file__).parents[2] / "functions" / "deployer"
TAKEN = set(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime"}


def test_no_field_of_a_log_line_is_taken():
    for path in DEPLOYER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "extra":
                assert isinstance(node.value, ast.Dict)
                names = {key.value for key in node.value.keys if isinstance(key, ast.Constant)}
                assert not names & TAKEN, (path.name, names & TAKEN)
