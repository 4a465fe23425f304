"""What stands behind a `Function`: a definition traced at certain inputs, and called.

    specialise.py   the calls of a definition: what it is traced as, for inputs of each form
    call.py         one of them: its graph, and the derivatives made of it

from a definition to something that runs
    structures.py   what a trace must know of an argument beside its type
    placing.py      arguments as values on the graph's input wires
    traced.py       one trace, one graph, one executable
    planned.py      what a plan of loops makes, within the memory there is
    answer.py       the wires of its answer, and the Python value of their arrays

what goes in and comes out
    arguments.py    inputs, weights and key as the arrays that a call takes
    tangents.py     tangents and cotangents in, gradients out
    batches.py      a batch as Python holds it: its size, one example, their mean
    forms.py        inputs of a form that was checked once are not checked again

what is said
    misfits.py      what does not fit: inputs, weights, keys, cotangents
    equations.py    equations without a solution
    watch.py        where a value stopped being finite; spoiled.py: in which expression
    cost.py         operations and bytes, counted; times, measured

Import the files by name.
"""
