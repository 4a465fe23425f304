"""Spellings of windows, equations, functions of matrices, Fourier transforms and draws."""

from __future__ import annotations

from ...graph.primitive import Parameters
from ...language import syntax as s
from .axes import ordered, together
from .table import SPELLINGS, Call, Spelling, spelling
from .terms import Term, apply, lambda_, sized, type_tree, under, whole


@spelling("windows")
def _windows(call: Call) -> Term:
    options = _window_options(call.parameters)
    if options is not None:
        return call.axis_of(apply(sized("window", *call.parameters["sizes"], **options), ID))
    # A stride or dilation of its own for each axis: one axis after the other, and then the
    # axes of places before those of windows.
    tree, axis = whole(call.operands[0]), call.parameters["axis"]
    count = len(call.parameters["sizes"])
    for k, one in enumerate(_each_axis(call.parameters)):
        own = sized("window", *one["sizes"], **(_window_options(one) or {}))
        tree = apply(under(axis + 2 * k, apply(own, ID)), tree)
    labels = tuple(range(call.type.rank))
    pairs = [(axis + 2 * k, axis + 2 * k + 1) for k in range(count)]
    wanted = (
        *labels[:axis], *(place for place, _ in pairs), *(inside for _, inside in pairs),
        *labels[axis + 2 * count :],
    )  # fmt: skip
    return call.made(ordered(tree, labels, wanted))


ID = s.Name("id")


def _window_options(parameters: Parameters) -> dict[str, int] | None:
    """`stride=2`; None where each axis has its own."""
    options = {}
    for name in ("stride", "dilation"):
        given = parameters[f"{name}s"]
        if len(set(given)) > 1:
            return None
        if given[0] != 1:
            options[name] = given[0]
    return options


def _each_axis(parameters: Parameters) -> list[Parameters]:
    """Of windows over several axes what they are along each."""
    several = ("sizes", "strides", "dilations", "lengths")
    return [
        {name: value[k : k + 1] for name, value in parameters.items() if name in several}
        for k in range(len(parameters["sizes"]))
    ]


@spelling("overlapAdd")
def _overlap_add(call: Call) -> Term:
    options = _window_options(call.parameters)
    if options is not None:
        return call.axis_of(sized("overlapAdd", *call.parameters["lengths"], **options))
    (given,), axis = call.operands, call.parameters["axis"]
    count = len(call.parameters["sizes"])
    labels = tuple(range(given.type.rank))
    first = axis + count
    wanted = (
        *labels[:axis], *(k for pair in zip(labels[axis:first], labels[first:], strict=False)
                          for k in pair),
        *labels[first + count :],
    )  # fmt: skip
    tree = ordered(whole(given), labels, wanted)
    for k, one in reversed(list(enumerate(_each_axis(call.parameters)))):
        own = sized("overlapAdd", *one["lengths"], **(_window_options(one) or {}))
        tree = apply(under(axis + 2 * k, own), tree)
    return call.made(tree)


@spelling("solve")
def _solve(call: Call) -> Term:
    a, b = call.operands
    if batch := a.type.rank - 2:
        return together(call, batch, "solve", call.parameters)
    matrix = _as_matrix(a)
    if call.parameters.get("adjoint"):
        matrix = apply("transpose", matrix)
        if a.type.kind == "C":
            matrix = apply("conj", matrix)
    if b.type.rank == 1:
        return call.made(apply("solve", matrix, whole(b)), heavy=True)
    columns = apply("map", apply("solve", matrix), apply("transpose", whole(b)))
    return call.made(apply("transpose", columns), heavy=True)


def _as_matrix(given: Term) -> s.Expression:
    """A matrix where a linear map may stand, too; a parameter would be taken for that."""
    tree = whole(given)
    plain = given.untyped and isinstance(tree, s.Name)
    return s.Binary("*", s.Number(1), tree) if plain else tree


