"""What fits in a `%%nnfp` cell and on a `%nnfp` line, and what is known of a name."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import numpy
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from nnfp_kernel.magics.completion import complete
from nnfp_kernel.magics.inspection import view
from nnfp_kernel.magics.terminal import TerminalHost
from nnfp_kernel.magics.verb import NAMES, find
from nnfp_kernel.magics.workspace import Workspace

PROGRAM = """\
size hidden = 3
rep Word = R[4]
data Tree a = Leaf a | Node (Tree a) (Tree a)
-- Reads a word.
cell : (R[hidden], Word) ~> R[hidden]
cell (h, Word x) = tanh (?W @ h + ?U @ x)
layers[m] x = dense[m] x
xs = [1, 2, 3]
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("files")
    (folder / "net.safetensors").write_bytes(b"")
    (folder / "runs").mkdir()
    made = Workspace(
        TerminalHost(),
        {"table": numpy.ones(3), "_hidden": 1, "helper": len, "numpy": numpy},
        folder,
    )
    made.session.bind("halved", lambda x: x / 2)
    made.session.run(PROGRAM)
    return made


def fitting(workspace: Workspace, text: str) -> dict[str, str]:
    """The words that fit at `|`, or at the end, with their types."""
    position = text.index("|") if "|" in text else len(text)
    found = complete(workspace, text.replace("|", "", 1), position)
    assert found.end == position
    return {each.text: each.type for each in found.items}


@pytest.mark.parametrize(
    ("text", "word", "type"),
    [
        ("f = cel", "cell", "(R[3], Word) ~> R[3]"),
        ("f = lay", "layers", "R[n] ~> R[m]"),
        ("f = mapAcc", "mapAccum", "((s, a) -> (s, b)) -> s -> a[n] -> (s, b[n])"),
        ("f = halv", "halved", "a -> b where b = halved a"),
        ("f = cell.", "cell.W", "R[3,3]"),
        ("f x = case x of { Le", "Leaf", "a -> Tree a"),
        ("f (Wo", "Word", "R[4] -> Word"),
        ("f : Wo", "Word", "R[4]"),
        ("f = dense[hi", "hidden", "3"),
        ("f = window[3, st", "stride=", ""),
        ("f width = wi", "width", ""),
        ("f = ?kernel @ ?ke", "?kernel", ""),
        ("f = if x > 0 th", "then", ""),
        ("im", "import", ""),
        ("import std.re", "std.recurrent", ""),
        ("helped : R[3] -> R\nhelp", "helped", "R[3] -> R"),
        ("%%nnfp -q\ng = cel", "cell", "(R[3], Word) ~> R[3]"),
        ("%time\ng = cel|\nh = x", "cell", "(R[3], Word) ~> R[3]"),
        ("%nnfp wei", "weights", find("weights").summary),
        ("%nnfp type fold ce", "cell", "(R[3], Word) ~> R[3]"),
        ("%nnfp help tra", "train", find("train").summary),
        ("%nnfp train cell --opt", "--optimizer", ""),
        ("%nnfp train cell --optimizer ada", "adam", ""),
        ("%nnfp train cell --data table,x", "xs", "R[3]"),
        ("%nnfp train cell --data ta", "table", "ndarray"),
        ("%nnfp time cell --cost x", "xs", "R[3]"),
        ("%nnfp reset --precision 6", "64", ""),
        ("%nnfp load cell ne", "net.safetensors", ""),
        ("%nnfp save cell ru", "runs/", ""),
        ("%%nnfp -i ta", "table", "ndarray"),
        ("%%nnfp -o x", "xs", "R[3]"),
        ("%%nnfp --ou", "--output", ""),
    ],
)
def test_what_fits(workspace: Workspace, text: str, word: str, type: str) -> None:
    found = fitting(workspace, text)
    assert found.get(word) == type, found


@pytest.mark.parametrize(
    "text",
    ["-- cel", '"cel', "%nnfp train cell --data _h", "%nnfp train cell --data hel", "f = 12"],
)
def test_where_nothing_fits(workspace: Workspace, text: str) -> None:
    assert fitting(workspace, text) == {}


def test_a_name_that_is_being_written_is_not_its_own_completion(workspace: Workspace) -> None:
    assert "spel" not in fitting(workspace, "f = spel|ling + 1")
    assert "spelling" not in fitting(workspace, "f = spel|ling + 1")


def test_every_flag_of_every_verb_fits_behind_it(workspace: Workspace) -> None:
    for name in NAMES:
        arguments = find(name).arguments
        found = fitting(workspace, f"%nnfp {name} cell -")
        if arguments is not None:
            assert {flag for flag in found if flag.startswith("--")} == {
                flag for flag in arguments._option_string_actions if flag.startswith("--")
            }


def completions(shell: InteractiveShell, text: str) -> dict[str, str]:
    with provisionalcompleter():
        return {each.text: each.type for each in shell.Completer.completions(text, len(text))}


