"""A definition and its derivative as formulas: what they say, and that it is true."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy
import pytest

from nnfp_kernel import Session
from nnfp_kernel.views.derivative import read, to_latex_display
from nnfp_kernel.views.mathematics import Mathematics, mathematics
from nnfp_kernel.views.mathematics import formula as m
from nnfp_kernel.views.mathematics.latex import to_latex
from nnfp_kernel.views.mathematics.mathml import to_mathml
from nnfp_kernel.views.mathematics.plain import to_plain

from .arithmetic import Page

PROGRAM = r"""
data Tree a = Leaf a | Node (Tree a) (Tree a)

lnSin : R -> R
lnSin x = log (sin x)
times : (R, R) -> R
times (x1, x2) = x1 * x2
griewank : (R, R) -> R
griewank (x1, x2) = log x1 + x1 * x2 - sin x2
scaled : (R, R) -> R
scaled (x1, x2) = (log x1 + x1 * x2 - sin x2) * (x1 + x2)
lnCos : (R, R) -> R
lnCos (x1, x2) = log (x1 * cos x2)

layer : R[4] ~> R[3]
layer x = tanh (?W @ x + ?b)
net : R[4] ~> R[2]
net x = let h = layer x in sigmoid (?V @ h)
perceptron : R[4] ~> R[2]
perceptron x = ?V @ relu (?W @ x + ?b) + ?c
  where ?W : R[3,4]
convolution : R[6] ~> R[4]
convolution = window[3] (dot ?k)
encode : R[5,2] ~> R[3]
encode xs = fold (\(h, x) -> tanh (?W @ h + ?U @ x + ?b)) zero xs
tagged : R[5,2] ~> R[5,2]
tagged xs = let (s, ys) = mapAccum (\(h, x) -> let k = tanh (?W @ h + ?U @ x) in (k, ?V @ k)) zero xs in ys
  where ?W : R[3,3]
softly : R[4] -> R[4]
softly x = exp x / sum (exp x)
gated : (R[4], R[4]) -> R[4]
gated (x, v) = if sum x > 4 then x * v else x - v
other : (R[4], R[4]) -> R[4]
other (x, v) = if sum x > 0 then x * v else x - v
summary : Tree R[2] ~> R[3]
summary = cata { Leaf x -> ?E @ x ; Node l r -> tanh (?L @ l + ?R @ r + ?b) }
deep : R[3] ~> R[3]
deep = stack[4] (residual (dense >> tanh))
again : R -> R
again = iterate[4] cos
rounds : R[3] -> R[3]
rounds x = while[9] (\y -> sum y < 9) (\y -> y * y + x) x
settled : R[3] ~> R[3]
settled x = fixpoint (\y -> tanh (?W @ y + x)) zero

strided : R[9] ~> R[4]
strided = window[3, stride=2] (dot ?k)
same : R[6] ~> R[6]
same = window[3, pad=same] (dot ?k)
loose : R[7] ~> R[3]
loose = window[3, pad=1, stride=2, dilation=2] (\w -> tanh (dot ?k w))
grid : R[6,8] ~> R[3,4]
grid = window[3,3, stride=2, pad=same] (\p -> sum (sum (p * ?K)))
pooled : R[4,6] -> R[2,3]
pooled = pool[2,2] (\p -> sum (sum (sin p)))
largest : R[6] -> R[3]
largest = pool[2] maximum
song : R[5] -> R
song x = sum (unfoldWhile[4] (\s -> (s * 0.5, s * s, s > 0.1)) (sum x))
bounded : R -> R
bounded = while[3] (\s -> s < 100) (\s -> s * s + 2)
smooth : R[5] -> R
smooth x = logsumexp x + norm (x * x)

factored : R[4] -> R
factored x = product (sin x)
columns : R[4,3] -> R[3]
columns a = product a * maximum (a * a) + logsumexp a * minimum a
outermost : R[3,3] -> R
outermost a = maximum (maximum a) * product (minimum a)

