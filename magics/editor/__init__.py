"""How a program looks where it is written: highlighting in editors and on paper.

lexer.py       Pygments, for nbconvert, Sphinx and IPython
source/        the extension of JupyterLab and Notebook: CodeMirror, in plain JavaScript
labextension/  the extension as it is installed; `make editor` makes it from the source
"""
