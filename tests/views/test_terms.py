"""A derivative as text: what it looks like, and that it is the derivative."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy
import pytest
from soak import FACTOR
from views.roundtrip import check

from nnfp_kernel import NnfpError, Session, tree
from nnfp_kernel.language.syntax import walk
from nnfp_kernel.views.terms import derivative_definition

PROGRAMS = {
    "layer": "f : R[4] ~> R[3]\nf x = tanh (?W @ x + ?b)",
    "pair": "f : (R[4], R[3]) ~> R[3]\nf (h, x) = let y = tanh (?U @ h + x) in y * y + sum h",
    "curried": "f : R[3] -> R[3] -> R\nf a b = dot a (sin b)",
    "index": "f : (R[5,4], Fin[5]) -> R[4]\nf (xs, i) = exp (xs ! i)",
    "branch": "f : R[3] -> R[3]\nf x = if sum x > 0 then tanh x else x * x",
    "map": "f : (R[2], R[3])[4] -> R\nf xs = sum (map (\\(a, b) -> sum a * sum b) xs)",
    "representation": (
        "rep Word = R[3]\nstep : (R[4], Word) ~> R[4]\nstep (h, Word x) = tanh (?W @ h + ?U @ x)\n"
        "f : Word[5] ~> R[4]\nf = fold step zero"
    ),
    "lstm": (
        "f : (R[3], R[3], R[2]) ~> (R[3], R[3])\nf (h, c, x) = let i = sigmoid (?Wi @ x + ?Ui @ h); "
        "g = tanh (?Wg @ x + ?Ug @ h); c2 = c * i + i * g in (tanh c2, c2)"
    ),
    "attention": "f : R[4,3] -> R[4,3]\nf xs = map (\\q -> softmax (xs @ q) @ xs) xs",
    "residual": "f : R[3] ~> R[3]\nf x = iterate[3] (\\h -> h + tanh (?W @ h)) x",
    "window": "f : R[7] -> R[3]\nf = window[3, stride=2] (\\w -> tanh (sum w))",
    "unfold": "f : R[2] -> R[3]\nf = unfold[3] (\\s -> (sin s, sum s))",
    "from the right": (
        "f : (R[3], R) -> R[3]\nf (xs, c) = mapAccumRight (\\(s, r) -> (s + 1, s * r)) c xs |> snd"
    ),
    "a loop that draws": (
        "walk x = while[20] (\\s -> s < 10) (\\s -> s + abs (draw (normal 1)) * x) x\n"
        "f : R -> R\nf x = let y = walk x in y * y"
    ),
    "indices out of loops": (
        "f : (R[4], Fin[4][5]) -> R[4]\nf (x, ys) = x * sum (map onehot[4] (takeUntil 3 ys))"
    ),
    "both ways": (
        "step (s, x) = let t = tanh (s + x) in (t, t * x)\n"
        "f : R[4] -> (R, R)[4]\nf xs = bidirectional step step 0 1 xs"
    ),
    "stack": "f : R[3] ~> R[3]\nf = stack[2] (dense[_] >> tanh)",
    "families": "f : R[3] ~> R[2]\nf = mlp[4, 2]",
    "same twice": "f : R[3] -> (R[3], R[3])\nf x = let y = sin x in (y, y)",
    "nested": "f : R[3] -> R[3]\nf x = grad (\\y -> sum (y * y * sin y)) x",
    "the product of two": "f : (R, R) -> R\nf (x1, x2) = (log x1 + x1 * x2 - sin x2) * (x1 + x2)",
    "bundle adjustment's projection": (
        "f : ((R[3], R[3], R, R[2], R[2]), R[3]) -> R[2]\n"
        "f ((r, c, focal, centre, rad), p) =\n"
        "  let d = p - c; t2 = dot r r; t = sqrt t2\n"
        "      q = cos t * d + (sin t / t) * (r * sum d) + ((1 - cos t) / t2) * (dot r d * r)\n"
        "      s = [q ! 0 / q ! 2, q ! 1 / q ! 2]; n = dot s s\n"
        "  in focal * (1 + rad ! 0 * n + rad ! 1 * n * n) * s + centre"
    ),
    "softmax": "f : R[4] -> R[4]\nf x = softmax x",
    "complex": "f : (R[3], C[3], C) -> (C[3], R)\nf (x, z, a) = (a * x / z + conj z, norm (z * x))",
    "spectrum": "f : R[4,2] -> R[4,2]\nf x = abs (fft x) * angle (map fft x)",
    "hermitian": "f : C[2,2] -> (C[2,2], (R[2], C[2,2]))\nf a = (cholesky (a @ adj), eigh a)\n"
    "  where adj = conj (transpose a)",
    "factors": "f : R[3,2] -> ((R[3,2], R[2,2]), (R[3,2], R[2], R[2,2]))\nf a = (qr a, svd a)",
    "svd of complex matrices": "f : C[2,3] -> (C[2,2], R[2], C[2,3])\nf a = svd a",
    "functions of matrices": "f : R[2,2] -> (R[2,2], R[2,2])\nf a = (sqrtm (expm a), expm a)",
    "maps of matrices": "f : C[2,2,2] -> C[2,2,2]\nf = map expm",
    "fixpoint": "f : (R[2,2], R[2]) -> R[2]\nf (a, b) = fixpoint (\\y -> tanh (0.3 * a @ y + b)) zero",
    "fixpoint of a pair": (
        "f : (R, R) -> (R, R)\n"
        "f (a, b) = fixpoint (\\(x, y) -> (cos (a * y), sin (b * x) / 2)) (1, 1)"
    ),
    "while": "f : R[2] -> R[2]\nf x = while[9] (\\y -> sum y < 10) (\\y -> y * x + y) x",
    "a while in each": (
        "f : R[3] -> R[3]\nf = map (\\x -> while[9] (\\y -> y < 3) (\\y -> y * y + x) x)"
    ),
    "a while in a while": (
        "f : R -> R\nf x = while[4] (\\y -> y < 3) "
        "(\\y -> while[5] (\\z -> z < y + 1) (\\z -> z + x * z) y) x"
    ),
    "unfoldWhile": "f : R -> [R]\nf x = unfoldWhile[4] (\\s -> (s * x, s + x, s > 0.1)) x",
    "equations for each": (
        "g : R[2,2] -> R[2]\ng a = solve a [1, 2] + logdet a\nf : R[3,2,2] -> R[3,2]\n"
        "f xs = map (\\x -> g (x + [[3, 0], [0, 3]])) xs"
    ),
    "solve": "f : (R[2,2], R[2]) -> R[2]\nf (a, b) = solve (a + [[3, 0], [0, 3]]) b",
}


TREES = {
    "two in a row": "f : Tree R -> R\nf t = reduce t * total (mapData square t)",
    "a product": (
        "f : Tree R -> R\nf t = let y = cata { Leaf x -> (x * x, x); "
        "Node (a, b) (c, d) -> (a * c + b, sin d) } t in fst y * snd y"
    ),
    "para": (
        "weigh layer = case layer of { LeafF x -> x * x; NodeF (a, x) (b, y) -> x + y * total b }\n"
        "f : Tree R -> R\nf = para weigh"
    ),
    "beside an array": (
        "f : (Tree R, R[2]) ~> R[2]\n"
        "f (t, x) = cata { Leaf x -> tanh (?U * x) ; Node l r -> tanh (?L @ l + r) } t * x\n"
        "  where ?U : R[2]"
    ),
    "hylo": (
        "layer l = case l of { LeafF x -> sin x; NodeF l r -> l * r + 1 }\nf : R -> R\n"
        "f = hylo[3] layer (\\s -> if s > 0.5 then NodeF (s / 2) (s / 3) else LeafF s)"
    ),
    "ana": (
        "f : R -> R\n"
        "f x = reduce (ana[3] (\\s -> if s > 0.5 then NodeF (s / 2) (s / 3) else LeafF s) x)"
    ),
    "two trees": "f : (Tree R, Tree R) -> R\nf (t, u) = reduce t * reduce u",
    "zipped": (
        "f : Tree R -> R\n"
        "f t = cata { Leaf (x, y) -> x * y; Node l r -> l + sin r } (zipTree (t, mapData exp t))"
    ),
    "indices": (
        "data Word = Token Fin[4] | Phrase Word R Word\nf : Word ~> R[2]\n"
        "f = cata { Token i -> ?E ! i; Phrase l x r -> x * tanh (?W @ l) * r }"
    ),
    "many constructors": (
        "data Expr = Num R | Add Expr Expr | Mul Expr Expr | Neg Expr | Zero\nf : Expr -> R\n"
        "f = cata { Num x -> x; Add a b -> a + b; Mul a b -> a * b; Neg a -> 0 - a; Zero -> 0 }"
    ),
    "children in a sequence": (
        "data Rose = Rose R [Rose]\nf : Rose -> R\n"
        "f = cata { Rose x rs -> x * sum rs + fold (\\(s, r) -> s * r + 0.1) 1 rs }"
    ),
    "their number": (
        "data Rose = End R[2] | Rose [Rose]\nf : Rose -> R[2]\n"
        "f = cata { End x -> sin x; Rose rs -> tanh (mean rs) }"
    ),
    "children beside numbers": (
        "data Rose = End R | Rose [(R, Rose)]\nf : Rose ~> R\n"
        "f = cata { End x -> sin x; Rose rs -> sum (map (\\(x, r) -> ?w * x * r) rs) }"
    ),
}
TREES |= {
    "along the payload": "f : Tree R ~> R\nf t = foldData (\\(s, x) -> sin (s + ?w * x)) 0 t",
    "zipped with another": (
        "f : (Tree R, Tree R) -> R\n"
        "f (t, u) = cata { Leaf (x, y) -> x * y; Node l r -> l + sin r } (zipTree (t, mapData exp u))"
        " + reduce t + dotTree (t, u)"
    ),
    "with what moves around": (
        "f : (Tree R, R[2]) -> R[2]\n"
        "f (t, x) = cata { Leaf y -> sin x * y; Node l r -> l * r + x } t + x"
    ),
    "one result in another algebra": (
        "f : (Tree R, Tree R) -> R\n"
        "f (t, u) = let m = reduce t in cata { Leaf x -> x / m; Node l r -> l * r + m } u"
    ),
    "looked at": (
        "f : Tree R -> R -> R\n"
        "f t w = case t of { Leaf x -> x * x * w; Node l (Leaf x) -> reduce l * x; Node l _ -> sin w }"
    ),
    "a tree as an answer": ("f : (Tree R, R) -> Tree R\nf (t, c) = mapData (\\x -> sin (c * x)) t"),
    "constructors around trees": "f : (Tree R, R) -> Tree R\nf (t, c) = Node t (Leaf (c * reduce t))",
    "constructors known": "f : R -> Tree R\nf x = Node (Leaf (x * x)) (Node (Leaf 1) (Leaf (sin x)))",
    "not looked at": "f : (Tree R, R) -> R\nf (t, x) = x * x",
    "data": (
        "data Maybe a = Nothing | Just a\nf : (Maybe R, R) -> Maybe R\n"
        "f (m, x) = case m of { Nothing -> if x > 0 then Just x else Nothing; Just y -> Just (x * y) }"
    ),
    "pairs of payload and indices": (
        "f : Tree (R, Fin[3]) ~> R\n"
        "f t = cata { Leaf (x, i) -> x * (?E ! i); Node l r -> l * r } t + countData t"
    ),
    "not parametric": (
        "data Plain = End R | Fork Plain Plain\nsquare2 = cata { End x -> x * x; Fork l r -> l * r }\n"
        "f : Plain -> R\nf t = cata { End x -> x / square2 t; Fork l r -> sin l + r } t"
    ),
    "an array of data": (
        "data Side = Left R | Right R[2] Bool\nf : Side[3] -> Side[3]\n"
        "f = map (\\s -> case s of { Left x -> Right [x, sin x] (x > 0); Right v _ -> Left (sum v) })"
    ),
}
TREES |= {
    "a tree out of a tree": "f : Tree R -> Tree R\nf = cata { Leaf x -> Leaf (x * x); Node l r -> Node r l }",
    "a tree and a number, reduced again": (
        "f : (Tree R, R) -> (R, Tree R)\nf (t, c) =\n"
        "  let (u, y) = cata { Leaf x -> (Leaf (c * x), x); Node (a, x) (b, y) -> (Node b a, x * y) } t\n"
        "  in (reduce u * y, u)"
    ),
    "a child asked what its node knows": (
        "f : Tree R -> R\nf = para (\\layer -> case layer of\n"
        "  { LeafF x -> x; NodeF (a, x) (b, y) -> cata { Leaf z -> z * x; Node l r -> l + r } b + y })"
    ),
}
TREES |= {
    "sums and multiples": (
        "f : (Tree R, Tree R, R) -> (Tree R, R)\n"
        "f (t, u, c) = let v = c * c * t - u in (v + t / c, reduce v + dot t v)"
    ),
    "an inner product with other payload": (
        "f : (Tree R, R) -> R\nf (t, c) = dot (mapData (\\x -> sin (c * x)) t) (-t)"
    ),
    "a sum at a node": (
        "f : Tree R -> R\n"
        "f t = reduce (t + cata { Leaf x -> Leaf (x * x); Node l r -> Node l (2 * r) } t)"
    ),
}
TREES |= {
    "a tree that is grown": (
        "f : (R, R) -> (Tree R, R)\nf (x, c) = (ana[3] (\\s -> if s > 0.5 then "
        "NodeF (s / 2 * c) (s / 3) else LeafF (s * s)) (x * x + 1), c * x)"
    ),
    "a grown tree with other payload": (
        "f : (R, R) -> Tree (R, R)\nf (x, c) = mapData (\\y -> (sin (c * y), x)) (mapData exp "
        "(ana[3] (\\s -> if s > 0.5 then NodeF (s / 2) (s / 3) else LeafF (s * s)) (x + 1)))"
    ),
    "a list that is grown": (
        "data List a = Nil | Cons a (List a)\nf : R -> List R\n"
        "f = ana[5] (\\s -> if s < 0.9 then NilF else ConsF (log (s - 0.8)) (s - 0.1))"
    ),
}
TREES |= {
    "a grown tree with children in an array": (
        "data Quad a = Tip a | Four (Quad a)[2] a\nf : (R, R) -> (Quad R, R)\n"
        "f (x, c) = (ana[3] (\\s -> if s > 0.4 then FourF [s / 2, s / 3 * c] (sin s)"
        " else TipF (s * s)) (x * x + 1), c)"
    ),
    "a grown tree with children along edges": (
        "data Quad = Tip R | Four ((Quad, R)[2], Int) Quad\nf : (R, R) -> Quad\n"
        "f (x, c) = ana[2] (\\(s, r) -> if s > 0.4 then FourF ([((s / 2, r * c), s * r),"
        " ((s / 3 * c, sin r), c)], 3) (s / 4, s * c) else TipF (s * r)) (x * x + 1, x)"
    ),
}
TREES |= {
    "a grown tree with sequences of children": (
        "data Wide a = End | Wide a [(R, Wide a)] (Wide a)\nf : (R, R) -> (Wide R, R)\n"
        "f (x, c) = (ana[2] (\\s -> if s > 0.3 then WideF (s * c) [(s * s, s / 2), (c, s * 0.9)]"
        " (s / 3) else EndF) (x + 1), c * x)"
    ),
}
ROSES = {
    "any number of trees": (
        "f : Rose R -> R\n"
        "f (Rose _ rs) = sum (map squares rs) + fold (\\(s, r) -> s * squares r) 1 rs"
    ),
    "trees for an argument": (
        "f : ([Rose R], R) -> R\nf (rs, c) = mean (map (cata { Rose x ys -> c * x + sum ys }) rs)"
    ),
    "trees in other places": (
        "f : Rose R -> (Rose R, [Rose R])\nf (Rose x rs) = (Rose (x * x) (reverse rs), take[1] rs)"
    ),
    "numbers beside trees": (
        "f : Rose R -> [R]\n"
        "f (Rose x rs) = mapAccumRight (\\(s, r) -> (s + 1, s * squares r)) x rs |> snd"
    ),
    "children of a node": (
        "f : Rose R -> Rose R\nf = cata { Rose x rs -> Rose (x * sum (map squares rs)) rs }"
    ),
}
ROSES |= {
    "pairs with trees": (
        "f : [(R, Rose R)] -> (R, [(R, Rose R)])\nf rs = (fold (\\(s, (x, t)) -> s * x + squares t)"
        " 1 rs, take[1] (map (\\(x, t) -> (2 * x, t)) rs))"
    ),
    "triples with trees": (
        "f : [(Fin[3], Rose R, R[2])] ~> R\n"
        "f rs = sum (map (\\(i, t, y) -> ?E ! i * squares t + sum y) rs)"
    ),
    "children along edges": (
        "data Graph = End R | To [(R, Graph)]\n"
        "sq = cata { End x -> x * x; To rs -> sum (map (\\(x, r) -> x * r) rs) }\n"
        "f : Graph -> Graph\nf t = case t of { End x -> End (x * x)\n"
        "  ; To rs -> To (map (\\(x, r) -> (x * sq r, r)) (reverse rs)) }"
    ),
    "indices along edges, at a node": (
        "data Graph = End R | To [(Fin[3], Graph)]\n"
        "sq = cata { End x -> x * x; To rs -> sum (map (\\(i, r) -> r) rs) }\n"
        "f : Graph ~> Graph\nf = cata { End x -> End (sin x)\n"
        "  ; To rs -> To (reverse (take[1] rs)) }"
    ),
}
ROSES |= {
    "each looked at": (
        "data Tree a = Leaf a | Node (Tree a) (Tree a)\nsq = cata { Leaf x -> x * x; Node l r -> l * r }\n"
        "f : ([Tree R], R) -> R\nf (ts, c) = c * sum (map (\\t -> case t of\n"
        "  { Leaf x -> c * x * x; Node l r -> sq l * sin (sq r) }) ts)"
    ),
    "children taken apart": (
        "f : Rose R -> R\nf (Rose x rs) ="
        " x * sum (map (\\(Rose y ts) -> y * sum (map squares ts) + sin y) rs)"
    ),
}
ROSES |= {
    "each looked at, with another element": (
        "f : [(R, Rose R)] -> R\nf ts = sum (map (\\(x, Rose y _) -> sin (x * y)) ts)"
    ),
    "looked at in a loop, with the state": (
        "data Tree a = Leaf a | Node (Tree a) (Tree a)\nsq = cata { Leaf x -> x * x; Node l r -> l * r }\n"
        "f : ([Tree R], R) -> R\nf (ts, c) = fold (\\(s, t) -> case t of\n"
        "  { Node (Leaf x) r -> sin s * x + sq r; Leaf y -> log (1 + s * y)\n"
        "  ; Node l _ -> case t of { Node _ r -> s + sq r * sq l; _ -> s } }) c ts"
    ),
    "parts of other kinds": (
        "data Num = Num R Fin[3] | Pair (R, Num) | Two Num[2] R\n"
        "num = cata { Num x i -> x * toReal i; Pair (x, y) -> x * y; Two ns x -> sum ns * x }\n"
        "f : [(R, Num)] -> R\nf ts = sum (map (\\(x, n) -> case n of { Num y i -> x * y * ([1, 2, 3] ! i)\n"
        "  ; Pair (y, m) -> x * y * num m; Two ns y -> x * num (ns ! 0) * y }) ts)"
    ),
}
TREES |= {
    "reduced for each element": (
        "f : (Tree R, R[5], R[6]) -> R[6]\n"
        "f (t, xs, ys) = map (\\y -> let z = exp y in sum (map (\\x ->\n"
        "  cata { Leaf v -> v * x; Node l r -> tanh (l * z + r) } t) xs)) ys"
    ),
    "reduced for each element of a loop": (
        "data Rose a = Rose a [Rose a]\n"
        "f : (Rose R, R[6]) -> R\n"
        "f (t, xs) = fold (\\(s, x) -> sin s + cata { Rose v rs ->\n"
        "  if v > x then v * x else tanh (x + sum rs) } t) 1 xs"
    ),
    "reduced for each element, of several kinds": (
        "data Tri a = End a R | Tri (Tri a)[2] (R, Tri a)\n"
        "f : (Tri R, R[5], R[3,2]) -> (R, R[3])[5]\n"
        "f (t, xs, w) = map (\\x -> cata { End v y -> (v * x, tanh (w @ [y, x])); Tri ts (c, u) ->\n"
        "  (c * x * fst u + fst (ts ! 0), snd u * tanh (snd (ts ! 1)) * x) } t) xs"
    ),
    "reduced with the state of a few steps": (
        "f : ((Tree R)[2], R) -> (R, R[2])\nf (ts, c) = mapAccum (\\(s, t) ->\n"
        "  let y = cata { Leaf x -> sin (x * s); Node l r -> l + r * s } t in (s + y, y * s)) c ts"
    ),
    "reduced with the state": (
        "f : (Tree R, R[5]) -> R\nf (t, xs) = fold (\\(s, x) -> s * x + sum (map (\\z ->\n"
        "  cata { Leaf v -> v * s * z; Node l r -> tanh (l * x + r) } t) xs)) 0.1 xs"
    ),
    "reduced with the state, while it is small": (
        "f : (Tree R, R) -> R\nf (t, c) = while[3] (\\s -> s < 2)\n"
        "  (\\s -> s + cata { Leaf x -> x * s; Node l r -> l + r } t) c"
    ),
    "several states and outputs, of two trees": (
        "f : (Tree R, Tree R, R[5], R[2]) -> (R[2], (R, R)[5])\n"
        "f (t, u, xs, c) = mapAccumRight (\\(s, x) ->\n"
        "  let y = cata { Leaf v -> v * s; Node l r -> tanh (l * x + r) } t\n"
        "  in (y * s, (x * sum y, cata { Leaf v -> v * s ! 0; Node l r -> tanh (l * r) } u))) c xs"
    ),
    "a derivative with the state": (
        "f : (R[5], Tree R) -> R\nf (xs, t) = fold (\\(s, x) -> x * grad (\\z ->\n"
        "  cata { Leaf v -> v * s * z; Node l r -> tanh (l + r) } t) s) 1 xs"
    ),
    "derivatives in a map": (
        "f : (R[5], Tree R) -> R\nf (xs, t) = sum (map (\\x -> dot (grad reduce (x * t)) t) xs)"
    ),
    "any number of trees, with the state": (
        "f : ([Tree R], R) -> R\nf (ts, c) = fold (\\(s, (t, u)) ->\n"
        "  s * cata { Leaf x -> x * s; Node l r -> l + r } t + reduce u) c (zip (reverse ts, ts))"
    ),
    "any number of trees, in loops": (
        "f : ([Tree R], [(R, Tree R)], R[4]) -> R\nf (ts, us, xs) = fold (\\(s, x) -> sum (map (\\t ->\n"
        "  cata { Leaf v -> x * v * s; Node l r -> l + r * x } t) ts))\n"
        "  (sum (map (\\(x, t) -> x * cata { Leaf v -> v * x; Node l r -> tanh (l + r) } t) us)) xs"
    ),
    "the state, for each of its payload": (
        "f : Tree R -> R\nf t = fold (\\(s, x) -> s * x + cata { Leaf v -> v * s; Node l r -> l + r } t) 1\n"
        "  (map (\\x -> cata { Leaf v -> v * x; Node l r -> tanh (l + r) } t) (payload t))"
    ),
    "a tree made with the state": (
        "f : (R[5], Tree R) -> R\nf (xs, t) = let u = t + t in fold (\\(s, x) ->\n"
        "  if s > 1 then dot (s * t) u * 0.1 else sum (payload (s * t)) * x) 0.1 xs"
    ),
    "loops in loops, with both states": (
        "f : (R[5], R[3], Tree R) -> R\nf (xs, ys, t) = fold (\\(s, x) -> fold (\\(a, y) ->\n"
        "  sin (a * y) + cata { Leaf v -> v * s; Node l r -> tanh (l * a + r * x) } t) x ys) 1 xs"
    ),
    "a list of trees as data, with the state": (
        "data Trees = Done | More (Tree R) Trees\nf : (Trees, R) -> R\nf (ts, c) = cata { Done -> c\n"
        "  ; More t s -> s * cata { Leaf x -> x * s; Node l r -> l + r } t } ts"
    ),
    "a tree that was made, looked at in a loop": (
        "f : (Tree R, R[3]) -> R\nf (t, xs) = let u = t + t in fold (\\(s, x) -> case u of\n"
        "  { Leaf y -> s * y + x; Node l r -> s * reduce l * x }) 1 xs"
    ),
    "a tree that was made, looked at": (
        "f : (Tree R, R) -> R\nf (t, c) = c * (case t + c * t of { Leaf x -> sin (c * x)\n"
        "  ; Node l (Leaf y) -> reduce l * y * c; Node l r -> reduce l * c + sin (reduce r) })"
    ),
    "looked at, with trees around": (
        "f : (Tree R, Tree R, R) -> Tree R\n"
        "f (t, u, c) = case cata { Leaf x -> Leaf (c * x); Node l r -> Node r l } t of\n"
        "  { Leaf x -> Node u (Leaf c)\n"
        "  ; Node l r -> case r of { Leaf x -> Node u l; Node a _ -> Node (reduce u * a) l } }"
    ),
    "simplified node by node": (
        "f : Tree R -> R\nf t = reduce (cata { Leaf x -> Leaf (sin x); Node l r -> case l of\n"
        "  { Leaf x -> Node r (Leaf (x * reduce r)); Node a b -> Node a (Node b r) } } t)"
    ),
    "two as one, looked at": (
        "f : (Tree R, Tree R) -> R\nf (t, u) = case zipTree (t, mapData exp u) of\n"
        "  { Leaf (x, y) -> x * y; Node l r -> cata { Leaf (x, y) -> x * sin y; Node a b -> a * b } r }"
    ),
    "two trees, one by one": (
        "f : (Tree R)[2] -> R\n"
        "f = map (\\t -> case t of { Leaf x -> x * x; Node l r -> reduce l * sin (reduce r) }) >> sum"
    ),
}
ROSE = "data Rose a = Rose a [Rose a]\nsquares = cata { Rose x rs -> x * x + sum rs }\n"
TREE = """
data Tree a = Leaf a | Node (Tree a) (Tree a)
reduce = cata { Leaf x -> x * x; Node l r -> sin l * r }
total = cata { Leaf x -> 1; Node l r -> l * r + 0.1 }
"""


QUICK = ("any number of trees", "pairs with trees", "each looked at, with another element")
OFTEN = {
    "a child asked what its node knows",
    "two in a row",
    "their number",
    "with what moves around",
    "looked at",
    "looked at, with trees around",
    "reduced with the state",
    "any number of trees, with the state",
    "a derivative with the state",
    "reduced for each element",
}
SOAKED = {  # tried by `make soak` alone
    "reduced for each element of a loop", "reduced for each element, of several kinds", "reduced with the state, while it is small",
    "several states and outputs, of two trees", "the state, for each of its payload",
    "any number of trees, in loops", "derivatives in a map", "a tree made with the state", "loops in loops, with both states",
    "one result in another algebra", "zipped with another", "constructors around trees",
    "constructors known", "not looked at", "pairs of payload and indices", "not parametric", "many constructors", "children beside numbers", "hylo",
}  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=() if case in OFTEN else pytest.mark.slow)
        for case in TREES
        if FACTOR > 1 or case not in SOAKED
    ],
)
def test_a_printed_derivative_of_trees_is_the_derivative(case: str) -> None:
    session = Session(precision=64)
    session.run(TREE + TREES[case])
    check(session, session["f"])


def test_a_printed_derivative_of_a_tree_and_a_sequence_is_for_any_length() -> None:
    session = Session(precision=64)
    session.run(
        TREE + "f : Tree R -> [R] -> [R]\n"
        "f t xs = map (\\x -> cata { Leaf v -> v * x; Node l r -> tanh (l + r) } t) xs"
    )
    made = str(derivative_definition(session["f"], adjoint=True))
    assert made.startswith("fAdjoint : Tree R -> R[n] -> (R[n] -o (Tree R, R[n]))")
    session.run(made)
    leaf, node = session.constructor("Leaf"), session.constructor("Node")
    tree = node(leaf(0.3), node(leaf(-0.7), leaf(0.2)))
    with jax.disable_jit():
        for length in (1, 4):
            xs, w = numpy.linspace(0.5, 1.5, length), numpy.linspace(-1.0, 2.0, length)
            _, pullback = session["f"].vjp({}, tree, xs)
            _, *expected = pullback(w)
            found = session["fAdjoint"](tree, xs, w)
            for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
                numpy.testing.assert_allclose(one, other, rtol=1e-12)


SEQUENCES = """
data Maybe a = Nothing | Just a
data Runs a = Empty | Runs [a] R
data Walk = Stop | Pairs [(R, R)] R[2] | Rows [R[2]] (Maybe R)
data Deep = None | Deep [[R]] Int
"""
SEQUENCES_IN_DATA = {
    "branches": "f : R -> Runs R\nf x = if x > 0.9 then Runs [x, 2 * x] x\n"
    "  else if x > 0.5 then Runs [log x] 5 else Empty",
    "of pairs": "f : R -> Walk\nf x = if x > 0.9 then Pairs [(x, x * x), (3, sin x)] [x, 1]\n"
    "  else if x > 0.5 then Rows [[x, 2 * x]] (Just x) else Rows [[1, x], [x, x]] Nothing",
    "of sequences": "f : R -> Deep\nf x = if x > 0.7 then Deep [[x, x * x], [1, x]] 2\n"
    "  else Deep [[x, 3 * x, 2]] 1",
    "in an array": "make x = if x > 0.7 then Runs [x, 2 * x] x else Runs [log x] 5\n"
    "f : R[3] -> (Runs R)[3]\nf xs = [Runs [xs ! 0] 1, Empty, make (xs ! 1)]",
    "a state": "f : R[3] -> Runs R\nf = fold (\\(m, x) -> case m of\n"
    "  { Empty -> Runs [x] 1; Runs xs y -> Runs xs (y + sum xs * x) }) Empty",
    "a length that only running tells": "f : R -> Runs R\nf x = if x > 0.4 then Runs\n"
    "  (unfoldWhile[6] (\\s -> (1.5 * s, sin s + s, s < 9)) x) x else Empty",
    "what is looked at": "f : Walk -> R\nf p = case p of { Stop -> 0\n"
    "  ; Pairs ps v -> sum (map (\\(a, b) -> a * b) ps) * sum v\n"
    "  ; Rows vs m -> sum (sum (square vs)) * (case m of { Nothing -> 1; Just y -> y * y }) }",
}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=() if case in ("a state", "what is looked at")
                     else pytest.mark.slow)
        for case in SEQUENCES_IN_DATA
    ],
)  # fmt: skip
def test_a_printed_derivative_of_data_with_sequences_is_the_derivative(case: str) -> None:
    session = Session(precision=64)
    session.run(SEQUENCES + SEQUENCES_IN_DATA[case])
    for seed in (0, 1):  # of one constructor, and of another
        check(session, session["f"], seed)


def test_a_cotangent_of_data_with_sequences_is_given_the_room_of_its_arrays() -> None:
    session = Session(precision=64)
    session.run(SEQUENCES + SEQUENCES_IN_DATA["branches"])
    text = str(derivative_definition(session["f"], adjoint=True))
    assert "Runs e _ -> take[2] (e ++ replicate[2] 0)" in text
    session.run(text)
    for x, given, expected in (
        (1.0, "Runs [2, 3] 4", 12.0), (0.8, "Runs [2] 4", 2 / 0.8), (0.1, "Empty", 0.0),
    ):  # fmt: skip
        session.run(f"back : R\nback = fAdjoint {x} ({given})")
        assert float(session["back"]) == pytest.approx(expected)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            marks=() if case in QUICK else pytest.mark.slow,
        )
        for case in ROSES
    ],
)
def test_a_printed_derivative_of_any_number_of_trees_is_the_derivative(case: str) -> None:
    session = Session(precision=64)
    session.run(ROSE + ROSES[case])
    check(session, session["f"])


@pytest.mark.slow
def test_a_derivative_of_children_in_a_sequence_that_are_asked_what_their_node_knows() -> None:
    session = Session(precision=64)
    session.run(
        "data Rose a = Rose a [Rose a]\nf : Rose R -> R\n"
        "f = para (\\layer -> case layer of { RoseF x ps -> x + sum "
        "(map (\\(t, r) -> r * (cata { Rose z ns -> sin (z * x) + sum ns }) t) ps) })"
    )
    check(session, session["f"], inputs=[tree("(Rose 0.5 [(Rose 0.2 []), (Rose 0.7 [])])")])


def test_a_derivative_of_a_certain_number_of_children_is_that_of_as_many() -> None:
    session = Session(precision=64)
    session.run(
        "data Call = Number R | Call [Call] | Ends [R] Call\nf : Call -> R\n"
        "f = cata { Number x -> x * x ; Ends r y -> mean r * y\n"
        "  ; Call xs -> let ys = reshape[2,1] xs in ys ! 0 ! 0 * sum (flatten ys) }"
    )
    number, call, ends = map(session.constructor, ("Number", "Call", "Ends"))
    tree = call([number(2.0), ends(numpy.array([1.0, 2.0, 4.0]), number(3.0))])
    check(session, session["f"], inputs=[tree])


def test_a_mean_over_trees_is_a_sum_of_what_moves_in_each() -> None:
    session = Session(precision=64)
    session.run(ROSE + "f : Rose R -> R\nf (Rose x rs) = mean (map squares rs)")
    assert "in 1 / n24 * sum dy" in str(derivative_definition(session["f"]))


def test_a_derivative_of_moved_trees_moves_tangents() -> None:
    session = Session(precision=64)
    session.run(ROSE + "f : Rose R -> Rose R\nf (Rose x rs) = Rose x (reverse rs)")
    assert str(derivative_definition(session["f"])) == (
        "fDerivative : Rose R -> (Rose R -o Rose R)\n"
        "fDerivative (Rose x rs) = \\(Rose dx drs) -> Rose dx (reverse drs)"
    )


WEIGHTS = """
net : R[3] ~> R[2]
net x = tanh (?W @ x + ?b)
one : R[3] ~> R
one x = dot ?w x
"""


@pytest.mark.parametrize(
    "program",
    [
        "f x = grad (\\w -> square (open one (w, x))) (weights one)",
        pytest.param("f x = derivative (\\w -> open net (w, x)) (weights net)",
                     marks=pytest.mark.slow),
        pytest.param("f : Weights net -> R[3] -> Weights net\n"
                     "f w x = w - 0.1 * grad (\\v -> sum (open net (v, x))) w",
                     marks=pytest.mark.slow),
    ],
    ids=["one weight", "a linear map between weights", "a step of descent"],
)  # fmt: skip
def test_a_printed_derivative_moves_weights_by_their_parts(program: str) -> None:
    session = Session(precision=64)
    session.run(WEIGHTS + program)
    check(session, session["f"])


def test_the_gradient_in_weights_reads_as_in_a_book() -> None:
    session = Session(precision=64)
    session.run(WEIGHTS + "f : Weights net -> R[3] -> R\nf w x = sum (open net (w, x))")
    assert str(derivative_definition(session["f"], adjoint=True)) == (
        "fAdjoint : Weights net -> R[3] -> (R -o (Weights net, R[3]))\n"
        "fAdjoint w x =\n"
        "  let (w2, w3) = (parts w : (R[2,3], R[2]))\n"
        "      h = tanh (w2 @ x + w3)\n"
        "  in \\w4 ->\n"
        "      let v = (1 - h * h) * w4 in"
        " ((adjoint parts (outer v x, v) : Weights net), v @ w2)"
    )


def test_a_derivative_of_trees_reads_as_the_catamorphism_does() -> None:
    session = Session(precision=64)
    session.run("data Tree = Leaf R | Node Tree Tree\nf : Tree -> R\n"
                "f = cata { Leaf x -> tanh x; Node l r -> l * r }")  # fmt: skip
    text = str(derivative_definition(session["f"], adjoint=True))
    assert (
        text
        == """fAdjoint : Tree -> (R -o Tree)
