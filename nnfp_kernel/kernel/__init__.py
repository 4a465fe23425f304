"""The Jupyter kernel `nnfp`: a cell is a program, a `%%python` cell is Python.

Both run in one process and share one session and one namespace. `python -m
nnfp_kernel.kernel` is what Jupyter starts; `nnfp install` tells Jupyter of it.
"""
