"""The operators that change code: some of Cosmic Ray's, and some of our own for this code.

An operator of ours is one of Cosmic Ray's too: it yields positions in a parso tree, and changes one of them.
"""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators import binary_operator_replacement as binary
from cosmic_ray.operators import (
    boolean_replacer,
    break_continue,
    comparison_operator_replacement,
    exception_replacer,
    number_replacer,
    unary_operator_replacement,
    zero_iteration_for_loop,
)
from cosmic_ray.operators.operator import Example, Operator
from parso.python.tree import Name

Position = tuple[tuple[int, int], tuple[int, int]]

# Only the boundary and the opposite of comparisons: a test that catches these catches the others, too.
COMPARISONS = "Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt Eq_NotEq NotEq_Eq Is_IsNot IsNot_Is"
ARITHMETIC = "Add_Sub Sub_Add Div_Mul FloorDiv_Mul Mod_Mul"

# Calls whose order matters: of AWS, of the ledger, of `actions`, or of a function of the same module.
ACTS = re.compile(
    r"\b(ledger|ecr|ecs|ec2|apigateway|step_functions|logs|events|outcomes|stable_url|slots|slot_admission"
    r"|failure_facts|previews|restarts|task_states|previous_tasks|failure_cleanup|retries|mail_limit|sweep_facts|sweep_acts)\.\w+\("
    r"|(?<![\w.])_[a-z]\w+\("
)
# In DynamoDB's conditions.
CONDITIONS = {
    " <= :": " < :",
    " < :": " <= :",
    " = :": " <> :",
    " <> :": " = :",
    " OR ": " AND ",
    " AND ": " OR ",
    "attribute_not_exists": "attribute_exists",
}


class Replacement(Operator):
    """Replaces a node by one of several texts."""

    def texts(self, node: Any) -> Sequence[str]:
        """The texts that may replace a node."""
        raise NotImplementedError

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        for _ in self.texts(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return Name(self.texts(node)[index], node.start_pos, node.get_first_leaf().prefix)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return ()


class RemoveStatement(Replacement):
    """Removes a call, a raise, a change in place, or an early return."""

    def texts(self, node: Any) -> Sequence[str]:
        if node.type != "simple_stmt":
            return ()
        statement = node.children[0]
        code = statement.get_code(include_prefix=False)
        in_place = statement.type == "expr_stmt" and re.match(r"[\w.]+(\[.*?\]| \+| -|\.\w+) ?= ", code)
        early = code.startswith("return") and node.parent.parent.type != "funcdef"
        return (
            ("pass\n",)
            if statement.type in ("atom_expr", "raise_stmt", "yield_expr") or in_place or early
            else ()
        )

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example("def f():\n    act()\n    x = 1\n", "def f():\n    pass\n    x = 1\n"),
            Example("if a:\n    raise Error\n", "if a:\n    pass\n"),
            Example("x = 1\nx += 1\n", "x = 1\npass\n"),
            Example("x[1] = 1\n", "pass\n"),
            Example(
                "def f():\n    if a:\n        return 1\n    return 2\n",
                "def f():\n    if a:\n        pass\n    return 2\n",
            ),
        )


class RemoveArgument(Replacement):
    """Removes a keyword argument if the call works without it."""

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self._namespace = namespace or {}

    def texts(self, node: Any) -> Sequence[str]:
        if node.type != "trailer" or node.children[0].value != "(" or len(node.children) < 3:
            return ()
        inside = node.children[1]
        arguments = inside.children[::2] if inside.type == "arglist" else [inside]
        callee = "".join(each.get_code() for each in node.parent.children[: node.parent.children.index(node)])
        return [
            f"({','.join(each.get_code() for each in arguments if each is not argument).strip()})"
            for argument in arguments
            if argument.type == "argument"
            and argument.children[1] == "="
            and self._may_lack(callee.strip(), argument.children[0].value)
        ]

    def _may_lack(self, callee: str, name: str) -> bool:
        if name[0].isupper():
            return name not in ("TableName", "Key", "Item")
        if not re.fullmatch(r"[\w.]+", callee):
            return False
        first, *rest = callee.split(".")
        try:
            called = reduce(getattr, rest, self._namespace[first])
            parameter = inspect.signature(called).parameters[name]
        except (AttributeError, KeyError, TypeError, ValueError):
            return callee == "dataclasses.replace"
        return parameter.default is not inspect.Parameter.empty

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example("f(1, A=2, B=3)", "f(1, B=3)"),
            Example("f(1, A=2, B=3)", "f(1, A=2)", occurrence=1),
            Example("dataclasses.replace(x, y=1)", "dataclasses.replace(x)"),
        )


class ChangeCondition(Replacement):
    """Changes one word of a condition of DynamoDB's."""

    def texts(self, node: Any) -> Sequence[str]:
        if node.type not in ("string", "fstring_string") or re.match(
            r"\w?[\"']+(SET|ADD|REMOVE|DELETE) ", node.value
        ):
            return ()
        if not re.search(r"attribute_not_exists| (<|<=|=|<>) :", node.value):
            return ()
        return [
            node.value[: found.start()] + after + node.value[found.end() :]
            for before, after in CONDITIONS.items()
            for found in re.finditer(re.escape(before), node.value)
        ]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        before = "x = 'attribute_not_exists(pk) OR last < :now'"
        return (
            Example(before, before.replace("<", "<=")),
            Example(before, before.replace("OR", "AND"), occurrence=1),
            Example(before, before.replace("_not", ""), occurrence=2),
        )