fAdjoint x =
  let (y, dy) =
        treeRecurrence
          (\\layer ->
             case layer of {
               LeafF x2 ->
                 let y2 = tanh x2
                 in (y2,
                     section
                       (\\d ->
                          case d of { LeafF dx2 -> (1 - y2 * y2) * dx2 ; _ -> zero })) ;
               NodeF l r ->
                 (l * r,
                  section
                    (\\d2 -> case d2 of { NodeF dl dr -> r * dl + l * dr ; _ -> zero }))
             })
          x
  in \\w -> adjoint dy w"""
    )
    maps = str(derivative_definition(session["f"], combined=True))
    assert ">> diag r *** diag l >> add" in " ".join(maps.split())


SLOW = {
    "factors", "maps of matrices", "svd of complex matrices", "a while in each",
    "equations for each", "fixpoint of a pair", "unfoldWhile",
}  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=pytest.mark.slow if case in SLOW else ()) for case in PROGRAMS],
)
def test_a_printed_derivative_is_the_derivative(case: str) -> None:
    session = Session(precision=64)
    session.run(PROGRAMS[case])
    check(session, session["f"])


def test_a_layer_reads_as_in_a_book() -> None:
    session = Session(precision=64)
    session.run("layer : R[8] ~> R[12]\nlayer x = tanh (?W @ x + ?b)")
    assert str(derivative_definition(session["layer"])) == (
        "layerDerivative : R[8] -> (R[8] -o R[12])\n"
        "layerDerivative x =\n"
        "  let y = tanh (layer.W @ x + layer.b) in \\dx -> (1 - y * y) * layer.W @ dx"
    )
    assert str(derivative_definition(session["layer"], adjoint=True)) == (
        "layerAdjoint : R[8] -> (R[12] -o R[8])\n"
        "layerAdjoint x =\n"
        "  let y = tanh (layer.W @ x + layer.b) in \\w -> ((1 - y * y) * w) @ layer.W"
    )


# The worked examples of the paper's prototype (Elsman et al. 2022): what their derivatives
# and adjoints are as combinators.
WORKED = {
    "ln (sin x)": (
        "f : R -> R\nf x = log (sin x)",
        "diag (cos x) >> diag (1 / sin x)",
        "diag (1 / sin x) >> diag (cos x)",
    ),
    "x1 x2": (
        "f : (R, R) -> R\nf (x1, x2) = x1 * x2",
        "diag x2 *** diag x1 >> add",
        "diag x2 &&& diag x1",
    ),
    "ln x1 + x1 x2 - sin x2": (
        "f : (R, R) -> R\nf (x1, x2) = log x1 + x1 * x2 - sin x2",
        "(fst >> diag (1 / x1)) + (diag x2 *** diag x1 >> add)\n"
        "  + (snd >> diag (cos x2) >> scale (-1))",
        "diag (1 / x1) + diag x2 &&& (scale (-1) >> diag (cos x2)) + diag x1",
    ),
    "ln (x1 cos x2)": (
        "f : (R, R) -> R\nf (x1, x2) = log (x1 * cos x2)",
        "diag h *** (diag (-sin x2) >> diag x1) >> add >> diag (1 / (x1 * h))",
        "diag (1 / (x1 * h)) >> diag h &&& (diag x1 >> diag (-sin x2))",
    ),
}


@pytest.mark.parametrize("case", WORKED)
def test_the_worked_examples_read_as_in_the_paper(case: str) -> None:
    program, forward, backward = WORKED[case]
    session = Session(precision=64)
    session.run(program)
    check(session, session["f"])
    for adjoint, expected in ((False, forward), (True, backward)):
        text = str(derivative_definition(session["f"], adjoint, combined=True))
        assert expected in text


def test_the_example_with_numbers() -> None:
    session = Session(precision=64)
    session.run("f : (R, R) -> R\nf (x1, x2) = log x1 + x1 * x2 - sin x2")
    session.run(str(derivative_definition(session["f"], adjoint=True)))
    assert abs(float(session.evaluate("f (2, 5)")) - 11.652) < 1e-3
    x1, x2 = session.evaluate("fAdjoint (2, 5) 1")
    assert abs(float(x1) - 5.5) < 1e-12
    assert abs(float(x2) - 1.7163) < 1e-4


def in_a_row(count: int, first: str) -> str:
    """So many squares of squares."""
    squares = "; ".join(f"x{k + 1} = x{k} * sin x{k}" for k in range(count))
    return f"let x0 = {first}; {squares} in x{count}"


@pytest.mark.parametrize("combined", [False, True])
@pytest.mark.parametrize("adjoint", [False, True])
@pytest.mark.parametrize(
    "program",
    [
        lambda n: "f : R[3] ~> R[3]\nf x = " + " >> ".join(["tanh"] * n).join(("(", ") x")),
        lambda n: "f : R -> R\nf x = " + " * ".join(["x"] * n),
        lambda n: "f : R -> R\nf x = let " + "; ".join(
            f"x{k + 1} = x{k} * x{k}" if k else "x1 = x * x" for k in range(n)
        ) + f" in x{n}",
        lambda n: "f : R[4] -> R\nf = fold (\\(s, x) -> " + in_a_row(n, "s * x") + ") 1",
        lambda n: "f : R -> R\nf = while[9] (\\x -> x < 9) (\\x -> " + in_a_row(n, "x + 1") + ")",
        lambda n: TREE + "f : Tree R -> R\nf = cata { Leaf x -> x; Node l r -> "
        + in_a_row(n, "l * r") + " }",
        lambda n: TREE + "f : Tree R -> R\nf t = " + " + ".join(["reduce t"] * n),
        lambda n: TREE + "f : Tree R -> Tree R\nf t = " + " + ".join(["t * reduce t"] * n),
        lambda n: TREE + "f : Tree R -> Tree R\nf = cata { Leaf x -> Leaf ("
        + in_a_row(n, "x") + "); Node l r -> Node r l }",
        lambda n: TREE + "f : R -> Tree R\nf = ana[3] (\\s -> if s > 1 then NodeF (s / 2) (s / 3) "
        "else LeafF (" + in_a_row(n, "s") + "))",
        lambda n: ROSE + "f : [Rose R] -> R\nf rs = sum (map (cata { Rose x ys -> "
        + in_a_row(n, "x + sum ys") + " }) rs)",
    ],
    ids=[
        "chain", "product", "squares", "loop", "while", "tree", "trees in a row", "sums of trees",
        "tree of a tree", "grown", "any number of trees",
    ],
)  # fmt: skip
def test_a_printed_derivative_grows_as_the_program_does(
    program: Callable[[int], str], adjoint: bool, combined: bool
) -> None:
    sizes = []
    for n in (8, 16, 32):
        session = Session(precision=64)
        session.run(program(n))
        made = derivative_definition(session["f"], adjoint, combined=combined)
        sizes.append(sum(1 for _ in walk(made.program)))
    # Twice the program is at most twice the text.
    assert sizes[2] - sizes[1] <= 2.2 * (sizes[1] - sizes[0])


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("f : R[n,m] -> R[m]\nf x = mean x", "f_ : R[n,m] -> (R[n,m] -o R[m])\n"
         "f_ x = \\dx -> 1 / n * sum dx"),
        ("f : R[n] -> R[m] -> R[n,m]\nf x y = outer x y",
         "f_ : R[n] -> R[m] -> ((R[n], R[m]) -o R[n,m])\n"
         "f_ x y = \\(dx, dy) -> outer dx y + outer x dy"),
        ("f xs = window[3] sum xs", "f_ : R[n] -> (R[n] -o R[n-2])\n"
         "f_ xs = \\dxs -> map sum (window[3] id dxs)"),
    ],
)  # fmt: skip
def test_open_sizes_stay_open(program: str, text: str) -> None:
    session = Session(precision=64)
    session.run(program)
    made = derivative_definition(session["f"], name="f_")
    assert str(made) == text
    session.run(text)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("f : R -> Tree R\nf x = x * ana[2] LeafF x", "what `mapData` does with one"),
        (
            "data Rose a = Rose a [Rose a]\nf : R -> Rose R\n"
            "f = ana[3] (\\s -> if s > 1 then RoseF s [s / 2, s / 3] else RoseF s [])",
            "of which only running tells how many",
        ),
        (
            "g : Tree R -> R\n"
            "g t = reduce (cata { Leaf x -> Leaf (x * x); Node l r -> Node r (reduce l * l) } t)\n"
            "f : Tree R -> Tree R\nf t = hessian g t t",
            "of these the second is written, and no third",
        ),
        (
            "f : Tree R -> R\n"
            "f t = trace (derivative reduce t >> adjoint (derivative reduce t))",
            "linear map between spaces of trees",
        ),
        (
            "f : (Tree R, R) -> R\nf (t, c) = while (\\s -> s < 2)\n"
            "  (\\s -> s + cata { Leaf x -> x * s; Node l r -> l + r } t) c",
            "of a `while` without a bound",
        ),
        (
            "f : (Tree R, R) -> R\nf (t, c) = iterate[5]\n"
            "  (\\s -> s + cata { Leaf x -> x * s * draw (normal 1); Node l r -> l + r } t) c",
            "at the nodes of this",
        ),
        (
            "f : (R[3], Tree R) -> Tree R\nf (xs, t) = grad (\\u -> fold (\\(s, x) ->\n"
            "  s + cata { Leaf v -> v * s * x; Node l r -> l + r } u) 1 xs) t",
            "of a loop in which what is made of a tree knows the state",
        ),
        (
            "f : Tree R -> R\nf t = sum (flat t) where\n  flat : Tree R -> [R]\n"
            "  flat = cata { Leaf x -> [x]; Node l r -> if sum l > 0 then l ++ r else r }",
            "made of it, whose length only running tells",
        ),
        (
            "flat : Tree R -> [R]\nflat = cata { Leaf x -> [x]; Node l r -> l ++ r }\n"
            "f : [Tree R] -> R\nf = map (\\t -> mean (flat t)) >> sum",
            "known of no one sequence",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_with_the_reason(program: str, reason: str) -> None:
    session = Session(precision=64)
    session.run(TREE + program)
    with pytest.raises(NnfpError) as caught:
        derivative_definition(session["f"])
    assert caught.value.diagnostics[0].code == "derivative-not-printed"
    assert reason in caught.value.diagnostics[0].primary.text


def test_a_draw_is_bound_before_the_linear_map_which_reuses_it() -> None:
    session = Session(precision=64)
    session.run("f : R -> R\nf x = draw (normal 1) + x * draw (normal 1)")
    # The first draw of f is made, though nothing uses it: so the second is the same.
    drawn = "let _ = (draw (uniform 0 1) : R); h = (draw (normal 1) : R) in \\dx -> h * dx"
    assert drawn in str(derivative_definition(session["f"]))


def test_what_is_drawn_at_the_nodes_of_a_tree_is_reused_too() -> None:
    session = Session(precision=64)
    session.run(TREE + "f : Tree R -> R\nf = cata {\n"
        "  Leaf x -> tanh (x * draw (normal 1)); Node l r -> l * r + draw (normal 1) * l }")  # fmt: skip
    for adjoint in (False, True):
        session.run(str(derivative_definition(session["f"], adjoint)))
    leaf, node = session.constructor("Leaf"), session.constructor("Node")
    tree, moved = (node(leaf(x), node(leaf(2 * x), leaf(1 - x))) for x in (0.3, -0.7))
    key = jax.random.key(3)
    image = session["fDerivative"].apply({}, tree, moved, key=key)
    back = session["fAdjoint"].apply({}, tree, 1.7, key=key)
    product = sum(map(numpy.multiply, jax.tree.leaves(moved), jax.tree.leaves(back)))
    numpy.testing.assert_allclose(1.7 * image, product)
    twice = session["fDerivative"].apply({}, tree, jax.tree.map(lambda x: 2 * x, moved), key=key)
    numpy.testing.assert_allclose(2 * image, twice)


def test_a_loop_without_a_bound_that_draws_is_refused() -> None:
    session = Session(precision=64)
    session.run("f : R -> R\nf x = while (\\s -> s < 10) (\\s -> s + draw (normal 1) * x) x")
    with pytest.raises(NnfpError) as caught:
        derivative_definition(session["f"])
    told = caught.value.diagnostics[0].primary.text
    assert "a loop without a bound that draws" in told
    assert "`while[1000] c f`" in told


def test_a_name_that_means_something_else_in_the_program_is_not_used() -> None:
    session = Session(precision=64)
    session.run("norm x = x\nf : R -> R[3]\nf x = norm (replicate[3] (sin x))")
    session.run(str(derivative_definition(session["f"], adjoint=True)))
    session.run("sum x = 1")
    with pytest.raises(NnfpError) as caught:
        derivative_definition(session["f"], adjoint=True)
    assert "a `sum` of its own" in caught.value.diagnostics[0].primary.text


def test_a_derivative_from_python_reads_as_a_program_and_as_maps() -> None:
    session = Session(precision=64)
    session.run("f : R[3] -> R[3]\nf x = tanh x")
    linear = session["f"].derivative()
    assert str(linear) == (
        "fDerivative : R[3] -> (R[3] -o R[3])\n"
        "fDerivative x = let y = tanh x in \\dx -> (1 - y * y) * dx\n\n"
        "-- as linear maps\n"
        "fDerivative x = let y = tanh x in diag (1 - y * y)"
    )
    assert "fAdjoint x = let y = tanh x in \\w -> (1 - y * y) * w" in str(linear.adjoint())
    assert str(linear.adjoint().adjoint()) == str(linear)