root : R[3,3] -> R[3,3]
root a = cholesky a
turned : R[3,3] -> R[3,3]
turned a = inverse a
solved : (R[3,3], R[3]) -> R[3]
solved (a, b) = solve a b
volume : R[3,3] -> R
volume a = logdet a
grows : R[3,3] -> R[3,3]
grows a = expm a
back : R[3,3] -> R[3,3]
back a = logm a
half : R[3,3] -> R[3,3]
half a = sqrtm a
parts : R[4,3] -> (R[4,3], R[3,3])
parts a = qr a
principal : R[3,3] -> (R[3], R[3,3])
principal a = eigh a
singular : R[4,3] -> (R[4,3], R[3], R[3,3])
singular a = svd a
spectra : R[2,3,3] -> (R[3], R[3,3])[2]
spectra as = map eigh as
complexRoot : C[3,3] -> C[3,3]
complexRoot a = cholesky a
complexParts : C[4,3] -> (C[4,3], C[3,3])
complexParts a = qr a
unitary : C[3,3] -> (R[3], C[3,3])
unitary a = eigh a
levels : C[3,3] -> R[3]
levels a = fst (eigh a)
biunitary : C[4,3] -> (C[4,3], R[3], C[3,3])
biunitary a = svd a
wide : C[2,3] -> (C[2,2], R[2], C[2,3])
wide a = svd a
spectral : R[4,4] -> (C[4], C[4,4])
spectral a = eig a
complexSpectral : C[4,4] -> (C[4], C[4,4])
complexSpectral a = eig a
broad : R[2,4] -> (R[2,2], R[2,4])
broad a = qr a
complexBroad : C[2,4] -> C[2,4]
complexBroad a = snd (qr a)
broads : R[2,2,3] -> (R[2,2], R[2,3])[2]
broads = map qr
openly a = (qr a, svd a)
centred (k, xs) = window[4, stride=3, pad=same] (\w -> dot k (w * w)) xs
spins : C[2,3,3] -> C[2,3,3]
spins = map (eigh >> snd)
several : R[5] -> R[3]
several x = gather (sin x) [3, 1, 3]
rows : R[5,2] -> R[3,2]
rows x = gather (sin x) [3, 1, 3]
best : R[5] -> R[3]
best x = let (v, z) = topK[3] (sin x) in v * gather x z
chosen : R[5,2] -> R[2]
chosen x = x ! argmax (map sum (x * x))
moves : R[6] -> R[2,3]
moves x = split[3] (shift[2] (reverse (x * x)))
mended : R[2,3] -> R[6]
mended x = concat (x * x) + flatten (sin x)
exchanged : R[6,2] -> R[6,2]
exchanged x = drop[2] (sin x) ++ take[2] (x * x)
shaped : R[6] -> R[3,2]
shaped x = reshape[3,2] (drop[1] (x * x) ++ take[1] x)
copies : R[2] -> R[3,2]
copies x = replicate[3] (x * x) * replicate[3] x
ends : R[4,2] -> R[2]
ends x = head (x * x) * last x
far : (R[3], R[2]) -> R
far p = norm p + dot p (2 * p)
paired : (R[6], R[6,2]) -> (R[2], R[2,2])
paired (x, u) = unzip (take[2] (reverse (zip (x * x, u))))
each : R[4,3] -> R[4]
each = map product
eachOf : R[2,3,2] -> R[2,2]
eachOf = map (\a -> product a * maximum (sin a))

crossed : R[4] -> R[4]
crossed xs = map (\x -> sum (map (\y -> sin (x * y)) xs)) xs
rescaled : R[3] -> R[3]
rescaled xs = scan (\(s, x) -> s * sum (map (\y -> y * s) xs) + x) 1 xs
squared : R[4] -> R[4]
squared = iterate[2] (map (\x -> 0.5 * x * x))
forked : (R[3], R) -> R[2]
forked (xs, c) = map (\a -> if a > 1 then sum (map (\x -> x * x * a) xs) else a) [c, 2 * c]
spread : (R[3], R) -> R
spread (xs, c) = if c > 9 then sum (map (\x -> x * x) xs) else c
unfolded : R -> R[4]
unfolded x = map (\s -> s * s) (unfold[4] (\s -> (s * s, sin s)) x)

