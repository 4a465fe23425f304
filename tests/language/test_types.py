"""Types are written as the language reads them, with brackets only where needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnfp_kernel.language import syntax
from nnfp_kernel.language.parser import parse_type
from nnfp_kernel.language.sizes import Size, SizeVariable, constant, variable
from nnfp_kernel.language.source import Source, Span
from nnfp_kernel.language.typed import DataDeclaration, RepDeclaration
from nnfp_kernel.language.types import (
    BOOL,
    INT,
    UNIT,
    Array,
    C,
    Fin,
    Function,
    Linear,
    Named,
    Origin,
    Product,
    R,
    Scalar,
    Scheme,
    Type,
    TypeVariable,
    Weights,
    free_variables,
    is_vector_space,
    show,
    show_scheme,
    substitute,
)

n, m, k = variable("n"), variable("m"), variable("k")
length = variable("l", runtime=True)
a, b = TypeVariable("a"), TypeVariable("b")
word = Named("Word")


def array(element, *sizes):
    """`t[n,m]`: sizes from the outermost axis inwards."""
    for size in reversed(sizes):
        element = Array(element, constant(size) if isinstance(size, int) else size)
    return element


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (R, "R"),
        (UNIT, "()"),
        (array(R, n, m), "R[n,m]"),
        (array(R, n - 2, 5), "R[n-2,5]"),
        (array(R, (n - k) // 2 + 1), "R[(n-k)/2+1]"),
        (array(word, 10), "Word[10]"),
        (array(word, length), "[Word]"),
        (array(array(R, 3), length), "[R[3]]"),
        (array(array(R, length), 3), "[R][3]"),
        (array(array(R, length), 3, 4), "[R][3,4]"),
        (array(array(R, length), length), "[[R]]"),
        (array(R, length + 1), "R[l+1]"),
        (array(R, variable("l", runtime=True, open=True)), "[R]"),
        (Product((array(R, 32), word)), "(R[32], Word)"),
        (array(Product((a, b)), n), "(a, b)[n]"),
        (Fin(constant(10)), "Fin[10]"),
        (array(Fin(n), 5), "Fin[n][5]"),
        (Named("Tree", (array(R, 3),)), "Tree R[3]"),
        (Named("Tree", (Named("Tree", (a,)),)), "Tree (Tree a)"),
        (array(Named("Tree", (R,)), 4), "(Tree R)[4]"),
        (Named("Pair", (R, Function(a, b))), "Pair R (a -> b)"),
        (Weights("cell"), "Weights cell"),
        (Named("Pair", (Weights("f"), R)), "Pair (Weights f) R"),
        (Function(R, Function(C, BOOL)), "R -> C -> Bool"),
        (Function(Function(R, C), INT), "(R -> C) -> Int"),
        (Function(Linear(R, C), Linear(R, C)), "(R -o C) -> (R -o C)"),
        (Linear(R, Function(R, R)), "R -o R -> R"),
        (array(Function(a, b), n), "(a -> b)[n]"),
        (Product((Function(a, b), R)), "(a -> b, R)"),
        (array(Linear(a, b), length), "[a -o b]"),
    ],
)
def test_types_are_written_as_the_language_reads_them(type, text):
    assert show(type) == text


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (Function(array(word, length), Named("Thought")), "[Word] ~> Thought"),
        (Function(R, Function(R, R)), "R ~> R -> R"),
        (Function(Function(R, R), R), "(R -> R) ~> R"),
        (array(R, 3), "() ~> R[3]"),
        (Linear(R, R), "R -o R"),
    ],
)
def test_the_first_arrow_says_that_a_definition_learns(type, text):
    assert show(type, learns=True) == text


def test_open_variables_begin_with_an_underscore():
    open_size, open_type = variable("n", open=True), TypeVariable("a", open=True)
    assert show(Function(array(open_type, open_size + 1), a)) == "_a[_n+1] -> a"


def test_two_variables_of_one_name_are_told_apart():
    first, second, third = (variable("n", identity) for identity in (4, 2, 9))
    product = Product((array(R, first), array(R, second), array(R, third + first)))
    assert show(product) == "(R[n], R[n2], R[n+n3])"
    types = Product((TypeVariable("a", 1), TypeVariable("a", 2), TypeVariable("a", 1)))
    assert show(types) == "(a, a2, a)"


def test_sizes_are_written_in_the_order_in_which_they_are_met():
    assert show(Function(array(R, k, n), array(R, n * k))) == "R[k,n] -> R[k*n]"
    assert show(Function(array(R, n * k), array(R, k, n))) == "R[n*k] -> R[k,n]"


def test_a_scheme_shows_the_constraints_that_travel_with_it():
    scheme = Scheme(Function(a, b), (a, b), (), ("b = a * a", "a is a vector space"))
    assert show_scheme(scheme) == "a -> b where b = a * a, a is a vector space"
    assert show_scheme(Scheme(R), learns=True) == "() ~> R"


def test_variables_are_listed_once_in_the_order_of_writing():
    type = Function(array(b, n, m), Product((Fin(k), a, b, array(R, n + 1))))
    assert free_variables(type) == (
        (b, a),
        (SizeVariable("n"), SizeVariable("m"), SizeVariable("k")),
    )


def test_substitution_reaches_every_part():
    type = Function(Product((array(a, n), Fin(n + 1), Named("Tree", (a,)))), Linear(a, array(b, m)))
    types, sizes = {a: array(R, m)}, {SizeVariable("n"): 2 * k}
    assert show(substitute(type, types, sizes)) == (
        "(R[2*k,m], Fin[2*k+1], Tree R[m]) -> (R[m] -o b[m])"
    )


def test_substitution_is_simultaneous():
    assert substitute(Product((a, b)), {a: b, b: a}, {}) == Product((b, a))
    swapped = {SizeVariable("n"): m, SizeVariable("m"): n}
    assert show(substitute(array(R, n, m), {}, swapped)) == "R[m,n]"


def test_substitution_keeps_origins_and_untouched_parts():
    origin = Origin(Span(Source("x"), 1, 1, 1, 2), "the argument of f")
    untouched = array(R, 3)
    type = Product((untouched, array(a, n)), origin=origin)
    assert substitute(type, {b: R}, {}) is type
    new = substitute(type, {a: R}, {})
    assert new.origin is origin
    assert new.items[0] is untouched
    with_origin = Array(a, n, origin=origin)
    assert substitute(with_origin, {a: R}, {}).origin is origin


# --- what is written reads back ----------------------------------------------------------


def read_size(tree: syntax.SizeTree) -> Size:
    match tree:
        case syntax.SizeNumber(value):
            return constant(value)
        case syntax.SizeName(name):
            return variable(name)
        case syntax.SizeBinary(operator, left, right):
            x, y = read_size(left), read_size(right)
            return {"+": x + y, "-": x - y, "*": x * y}[operator] if operator != "/" else x // y
    raise AssertionError(tree)


def read(tree: syntax.TypeTree) -> Type:
    """What a type's text means, by its grammar in LANGUAGE."""
    match tree:
        case syntax.TypeName(name):
            return (
                Scalar(name)
                if name in ("R", "C", "Bool", "Int")
                else (TypeVariable(name) if name[0].islower() else Named(name))
            )
        case syntax.TypeArray(syntax.TypeName("Fin"), (size,)):
            return Fin(read_size(size))
        case syntax.TypeArray(element, sizes):
            return array(read(element), *map(read_size, sizes))
        case syntax.TypeProduct(items):
            return Product(tuple(map(read, items)))
        case syntax.TypeApply("Weights", (syntax.TypeName(name),)):
            return Weights(name)
        case syntax.TypeApply(name, arguments):
            return Named(name, tuple(map(read, arguments)))
        case syntax.TypeArrow("-o", domain, codomain):
            return Linear(read(domain), read(codomain))
        case syntax.TypeArrow("->", domain, codomain):
            return Function(read(domain), read(codomain))
        case syntax.TypeSequence(element):
            return Array(read(element), length)
    raise AssertionError(tree)


