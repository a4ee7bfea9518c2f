"""Mutation testing: change one operator, number or condition at a time, and see whether a test notices.

    python -m tests.bench.mutants                     # every module of `JUDGED`, an hour or two
    python -m tests.bench.mutants plan/steps metrics  # those whose path has one of these in it
    python -m tests.bench.mutants health --every 5    # every fifth mutant: a sample

A mutant that no test notices is printed with its place. Some of those are equivalent to the original (a limit that no
value can be on, a number that only has to be large): read them, and write the test where one is missing.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[2]
TRAINER = ROOT / "trainer"

_PLAN = ("tests/core/test_plan.py",)
_RULES = ("tests/core/test_health_evals.py", "tests/core/test_health_steps.py", "tests/core/test_health_property.py")
JUDGED: dict[str, tuple[str, ...]] = {
    "vlmft_core/scoring/metrics.py": ("tests/core/test_metrics.py",),
    "vlmft_core/plan/steps.py": _PLAN,
    "vlmft_core/plan/time.py": _PLAN,
    "vlmft_core/plan/memory.py": ("tests/core/test_memory.py",),
    "vlmft_core/plan/flops.py": ("tests/core/test_flops.py",),
    **{
        f"vlmft_core/health/{name}.py": _RULES
        for name in (
            "advice",
            "evals",
            "health_state",
            "judge",
            "stretch",
            "rules/accuracy",
            "rules/eval_loss",
            "rules/gradient",
            "rules/loss_level",
            "rules/lr_schedule",
            "rules/non_finite",
            "rules/pace",
        )
    },
}
"""Modules and the test files that judge them."""

LONGEST = 120.0
"""Seconds after which a mutant is taken to hang, which its tests would notice."""

_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def changed(node: ast.AST) -> ast.AST | None:
    """The node with one thing about it changed; None for a node that is left alone."""
    twin = copy.deepcopy(node)
    match twin:
        case ast.Compare(ops=[first, *rest]) if type(first) in _SWAPPED:
            twin.ops = [_SWAPPED[type(first)](), *rest]  # type: ignore[list-item]
        case ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.AugAssign(op=op) if type(op) in _SWAPPED:
            twin.op = _SWAPPED[type(op)]()  # type: ignore[assignment]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand
        case ast.Constant(value=bool(value)):
            twin.value = not value
        case ast.Constant(value=int(value) | float(value)):
            twin.value = value + 1 if isinstance(value, int) else 2 * value + 0.001
        case ast.If(test=test) | ast.IfExp(test=test):
            twin.test = ast.copy_location(ast.UnaryOp(ast.Not(), test), test)
        case ast.Expr(value=ast.Call()):
            return ast.copy_location(ast.Pass(), node)
        case _:
            return None
    return twin


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Every node that is code, with its parent, field and index there. Annotations and docstrings are not code."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if field in ("annotation", "returns", "type_params", "bases", "decorator_list"):
                continue
            if isinstance(value, ast.AST):
                yield parent, field, None, value
            elif isinstance(value, list):
                yield from ((parent, field, at, one) for at, one in enumerate(value) if isinstance(one, ast.AST))


def mutants(path: Path) -> Iterator[tuple[str, CodeType]]:
    """What is changed, with its line, and the module's code with that change."""
    source = path.read_text()
    for parent, field, at, node in list(places(tree := ast.parse(source))):
        twin = changed(node)
        if twin is None:
            continue
        _put(parent, field, at, twin)
        before, after = (ast.unparse(one).splitlines()[0] for one in (node, twin))
        yield (
            f"{getattr(node, 'lineno', 0)}: {before} -> {after}",
            compile(ast.fix_missing_locations(tree), path, "exec"),
        )
        _put(parent, field, at, node)


def _put(parent: ast.AST, field: str, at: int | None, node: ast.AST) -> None:
    if at is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[at] = node


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another code."""

    def __init__(self, name: str, code: CodeType) -> None:
        self.name, self.code = name, code

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


def noticed(name: str, code: CodeType | None, tests: Sequence[str]) -> bool:
    """Whether the tests fail with this code in the module's place, in a process of their own."""
    if child := os.fork():
        until = time.monotonic() + LONGEST
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return status != 0
            time.sleep(0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return True
    import pytest

    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    if code is not None:
        sys.meta_path.insert(0, Changed(name, code))
    os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wanted", nargs="*", help="parts of the modules' paths; all where there is none")
    parser.add_argument("--every", type=int, default=1, help="try every n-th mutant only")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    import hypothesis  # noqa: F401
    import pydantic  # noqa: F401
    import pytest

    pytest.main(["--version"])  # so that pytest, its plugins and these two are loaded once, not in every child

    for module, tests in JUDGED.items():
        if arguments.wanted and not any(part in module for part in arguments.wanted):
            continue
        name = module.removesuffix(".py").replace("/", ".")
        if noticed(name, None, tests):
            sys.exit(f"{module}: its tests fail without any change")
        tried = [one for at, one in enumerate(mutants(TRAINER / module)) if not at % arguments.every]
        survived = [what for what, code in tried if not noticed(name, code, tests)]
        print(f"{module}: {len(tried) - len(survived)} of {len(tried)} noticed", flush=True)
        for what in survived:
            print(f"  {module}:{what}", flush=True)


if __name__ == "__main__":
    main()