wave : C[4] -> C[4]
wave z = fft z
tone : R[4] -> R[4]
tone x = imag (ifft (fft x * complex x x))
"""


@pytest.fixture(scope="module")
def session() -> Session:
    session = Session(precision=64)
    session.run(PROGRAM)
    return session


def shown(found: Mathematics) -> dict[str, list[str]]:
    return {
        section.title: [to_latex(line.formula) for line in section.lines]
        for section in found.sections
    }


# The worked examples of Elsman et al. 2022, then a layer, loops and a tree.
EXPECTED = {
    "lnSin": {
        "value": [r"y = \log(\sin x)"],
        "derivative": [r"dy = \frac{\cos x}{\sin x}\,dx"],
        "adjoint": [r"\bar x = \frac{\cos x}{\sin x} \bar y"],
    },
    "times": {
        "value": ["y = x_1 x_2"],
        "derivative": [r"dy = x_2\,dx_1 + x_1\,dx_2"],
        "adjoint": [r"\bar x_1 = x_2 \bar y", r"\bar x_2 = x_1 \bar y"],
    },
    "griewank": {
        "value": [r"y = \log x_1 + x_1 x_2 - \sin x_2"],
        "derivative": [
            r"dy = \left( \frac{1}{x_1} + x_2 \right)\,dx_1 + (x_1 - \cos x_2)\,dx_2"
        ],
        "adjoint": [
            r"\bar x_1 = \left( \frac{1}{x_1} + x_2 \right) \bar y",
            r"\bar x_2 = (x_1 - \cos x_2) \bar y",
        ],
    },
    "scaled": {
        "value": [r"y = (\log x_1 + x_1 x_2 - \sin x_2) (x_1 + x_2)"],
        "derivative": [
            r"dy = (x_1 + x_2) \left( \left( \frac{1}{x_1} + x_2 \right)\,dx_1 "
            r"+ (x_1 - \cos x_2)\,dx_2 \right) "
            r"+ (\log x_1 + x_1 x_2 - \sin x_2) (dx_1 + dx_2)"
        ],
        "adjoint": [
            r"\bar x_1 = \left( \left( \frac{1}{x_1} + x_2 \right) (x_1 + x_2) "
            r"+ \log x_1 + x_1 x_2 - \sin x_2 \right) \bar y",
            r"\bar x_2 = ((x_1 - \cos x_2) (x_1 + x_2) "
            r"+ \log x_1 + x_1 x_2 - \sin x_2) \bar y",
        ],
    },
    "lnCos": {
        "value": [r"y = \log(x_1\,\cos x_2)"],
        "derivative": [
            r"dy = \frac{\cos x_2\,dx_1 - x_1\,\sin x_2\,dx_2}{x_1\,\cos x_2}"
        ],
        "adjoint": [
            r"\bar x_1 = \frac{\bar y}{x_1}",
            r"\bar x_2 = -\frac{\sin x_2}{\cos x_2} \bar y",
        ],
    },
    "layer": {
        "value": [r"y = \tanh(W x + b)"],
        "derivative": [r"dy = (1 - y^2) \odot W\,dx"],
        "adjoint": [r"\bar x = W^\top((1 - y^2) \odot \bar y)"],
        "weights": [r"\bar b = (1 - y^2) \odot \bar y", r"\bar W = \bar b \otimes x"],
    },
    "net": {
        "value": [r"h = \mathrm{layer}(x)", r"y = \sigma(V h)"],
        "derivative": [
            r"dh = D\,\mathrm{layer}(x)\,dx",
            r"dy = y \odot (1 - y) \odot V\,dh",
        ],
        "adjoint": [
            r"\bar h = V^\top(y \odot (1 - y) \odot \bar y)",
            r"\bar x = (D\,\mathrm{layer}(x))^\dagger\,\bar h",
        ],
        "weights": [
            r"\bar \theta_{\mathrm{layer}} = (D_{\theta}\,\mathrm{layer}(x))^\dagger\,\bar h",
            r"\bar V = (y \odot (1 - y) \odot \bar y) \otimes h",
        ],
    },
    "convolution": {
        "value": [r"y_i = \langle k, x_{i \dots i + 2} \rangle"],
        "derivative": [r"dy_i = \langle k, dx_{i \dots i + 2} \rangle"],
        "adjoint": [r"\bar x_{i \dots i + 2} \mathrel{{+}{=}} \bar y_i k"],
        "weights": [r"\bar k = \sum_i \bar y_i x_{i \dots i + 2}"],
    },
    "encode": {
        "value": ["s_0 = 0", r"s_{t + 1} = \tanh(W s_t + U x_t + b)", "y = s_5"],
        "derivative": [
            "ds_0 = 0",
            r"ds_{t + 1} = (1 - s_{t + 1}^2) \odot (W\,ds_t + U\,dx_t)",
            "dy = ds_5",
        ],
        "adjoint": [
            r"\bar s_5 = \bar y",
            r"\delta_t = (1 - s_{t + 1}^2) \odot \bar s_{t + 1}",
            r"\bar s_t = W^\top \delta_t",
            r"\bar x_t = U^\top \delta_t",
        ],
        "weights": [
            r"\bar b = \sum_t \delta_t",
            r"\bar W = \sum_t \delta_t \otimes s_t",
            r"\bar U = \sum_t \delta_t \otimes x_t",
        ],
    },
    "rounds": {
        "value": ["s_0 = x", "s_{t + 1} = s_t^2 + x", "y = s_T"],
        "derivative": ["ds_0 = dx", r"ds_{t + 1} = 2 s_t \odot ds_t + dx", "dy = ds_T"],
        "adjoint": [
            r"\bar s_T = \bar y",
            r"\bar s_t = 2 s_t \odot \bar s_{t + 1}",
            r"\bar x = \bar s_0 + \sum_t \bar s_{t + 1}",
        ],
    },
    "settled": {
        "value": [r"s = \tanh(W s + x)", "y = s"],
        "derivative": [r"ds = (1 - s^2) \odot (W\,ds + dx)", "dy = ds"],
        "adjoint": [
            r"\bar s = \bar y + W^\top((1 - s^2) \odot \bar s)",
            r"\bar x = (1 - s^2) \odot \bar s",
        ],
        "weights": [r"\bar W = ((1 - s^2) \odot \bar s) \otimes s"],
    },
    "summary": {
        "value": [
            r"y_{\mathrm{Leaf}\,x} = E x",
            r"y_{\mathrm{Node}\,l\,r} = \tanh(L y_l + R y_r + b)",
            "y = y_t",
        ],
        "derivative": [
            r"dy_{\mathrm{Leaf}\,x} = E\,dx",
            r"dy_{\mathrm{Node}\,l\,r} = (1 - y_{\mathrm{Node}\,l\,r}^2) \odot (L\,dy_l + R\,dy_r)",
            "dy = dy_t",
        ],
        "adjoint": [
            r"\bar y_t = \bar y",
            r"\bar x = E^\top \bar y_{\mathrm{Leaf}\,x}",
            r"\bar y_l = L^\top((1 - y_{\mathrm{Node}\,l\,r}^2) \odot \bar y_{\mathrm{Node}\,l\,r})",
            r"\bar y_r = R^\top((1 - y_{\mathrm{Node}\,l\,r}^2) \odot \bar y_{\mathrm{Node}\,l\,r})",
        ],
        "weights": [
            r"\delta_{\mathrm{Node}\,l\,r} = (1 - y_{\mathrm{Node}\,l\,r}^2) \odot "
            r"\bar y_{\mathrm{Node}\,l\,r}",
            r"\bar E = \sum_{\mathrm{Leaf}\,x} \bar y_{\mathrm{Leaf}\,x} \otimes x",
            r"\bar b = \sum_{\mathrm{Node}\,l\,r} \delta_{\mathrm{Node}\,l\,r}",
            r"\bar L = \sum_{\mathrm{Node}\,l\,r} \delta_{\mathrm{Node}\,l\,r} \otimes y_l",
            r"\bar R = \sum_{\mathrm{Node}\,l\,r} \delta_{\mathrm{Node}\,l\,r} \otimes y_r",
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_a_derivative_reads_as_in_a_book(session: Session, name: str) -> None:
    assert shown(mathematics(session.program, name)) == EXPECTED[name]


@pytest.mark.parametrize(
    ("program", "ranges"),
    [
        ("f : R[5] -> R[5]\nf = map sin", ["i = 0, …, 4"]),
        ("f : R[n] -> R[n-2]\nf = window[3] (\\w -> w ! 0 + w ! 2)", ["i = 0, …, n - 3"]),
        ("f : R[n] -> R[n+2]\nf xs = map sin (xs ++ [1, 2])", ["i = 0, …, n + 1"]),
        ("f : R[n] -> R\nf = foldRight (\\(s, x) -> s * x) 1", ["t = n - 1, …, 0"]),
        ("f : R -> R[0]\nf = unfold[0] (\\s -> (s, s))", ["t = 0, …, -1"]),
        ("f : R -> R\nf = while[3] (\\s -> s < 9) (\\s -> s * s)",
         ["t = 0, …, T - 1 while s_t < 9,  T ≤ 3"]),
    ],
)  # fmt: skip
def test_elements_are_counted_from_0_as_in_the_program(program: str, ranges: list[str]) -> None:
    session = Session()
    session.run(program)
    lines = mathematics(session.program, "f").section("value")
    assert list(dict.fromkeys(to_plain(line.range) for line in lines if line.range)) == ranges


def test_an_index_is_no_letter_of_a_size() -> None:
    session = Session()
    session.run("f : R[t] -> R\nf = fold (\\(s, x) -> s + x) 0\ng : R[i] -> R\ng x = sum (sin x)")
    lines = mathematics(session.program, "f").section("value")
    assert [to_plain(line.range) for line in lines if line.range] == ["i = 0, …, t - 1"]
    (line,) = mathematics(session.program, "g").section("value")
    assert to_plain(line.right) == "∑_j sin x_j"


def test_an_element_by_its_number_is_that_of_its_sequence() -> None:
    """`xs ! 0` is x_0 where the elements of xs are x_0, …, x_{n-1}; a list's come back so."""
    session = Session()
    session.run("f : R[3] -> R[3]\nf xs = [xs ! 0, xs ! 2, sum (map sin xs)]")
    found = mathematics(session.program, "f")
    assert to_plain(found.section("value")[-1].right) == "[x0, x2, ∑_i y_i]"
    lines = [to_plain(line.right) for line in found.section("adjoint")]
    assert [unicodedata.normalize("NFC", line) for line in lines] == [
        "z̄2 𝟏",
        "(z̄0 e0 + z̄1 e2)_i + cos x_i ȳ_i",
    ]


