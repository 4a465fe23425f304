"""ListOps: nested operations on digits, their answers, and three ways to write them down.

>>> question = ("MAX", [2, 9, ("MIN", [4, 7]), 0])
>>> spoken(question), answer(question)
('[MAX 2 9 [MIN 4 7 ] 0 ]', 9)

An expression is a digit, or the name of an operation and its arguments. Source: Nangia and
Bowman, ListOps: A Diagnostic Dataset for Latent Tree Learning (2018). As there, operations
have two to five arguments, and an argument is an operation with probability 1/4. Ours are
smaller (`DEEPEST`, `LONGEST`), and none is a mere digit.
"""

from __future__ import annotations

from random import Random
from statistics import median

OPERATIONS = ("MAX", "MIN", "MED", "SM")  # SM is the sum modulo ten
DEEPEST = 6  # operations inside operations
LONGEST = 40  # words

Expression = int | tuple[str, list["Expression"]]


def answer(expression: Expression) -> int:
    """What an expression comes to. The median of an even number of digits is the mean of the
    two in the middle, rounded down.

    >>> answer(("MED", [1, 8, 4, 5])), answer(("SM", [7, 8, 9]))
    (4, 4)
    """
    if isinstance(expression, int):
        return expression
    name, arguments = expression
    values = [answer(argument) for argument in arguments]
    if name == "SM":
        return sum(values) % 10
    return int({"MAX": max, "MIN": min, "MED": median}[name](values))


def words(expression: Expression) -> list[str]:
    """The words of an expression, from left to right: digits, `[MAX` and the like, `]`."""
    if isinstance(expression, int):
        return [str(expression)]
    name, arguments = expression
    return [f"[{name}", *(word for each in arguments for word in words(each)), "]"]


def spoken(expression: Expression) -> str:
    """The words in one text."""
    return " ".join(words(expression))


def written(expression: Expression) -> str:
    """An expression as a value of the data type of chapter 7: an operation is opened, takes
    its arguments one by one, and is closed.

    >>> written(("SM", [7, 8]))
    '(Close (Arg (Arg (Open 3) (Digit 7)) (Digit 8)))'
    """
    if isinstance(expression, int):
        return f"(Digit {expression})"
    name, arguments = expression
    tree = f"(Open {OPERATIONS.index(name)})"
    for argument in arguments:
        tree = f"(Arg {tree} {written(argument)})"
    return f"(Close {tree})"


def depth(expression: Expression) -> int:
    """How many operations stand inside each other."""
    if isinstance(expression, int):
        return 0
    return 1 + max(map(depth, expression[1]))


def examples(count: int, seed: int = 0) -> list[Expression]:
    """Expressions, no two the same."""
    rng = Random(seed)
    found: dict[str, Expression] = {}
    while len(found) < count:
        made = _random(rng, 1)
        if len(words(made)) <= LONGEST:
            found.setdefault(spoken(made), made)
    return list(found.values())


def _random(rng: Random, level: int) -> Expression:
    if level > 1 and (level > DEEPEST or rng.random() > 0.25):
        return rng.randrange(10)
    return rng.choice(OPERATIONS), [_random(rng, level + 1) for _ in range(rng.randint(2, 5))]
