"""From a graph to an accelerator: what is compiled, called and trained.

    lower.py        a graph becomes a JAX function; fixpoint.py: how equations are solved there
    program.py      what a session defined at some moment; executables.py: what was compiled of it
    data.py         values of `data` types, as Python holds them
    exchange/       values between Python and the graph
    forest/         trees of any shapes, packed
    ragged.py       sequences of any lengths, padded and packed
    calls/          a definition at certain inputs: its graph, its derivatives, what is said of it
    function.py     `Function`: a definition as Python uses it; lists.py: at a list of examples
    weights.py      first values of weights; stored.py: weights on disk
    export.py       a function as StableHLO
    training/       objectives, batches, methods, the loop and its events
    machine/        devices, processes, memory, interrupts, files

One way through it: machine, lower, program → exchange → forest → calls → function → training.
"""