@pytest.mark.parametrize(
    ("program", "title", "lines"),
    [
        ("f : (R[5], Fin[5][3]) -> R[3]\nf (x, z) = gather x z", "adjoint", ["x̄ = ∑_k ȳ_k e_{z_k}"]),
        ("f : (R[5,2], Fin[5][3]) -> R[3,2]\nf (x, z) = gather x z", "adjoint",
         ["x̄ = ∑_k e_{z_k} ⊗ ȳ_k"]),
        ("f : R[5] -> R[2]\nf x = gather x [3, 3]", "adjoint", ["x̄ = ȳ0 e3 + ȳ1 e3"]),
        ("f : R[6] -> R[2]\nf = take[2]", "adjoint", ["x̄ = ȳ ⧺ 𝟎_4"]),
        ("f : R[n,2] -> R[n-1,2]\nf = drop[1]", "adjoint", ["x̄ = 𝟎_{1, 2} ⧺ ȳ"]),
        ("f : R[n] -> R[n]\nf = reverse", "adjoint", ["x̄ = reverse(ȳ)"]),
        ("f : R[2] -> R[5]\nf x = [1, 2] ++ x ++ zero", "derivative", ["dy = 𝟎_2 ⧺ dx ⧺ 𝟎_1"]),
        ("f : R[3] -> R[3]\nf = shift[4]", "adjoint", ["x̄ = 𝟎_3"]),
        ("f : R[n] -> R\nf = last", "value", ["y = x_{n - 1}"]),
        ("f : [R] -> R\nf = last", "value", ["y = x_{|x| - 1}"]),
        ("f : [R] -> [R]\nf xs = window[3, stride=2] sum xs", "value",
         ["y_i = ∑_{j = 0}^2 x_{2 i + j}"]),
        ("f : (R, R[2])[4] -> (R, R[2])[4]\nf = scan (\\(s, e) -> s + e) zero", "value",
         ["s0 = 0", "c0 = 0"]),
        ("f : R -> (R, R[2])[4]\nf x = zero", "value", ["y1 = 0", "y2 = 0"]),
        ("f : ((R, R[2]), (R, R[2])) -> R\nf (x, u) = dot x u", "value",
         ["y = x1 u1 + ⟨x2, u2⟩"]),
        ("f : R[4] -> Fin[4]\nf x = argmax (sin x)", "derivative", []),
        ("f : R[3] -> R[3]\nf x = x * draw (bernoulli (sum x / 9))", "value",
         ["h = (∑_i x_i)/9", "v ∼ ℬ(h)", "y = x ⊙ v"]),
        ("f : R[3] -> R[3]\nf x = x * draw (bernoulli (sum x / 9))", "derivative",
         ["dy = v ⊙ dx"]),
        ("f : (R, R) -> Bool\nf (x, y) = x < y || x > 2 * y", "derivative", []),
        ("f : R[5,2] -> R[2]\nf x = x ! argmax (map sum (x * x))", "derivative",
         ["dz = dx_{argmax y}"]),
    ],
)  # fmt: skip
def test_entries_that_move_go_back_and_what_decides_does_not_move(
    program: str, title: str, lines: list[str]
) -> None:
    session = Session()
    session.run(program)
    found = mathematics(session.program, "f")
    own = [to_plain(line.formula) for s in found.sections if s.title == title for line in s.lines]
    assert [unicodedata.normalize("NFC", line) for line in own[: len(lines) or None]] == lines


