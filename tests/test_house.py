"""The budgets that keep the source readable, as tests over the source itself."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for package in ("fastapi_session", "example_app") for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

MODULE_LINES = 350
LONGER_MODULES = {
    "fastapi_session/sessions.py": 750,  # all verbs of the engine with what each raises, a line or two of code for most
}
FUNCTION_LINES = 50
FUNCTION_LINES_P90 = 20
FUNCTION_LINES_P50 = 6
POSITIONAL_PARAMETERS = 4

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Every node of every module, with the path and line it stands at."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node


def functions() -> Iterator[tuple[str, Function]]:
    for place, node in nodes():
        if isinstance(node, FUNCTION):
            yield f"{place} {node.name}", node


def lines(function: Function) -> int:
    """How long the function is, without its docstring."""
    total = (function.end_lineno or 0) - function.lineno + 1
    match function.body[0]:
        case ast.Expr(value=ast.Constant(value=str())) as docstring:
            return total - ((docstring.end_lineno or 0) - docstring.lineno + 1)
    return total


def test_modules_are_read_in_one_sitting() -> None:
    """No module has more lines than one sitting takes in, but for those named above: split it by concept."""
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in MODULES}

    assert {} == {path: n for path, n in lengths.items() if n > LONGER_MODULES.get(path, MODULE_LINES)}


def test_functions_are_short() -> None:
    """No function is longer than a screen: give a part of it a name."""
    lengths = {place: lines(function) for place, function in functions()}

    assert {} == {place: length for place, length in lengths.items() if length > FUNCTION_LINES}


def test_most_functions_are_very_short() -> None:
    """Half of the functions have a handful of lines, and nine of ten stay within twenty."""
    lengths = [lines(function) for _, function in functions()]

    assert median(lengths) <= FUNCTION_LINES_P50
    assert quantiles(lengths, n=10)[-1] <= FUNCTION_LINES_P90


def test_functions_take_few_positional_parameters() -> None:
    """No function takes more positional parameters than a reader can keep in order: make the rest keyword-only."""
    counts = {
        place: len(
            [each for each in (*function.args.posonlyargs, *function.args.args) if each.arg not in {"self", "cls"}]
        )
        for place, function in functions()
    }

    assert {} == {place: count for place, count in counts.items() if count > POSITIONAL_PARAMETERS}


def test_imports_stand_at_the_top() -> None:
    """No function imports: what a module needs is seen at its top, and cycles cannot hide."""
    hidden = {
        f"{place} line {node.lineno}"
        for place, function in functions()
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }

    assert set() == hidden


def test_no_state_hides_in_a_scope() -> None:
    """No function rebinds a name outside itself: state belongs to an object that can be seen."""
    assert [] == [place for place, node in nodes() if isinstance(node, ast.Global | ast.Nonlocal)]


def cannot_fail(assertion: ast.expr) -> bool:
    """Say whether *assertion* is true by its form: `a if b else c == d` is a choice between `a` and a comparison."""
    match assertion:
        case ast.IfExp() | ast.GeneratorExp() | ast.JoinedStr() | ast.Lambda():
            return True
        case ast.Constant(value=value):
            return bool(value)
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts) | ast.Dict(values=parts):
            return bool(parts)
        case ast.BoolOp(op=ast.Or(), values=parts):
            return any(map(cannot_fail, parts))
        case ast.BoolOp(values=parts):
            return all(map(cannot_fail, parts))
    return False


def test_assertions_can_fail() -> None:
    """No assertion is true by its form: in particular, none chooses between a value and a comparison."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in TESTS
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Assert) and cannot_fail(node.test)
    ]

    assert [] == found


def left_behind(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Each `yield` of *block* that statements follow outside a `finally`: whatever fails meanwhile leaps over them."""
    for statement, following in zip_longest(block, block[1:]):
        match statement:
            case ast.Try(finalbody=[_, *_]):
                continue
            case ast.Expr(value=ast.Yield()) if following and not isinstance(following, ast.Return):
                yield statement
        for inner in ("body", "orelse", "finalbody"):
            yield from left_behind(getattr(statement, inner, []))


def test_what_is_begun_is_ended() -> None:
    """A context manager ends in a `finally` what it began: a server left behind keeps the whole run from ending."""
    found = [
        f"{path.relative_to(ROOT)}:{statement.lineno} {node.name}"
        for path in [*MODULES, *TESTS]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, FUNCTION) and any("contextmanager" in ast.unparse(each) for each in node.decorator_list)
        for statement in left_behind(node.body)
    ]

    assert [] == found


def test_a_type_error_is_ignored_by_name() -> None:
    """Every `type: ignore` names the error it ignores, here and in the tests."""
    bare = re.compile(r"#\s*type:\s*ignore(?!\[)")
    found = []
    for path in [*MODULES, *TESTS]:
        with path.open("rb") as file:
            comments = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
        found += [f"{path.relative_to(ROOT)}:{comment.start[0]}" for comment in comments if bare.search(comment.string)]

    assert [] == found
