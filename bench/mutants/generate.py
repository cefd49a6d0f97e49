"""Generates the mutants of a module: each changes one statement in one place."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

from bench.mutants.mutant import Mutant, first_change
from bench.mutants.operators import operators


def mutants(path: Path, module: str, namespace: Mapping[str, Any]) -> Iterator[Mutant]:
    """All mutants of a file."""
    source = path.read_text()
    for statement in ast.parse(source).body:
        if not _is_code(statement):
            continue
        begins = min([statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", ()))])
        before = "\n".join(source.splitlines()[begins - 1 : statement.end_lineno]) + "\n"
        tree, seen = get_ast(before), set()
        silent = list(_silent(statement))
        for operator in operators(namespace):
            positions = [at for node in ast_nodes(tree) for at in operator.mutation_positions(node)]
            for occurrence, ((line, _), _) in enumerate(positions):
                line += begins - 1
                if any(line in each for each in silent):
                    continue
                after = mutate_code(before, operator, occurrence)
                if after in seen or after == before or not _compiles(after):
                    continue
                seen.add(after)
                lines = _lines(statement, line)
                # What was moved earlier is run by tests that never come to where it was.
                lines = range(min(lines.start, begins + first_change(before, after)), lines.stop)
                yield Mutant(module, type(operator).__name__, begins, lines, before, after)


def _is_code(statement: ast.stmt) -> bool:
    """Whether it does something: what a class has besides methods are its fields, and says nothing else."""
    if isinstance(statement, ast.Expr | ast.Import | ast.ImportFrom | ast.AnnAssign):
        return isinstance(statement, ast.AnnAssign)
    # What is imported for types alone.
    return not (isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING")


def _silent(statement: ast.stmt) -> Iterator[range]:
    """The lines that are not changed: decorators, fields of classes, logging."""
    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from (_range(each) for each in node.decorator_list)
        if isinstance(node, ast.ClassDef):
            yield from (_range(each) for each in node.body if not isinstance(each, ast.FunctionDef))
        if isinstance(node, ast.Expr) and ast.unparse(node).startswith("logger."):
            yield _range(node)


def _lines(statement: ast.stmt, line: int) -> range:
    """The lines of the innermost statement around a line; of a compound one, its head."""
    around = [each for each in ast.walk(statement) if isinstance(each, ast.stmt) and line in _range(each)]
    inner = max(around, key=lambda each: each.lineno, default=statement)
    if isinstance(inner, ast.FunctionDef | ast.ClassDef):
        return _range(inner)
    body = getattr(inner, "body", None)
    return range(inner.lineno, body[0].lineno) if body else _range(inner)


def _range(node: ast.stmt | ast.expr) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _compiles(code: str) -> bool:
    try:
        compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return True
