"""The numbers from 0 to 9999 in words, English and French, and the words in parts.

>>> english(1971), french(1971)
('one thousand nine hundred seventy-one', 'mille neuf cent soixante et onze')
>>> parts(french(80)), joined(parts(french(80)))
(['quatre', '-vingts'], 'quatre-vingts')

The French is that of France in the spelling before 1990, the English American.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

ENGLISH = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
]  # fmt: skip
ENGLISH_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
FRENCH = [
    "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze",
    "douze", "treize", "quatorze", "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf",
]  # fmt: skip
FRENCH_TENS = ["vingt", "trente", "quarante", "cinquante", "soixante"]


def english(number: int) -> str:
    """A number from 0 to 9999 in English words.

    >>> [english(n) for n in (0, 42, 800, 1066)]
    ['zero', 'forty-two', 'eight hundred', 'one thousand sixty-six']
    """
    _check(number)
    if number >= 1000:
        return _and(f"{ENGLISH[number // 1000]} thousand", number % 1000, english)
    if number >= 100:
        return _and(f"{ENGLISH[number // 100]} hundred", number % 100, english)
    if number < 20:
        return ENGLISH[number]
    tens = ENGLISH_TENS[number // 10 - 2]
    return f"{tens}-{ENGLISH[number % 10]}" if number % 10 else tens


def french(number: int) -> str:
    """A number from 0 to 9999 in French words.

    >>> [french(n) for n in (21, 77, 80, 91, 200, 201, 1000)]
    ['vingt et un', 'soixante-dix-sept', 'quatre-vingts', 'quatre-vingt-onze',
     'deux cents', 'deux cent un', 'mille']
    """
    _check(number)
    if number >= 1000:
        many = number // 1000
        return _and("mille" if many == 1 else f"{FRENCH[many]} mille", number % 1000, french)
    if number >= 100:
        many, rest = divmod(number, 100)
        if many == 1:
            return _and("cent", rest, french)
        return _and(f"{FRENCH[many]} cent" if rest else f"{FRENCH[many]} cents", rest, french)
    if number < 20:
        return FRENCH[number]
    if number >= 80:  # four twenties, and up to nineteen more
        return f"quatre-vingt-{FRENCH[number - 80]}" if number > 80 else "quatre-vingts"
    # Sixty goes on to seventy-nine: soixante-dix is sixty-ten.
    tens = min(number // 10, 6)
    word, rest = FRENCH_TENS[tens - 2], number - 10 * tens
    if rest in (1, 11):
        return f"{word} et {FRENCH[rest]}"
    return f"{word}-{FRENCH[rest]}" if rest else word


def parts(words: str) -> list[str]:
    """Words taken apart at spaces and at hyphens, which stay with what follows them.

    >>> parts("quatre-vingt-dix")
    ['quatre', '-vingt', '-dix']
    """
    return words.replace("-", " -").split()


def joined(pieces: Iterable[str]) -> str:
    """The words that `parts` took apart.

    >>> joined(["quatre", "-vingt", "-dix"])
    'quatre-vingt-dix'
    """
    return " ".join(pieces).replace(" -", "-")


def _and(words: str, rest: int, say: Callable[[int], str]) -> str:
    return f"{words} {say(rest)}" if rest else words


def _check(number: int) -> None:
    if not 0 <= number <= 9999:
        raise ValueError(f"{number} is not between 0 and 9999")
