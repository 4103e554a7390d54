"""The architecture, executable: directions, budgets, and what must not occur anywhere."""

import ast
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "platform" / "bailiwick"
FOLDERS = ("platform", "migrations", "policies", "tests", "benchmarks", "docs")
SUFFIXES = {".py", ".html", ".css", ".js", ".yaml", ".cedar", ".cedarschema", ".mako", ".md"}
MAX_LINES = 400
HELP_CPU_SECONDS = 0.5
GOVERNANCE = (
    "bailiwick.__main__",
    "bailiwick.client",
    "bailiwick.serving",
    "bailiwick.training",
    "bailiwick.lifecycle",
    "bailiwick.api.app",
    "bailiwick.console",
    "bailiwick.worker",
    "bailiwick.cli.main",
)
UNPICKLING = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
# Spelt so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")


def every_file() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and "__pycache__" not in path.parts:
                yield path


Modules = list[tuple[str, ast.Module]]


@pytest.fixture(scope="module")
def every_module() -> Modules:
    return [
        (shown(path), ast.parse(path.read_text(encoding="utf-8")))
        for path in every_file()
        if path.suffix == ".py"
    ]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def places(name: str, nodes: Iterator[ast.AST]) -> list[str]:
    return [f"{name}:{getattr(node, 'lineno', 1)}" for node in nodes]


def test_the_walk_sees_the_code() -> None:
    seen = {shown(path) for path in every_file()}
    assert {"platform/bailiwick/db/session.py", "migrations/env.py", "docs/settings.md"} <= seen


def test_imports_keep_the_contracts_in_pyproject() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint_imports, "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_package_has_its_place_in_the_layers() -> None:
    """The contract is exhaustive over what has an `__init__.py`; so is this over folders."""
    folders = {path.name for path in PACKAGE.iterdir() if list(path.glob("*.py"))}
    doors = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == doors


def test_governance_processes_really_load_no_torch_and_no_evidently() -> None:
    heavy = ("torch", "transformers", "tokenizers", "safetensors", "evidently", "pandas")
    script = (
        "import sys, importlib\n"
        f"for module in {GOVERNANCE}:\n"
        "    importlib.import_module(module)\n"
        f"    print(module, [name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    told = [f"{module} []" for module in GOVERNANCE]
    assert done.stdout.splitlines() == told, done.stderr


def test_help_answers_at_once() -> None:
    def cpu_seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "bailiwick", "--help"], check=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    environment = os.environ | {"COLUMNS": "100"}
    assert any(cpu_seconds() < HELP_CPU_SECONDS for _ in range(3))


def test_no_file_is_over_budget() -> None:
    lengths = {shown(path): len(path.read_text("utf-8").splitlines()) for path in every_file()}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_only_db_commits(every_module: Modules) -> None:
    allowed = "platform/bailiwick/db/"
    found = [
        place
        for name, tree in every_module
        if name.startswith("platform/") and not name.startswith(allowed)
        for place in places(name, commits(tree))
    ]
    assert found == []


def commits(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        # A savepoint (`begin_nested`) ends no transaction.
        if isinstance(node, ast.Attribute) and node.attr in {"commit", "begin"}:
            yield node


def test_nothing_is_imported_inside_a_function(every_module: Modules) -> None:
    found = [place for name, tree in every_module for place in places(name, late_imports(tree))]
    assert found == []


def late_imports(tree: ast.Module) -> Iterator[ast.AST]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield node


def test_nothing_that_arrives_is_unpickled(every_module: Modules) -> None:
    found = [
        place
        for name, tree in every_module
        if not name.startswith("tests/")  # tests forge what must be refused
        for place in places(name, unpicklings(tree))
    ]
    assert found == []


def unpicklings(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            if any(alias.name.partition(".")[0] in UNPICKLING for alias in node.names):
                yield node
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").partition(".")[0] in UNPICKLING:
                yield node
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in {"torch.load", "yaml.load"}:
            yield node
        elif isinstance(node, ast.keyword) and ast.unparse(node) == "allow_pickle=True":
            yield node.value


def test_source_roots_are_no_packages() -> None:
    """`platform/__init__.py` would shadow Python's own `platform`; tests are found by path."""
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert [shown(path) for path in (ROOT / "tests").rglob("__init__.py")] == []


def test_nothing_is_left_unfinished() -> None:
    found = [
        f"{shown(path)}:{number}"
        for path in every_file()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if UNFINISHED.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("rule", "breach"),
    [
        (commits, "session.commit()"),
        (late_imports, "def f():\n    import json"),
        (late_imports, "async def f():\n    if x:\n        from json import loads"),
        (unpicklings, "import pickle"),
        (unpicklings, "from joblib.numpy_pickle import load"),
        (unpicklings, "torch.load(path)"),
        (unpicklings, "np.load(path, allow_pickle=True)"),
    ],
)
def test_the_rules_find_what_they_forbid(rule: object, breach: str) -> None:
    assert callable(rule)
    assert list(rule(ast.parse(breach)))
    assert not list(rule(ast.parse("import json\nx = json.loads('1')")))