# What a mathematician would strike out: each is a line that was another one.
STRUCK_OUT = r"""
pulse : R -> R
pulse h = 0.5 * h * h
spread2 : R ~> R[4]
spread2 x = tanh (x * ?e + ?b)
cube : R[3] -> R
cube x = sum (x * x * x)
steps : R[5] -> R[4]
steps = window[2] (\w -> w!1 - w!0)
means : R[9] -> R[5]
means = window[5] mean
holed : R[9] -> R[3]
holed = window[3, stride=2, dilation=2] sum
opposite : R[4] -> R[4]
opposite x = if not (sum x > 3) then x else 2 * x
lower : (R, R) -> R
lower (x, y) = max x y
lengthy : R[3] -> R
lengthy x = dot x x
moved2 : (R[2,2], R[2]) -> R[2]
moved2 (a, x) = expm a @ x
turned2 : (R[2,3], R[4,3]) -> R[4,2]
turned2 (o, v) = v @ transpose o
hit : (R[3], Fin[3]) -> R
hit (s, l) = if argmax s == l then 1 else 0
score : (R[3], Fin[3]) -> R
score (s, l) = hit (s, l) * sum s
graded : R[3] -> (R[3], R)
graded s = (2 * s, if sum s > 0 then 1 else 0)
weighed : R[3] -> R
weighed s = let (a, b) = graded s in b * sum a
counts : R[n] -> R
counts xs = let n = sum xs in n * n + sum (map sin xs)
pairing : (R, R) -> R
pairing (x, y) = x * y
doubly : R ~> R
doubly x = pairing (?w, x)
swapped : (R, R)[4] -> (R, R)[4]
swapped = map (\(a, b) -> (b, a))
away : R[3] -> R
away x = norm (sin x * x)
shares : (R[3], C[3]) -> C[3]
shares (x, z) = z / x
inBatches : (R[4], R[4,3]) -> R[4,3]
inBatches (q, y) = zipWith (\(a, b) -> a + b) (q, y)
"""


@pytest.mark.parametrize(
    ("name", "title", "lines"),
    [
        ("pulse", "value", ["y = h^2/2"]),
        ("pulse", "derivative", ["dy = h dh"]),
        ("spread2", "derivative", ["dy = ((1 - y^2) ⊙ e) dx"]),
        ("cube", "value", ["y = ∑_i x_i^3"]),
        ("cube", "derivative", ["dy = 3 ∑_i x_i^2 dx_i"]),
        ("steps", "value", ["y_i = x_{i + 1} - x_i"]),
        ("means", "value", ["y_i = 1/5 ∑_{j = 0}^4 x_{i + j}"]),
        ("holed", "value", ["y_i = ∑_{j = 0}^2 x_{2 i + 2 j}"]),
        ("opposite", "adjoint", ["x̄ = ([∑_i x_i ≤ 3] + 2 [∑_i x_i > 3]) ȳ"]),
        ("lower", "derivative", ["dz = ([x > y] + [x = y]/2) dx + ([x < y] + [x = y]/2) dy"]),
        ("lengthy", "derivative", ["dy = 2 ⟨x, dx⟩"]),
        ("moved2", "derivative", [
            "dy = (∫0^1 expm((1 - τ) a) da expm(τ a) dτ) x + expm a dx"]),
        ("turned2", "adjoint", ["ō = ȳᵀ v", "v̄ = ȳ o"]),
        ("hit", "derivative", []),
        ("score", "derivative", ["dy = hit(s, l) ∑_i ds_i"]),
        ("weighed", "derivative", ["(da, 0) = D graded(s) ds", "dy = b ∑_i da_i"]),
        ("counts", "value", ["n′ = ∑_i x_i", "y_i = sin x_i", "z = (n′)^2 + ∑_i y_i"]),
        ("doubly", "derivative", ["dy = D2 pairing(w, x) dx"]),
        ("swapped", "value", ["y1 = x2", "y2 = x1"]),
        ("away", "derivative", ["dh = (x ⊙ cos x + sin x) ⊙ dx", "dy = ⟨h/y, dh⟩"]),
        ("shares", "adjoint", ["x̄ = Re(-y^(*)/x ⊙ ȳ)", "z̄ = ȳ/x"]),
        ("inBatches", "adjoint", ["q̄_i = ∑_j ū_{i, j}", "ȳ_i = ū_i"]),
    ],
)  # fmt: skip
def test_a_formula_is_written_as_by_hand(
    by_hand: Session, name: str, title: str, lines: list[str]
) -> None:
    found = mathematics(by_hand.program, name)
    own = [unicodedata.normalize("NFC", to_plain(each.formula)) for each in found.section(title)]
    assert own == lines


