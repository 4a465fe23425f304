"""A film: data in every stage of a function, all through a training.

reel.py    the weights at some moments of a training, and who watches it
film.py    a function's stages at those moments
packed.py  a film as JSON and a buffer, for widgets and pages
text.py    a film in words and numbers
"""

from .film import Film

__all__ = ["Film"]