@spelling("logdet")
def _logdet(call: Call) -> Term:
    (matrix,) = call.operands
    batch = matrix.type.rank - 2
    if not batch:
        return call.made(apply("logdet", _as_matrix(matrix)), heavy=True)
    name = call.names.fresh("p")
    one = lambda_((name,), apply("logdet", s.Binary("*", s.Number(1), s.Name(name))))
    return call.made(apply(under(batch, one), whole(matrix)), heavy=True)


def _of_matrices(function: s.Expression) -> Spelling:
    """A function of a matrix, under the axes of a batch."""

    def rule(call: Call) -> Term:
        (matrix,) = call.operands
        tree = apply(under(matrix.type.rank - 2, function), whole(matrix))
        return call.made(tree, heavy=True)

    return rule


def _of_parts(name: str, *parts: str, give: s.Expression) -> Spelling:
    """`\\(w, v) -> v` after a factorisation."""
    pattern = s.PatternTuple(tuple(map(s.PatternName, parts)))
    return _of_matrices(s.Binary(">>", s.Name(name), s.Lambda((pattern,), give)))


for _name in ("expm", "logm", "sqrtm", "cholesky", "inverse", "hermitian", "leading"):
    SPELLINGS[_name] = _of_matrices(s.Name(_name))
SPELLINGS |= {
    "qrQ": _of_matrices(s.Binary(">>", s.Name("qr"), s.Name("fst"))),
    "qrR": _of_matrices(s.Binary(">>", s.Name("qr"), s.Name("snd"))),
    "eighValues": _of_matrices(s.Binary(">>", s.Name("eigh"), s.Name("fst"))),
    "eigValues": _of_matrices(s.Binary(">>", s.Name("eig"), s.Name("fst"))),
    # The leading entry of each column is 1.
    "eigVectors": _of_matrices(
        s.Binary(
            ">>", s.Binary(">>", s.Name("eig"), s.Name("snd")),
            s.Lambda(
                (s.PatternName("v"),),
                s.Binary(
                    "/", s.Name("v"),
                    apply("sum", s.Binary("*", s.Name("v"), apply("leading", s.Name("v")))),
                ),
            ),
        )
    ),
    # Of another phase, which what is made of them does not depend on.
    "eighVectors": _of_matrices(s.Binary(">>", s.Name("eigh"), s.Name("snd"))),
    "svdU": _of_parts("svd", "u", "s", "v", give=s.Name("u")),
    "svdValues": _of_parts("svd", "u", "s", "v", give=s.Name("s")),
    "svdV": _of_parts(
        "svd", "u", "s", "v", give=apply("conj", apply("transpose", s.Name("v")))
    ),
}  # fmt: skip


@spelling("frechet")
def _frechet(call: Call) -> Term:
    matrix, direction = call.operands
    if batch := matrix.type.rank - 2:
        return together(call, batch, "frechet", call.parameters)
    function = apply("derivative", s.Name(call.parameters["function"]))
    at, along = whole(matrix), whole(direction)
    if call.parameters.get("adjoint"):
        at = apply("transpose", at)
        at = apply("conj", at) if matrix.type.kind == "C" else at
    return call.made(apply(function, at, along), heavy=True)


@spelling("fourier")
def _fourier(call: Call) -> Term:
    size = call.type.shape[call.parameters["axis"]]
    if not call.parameters["backward"]:
        return call.axis_of(s.Name("fft"))
    made = call.axis_of(s.Name("ifft"))
    return call.made(s.Binary("*", s.Number(size), made.tree))


@spelling("imaginary")
def _imaginary(call: Call) -> Term:
    return call.lifted(s.Binary("*", s.Number(1j), call.operands[0].tree))


def _draw(name: str, *arguments: int) -> Spelling:
    def rule(call: Call) -> Term:
        drawn = apply("draw", apply(name, *map(s.Number, arguments)))
        return call.made(s.Ascription(drawn, type_tree(call.type)), heavy=True)

    return rule


SPELLINGS["normal"] = _draw("normal", 1)
SPELLINGS["uniform"] = _draw("uniform", 0, 1)