lengths = st.sampled_from([constant(0), constant(7), n, m, n - 2, n * m, (n - k) // 2 + 1, length])
closed_types = st.recursive(
    st.sampled_from([R, C, BOOL, INT, UNIT, a, b, word, Fin(n), Fin(constant(3)), Weights("f")]),
    lambda part: st.one_of(
        st.builds(Array, part, lengths),
        st.builds(Function, part, part),
        st.builds(Linear, part, part),
        st.lists(part, min_size=2, max_size=3).map(lambda items: Product(tuple(items))),
        st.lists(part, min_size=1, max_size=2).map(lambda items: Named("Tree", tuple(items))),
    ),
    max_leaves=8,
)


@given(closed_types)
def test_what_is_written_reads_back_as_the_same_type(type):
    assert read(parse_type(show(type))) == type


DECLARATIONS = {
    "Word": RepDeclaration("Word", array(R, 4)),
    "Token": RepDeclaration("Token", Fin(constant(4))),
    "Tree": DataDeclaration("Tree", (), (("Leaf", (R,)),), False),
}


@pytest.mark.parametrize(
    ("type", "answer"),
    [
        (R, True),
        (C, True),
        (INT, False),
        (BOOL, False),
        (UNIT, True),
        (Fin(n), False),
        (array(R, n, m), True),
        (array(INT, n), False),
        (array(a, n), None),
        (Product((R, a)), None),
        (Product((a, INT)), False),
        (Product((R, word)), True),
        (word, True),
        (Named("Token"), False),
        (Named("Tree"), False),
        (Weights("f"), True),
        (Linear(R, R), True),
        (Function(R, R), False),
    ],
)
def test_vector_spaces_are_built_from_r_and_c(type, answer):
    assert is_vector_space(type, DECLARATIONS) is answer