@pytest.fixture(scope="module")
def by_hand() -> Session:
    session = Session()
    session.run(STRUCK_OUT)
    return session


def test_a_definition_used_by_name_is_folded(session: Session) -> None:
    assert mathematics(session.program, "net").folded == ("layer",)


# --- the formulas are true: numpy, reading them, computes what the session computes ------------


def inputs_of(found: Mathematics) -> list[m.Formula]:
    if isinstance(found.at, m.Fenced):
        inside = found.at.inside
        assert isinstance(inside, m.Row)
        return list(inside.items[::2])
    return [found.at]


TRUE = [
    "lnSin", "times", "griewank", "scaled", "lnCos", "layer", "perceptron", "convolution",
    "encode", "tagged", "softly", "again", "gated", "other", "rounds", "settled",
    "strided", "same", "loose", "grid", "pooled", "largest", "song", "bounded", "smooth",
    "factored", "columns", "outermost",
    "root", "turned", "solved", "volume", "grows", "back", "half", "parts", "principal",
    "singular", "spectra", "complexRoot", "complexParts", "unitary", "levels", "biunitary", "wide",
    "spins", "wave", "tone", "spectral", "complexSpectral", "broad", "complexBroad", "broads",
    "several", "rows", "best", "chosen", "moves", "mended", "exchanged", "shaped", "copies",
    "ends", "far", "paired", "each", "eachOf", "crossed", "rescaled", "squared", "forked",
    "spread", "unfolded",
]  # fmt: skip


def drawn(random: numpy.random.Generator, type: Any) -> Any:
    """An array of a type; a square one has an inverse, a logarithm and a Cholesky factor."""
    made = random.uniform(0.3, 1.4, type.shape)
    if type.shape[-2:] == (3, 3):
        made = made + made.swapaxes(-1, -2) + 4 * numpy.diag([1.0, 2.0, 3.0])
    return made + 1j * random.uniform(0.3, 1.4, type.shape) if type.kind == "C" else made


def values(x: Any) -> list[Any]:
    return list(x) if isinstance(x, tuple) else [x]


def close(shown: Any, computed: Any) -> None:
    numpy.testing.assert_allclose(shown, computed, rtol=1e-9, atol=1e-11)


# These differ from `grows` in their integral alone, and take long to compile.
SLOW = ("back", "half")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in TRUE]
)
def test_the_formulas_compute_the_derivative_and_the_adjoint(session: Session, name: str) -> None:
    function = session[name]
    random = numpy.random.default_rng(7)
    types = [wire.type for wire in function.graph().inputs if "." not in wire.name]
    xs, dxs = ([drawn(random, type) for type in types] for _ in range(2))
    own = session.weights.get(name, {})
    found = mathematics(session.program, name)
    names = inputs_of(found)
    page = Page({m.symbol(key): numpy.asarray(value) for key, value in own.items()})
    page.values |= {
        m.Letter("I"): numpy.eye((3, *types[0].shape)[-1]),
        m.Letter("ℱ"): numpy.fft.fft(numpy.eye(4)),
    }
    if any(type.kind == "C" for type in types) or name in ("tone", "spectral"):
        page.values[m.Letter("i")] = 1j
    if types[0].shape:  # e_z, of the length of x
        page.values[m.Letter("e")] = numpy.eye(types[0].shape[0])
    page.values |= dict(zip(names, xs, strict=True))
    page.values |= {m.differential(n): d for n, d in zip(names, dxs, strict=True)}
    page.read(found.section("value"))
    page.read(found.section("derivative"))
    inputs = (xs[0] if len(xs) == 1 else tuple(xs),)
    directions = (dxs[0] if len(xs) == 1 else tuple(dxs),)
    held = {name: own} if own else {}
    still = {name: {key: numpy.zeros_like(value) for key, value in own.items()}} if own else {}
    value, tangent = function.jvp((held, *inputs), (still, *directions))
    bars = []
    for y, v, dv in zip(found.results, values(value), values(tangent), strict=True):
        assert not [f for f in m.inside(y) if f == m.Letter("D")]
        shape = numpy.shape(v)
        close(page.whole(y), getattr(v, "array", v))
        close(page.whole(m.differential(y)), getattr(dv, "array", dv))
        turned = 1j * random.uniform(-1, 1, shape) if numpy.iscomplexobj(v) else 0.0
        bars.append(random.uniform(-1, 1, shape) + turned)
        page.values[m.barred(y)] = bars[-1]
    page.read(found.section("adjoint"), backwards=True)
    page.read(found.section("weights"))
    _, pullback = function.vjp(held, *inputs)
    by_weights, *by_inputs = pullback(bars[0] if len(bars) == 1 else tuple(bars))
    given = by_inputs[0] if isinstance(by_inputs[0], tuple) else by_inputs
    for symbol, gradient in zip(names, given, strict=True):
        close(page.whole(m.barred(symbol), numpy.shape(gradient)), gradient)
    for key, gradient in by_weights.get(name, {}).items():
        close(page.whole(m.barred(m.symbol(key))), gradient)


