"""Sizes are a ring whose laws evaluation judges; equations are solved, never guessed."""

import ast

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from nnfp_kernel.language import sizes
from nnfp_kernel.language.size_equations import Contradiction, solve
from nnfp_kernel.language.sizes import (
    ONE,
    ZERO,
    Size,
    SizeVariable,
    as_size,
    at_least,
    bounds,
    constant,
    variable,
)

NAMES = ("n", "m", "k")
VARIABLES = {name: SizeVariable(name) for name in NAMES}
n, m, k = (variable(name) for name in NAMES)
N, M, K = VARIABLES.values()
OPEN = {name: SizeVariable(name, open=True) for name in NAMES}


def divided(pair):
    return pair[0] // pair[1]


def polynomials(variables=(N, M, K), quotients=True):
    """Sizes with quotients by numbers, as windows and pools make them."""
    leaves = st.one_of(
        st.integers(-4, 4).map(constant),
        st.sampled_from([as_size(v) for v in variables]),
    )
    return st.recursive(
        leaves,
        lambda part: st.one_of(
            st.tuples(part, part).map(lambda p: p[0] + p[1]),
            st.tuples(part, part).map(lambda p: p[0] - p[1]),
            st.tuples(part, part).map(lambda p: p[0] * p[1]),
            *(
                [st.tuples(part, st.sampled_from([-3, -1, 1, 2, 3, 4, 6])).map(divided)]
                if quotients
                else []
            ),
        ),
        max_leaves=6,
    )


environments = st.fixed_dictionaries({v: st.integers(0, 7) for v in VARIABLES.values()})


def number(size: Size, environment) -> int:
    """The independent judge: evaluation, negative answers allowed."""
    return (size + 10**9).evaluate(environment) - 10**9


# --- the ring ------------------------------------------------------------------------------


@given(polynomials(), polynomials(), environments)
def test_operators_are_those_of_the_integers(a, b, environment):
    x, y = number(a, environment), number(b, environment)
    assert number(a + b, environment) == x + y
    assert number(a - b, environment) == x - y
    assert number(a * b, environment) == x * y
    assert number(-a, environment) == -x
    assert number(2 + a, environment) == 2 + x
    assert number(2 - a, environment) == 2 - x
    assert number(3 * a, environment) == 3 * x