class NegateTest(boolean_replacer.AddNot):
    """Like Cosmic Ray's, but not for comparisons and expressions with `not`, which other operators change."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if list(super().mutation_positions(node)):
            test = node.children[2 if node.type == "test" else 1]
            if test.type not in ("comparison", "not_test"):
                yield test.start_pos, test.end_pos

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("if a: pass", "if not a: pass"), Example("if a == b: pass", "if a == b: pass"))


class DivideForMultiply(binary.ReplaceBinaryOperator_Mul_Div):
    """Like Cosmic Ray's, but not for the star of a signature, where no test could notice it."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.parent is None or node.parent.type != "parameters":
            yield from super().mutation_positions(node)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        signature = "def f(a, *, b): pass"
        return (Example("a * b", "a / b"), Example(signature, signature))


class Negate(Replacement):
    """Replaces `in` by `not in` and the other way round, in comparisons."""

    def texts(self, node: Any) -> Sequence[str]:
        if node.parent is None or node.parent.type != "comparison":
            return ()
        return {"in": ("not in",), "not in": ("in",)}.get(node.get_code().strip(), ())

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("a in b", "a not in b"), Example("a not in b", "a in b"))


class MoveEarlier(Operator):
    """Moves a statement before earlier ones, as far as its names are defined there."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        for later, _ in self._moves(node):
            yield node.children[later].start_pos, node.children[later].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        later, earlier = list(self._moves(node))[index]
        node.children.insert(earlier, node.children.pop(later))
        return node

    def _moves(self, node: Any) -> Iterator[tuple[int, int]]:
        """The moves, as indexes of a block's statements."""
        if node.type != "suite":
            return
        for later, statement in enumerate(node.children):
            if statement.type == "simple_stmt" and ACTS.search(statement.get_code(include_prefix=False)):
                earlier = later
                while earlier > 1 and _may_pass(statement, node.children[earlier - 1]):
                    earlier -= 1
                passed = "".join(each.get_code() for each in node.children[earlier:later])
                if ACTS.search(passed):
                    yield later, earlier

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(
                "def f():\n    a = 1\n    b = ecr.one()\n    c = ecr.two(a)\n",
                "def f():\n    a = 1\n    c = ecr.two(a)\n    b = ecr.one()\n",
            ),
        )


def _may_pass(statement: Any, before: Any) -> bool:
    """Whether a statement can be moved before the one before it: neither uses a name that the other sets."""
    if before.type in ("newline", "funcdef") or before.get_first_leaf().type == "string":
        return False
    uses, sets = _names(statement)
    other_uses, other_sets = _names(before)
    return not (uses & other_sets or sets & (other_uses | other_sets))


def _names(node: Any) -> tuple[set[str], set[str]]:
    """The names that a statement uses and sets."""
    if node.type == "name":
        return (set(), {node.value}) if node.is_definition() else ({node.value}, set())
    children: Sequence[Any] = getattr(node, "children", ())
    if (node.type == "argument" and children[1] == "=") or (node.type == "trailer" and children[0] == "."):
        # The name of an argument or an attribute is not a variable.
        children = children[2:]
    found = [_names(each) for each in children]
    return {name for uses, _ in found for name in uses}, {name for _, sets in found for name in sets}


def operators(namespace: Mapping[str, Any]) -> list[Operator]:
    """All operators, for a module with these names."""
    theirs = [
        *_named(comparison_operator_replacement, "ReplaceComparisonOperator", COMPARISONS),
        *_named(binary, "ReplaceBinaryOperator", ARITHMETIC),
        DivideForMultiply,
        unary_operator_replacement.ReplaceUnaryOperator_Delete_Not,
        number_replacer.NumberReplacer,
        NegateTest,
        boolean_replacer.ReplaceTrueWithFalse,
        boolean_replacer.ReplaceFalseWithTrue,
        boolean_replacer.ReplaceAndWithOr,
        boolean_replacer.ReplaceOrWithAnd,
        break_continue.ReplaceBreakWithContinue,
        break_continue.ReplaceContinueWithBreak,
        exception_replacer.ExceptionReplacer,
        zero_iteration_for_loop.ZeroIterationForLoop,
        RemoveStatement,
        ChangeCondition,
        Negate,
        MoveEarlier,
    ]
    return [each() for each in theirs] + [RemoveArgument(namespace)]


def _named(module: Any, prefix: str, suffixes: str) -> list[type[Operator]]:
    return [getattr(module, f"{prefix}_{suffix}") for suffix in suffixes.split()]


def check_examples() -> None:
    """Check each operator's examples, because Cosmic Ray's releases may change their results."""
    for operator in operators({}):
        for example in operator.examples():
            before = example.pre_mutation_code
            after = mutate_code(before, operator, example.occurrence) or before
            assert after == example.post_mutation_code, (type(operator).__name__, example, after)