@pytest.mark.parametrize(
    ("program", "inputs"),
    [
        ("f : R -> R[3]\nf s = draw (normal s)", [0.7]),
        ("f : (R, R) -> R[3]\nf (a, b) = draw (uniform a b)", [0.2, 1.7]),
    ],
)
def test_a_draw_moves_with_its_distribution_as_its_formulas_say(
    program: str, inputs: list[float]
) -> None:
    session = Session(precision=64)
    session.run(program)
    found = mathematics(session.program, "f")
    (drawn_name,) = found.results
    names, function = inputs_of(found), session["f"]
    xs = inputs[0] if len(inputs) == 1 else tuple(inputs)
    directions = [1.3, -0.4][: len(inputs)]
    way = directions[0] if len(inputs) == 1 else tuple(directions)
    bar = numpy.array([0.3, -1.0, 0.8])
    key = jax.random.key(3)
    drawn, tangent = function.jvp(({}, xs), ({}, way), key=key)
    page = Page(dict(zip(names, inputs, strict=True)) | {drawn_name: numpy.asarray(drawn)})
    page.values |= {m.differential(n): d for n, d in zip(names, directions, strict=True)}
    page.read(found.section("derivative"))
    close(page.whole(m.differential(drawn_name)), tangent)
    drawn, pullback = function.vjp({}, xs, key=key)
    page.values |= {drawn_name: numpy.asarray(drawn), m.barred(drawn_name): bar}
    page.read(found.section("adjoint"))
    given = pullback(bar)[1]
    for name, gradient in zip(names, given if len(inputs) > 1 else [given], strict=True):
        close(page.whole(m.barred(name)), gradient)


@pytest.mark.parametrize("shape", [(4, 2), (2, 4)])
def test_factors_of_a_matrix_of_open_size_move_as_their_formulas_say(
    session: Session, shape: tuple[int, int]
) -> None:
    """One formula for what is taller and for what is wider than it."""
    found, function = mathematics(session.program, "openly"), session["openly"]
    random = numpy.random.default_rng(7)
    a, da = random.uniform(0.3, 1.4, (2, *shape))
    sizes = dict(zip(map(m.Letter, "mnkl"), (*shape, *[min(shape)] * 2), strict=True))
    page = Page({m.Letter("a"): a, m.differential(m.Letter("a")): da, **sizes})
    page.values[m.Letter("I")] = numpy.eye(shape[1])
    page.read(found.section("value"))
    page.read(found.section("derivative"))
    parts, tangents = function.jvp(({}, a), ({}, da))
    flat = [[each for pair in tree for each in pair] for tree in (parts, tangents)]
    bars = []
    for y, v, dv in zip(found.results, *flat, strict=True):
        close(page.whole(y), v)
        close(page.whole(m.differential(y)), dv)
        bars.append(random.uniform(-1, 1, numpy.shape(v)))
        page.values[m.barred(y)] = bars[-1]
    page.read(found.section("adjoint"))
    _, pullback = function.vjp({}, a)
    _, gradient = pullback((tuple(bars[:2]), tuple(bars[2:])))
    close(page.whole(m.barred(m.Letter("a"))), gradient)
    assert found.real


@pytest.mark.parametrize("length", [7, 8])
def test_windows_are_centred_over_a_length_that_is_open(session: Session, length: int) -> None:
    """How many zeros stand before them depends on it: one of 7, none of 8."""
    found, function = mathematics(session.program, "centred"), session["centred"]
    random = numpy.random.default_rng(7)
    given, moved = ((random.uniform(-1, 1, 4), random.uniform(-1, 1, length)) for _ in range(2))
    page = Page({m.Letter("n"): length, **dict(zip(found.inputs, given, strict=True))})
    page.values |= {m.differential(n): d for n, d in zip(found.inputs, moved, strict=True)}
    page.read(found.section("value"))
    page.read(found.section("derivative"))
    value, tangent = function.jvp(({}, given), ({}, moved))
    (y,) = found.results
    close(page.whole(y), value)
    close(page.whole(m.differential(y)), tangent)
    page.values[m.barred(y)] = bar = random.uniform(-1, 1, value.shape)
    page.read(found.section("adjoint"), backwards=True)
    gradients = function.vjp({}, given)[1](bar)[1]
    for name, gradient in zip(found.inputs, gradients, strict=True):
        close(page.whole(m.barred(name), gradient.shape), gradient)


def test_a_rule_of_its_own_leaves_no_name_behind(session: Session) -> None:
    """None of these is D f(x): their formulas are worked out."""
    for name in TRUE:
        for section in mathematics(session.program, name).sections:
            for line in section.lines:
                assert m.Letter("D") not in m.inside(line.right), name


# --- every program has its formulas --------------------------------------------------------------


def programs() -> Iterator[Path]:
    yield from sorted((Path(__file__).parents[1] / "acceptance").glob("*.nnfp"))


@pytest.mark.parametrize("path", list(programs()), ids=lambda path: path.stem)
def test_every_definition_of_every_program_has_formulas(path: Path) -> None:
    session = Session()
    session.run(path.read_text())
    for name in session.names:
        if name in session.program.definitions:
            found = mathematics(session.program, name)
            assert found.section("value"), name
            for section in found.sections:
                for line in section.lines:
                    balanced(to_latex(line.formula))
                    assert to_mathml(line.formula).startswith("<math")