def test_a_python_notebook_completes_programs_and_lines(shell: InteractiveShell) -> None:
    shell.run_cell("%%nnfp\nspelling : R[3] ~> R\nspelling x = ?w @ x\n").raise_error()
    shell.run_cell("spelled = 1")
    assert completions(shell, "%%nnfp\nf = spell") == {"spelling": "R[3] ~> R"}
    assert completions(shell, "%nnfp weights spell") == {"spelling": "R[3] ~> R"}
    assert completions(shell, "y = 1\n%nnfp devi") == {"devices": find("devices").summary}
    assert "spelled" in completions(shell, "y = spell")  # Python's own is left alone
    assert "spelling" not in completions(shell, "y = spell")
    shell.run_line_magic("unload_ext", "nnfp_kernel")
    assert "spelling" not in completions(shell, "%%nnfp\nf = spell")
    shell.run_line_magic("load_ext", "nnfp_kernel")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("f = cell", ["cell : (R[3], Word) ~> R[3]", "Reads a word.", "cell.W : R[3,3]", "?W @ h"]),
        ("f = scan", ["scan : ((s, a) -> s) -> s -> a[n] -> s[n]"]),
        ("f = dense", ["R[n] ~> R[m]", "std/layers.nnfp", "?W @ x + ?b"]),
        ("f = Node", ["Node : Tree a -> Tree a -> Tree a", "data Tree a"]),
        ("f = xs @", ["@ : a -> b -> c where c = matmul a b"]),
        ("g = halved", ["from Python", "a -> b where b = halved a"]),
        ("cell (h, Word x) = tanh (?U", ["?U : R[3,4]"]),
        ("f = cell.U", ["cell.U : R[3,4]"]),
        ("g = cata", ["cata { Leaf x -> x"]),
        ("h : Word", ["rep Word = R[4]"]),
        ("new : R[7] -> R\nf = new", ["new : R[7] -> R"]),
    ],
)
def test_what_is_known_of_a_name(workspace: Workspace, text: str, parts: list[str]) -> None:
    found = workspace.session.inspect(text, len(text))
    assert found is not None
    shown = view(found, ("Word",)).text
    for part in parts:
        assert part in shown, shown


def test_what_a_program_says_of_itself_is_escaped(workspace: Workspace) -> None:
    """The text of a malicious notebook is text wherever HTML is made of it."""
    evil = "<script>alert(1)</script>"
    session = workspace.session
    session.run(f"-- {evil}\nevil x = x  -- {evil}\n")
    found = session.inspect("evil", 2)
    assert found is not None
    assert evil in found.documentation
    shown = view(found, (), whole=True)
    assert evil not in shown.html
    assert html.escape(evil) in shown.html

    def harmless(x: Any) -> Any:
        return x

    harmless.__doc__ = evil
    session.bind("harmless", harmless)
    helped = workspace.line("help harmless")
    assert helped is not None
    assert evil not in helped.html


def test_settings_hold_from_a_new_session_on(shell: InteractiveShell) -> None:
    magics: Any = shell.magics_manager.registry["NnfpMagics"]
    shell.run_line_magic("config", "Nnfp.seed = 7")
    shell.run_line_magic("config", "Nnfp.precision = 64")
    assert (magics.workspace.session.seed, magics.workspace.session.precision) == (7, 64)
    shell.run_cell("%%nnfp\nx = 1\n").raise_error()
    shell.run_line_magic("config", "Nnfp.seed = 8")
    assert magics.workspace.session.seed == 7  # something stands in it
    shell.run_cell("%nnfp reset").raise_error()
    assert magics.workspace.session.seed == 8
    shell.run_cell("%nnfp reset --precision 32").raise_error()
    assert magics.workspace.session.precision == 32


def test_loading_twice_keeps_the_session_and_unloading_leaves_nothing(
    shell: InteractiveShell,
) -> None:
    shell.run_cell("%%nnfp\nx = 1\n").raise_error()
    shell.run_line_magic("load_ext", "nnfp_kernel")
    assert shell.run_cell("%%nnfp\nx + 1\n").result.value == 2
    before = len(shell.configurables), len(shell.Completer.custom_matchers)
    shell.run_line_magic("unload_ext", "nnfp_kernel")
    assert (len(shell.configurables), len(shell.Completer.custom_matchers)) == (
        before[0] - 2, before[1] - 1,
    )  # fmt: skip
    assert "nnfp" not in shell.magics_manager.magics["cell"]
    shell.run_line_magic("load_ext", "nnfp_kernel")
    assert len(shell.configurables) == before[0]


def test_the_help_of_the_magic_names_every_verb(shell: InteractiveShell) -> None:
    shown = shell.object_inspect_text("%%nnfp")
    for name in NAMES:
        assert name in shown


def test_a_jax_function_goes_through_a_program(shell: InteractiveShell, tmp_path: Path) -> None:
    shell.run_cell("import jax.numpy as jnp\ndef wave(x):\n    return jnp.sin(x) * x[0]")
    cell = "%%nnfp -i wave -o g,slope\ng x = wave (x : R[3])\nslope x = vjp wave (x : R[3])"
    shell.run_cell(cell).raise_error()
    shell.run_cell("import numpy\nfound = g(numpy.ones(3))").raise_error()
    numpy.testing.assert_allclose(shell.user_ns["found"], numpy.sin(numpy.ones(3)), rtol=1e-6)
