"""A call like an earlier one goes straight to what was compiled, and forgets nothing."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy
import pytest

import nnfp_kernel as nnfp
from nnfp_kernel.runtime.calls import arguments, specialise
from nnfp_kernel.runtime.exchange import form_of

PROGRAM = """
data Sign = Plus | Minus
line : R[2] ~> R
line x = dot ?w x + ?b

pick : Fin[3] -> R
pick i = [10, 20, 30] ! i

both : (R[n], R) -> R[n]
both (x, a) = a * x

signed : Sign -> R
signed s = case s of { Plus -> 1 ; Minus -> 0 - 1 }

noise : R -> R
noise x = x + draw (normal 1)
"""


@pytest.fixture
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64)
    made.run(PROGRAM)
    made.weights = {"line.w": numpy.array([1.0, 2.0]), "line.b": 3.0}
    return made


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was looked at, entry by entry."""
    seen: list[Any] = []
    match = specialise.match

    def counted(expected: Any, value: Any, *rest: Any, **options: Any) -> Any:
        seen.append(value)
        return match(expected, value, *rest, **options)

    monkeypatch.setattr(specialise, "match", counted)  # inputs
    monkeypatch.setattr(arguments, "match", counted)  # weights
    return seen


def test_inputs_of_a_form_that_was_checked_are_not_checked_again(
    session: nnfp.Session, checks: list[Any]
) -> None:
    line, x = session["line"], numpy.array([1.0, 1.0])
    assert line(x) == 6
    looked = len(checks)
    assert looked
    assert line(2 * x) == 9
    assert line.apply(line.weights, 3 * x) == 12
    assert line.value_and_grad(line.weights, x)[0] == 6
    assert len(checks) == looked
    with pytest.raises(nnfp.NnfpError, match=r"R\[3\]"):
        line(numpy.ones(3))


def test_one_executable_serves_all_ways_to_write_a_number(session: nnfp.Session) -> None:
    both = session["both"]
    wanted = [2.0, 4.0]
    for x in ([1, 2], numpy.array([1.0, 2.0]), numpy.array([1, 2], "int32"), jnp.array([1.0, 2.0])):
        for a in (2.0, 2, numpy.float32(2), jnp.asarray(2.0), jnp.float32(2) * 1.0):
            for _ in range(2):
                assert both((x, a)).tolist() == wanted
    assert both.compilations == 1


def test_weights_that_change_are_seen(session: nnfp.Session) -> None:
    line, x = session["line"], numpy.array([1.0, 1.0])
    own = line.weights
    assert (line(x), line(x)) == (6, 6)
    session.weights = {"line.b": 0.0}
    assert line(x) == 3
    own["line"]["b"] = jnp.asarray(10.0)  # a dictionary of the caller's
    assert line.apply(own, x) == 13
    own["line"]["b"] = jnp.asarray(20.0)
    assert line.apply(own, x) == 23
    del own["line"]["b"]
    with pytest.raises(nnfp.NnfpError, match=r"line\.b"):
        line.apply(own, x)
    session.reset_weights("line")
    assert line(x) != 3
    held = session.weights
    held["line"]["w"] = None  # a copy is handed out
    assert jnp.isfinite(line(x))


def test_a_weight_of_another_shape_is_refused_after_one_that_fits(session: nnfp.Session) -> None:
    line, x = session["line"], numpy.array([1.0, 1.0])
    own = line.weights
    line.apply(own, x)
    own["line"]["w"] = numpy.ones(3)
    with pytest.raises(nnfp.NnfpError, match=r"line\.w"):
        line.apply(own, x)


def test_entries_that_must_be_looked_at_always_are(session: nnfp.Session) -> None:
    pick = session["pick"]
    assert [float(pick(numpy.int64(k))) for k in range(3)] == [10, 20, 30]
    with pytest.raises(nnfp.NnfpError, match="from 0 to 2"):
        pick(numpy.int64(3))
    signed = session["signed"]
    values = [session.constructor(name)() for name in ("Plus", "Minus", "Plus")]
    assert [float(signed(value)) for value in values] == [1, -1, 1]


def test_what_is_no_plain_array_has_no_form() -> None:
    assert form_of((numpy.ones(3), (1.0, jnp.ones(2)))) is not None
    for value in ([1.0], None, "x", 1 << 40, {"w": 1.0}):
        assert form_of((1.0, value)) is None


def test_every_call_draws_anew(session: nnfp.Session) -> None:
    noise = session["noise"]
    assert len({float(noise(0.0)) for _ in range(4)}) == 4
    key = jax.random.key(1)
    assert noise(0.0, key=key) == noise(0.0, key=key)
    with pytest.raises(nnfp.NnfpError, match="key"):
        noise.apply({}, 0.0)


def test_a_known_form_composes_with_jax(session: nnfp.Session) -> None:
    line, x = session["line"], jnp.array([1.0, 1.0])
    line(x)
    w = line.weights
    assert jax.jit(line.apply)(w, x) == 6
    assert jax.vmap(line.apply, (None, 0))(w, jnp.stack([x, 2 * x])).tolist() == [6, 9]
    assert jax.grad(line.apply, argnums=1)(w, x).tolist() == [1, 2]