def test_the_library_has_formulas() -> None:
    session = Session()
    failed = []
    for name in session.program.definitions:
        try:
            mathematics(session.program, name)
        except Exception as problem:  # all of them, told together
            failed.append((name, repr(problem)))
    assert not failed
    assert len(session.program.definitions) > 50


def balanced(latex: str) -> None:
    assert latex.replace(r"\{", "").replace(r"\}", "").count("{") == latex.replace(
        r"\}", ""
    ).replace(r"\{", "").count("}")
    assert latex.count(r"\left") == latex.count(r"\right")


def test_formulas_grow_no_faster_than_the_program() -> None:
    """A product of sums repeated: its derivative written out would double at every step."""

    def size(steps: int) -> int:
        session = Session()
        lines = "\n".join(f"    x{k} = x{k - 1} * sin x{k - 1}" for k in range(1, steps))
        session.run(f"f : R -> R\nf x0 = x{steps - 1}\n  where\n{lines}")
        found = mathematics(session.program, "f")
        return sum(m.size_of(line.formula) for s in found.sections for line in s.lines)

    assert size(24) < 2.5 * size(12)


def test_a_long_function_has_a_name_and_takes_no_others() -> None:
    session = Session()
    session.run(
        "f : R[3] -> R[3]\n"
        "f x = grad (\\y -> sum (y * y * y + y * y + y * sin y + cos y * exp y)) (sin x)"
    )
    text = " ".join(shown(mathematics(session.program, "f"))["value"])
    assert r"z = \nabla\,g(" in text
    assert "'" not in text


def test_a_function_that_a_derivative_is_taken_of_has_a_line_of_its_own(session: Session) -> None:
    """Not `∇ (y ↦ …)(x)` in every line; its own g, if it has one, is another."""
    own = Session(precision=64)
    own.run(
        "f : (R[3], R[3]) -> R[3]\n"
        "f (x, g) = grad (\\y -> sum (map sin y) * dot y g) x + grad (\\y -> norm y) g\n"
        "twice : R[3] -> R[3]\ntwice x = derivative (grad norm) x x\n"
        "masked : R[3,3] -> R[3,3]\nmasked a = grad (\\b -> sum (sum (cholesky b))) a\n"
    )
    found = mathematics(own.program, "f")
    assert [to_plain(line.formula) for line in found.section("value")] == [
        "u_i = sin y_i", "k(y) = ∑_i u_i⟨y, g⟩", "φ(y) = ‖y‖", "z = ∇ k(x) + ∇ φ(g)",
    ]  # fmt: skip
    assert to_plain(found.section("derivative")[0].right) == (
        "∇^2 k(x) dx + D_g ∇ k(x) dg + ∇^2 φ(g) dg"
    )
    assert shown(mathematics(own.program, "twice"))["value"] == [
        r"y = \nabla^2\,\mathrm{norm}(x)\,x"
    ]
    masked = shown(mathematics(own.program, "masked"))["value"]
    assert not any(r"F_{" in line for line in masked)


def test_a_sum_of_linear_maps_is_bracketed_at_its_argument() -> None:
    session = Session()
    session.run("f : R[2] -> R[2]\nf x = (2 * derivative sin x - derivative cos x) x")
    (line,) = mathematics(session.program, "f").section("value")
    assert to_plain(line.right) == "(2 D sin(x) - D cos(x)) x"


def test_over_the_complex_numbers_adjoints_conjugate() -> None:
    session = Session(precision=64, seed=0)
    session.run(
        "wave : (R[3], C[3]) -> C[3]\nwave (x, z) = 2i * x * z\n"
        "grown : C[3] -> C[3]\ngrown z = exp z"
    )
    wave = to_latex_display(read(session["wave"]))
    assert r"\bar x &= \mathrm{Re}((2 i)^* z^* \odot \bar y)" in wave
    assert r"\bar z &= (2 i x)^* \odot \bar y" in wave
    grown = to_latex_display(read(session["grown"]))
    assert r"\bar z &= y^* \odot \bar y" in grown


def test_what_goes_on_is_said_of_the_step_and_a_length_without_a_name_is_that_of_the_sequence() -> (
    None
):
    session = Session()
    session.run(
        "f : R -> R\nf x = mean (unfoldWhile[4] (\\s -> let h = s * s in (h, sin s, h > 3)) x)"
    )
    found = mathematics(session.program, "f")
    assert to_plain(found.section("value")[-1].right) == "1/|y| ∑_i y_i"
    ranges = {to_plain(line.range) for line in found.section("value") if line.range}
    assert ranges == {"t = 0, …, T - 1 while h_t > 3,  T ≤ 4"}
    session.run(
        "g : R -> R\ng x = logsumexp (unfoldWhile[4] (\\s -> (s * s, sin s, s > 3)) x ++ [1, 2])"
    )
    adjoint = mathematics(session.program, "g").section("adjoint")
    assert to_plain(adjoint[0].right).startswith("take_{|y|}(")


def test_there_are_letters_enough_for_indices() -> None:
    session = Session()
    session.run(
        "f : R[i,j] -> (R[k], R[l], R[m], R[n]) -> R[i]\nf x y = map (map sin >> maximum) x"
    )
    (*_, line) = mathematics(session.program, "f").section("value")
    assert to_plain(line.left) == "u_p"
