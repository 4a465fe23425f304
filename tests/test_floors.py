"""The house stands on its floors: a module imports only from its own floor and below.

Read off the source with `ast`, so that a lazy import inside a function counts too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = (
    "language", "graph", "linear", "primitives", "runtime", "std", "views", "session",
    "widgets", "magics", "kernel",
)  # fmt: skip
WITHOUT_JAX = ("language", "graph", "linear")
JAX_WHEN_CALLED = ("primitives",)
JAX = ("jax", "jaxlib", "optax")
# Gradients are computed by our adjoint; JAX's own is a judge in the tests.
DERIVATIVES = {
    "grad", "value_and_grad", "vjp", "jvp", "linearize", "linear_transpose",
    "jacfwd", "jacrev", "jacobian", "hessian",
}  # fmt: skip
# A function that the user brings from JAX has a derivative of its own, which is asked for.
THEIR_DERIVATIVES = ("nnfp_kernel.primitives.imported",)


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package by its import name, and its file."""
    for folder, package in (
        ("nnfp_kernel", "nnfp_kernel"),
        ("magics", "nnfp_kernel.magics"),
        ("widgets", "nnfp_kernel.widgets"),
    ):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join((package, *parts)).removesuffix(".__init__")
            yield name, path


def floor_of(module: str) -> str | None:
    """The floor a module of ours stands on; None for the public face and for others."""
    head, _, rest = module.partition(".")
    return rest.split(".")[0] if head == "nnfp_kernel" and rest.split(".")[0] in FLOORS else None


def imports(module: str, tree: ast.Module, package: bool) -> Iterator[tuple[str, bool, int]]:
    """What a module imports, as absolute names; whether at its top; the line."""
    for node, top in walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, top, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".") if package else module.split(".")[:-1]
                parts = parts[: len(parts) - (node.level - 1)]
                base = ".".join([*parts, base] if base else parts)
            for alias in node.names:
                yield f"{base}.{alias.name}", top, node.lineno


def walk(node: ast.AST, top: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield child, top and not inside
        yield from walk(child, top and not inside)


def violations(module: str, source: str, package: bool = False) -> list[str]:
    """All that a module does against the rules of the house."""
    tree = ast.parse(source)
    floor = floor_of(module)
    found: list[str] = []
    for name, top, line in imports(module, tree, package):
        target = floor_of(name)
        if floor and target and FLOORS.index(target) > FLOORS.index(floor):
            found.append(f"{module}, line {line}: {floor} imports {name}, which is higher up")
        if name.split(".")[0] in JAX and (
            floor in WITHOUT_JAX or (floor in JAX_WHEN_CALLED and top)
        ):
            found.append(f"{module}, line {line}: {floor} may not import {name} here")
    for name, line in jax_names(tree):
        if module in THEIR_DERIVATIVES and name in ("jax.jvp", "jax.vjp"):
            continue
        if name.removeprefix("jax.") in DERIVATIVES or ".interpreters.ad" in name:
            found.append(f"{module}, line {line}: {name}, where our own adjoint belongs")
    return found


def jax_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name of jax's that a module mentions, in full, through any alias."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "jax":
                    known[alias.asname or "jax"] = alias.name if alias.asname else "jax"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "jax":
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield f"{node.module}.{alias.name}", node.lineno
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            parts = [node.attr]
            value: ast.expr = node.value
            while isinstance(value, ast.Attribute):
                parts.append(value.attr)
                value = value.value
            if isinstance(value, ast.Name) and value.id in known:
                yield ".".join([known[value.id], *reversed(parts)]), node.lineno


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=lambda x: str(x).split("/")[-1])
def test_no_module_breaks_the_rules_of_the_house(module: str, path: Path) -> None:
    assert violations(module, path.read_text(), path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("nnfp_kernel.language.infer", "from ..graph.graph import Graph"),
        ("nnfp_kernel.language.infer", "def f():\n    from .. import session"),
        ("nnfp_kernel.graph.trace", "import nnfp_kernel.runtime.lower"),
        ("nnfp_kernel.views.table", "from nnfp_kernel.session import Session"),
        ("nnfp_kernel.widgets.bend", "from nnfp_kernel.magics import verbs"),
        ("nnfp_kernel.linear.maps", "def f():\n    import jax.numpy as jnp"),
        ("nnfp_kernel.graph.graph", "import optax"),
        ("nnfp_kernel.primitives.matrix", "import jax"),
        ("nnfp_kernel.primitives.matrix", "class A:\n    from jax import numpy"),
        ("nnfp_kernel.runtime.training.train", "import jax\njax.grad(f)"),
        ("nnfp_kernel.runtime.training.train", "import jax as j\nstep = j.value_and_grad"),
        ("nnfp_kernel.session", "from jax import vjp as pull"),
        ("nnfp_kernel.magics.train", "from jax import linear_transpose"),
        ("nnfp_kernel.kernel.kernel", "from jax.interpreters.ad import backward_pass"),
    ],
)
def test_the_rules_are_noticed_when_broken(module: str, source: str) -> None:
    assert violations(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("nnfp_kernel.graph.trace", "from ..language.typed import Definition"),
        ("nnfp_kernel.primitives.matrix", "def lower(x):\n    import jax\n    return jax.jit(x)"),
        ("nnfp_kernel.runtime.lower", "import jax\nimport jax.numpy as jnp\njnp.linalg.solve"),
        ("nnfp_kernel.kernel.kernel", "from nnfp_kernel.magics import register"),
        ("nnfp_kernel.session", "value.grad(x)"),
    ],
)
def test_what_the_rules_allow_is_not_reported(module: str, source: str) -> None:
    assert violations(module, source) == []


@pytest.mark.parametrize(
    "program",
    [
        "import nnfp_kernel",
        "import nnfp_kernel.primitives.table",
        "from IPython.core.interactiveshell import InteractiveShell as S\n"
        "shell = S.instance()\n"
        "shell.run_line_magic('load_ext', 'nnfp_kernel')",
    ],
    ids=["the package", "the primitive table", "the extension"],
)
def test_jax_is_not_imported_before_the_first_program(program: str) -> None:
    check = "\nimport sys; assert not {'jax', 'optax'} & set(sys.modules), 'jax was imported'"
    subprocess.run([sys.executable, "-c", program + check], check=True, timeout=120)
