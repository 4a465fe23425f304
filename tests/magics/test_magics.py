"""`%%nnfp` and `%nnfp` in a real IPython shell."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
from pathlib import Path
from typing import Any

import numpy
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from nnfp_kernel import NnfpError
from nnfp_kernel.magics.terminal import Printed, TerminalHost
from nnfp_kernel.magics.verb import NAMES, View, find
from nnfp_kernel.magics.workspace import Workspace

NET = """%%nnfp
net : R[3] ~> R[2]
net = dense[4] >> tanh >> dense[2]"""


def run(shell: InteractiveShell, cell: str) -> Any:
    """A cell's result; what it raises is raised here."""
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    return result.result


def told(shell: InteractiveShell, line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a line of magic prints."""
    capsys.readouterr()
    run(shell, line)
    return capsys.readouterr().out.rstrip("\n")


def test_a_cell_shows_types_and_weights(shell: InteractiveShell) -> None:
    view = run(shell, NET)
    assert "net   R[3] ~> R[2]" in str(view)
    assert "dense 4×3 + 4" in str(view)
    assert "26" in str(view)
    assert {"text/plain", "text/html"} == set(view._repr_mimebundle_())


def test_an_expression_shows_its_value(shell: InteractiveShell) -> None:
    view = run(shell, "%%nnfp\n1 + 2 * 3")
    assert str(view) == "7 : R"
    assert view.value == 7


def test_a_definition_in_the_place_of_an_older_one_says_so(shell: InteractiveShell) -> None:
    run(shell, "%%nnfp\ncell : R[3] ~> R[3]\ncell x = ?w * x\nf : R -> R\nf x = x")
    run(shell, "%%nnfp\nencode = cell >> sum\ndecode = cell >> norm")
    again = str(run(shell, "%%nnfp\ncell : R[3] ~> R[3]\ncell x = tanh (?w * x)"))
    assert "?w 3, weights kept" in again
    assert "note: Replaces `cell` of cell 1. `encode` and `decode` use the new one now." in again
    other = str(run(shell, "%%nnfp\ncell : R[3] ~> R[3]\ncell x = ?w @ x"))
    assert "kept" not in other  # a matrix now
    assert "Replaces" not in str(run(shell, "%%nnfp\nf : R -> R\nf x = x"))  # unchanged
    assert "Replaces `f` of cell 5." in str(run(shell, "%%nnfp\nf x = 2 * x"))
    run(shell, "%%nnfp\ng = flip outer")
    taken = str(run(shell, "%%nnfp\nflip x = - x"))
    assert "`flip` takes the place of the library's `flip`" in taken
    assert "Replaces" not in taken  # said once


def test_q_shows_nothing(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shell, NET.replace("%%nnfp", "%%nnfp -q")) is None
    assert told(shell, "%nnfp type net", capsys) == "net : R[3] ~> R[2]"


@pytest.mark.parametrize(
    "cell",
    ["x = 1\nx + 1;", "x = 1;", "x = 1; -- quiet", "x = 1\nx + 1 ;\n{- quiet; -}\n", "x = 1\n;"],
)
def test_a_semicolon_at_the_end_silences(shell: InteractiveShell, cell: str) -> None:
    assert run(shell, f"%%nnfp\n{cell}") is None
    assert run(shell, "%%nnfp\nx").value == 1  # it did run


def test_a_semicolon_further_up_is_a_mistake_with_its_place(shell: InteractiveShell) -> None:
    with pytest.raises(NnfpError) as caught:
        run(shell, "%%nnfp\nx = 1;\ny = 2;")
    assert (caught.value.span.line, caught.value.span.column) == (2, 6)


def test_a_line_of_magic_with_a_semicolon_shows_nothing(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(shell, "%nnfp type sum;", capsys) == ""


def test_names_come_in_and_go_out(shell: InteractiveShell) -> None:
    run(shell, "import numpy\nx = numpy.arange(3.0)\nk = 2.0")
    run(shell, "%%nnfp -i x,k -o y -o f, z\ny = k * x\nf v = v + x\nz = sum y")
    assert list(run(shell, "y")) == [0.0, 2.0, 4.0]
    assert float(run(shell, "z")) == 6.0
    assert list(run(shell, "f(x)")) == [0.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "cell",
    ["%%nnfp -i x -o nowhere\ny = 2 * x", "%%nnfp -i x,nowhere\ny = x", "%%nnfp -i x\ny = x +"],
)
def test_a_failed_cell_keeps_nothing_of_its_names_and_of_what_came_in(
    shell: InteractiveShell, cell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "x = 1.0\ny = 'mine'")
    run(shell, "%%nnfp\ny = 3\nx = 4")
    with pytest.raises((UsageError, NnfpError)):
        run(shell, cell)
    assert run(shell, "%%nnfp\nx + y").value == 7
    assert run(shell, "y") == "mine"


def test_an_element_of_what_python_brings_is_taken_as_any_other(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "import numpy\nx = numpy.arange(3.0)")
    with pytest.raises(NnfpError):
        run(shell, "%%nnfp -i x\nx[1]")
    assert "x ! 1" in capsys.readouterr().out
    assert run(shell, "%%nnfp -i x\nx ! 1").value == 1


@pytest.mark.parametrize(
    ("definition", "type", "at_ones"),
    [
        ("f = window[3] sum", "a[n] -> a[n-2] where vector a", [3.0, 3.0]),
        ("f = map (2 *) >> reverse", "a[n] -> a[n] where vector a", [2.0] * 4),
        ("f = scan (+) 0", "a[n] -> a[n] where number a", [1.0, 2.0, 3.0, 4.0]),
    ],
)
def test_a_definition_that_names_no_parameter_goes_out(
    shell: InteractiveShell, definition: str, type: str, at_ones: list[float]
) -> None:
    run(shell, f"%%nnfp -o f\n{definition}")
    assert repr(run(shell, "f")) == f"f : {type}"
    assert list(run(shell, "import numpy\nf(numpy.ones(4))")) == at_ones


def test_a_function_in_python_says_what_it_is(shell: InteractiveShell) -> None:
    run(shell, "%%nnfp -o double\n-- Twice as much.\ndouble : R[n] -> R[n]\ndouble x = 2 * x")
    assert repr(run(shell, "double")) == "double : R[n] -> R[n]"
    shown = shell.object_inspect_text("double")
    assert "Twice as much." in shown
    assert "R[n] -> R[n]" in shown


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("%%nnfp --quite\nx = 1", "there is no --quite. Do you mean --quiet?"),
        ("%%nnfp -i nowhere\nx = 1", "Python has no nowhere"),
        ("%%nnfp -o nowhere\nx = 1", "the session defines no nowhere"),
        ("%%nnfp 'x\nx = 1", "quotation mark is not closed"),
        ("%nnfp tran", "Do you mean %nnfp train?"),
        ("%nnfp fly", "There are: type, derivative"),
        ("%nnfp type", "Usage: %nnfp type EXPR"),
        ("%nnfp weights", "Usage: %nnfp weights NAME"),
        ("%nnfp list all", "one word too many"),
        ("%nnfp reset --precision 16", "invalid choice: 16"),
        ("%nnfp reset net --precision 64", "one for the whole session"),
        ("%nnfp time net --cots", "Do you mean --cost?"),
        ("%nnfp time net --memory much", "write a size, for example 2GB or 500MB"),
        ("%nnfp time net nowhere", "neither the program nor Python has a nowhere"),
        ("%nnfp time", "required: name"),
        ("%nnfp help nothingness", "no built-in name nothingness"),
        ("%nnfp help crossEntrpy", "Do you mean crossEntropy?"),
        ("%nnfp train net", "required: --data"),
        ("%nnfp train net --data X", "neither the program nor Python has a X. Do you mean x?"),
        ("%nnfp train net --data x[:9]", "What is no name is given one in Python first"),
        ("%nnfp train net --data a/x.npy", "Load it, x = numpy.load('a/x.npy'); in a terminal"),
        ("%nnfp train net --data net", "net is a function; examples are wanted"),
        ("%nnfp train net --data x --epoch 3", "Do you mean --epochs?"),
        ("%nnfp train net --data x --epochs 2 --steps 9", "--steps: not allowed with"),
        ("%nnfp train net --data x --epochs many", "invalid float value: 'many'"),
        ("%nnfp train net --data x --until soon", "write a goal"),
        ("%nnfp train net --data x --until 'accuracy > 1'", "It may speak of loss."),
        ("%nnfp train net --data x --until 'loss < low'", "low is no number"),
        ("%nnfp train net --data x --optimizer adm", "Do you mean adam?"),
        ("%nnfp train net --data x --rate -1", "positive number"),
        ("%nnfp train net --data x --valid 2", "share held out"),
        ("%nnfp train net --data x --valid many", "neither the program nor Python has a many"),
        ("%nnfp train net --data batches", "say how many steps"),
        ("%nnfp train net --data x,batches --steps 3", "batches are data alone"),
        ("%nnfp train net --data batches --steps 3 --valid 0.1", "no share of a stream"),
        ("%nnfp train net --data batches --steps 3 --valid batches", "batches are data alone"),
        ("%nnfp train net --data x --clip 0", "clipped to a positive norm, not 0"),
        ("%nnfp train net --data x --decay -1", "decay of weights is 0 or a positive number"),
        ("%nnfp train net --data x --ema 1", "a share between 0 and 1 is left by a step"),
        ("%nnfp train net --data x --schedule cosin", "Do you mean cosine?"),
        ("%nnfp train net --data x --schedule x", "a schedule is a name or a function"),
        ("%nnfp train net --data x --optimizer x", "an optimiser is a name or an optax one"),
        ("%nnfp train net --data x --schedule linear --rate 'cosine 1'", "cosine and linear"),
        ("%nnfp train net --data x --steps 9 --warmup 9", "some of the 9 steps, not for 9"),
        ("%nnfp train net --data x --patience 3", "hold a share of the examples out"),
        ("%nnfp train net --data x --patience 0 --valid 0.5", "one validation at least"),
    ],
)
def test_a_wrong_request_fails_the_cell_and_says_what_would_be_right(
    shell: InteractiveShell, cell: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "import numpy\nx = numpy.ones((5, 3))\nbatches = iter([x, x])")
    run(shell, "%%nnfp -q\nnet : R[3] ~> R\nnet x = ?w @ x")
    result = shell.run_cell(cell)
    assert isinstance(result.error_in_exec, UsageError), result
    assert told.lower() in str(result.error_in_exec).lower()
    assert "Traceback" not in capsys.readouterr().err


def test_a_mistake_in_a_program_is_told_without_python_frames(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    result = shell.run_cell("%%nnfp\nf : R[3] -> R[2]\nf x = x")
    assert isinstance(result.error_in_exec, NnfpError)
    printed = capsys.readouterr().out
    assert "f x = x" in printed
    assert "line 3" in result.error_in_exec.render()  # as the editor counts
    assert "Traceback" not in printed
    assert ".py" not in printed


def test_a_failed_cell_leaves_the_session_as_it_was(shell: InteractiveShell) -> None:
    run(shell, "%%nnfp\na = 1")
    assert not shell.run_cell("%%nnfp\na = 2\nb = nowhere").success
    assert run(shell, "%%nnfp\na").value == 1


def test_a_line_of_magic_in_a_cell_runs_in_its_place(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "import numpy\nX = numpy.ones((8, 3))\ny = numpy.full(8, 2.0)")
    view = run(
        shell,
        "%%nnfp\n"
        "net : R[3] ~> R\n"
        "net x = ?w @ x\n"
        "%nnfp train net --data X,y --loss squaredError --epochs 200 --rate 0.05\n"
        "net [1, 1, 1]",
    )
    printed = capsys.readouterr().out
    assert printed.index("net   R[3] ~> R") < printed.index("finished: 200 epochs")
    assert abs(float(view.value) - 2) < 1e-2


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_verb_runs(
    shell: InteractiveShell, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where an example may write a file
    for cell in find(name).example:
        run(shell, cell)


@pytest.mark.parametrize("name", NAMES)
def test_help_of_a_verb_shows_its_usage_and_its_example(
    shell: InteractiveShell, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = told(shell, f"%nnfp help {name}", capsys)
    verb = find(name)
    assert verb.usage.split("\n")[0] in shown
    assert verb.example[-1].split("\n")[0] in shown
    assert verb.summary in told(shell, "%nnfp help", capsys)


def test_saved_weights_are_loaded_again(
    shell: InteractiveShell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, NET)
    before = run(shell, "%%nnfp\nnet [1, 2, 3]").value
    file = tmp_path / "net.safetensors"
    assert told(shell, f"%nnfp save net {file}", capsys) == f"net: 26 weights saved to {file}."
    run(shell, "%nnfp reset net")
    run(shell, "%%nnfp\nbias : R[2]\nbias = net.dense_2.b + 1")
    run(shell, f"%nnfp load net {file}")
    assert numpy.array_equal(run(shell, "%%nnfp\nnet [1, 2, 3]").value, before)
    for line, what in (("save net", "Usage"), ("load net a b", "one word too many")):
        with pytest.raises(UsageError, match=what):
            run(shell, f"%nnfp {line}")


def test_the_functor_of_a_cell_is_told(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%%nnfp\ncell : (R[2], R) ~> (R[2], R)\ncell (h, x) = (tanh (x * h), dot ?w h)")
    said = told(shell, "%nnfp type --functor cell", capsys)
    assert "a Moore machine" in said
    assert "F(X) = (A → X) × B" in said
    assert "P = its 2 weights" in said
    with pytest.raises(UsageError, match="The functor of which name"):
        run(shell, "%nnfp type --functor")


def test_help_of_a_name_says_its_type_and_meaning(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%%nnfp\n-- Twice as much.\ndouble x = 2 * x")
    assert "Twice as much" in told(shell, "%nnfp help double", capsys)
    assert "R[n] ~> R[m]" in told(shell, "%nnfp help dense", capsys)
    assert "->" in told(shell, "%nnfp help fold", capsys)


def test_weights_are_listed_with_who_shares_them(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%%nnfp\ncell x = (?W @ x + ?b : R[3])\ntwice = cell >> cell")
    lines = told(shell, "%nnfp weights twice", capsys).split("\n")
    assert lines[1].split() == ["cell.W", "3×3", "9", "cell,", "twice"]
    assert lines[-1] == "12 weights in all"


@pytest.mark.parametrize(
    "line",
    ["weights relu", "weights 3", "weights line.a", "weights number", "graph relu", "graph number",
     "derivative relu", "save relu {file}", "load relu {file}", "reset relu"],
)  # fmt: skip
def test_what_has_no_definition_is_refused_where_one_is_asked_for(
    shell: InteractiveShell, tmp_path: Path, line: str
) -> None:
    run(shell, "number = 3.0")
    run(shell, "%%nnfp -q -i number\nline : R ~> R\nline x = ?a * x")
    name = line.split()[1]
    with pytest.raises(NnfpError, match=f"`{name}` has no definition"):
        run(shell, "%nnfp " + line.format(file=tmp_path / "weights.safetensors"))


def test_list_shows_all_definitions(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Nothing is defined yet" in told(shell, "%nnfp list", capsys)
    run(shell, "%%nnfp\nrep Word = R[4]\nread (Word x) = (?W @ x : R[3])")
    listed = told(shell, "%nnfp list", capsys)
    assert "Word   R[4]" in listed
    assert "read   Word ~> R[3]" in listed


def test_reset_gives_new_weights_and_without_a_name_a_new_session(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "import numpy\nX = numpy.ones((8, 3))")
    run(shell, "%%nnfp -o net\nnet : R[3] ~> R\nnet x = ?w @ x")
    first = float(run(shell, "net(X[0])"))
    run(shell, "%nnfp train net --data X --epochs 3")
    assert float(run(shell, "net(X[0])")) != first
    run(shell, "%nnfp reset net")
    assert float(run(shell, "net(X[0])")) == first
    run(shell, "%nnfp reset --precision 64")
    assert "Nothing is defined yet" in told(shell, "%nnfp list", capsys)
    assert run(shell, "%%nnfp\n1 / 3").value.dtype == numpy.float64


def test_loading_twice_keeps_the_session_and_unloading_removes_everything(
    shell: InteractiveShell,
) -> None:
    before = {kind: set(names) for kind, names in shell.magics_manager.magics.items()}
    run(shell, "%%nnfp\na = 1")
    run(shell, "%load_ext nnfp_kernel")
    assert run(shell, "%%nnfp\na").value == 1
    run(shell, "%unload_ext nnfp_kernel")
    after = {kind: set(names) for kind, names in shell.magics_manager.magics.items()}
    for kind in before:
        assert before[kind] - after[kind] == {"nnfp"}
    assert "NnfpMagics" not in shell.magics_manager.registry
    run(shell, "%load_ext nnfp_kernel")


def test_braces_and_dollars_of_a_line_are_left_alone(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "x = 3")
    assert "{x}" not in told(shell, r"%nnfp type \x -> x + 1", capsys)
    with pytest.raises(NnfpError):
        run(shell, "%nnfp type {x}")


# --- training ---------------------------------------------------------------------------

DATA = """
import numpy
random = numpy.random.default_rng(0)
X = random.normal(size=(120, 3))
y = X @ [1.0, -2.0, 0.5] + 0.7
label = (y > 0).astype(int)
"""


@pytest.mark.slow
def test_train_minimises_a_loss_of_a_model(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(shell, DATA)
    run(shell, "%%nnfp -q -o model\nmodel : R[3] ~> R\nmodel x = ?w @ x + ?b")
    run(
        shell,
        "%nnfp train model --data X,y --loss squaredError --optimizer sgd --rate 0.05 "
        "--epochs 60 --valid 0.1",
    )
    printed = capsys.readouterr().out
    assert "finished: 60 epochs" in printed
    assert "the best on validation" in printed
    weights = (
        run(shell, "get_ipython()")
        .magics_manager.registry["NnfpMagics"]
        .workspace.session.weights["model"]
    )
    numpy.testing.assert_allclose(weights["w"], [1.0, -2.0, 0.5], atol=1e-3)
    numpy.testing.assert_allclose(weights["b"], 0.7, atol=1e-3)
    short = "%nnfp train model --data X,y --loss squaredError --epochs 1 --page "
    run(shell, f"{short}{tmp_path / 'how.html'}")
    assert "a page that needs no kernel" in capsys.readouterr().out
    assert "finished: 4 steps in" in (tmp_path / "how.html").read_text("utf-8")
    with pytest.raises(UsageError, match="there is no folder nowhere"):
        run(shell, f"{short}nowhere/how.html")


@pytest.mark.slow
def test_train_minimises_an_objective_over_its_examples(shell: InteractiveShell) -> None:
    run(shell, DATA)
    run(
        shell,
        "%%nnfp -q -o centre\n"
        "distance : R[3] ~> R\n"
        "distance x = squaredError x ?centre\n"
        "centre = distance.centre",
    )
    run(shell, "%nnfp train distance --data X --optimizer sgd --rate 'linear 0.1' --epochs 200")
    run(shell, "%%nnfp -q -o found\nfound = distance.centre")
    numpy.testing.assert_allclose(run(shell, "found"), run(shell, "X.mean(0)"), atol=2e-2)


@pytest.mark.slow
def test_train_shows_a_metric_of_the_language_and_stops_at_a_goal(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, DATA)
    run(shell, "%%nnfp -q\nclassify : R[3] ~> R[2]\nclassify = dense[2]")
    run(
        shell,
        "%nnfp train classify --data X,label --loss crossEntropy --metric accuracy --valid 0.2 "
        "--epochs 500 --rate 0.05 --until 'accuracy >= 0.9'",
    )
    printed = capsys.readouterr().out
    assert "the goal is reached" in printed
    assert "validation accuracy" in printed


def test_train_that_is_interrupted_while_it_gets_ready_says_so(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def struck(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    run(shell, DATA)
    run(shell, "%%nnfp -q\nmodel : R[3] ~> R\nmodel x = ?w @ x")
    monkeypatch.setattr("nnfp_kernel.runtime.training.train.train", struck)
    run(shell, "%nnfp train model --data X,y --loss squaredError")
    printed = capsys.readouterr().out
    assert printed == "interrupted before it began. The weights are as they were.\n"


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_train_begins_not_after_an_interrupt_that_python_drops(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Deaf:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(10**8):  # until it comes
                pass

    def deaf(*given: object, **named: object) -> None:
        del [Deaf()][:]

    run(shell, DATA)
    run(shell, "%%nnfp -q\nmodel : R[3] ~> R\nmodel x = ?w @ x")
    monkeypatch.setattr("nnfp_kernel.runtime.training.train.train", deaf)
    run(shell, "%nnfp train model --data X,y --loss squaredError")
    printed = capsys.readouterr().out
    assert printed == "interrupted before it began. The weights are as they were.\n"


def test_train_takes_batches_that_python_makes(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, DATA)
    run(
        shell,
        "def parts(count):\n    for k in range(count):\n        yield X[k::9], y[k::9]\n"
        "    raise OSError('the disk is gone')\nbatches = parts(7)",
    )
    run(shell, "%%nnfp -q\nline : R[3] ~> R\nline x = ?w @ x + ?b")
    run(
        shell,
        "%nnfp train line --data batches --loss squaredError --steps 40 --valid X,y --metric "
        "squaredError",
    )
    printed = capsys.readouterr().out
    assert "stopped: the data raised OSError: the disk is gone (parts, line 4)" in printed
    assert "after 7 steps in" in printed
    assert "validation squaredError" in printed


def test_load_takes_what_fits_when_asked_for_a_part(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "line.safetensors"
    run(shell, "%%nnfp -q\nline : R[3] ~> R\nline x = ?w @ x + ?b")
    run(shell, f"%nnfp save line {file}")
    run(shell, "%%nnfp -q\nline : R[3] ~> R\nline x = ?w @ x + ?offset")
    assert isinstance(shell.run_cell(f"%nnfp load line {file}").error_in_exec, NnfpError)
    capsys.readouterr()
    run(shell, f"%nnfp load line {file} --partial")
    printed = capsys.readouterr().out
    assert "line: line.w loaded from" in printed
    assert "line.offset may be what it calls line.b" in printed


def test_train_takes_options_by_name_and_what_optax_made(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, DATA)
    run(shell, "import optax\nmine = optax.adam(0.05)\nslower = optax.linear_schedule(0.1, 0, 900)")
    run(shell, "%%nnfp -q\nline : R[3] ~> R\nline x = ?w @ x + ?b")
    asked = "%nnfp train line --data X,y --loss squaredError --valid 0.2 "
    run(shell, asked + "--epochs 2 --optimizer mine --clip 2")
    assert "finished: 2 epochs" in capsys.readouterr().out
    run(shell, asked + "--epochs 900 --schedule slower --decay 1e-4 --ema 0.9 --patience 3")
    assert "stopped early: 3 validations without a better one" in capsys.readouterr().out


@pytest.mark.slow
def test_train_keeps_itself_in_a_folder_and_goes_on_from_it(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(shell, "%%nnfp\ndistance x = squaredError x (?centre : R[2])")
    run(shell, "import numpy\nX = numpy.ones((20, 2))")
    line = "%nnfp train distance --data X --optimizer sgd --rate 0.1 --batch 20"
    kept = f"--checkpoint {tmp_path / 'runs'}"
    told(shell, f"{line} --steps 20 {kept} --every 1m", capsys)
    resumed = told(shell, f"{line} --steps 60 {kept} --resume", capsys)
    assert "60 epochs, the last 40 in" in resumed
    for wrong, said in (
        (f"--steps 60 {kept} --resume --seed 5", "its seed is 0, and that of this one 5"),
        (f"--steps 60 {kept} --every soon", "write a time, for example 60s"),
        (f"--steps 60 --checkpoint {tmp_path / 'none'} --resume", "no checkpoint in"),
    ):
        with pytest.raises(UsageError, match=said):
            run(shell, f"{line} {wrong}")


def test_train_takes_a_list_of_sequences_of_different_lengths(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        shell,
        "import numpy\nr = numpy.random.default_rng(0)\n"
        "xs = [r.normal(size=(int(n), 2)) for n in r.integers(0, 6, 40)]\n"
        "ys = [float(x.sum()) for x in xs]",
    )
    run(
        shell,
        "%%nnfp -q\n"
        "total : [R[2]] ~> R\n"
        "total = fold (\\(s, x) -> s + dot ?w x) 0\n"
        "miss : R -> R -> R\n"
        "miss s y = abs (s - y)",
    )
    run(
        shell,
        "%nnfp train total --data xs,ys --loss squaredError --metric miss --valid 0.2 "
        "--optimizer sgd --rate 0.05 --batch 8 --epochs 60",
    )
    printed = capsys.readouterr().out
    assert "finished: 60 epochs" in printed
    assert "validation miss" in printed
    run(shell, "%%nnfp -q -o total -o w\nw = total.w")
    numpy.testing.assert_allclose(run(shell, "w"), [1.0, 1.0], atol=1e-3)
    numpy.testing.assert_allclose(run(shell, "total(xs)"), run(shell, "ys"), atol=1e-2)


@pytest.mark.slow
def test_data_are_looked_up_in_the_program_first(shell: InteractiveShell) -> None:
    run(shell, "import numpy\npoints = numpy.full((4, 2), 100.0)")
    run(shell, "distance = numpy.full((4, 2), 3.0)")  # in the program that is a function
    run(
        shell,
        "%%nnfp -q\n"
        "points = [[1, 2], [3, 4]]\n"
        "distance : R[2] ~> R\n"
        "distance x = squaredError x ?centre",
    )
    run(shell, "%nnfp train distance --data points --optimizer sgd --rate 0.2 --epochs 100")
    run(shell, "%%nnfp -q -o found\nfound = distance.centre")
    numpy.testing.assert_allclose(run(shell, "found"), [2.0, 3.0], atol=0.2)

    run(shell, "%nnfp train distance --data distance --optimizer sgd --rate 0.2 --epochs 100")
    run(shell, "%%nnfp -q -o found\nfound = distance.centre")
    numpy.testing.assert_allclose(run(shell, "found"), [3.0, 3.0], atol=0.2)


def test_training_that_diverges_keeps_weights_that_are_good(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, DATA)
    run(shell, "%%nnfp -q -o model\nmodel : R[3] ~> R\nmodel x = ?w @ x + ?b")
    run(
        shell,
        "%nnfp train model --data X,y --loss squaredError --optimizer sgd --rate 1e12",
    )
    assert "turned NaN or infinite" in capsys.readouterr().out
    assert numpy.isfinite(run(shell, "model(X[0])"))


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("label.astype(float)", "`.astype(int)` makes them"),
        ("numpy.eye(2)[label]", "`.argmax(-1)` makes it"),
        ("numpy.array(['no', 'yes'])[label]", "return_inverse=True"),
    ],
)
def test_classes_in_another_form_are_told_how_to_make_them_indices(
    shell: InteractiveShell, label: str, said: str
) -> None:
    run(shell, f"{DATA}\nlabel = numpy.arange(len(X)) % 2\ngiven = {label}")
    run(shell, "%%nnfp -q\nmodel : R[3] ~> R[2]\nmodel = dense[2]")
    with pytest.raises(NnfpError) as found:
        run(shell, "%nnfp train model --data X,given --loss crossEntropy")
    assert str(found.value).startswith("error: item 2 of the data is ")
    assert said in str(found.value)


def test_data_that_are_no_numbers_are_refused(shell: InteractiveShell) -> None:
    run(shell, f"{DATA}\nthing = object()")
    run(shell, "%%nnfp -q\nmodel : R[3] ~> R[2]\nmodel = dense[2]")
    with pytest.raises(UsageError, match="arrays of numbers, not a Python object"):
        run(shell, "%nnfp train model --data X,thing --loss crossEntropy")


def test_a_loss_that_does_not_fit_is_told_as_a_mistake_of_types(shell: InteractiveShell) -> None:
    run(shell, DATA)
    run(shell, "%%nnfp -q\nmodel : R[3] ~> R\nmodel x = ?w @ x + ?b")
    with pytest.raises(NnfpError):
        run(shell, "%nnfp train model --data X,label --loss crossEntropy")
    with pytest.raises(NnfpError):
        run(shell, "%nnfp train model --data X,y")


# --- a terminal -------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_writes_over_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([1.0, 1.05, 1.2, 1.21])
    monkeypatch.setattr("nnfp_kernel.magics.terminal.time.monotonic", lambda: next(clock))
    stream = Terminal()
    live = Printed(stream)
    for text in ("epoch 1 of 20", "too soon", "epoch 2"):
        live.update(lambda text=text: View(text))  # type: ignore[misc]
    live.update(lambda: View("finished\nloss 1"), last=True)
    assert stream.getvalue() == ("\repoch 1 of 20\repoch 2      \rfinished\nloss 1\n")


def test_what_follows_a_line_that_was_not_ended_begins_a_new_one() -> None:
    stream = Terminal()
    with contextlib.closing(Printed(stream)) as live:
        live.update(lambda: View("epoch 1 of 20"))
    assert stream.getvalue() == "\repoch 1 of 20\n"
    with contextlib.closing(Printed(stream)) as live:
        live.update(lambda: View("finished"), last=True)
    assert stream.getvalue() == "\repoch 1 of 20\n\rfinished\n"


def test_a_file_gets_a_line_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([1.0, 1.5, 2.1, 2.2])
    monkeypatch.setattr("nnfp_kernel.magics.terminal.time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    live = Printed(stream)
    for text in ("one", "too soon", "two"):
        live.update(lambda text=text: View(text))  # type: ignore[misc]
    live.update(lambda: View("end\nloss 1"), last=True)
    assert stream.getvalue() == "one\ntwo\nend\nloss 1\n"


def test_time_counts_the_adjoint_before_anything_runs(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%%nnfp -q\nlayer : R[64] ~> R[32]\nlayer x = tanh (?W @ x + ?b)")
    run(shell, "%nnfp time layer --cost")
    text = capsys.readouterr().out
    forward, adjoint = text.split("\n")[1:3]
    assert re.match(r"forward +4\.16 k ", forward)  # 2 x 64 x 32, and two for each of 32
    assert re.match(r"adjoint +6\.", adjoint)  # the same again, and an outer product
    assert "which takes 1.50 times" in text
    assert re.search(r"layer +\?W @ x +4\.10 k +6\.14 k", text)


def test_time_tells_what_was_decided_of_each_loop(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%%nnfp -q\nlast : R[3][100] ~> R[4]\n"
               "last = fold (\\(h, x) -> tanh (?W @ h + ?U @ x)) zero")  # fmt: skip
    run(shell, "%nnfp time last --cost")
    run(shell, "%nnfp time last --cost --memory 1kB")
    plain, bound = capsys.readouterr().out.split("why\n")[1:]
    first = plain.split("\n")[0]
    assert re.search(r" 100 +plain +3\.20 kB +3\.20 kB +0 +little is kept", first)
    first = bound.split("\n")[0]
    assert re.search(r" 100 +segments of 10 +3\.20 kB +480 B +[\d.]+ k +the whole", first)


def test_time_measures_the_value_and_its_gradient(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%%nnfp -q\nlayer : R[6] ~> R[3]\nlayer x = tanh (?W @ x + ?b)")
    run(shell, "import numpy\nx = numpy.ones(6)")
    run(shell, "%nnfp time layer x")
    text = capsys.readouterr().out
    rows = text.split("\n")
    assert rows[0].split()[:3] == ["layer", "compile", "run"]
    assert rows[1].startswith("forward")
    assert rows[2].startswith("with gradient")
    assert "For an input R[6]." in text


def test_a_derivative_is_text_html_and_latex(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%%nnfp -q\nlayer : R[2] ~> R[3]\nlayer x = tanh (?W @ x + ?b)")
    with capture_output() as captured:
        shell.run_line_magic("nnfp", "derivative layer")
    (shown,) = captured.outputs
    assert set(shown.data) == {"text/plain", "text/html", "text/latex"}
    assert r"dy &= (1 - y^2) \odot W\,dx" in shown.data["text/latex"]
    steps = told(shell, "%nnfp derivative layer --adjoint --steps", capsys)
    assert "adjoint of a composition: (L >> M)† = M† >> L†" in steps


@pytest.fixture
def workspace() -> Workspace:
    return Workspace(TerminalHost(io.StringIO()))


def seen(workspace: Workspace, line: str) -> View:
    view = workspace.line(line)
    assert view is not None
    return view


def test_graph_draws_the_wiring_and_tells_the_traced_graph(workspace: Workspace) -> None:
    workspace.run("net : R[3] ~> R[2]\nnet = dense[4] >> tanh >> dense[2]")
    view = seen(workspace, "graph net")
    assert {"text/plain", "text/html", "image/svg+xml"} == set(view._repr_mimebundle_())
    assert "[ dense[4] ○ ]" in str(view)
    assert "<svg" in view.html
    assert "contract" in str(seen(workspace, "graph net --dag"))
    assert "adjoint" in seen(workspace, "graph net --adjoint").html
    workspace.run("tag : R[n,3] ~> R[n,2]\ntag = map net")
    assert "unrolled over 3 positions" in seen(workspace, "graph tag --unroll 3").html
    with pytest.raises(UsageError, match="from 1 to"):
        workspace.line("graph tag --unroll 0")


def test_bend_shows_the_data_after_every_stage() -> None:
    X = numpy.random.default_rng(0).normal(size=(30, 2))
    names = {"X": X, "kind": X[:, 0] > 0, "wrong": X[:3, 0]}
    workspace = Workspace(TerminalHost(io.StringIO()), names)
    workspace.run("net : R[2] ~> R[1]\nnet = dense[3] >> tanh >> dense[1]")
    view = seen(workspace, "bend net X --colour kind")
    assert {"text/plain", "text/html", "image/svg+xml"} == set(view._repr_mimebundle_())
    lines = str(view).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["x", "dense[3]", "tanh", "dense[1]", "30"]
    assert "<svg" in view.html
    assert "var(--rep1)" in view.html
    assert numpy.allclose(view.value.points(view.value.states[0]), X)  # in 32 bits
    with pytest.raises(NnfpError, match="each of the 30 points"):
        workspace.line("bend net X --colour wrong")
    with pytest.raises(UsageError, match="neither the program nor Python has a Z"):
        workspace.line("bend net Z")
    with pytest.raises(NnfpError, match="1 input"):
        workspace.line("bend net X,X")


def test_regions_and_strip_show_a_picture_and_their_numbers() -> None:
    X = numpy.random.default_rng(0).normal(size=(40, 2))
    names = {"X": X, "kind": X[:, 0] > 0, "many": numpy.zeros((1_000_000, 2))}
    workspace = Workspace(TerminalHost(io.StringIO()), names)
    workspace.run(
        "net : R[2] ~> R[1]\nnet = dense[3] >> relu >> dense[1]\nsame : R[2] -> R[2]\nsame x = x\n"
        "soft : R[2] -> R[2]\nsoft = tanh"
    )
    forms = {"text/plain", "text/html", "image/svg+xml"}
    cut = seen(workspace, "regions net X --colour kind")
    assert forms == set(cut._repr_mimebundle_())
    assert str(cut).splitlines()[-2].split() == ["dense[1]", "R[1]", str(len(cut.value))]
    found = seen(workspace, "strip net X --colour kind")
    assert forms == set(found._repr_mimebundle_())
    assert str(found).splitlines()[2].split()[:2] == ["x", "R[2]"]
    assert "100 %" in str(found).splitlines()[2]
    for verb in ("regions", "strip"):
        with pytest.raises(NnfpError, match="no stages"):
            workspace.line(f"{verb} same X")
        with pytest.raises(NnfpError, match="at most 20,000 can be drawn"):
            workspace.line(f"{verb} net many")
    with pytest.raises(NnfpError, match="`tanh` is not piecewise linear"):
        workspace.line("regions soft X")


def test_graph_draws_a_cata_over_a_tree_written_down_or_by_name(workspace: Workspace) -> None:
    workspace.run(
        "data Tree = Leaf R | Node Tree Tree\ntotal : Tree -> R\n"
        "total = cata { Leaf x -> x; Node l r -> l + r }\nsmall = Node (Leaf 1) (Leaf 2)"
    )
    for tree in ('"Node (Leaf 1) (Leaf 2)"', "small"):
        assert "over the tree" in seen(workspace, f"graph total --on {tree}").html
    with pytest.raises(UsageError, match="a tree is wanted"):
        workspace.line("graph total --on 3")


def test_a_derivative_at_a_point_is_a_matrix(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%%nnfp -q\nf : R[2] -> R[2]\nf x = x * x")
    run(shell, "import numpy\npoint = numpy.array([1.0, 3.0])")
    shown = told(shell, "%nnfp derivative f --adjoint --at point", capsys)
    assert "fAdjoint x = \\w -> let v = x * w in v + v" in shown
    assert "fAdjoint x = diag x + diag x" in shown
    assert "the linear map there is [[2., 0.], [0., 6.]]" in shown


def test_a_point_is_whatever_the_function_takes(workspace: Workspace) -> None:
    workspace.run(
        "data Tree = Leaf R | Node Tree Tree\ntotal : Tree -> R\n"
        "total = cata { Leaf x -> x * x; Node l r -> l + r }\n"
        "griewank : (R, R) -> R\ngriewank (x1, x2) = log x1 + x1 * x2 - sin x2\n"
        "chosen : R[3] -> Fin[3] -> R\nchosen xs k = xs ! k * 2\nplace = [1, 2, 4]"
    )
    found = str(seen(workspace, "derivative griewank --at (2, 5)"))
    assert "at (x1, x2) = (2., 5.): 11.65207, gradient (5.5, 1.71634)" in found
    found = str(seen(workspace, "derivative chosen --adjoint --at place, 2"))
    assert "= ([1., 2., 4.], 2): 8., gradient ([0., 0., 2.], ())" in found
    found = str(seen(workspace, "derivative total --at Node (Leaf 1) (Leaf 3)"))
    assert "gradient Node (Leaf 2.0) (Leaf 6.0)" in found
    with pytest.raises(UsageError, match="--page 2: there is one page"):
        workspace.line("derivative griewank --steps --page 2")
    with pytest.raises(UsageError, match="takes 2 arguments, found 1"):
        workspace.line("derivative chosen --at place")
    with pytest.raises(NnfpError, match="elsewhere"):
        workspace.line("derivative griewank --at elsewhere")
    with pytest.raises(NnfpError, match="depends on the tree"):
        workspace.line("derivative total --structure")
    structure = str(seen(workspace, "derivative total --structure --at Node (Leaf 1) (Leaf 3)"))
    assert "; 1 x 2." in structure
    with pytest.raises(NnfpError) as nowhere:  # after a verb there is nothing to be learned
        workspace.line("derivative nope")
    assert "?nope" not in nowhere.value.render()