@given(polynomials(), polynomials(), environments)
def test_division_rounds_down(a, b, environment):
    below = number(b, environment)
    assume(below != 0)
    assert number(a // b, environment) == number(a, environment) // below


@given(polynomials(), polynomials(), polynomials())
def test_equal_sizes_are_equal_data(a, b, c):
    assert (a + b) * c == c * a + b * c
    assert (a + b) + c == a + (c + b)
    assert a - a == ZERO
    assert a + 0 == a * 1 == a // 1 == a
    assert hash(a + b) == hash(b + a)


@given(polynomials(), polynomials(), st.integers(1, 6))
def test_what_divides_leaves_the_quotient(a, b, d):
    assert (a * d) // d == a
    assert (a + b * d) // d == a // d + b


@given(polynomials(quotients=False), st.integers(1, 5), st.integers(1, 5), st.integers(-9, 9))
def test_a_quotient_of_a_quotient_is_one_quotient(a, b, c, offset):
    """A chain of strided windows is one window."""
    assert a // b // c == a // (b * c)
    assert (a // b + offset) // c == (a + offset * b) // (b * c)


@given(polynomials())
def test_the_normal_form_has_sorted_terms_and_no_zeros(a):
    assert all(coefficient != 0 for _, coefficient in a.terms)
    assert sizes.normal(dict(reversed(a.terms))) == a
    assert len({monomial for monomial, _ in a.terms}) == len(a.terms)


@given(polynomials(), polynomials(), polynomials(), environments)
def test_substitution_is_evaluation_of_the_parts(a, first, second, environment):
    inner = {**environment, N: number(first, environment), M: number(second, environment)}
    assert number(a.substitute({N: first, M: second}), environment) == number(a, inner)


def test_substitution_reaches_into_quotients_and_normalises():
    assert ((n - 3) // 2 + 1).substitute({N: 2 * m + 5}) == m + 2
    assert ((n - k) // m + 1).substitute(
        {N: constant(10), K: constant(3), M: constant(2)}
    ) == 4 * ONE
    assert (n + 1).substitute({M: ZERO}) == n + 1


def test_variables_are_found_inside_quotients():
    assert ((n - k) // 2 + 1).variables() == {N, K}
    assert ((n + 1) // m).variables() == {N, M}
    assert constant(3).variables() == frozenset()


def test_a_quotient_by_a_variable_is_exact_where_it_divides():
    assert (n * m) // m == n
    assert (n * m + 2 * m) // m == n + 2
    assert (2 * n + 2 * m) // (n + m) == constant(2)
    assert (n * m + k) // m == n + k // m
    assert ((n + m) // k).value is None


def test_division_by_zero_is_refused():
    with pytest.raises(ValueError, match="division by 0"):
        n // 0
    with pytest.raises(ValueError, match="division by 0"):
        (n // m).substitute({M: ZERO})
    with pytest.raises(ValueError, match="m is 0"):
        (n // m).evaluate({N: 3, M: 0})


def test_evaluation_refuses_negative_sizes_and_says_why():
    with pytest.raises(ValueError, match="n-3 is -1 at n = 2, and a size is at least 0"):
        (n - 3).evaluate({N: 2})
    with pytest.raises(ValueError, match="-1 is -1, and a size"):
        constant(-1).evaluate({})
    with pytest.raises(KeyError):
        (n - 3).evaluate({})
    assert (n - 3).evaluate({N: 3}) == 0


# --- writing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (constant(5), "5"),
        (ZERO, "0"),
        (n - 2, "n-2"),
        (2 * n + m, "2*n+m"),
        (m + n, "n+m"),
        (m * n - 2 * n - 2 * m + 4, "n*m-2*n-2*m+4"),
        ((n - k) // 2 + 1, "(n-k)/2+1"),
        ((n - k) // m + 1, "(n-k)/m+1"),
        (-(n // 2) - 1, "-(n/2)-1"),
        (-n - 1, "-n-1"),
        (n - m + 4, "n-m+4"),
        ((n - 3) // 2 + 1, "(n-1)/2"),
        ((n - 3) // 1 + 1, "n-2"),
        (n // 3, "n/3"),
        (2 * (n // 3), "2*(n/3)"),
        ((2 * n) // 3, "2*n/3"),
        ((3 * n) // 2, "3*n/2"),
        (m * (n // 3), "m*(n/3)"),
        (n - m // 2, "n-m/2"),
        (n // (m * k), "n/(m*k)"),
        (n // 2 // 2, "n/4"),
        (5 - n, "5-n"),
        (n * n - 1, "n*n-1"),
        (variable("n", open=True), "_n"),
        (variable("n", open=True) + 1, "_n+1"),
        (variable("hidden") * 4, "4*hidden"),
    ],
)
def test_sizes_are_written_as_people_write_them(size, text):
    assert str(size) == text


def parsed(text: str, variables) -> Size:
    """Python's own parser as the judge of what a text means."""

    def size(tree: ast.expr) -> Size:
        match tree:
            case ast.Constant(value=int(value)):
                return constant(value)
            case ast.Name(id=name):
                return as_size(variables[name])
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -size(operand)
            case ast.BinOp(left=left, op=op, right=right):
                a, b = size(left), size(right)
                match op:
                    case ast.Add():
                        return a + b
                    case ast.Sub():
                        return a - b
                    case ast.Mult():
                        return a * b
                    case ast.FloorDiv():
                        return a // b
        raise AssertionError(ast.dump(tree))

    return size(ast.parse(text.replace("/", "//"), mode="eval").body)


@given(polynomials())
@example((n + k) // 2 - 3 * k + m // 3)
@example(-(n // 2) - 1)
@example((n // 2 + m // 3) // 5)
def test_what_is_written_reads_back_as_the_same_size(a):
    assert parsed(str(a), VARIABLES) == a
    assert " " not in str(a)


@given(polynomials(), polynomials())
def test_quotients_by_sizes_read_back(a, b):
    assume(b != ZERO)
    quotient = a // b
    assert parsed(str(quotient), VARIABLES) == quotient


def test_names_and_their_order_can_be_given():
    first, second = SizeVariable("n", 7), SizeVariable("n", 9)
    size = as_size(first) + as_size(second) * 2
    assert size.show({first: "n", second: "n2"}) == "n+2*n2"
    assert size.show({second: "n2", first: "n"}) == "2*n2+n"


# --- bounds --------------------------------------------------------------------------------


@given(polynomials(), environments)
def test_bounds_hold_everywhere(a, environment):
    low, high = bounds(a)
    value = number(a, environment)
    assert low is None or low <= value
    assert high is None or value <= high


@given(polynomials(), polynomials(), environments, st.integers(-3, 3))
def test_at_least_is_proved(a, b, environment, bound):
    assume(number(b, environment) != 0)
    size = a // b
    answer = at_least(size, bound)
    if answer is not None:
        assert (number(size, environment) >= bound) is answer


def test_at_least_decides_what_it_can():
    assert at_least(n + 3, 3) is True
    assert at_least(n - 3, 0) is None
    assert at_least(2 - n, 3) is False
    assert at_least(n // 2, 0) is True
    assert at_least((n + 4) // 2, 2) is True
    assert at_least(n * m, 0) is True
    assert at_least((n + 1) * (m + 2), 2) is True
    assert at_least(n // (m + 1), 0) is True
    assert at_least(constant(4), 5) is False


# --- equations -----------------------------------------------------------------------------

o_n, o_m, o_k = (as_size(v) for v in OPEN.values())
O_N, O_M, O_K = OPEN.values()


@pytest.mark.parametrize(
    ("left", "right", "unknown", "solution"),
    [
        (o_n, constant(3), O_N, constant(3)),
        (o_n + 2, m * 3, O_N, m * 3 - 2),
        (2 * o_n, constant(6), O_N, constant(3)),
        (2 * o_n, 4 * m + 2, O_N, 2 * m + 1),
        (o_n - 2, o_m, O_N, o_m + 2),  # not m = n-2
        (o_m, o_n - 2, O_N, o_m + 2),
        (2 * o_n, o_m, O_M, 2 * o_n),
        (2 * o_n, 2 * o_m + 2, O_N, o_m + 1),
        (o_n, m * k, O_N, m * k),
        (o_n, (m - 3) // 2, O_N, (m - 3) // 2),
        (o_n + o_m, ZERO, O_M, ZERO),
        (o_n + m, ZERO, O_N, ZERO),
        (o_n + (m + 2) // 2, ONE, O_N, ZERO),
        (6 * o_n + 3, 9 * m, None, None),  # 2*n + 1 = 3*m
        (o_n * o_m, constant(6), None, None),
        (o_n * m, 3 * m, O_N, constant(3)),
        (o_n * m, m * k + 2 * m, O_N, k + 2),
        (2 * o_n * m, 2 * m * (k // 2), O_N, k // 2),
        (o_n * m, 3 * m + 1, None, None),
        (o_n * o_m, 3 * o_m, None, None),
        (o_n * (m // 2), 3 * (m // 2), None, None),
        (o_n * o_n, constant(4), None, None),
        (o_n // 2, constant(3), None, None),
        (o_n + o_n // 2, constant(3), None, None),
        (2 * o_n, m, None, None),
        (n, m, None, None),  # rigid
    ],
)
def test_equations_are_solved_where_they_are_linear(left, right, unknown, solution):
    answer = solve(left, right)
    assert answer == (None if unknown is None else (unknown, solution))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (constant(3), constant(4)),
        (n + 1, n),
        (o_n + 1, o_n),
        (2 * o_m, constant(5)),
        (2 * m, constant(5)),
        (2 * n + 4 * m, 2 * k + 1),
        (2 * (n // 3), constant(5)),
        (o_n + 3, ONE),
        (n + m + 1, ZERO),
        (n // 2 + 1, ZERO),
    ],
)
def test_contradictions_are_proved(left, right):
    answer = solve(left, right)
    assert isinstance(answer, Contradiction)
    assert str(left) in answer.reason
    assert str(right) in answer.reason


def test_equal_sides_need_nothing():
    assert solve(o_n + 1, 1 + o_n) is None


def test_a_run_time_length_is_kept():
    length = SizeVariable("n", 1, open=True, runtime=True)
    assert solve(as_size(length), o_m) == (O_M, as_size(length))
    assert solve(o_m, as_size(length)) == (O_M, as_size(length))


mixed = polynomials((N, M, O_K, O_M))
all_environments = st.fixed_dictionaries({v: st.integers(0, 7) for v in (N, M, O_K, O_M)})


@given(mixed, mixed, all_environments)
@example(o_k + n, o_m + 2, {N: 1, M: 0, O_K: 3, O_M: 2})
@example(o_k * n, n * m, {N: 0, M: 0, O_K: 3, O_M: 2})
def test_what_solves_an_equation_is_forced_and_suffices(left, right, environment):
    answer = solve(left, right)
    holds = number(left, environment) == number(right, environment)
    match answer:
        case Contradiction():
            assert not holds
        case (unknown, solution):
            assert unknown.open
            assert unknown not in solution.variables()
            if holds:  # forced: nothing else was possible, but at a coefficient of 0
                difference = left - right
                slope = difference.substitute({unknown: ONE}) - difference.substitute(
                    {unknown: ZERO}
                )
                if number(slope, environment) != 0:
                    assert environment[unknown] == number(solution, environment)
        case None:
            pass


@given(mixed, mixed, all_environments)
def test_a_solution_makes_both_sides_equal(left, right, environment):
    answer = solve(left, right)
    assume(isinstance(answer, tuple))
    unknown, solution = answer
    if solution != ZERO:  # a vanishing sum makes its other terms vanish one by one
        assert left.substitute({unknown: solution}) == right.substitute({unknown: solution})


def test_arithmetic_is_quick():
    """Inference makes many thousands: a thousand sums of a thousand terms' kin stay small."""
    total = ZERO
    for index in range(500):
        total = total + variable(f"x{index}") * 2
    assert len(total.terms) == 500
    assert total // 2 * 2 == total
