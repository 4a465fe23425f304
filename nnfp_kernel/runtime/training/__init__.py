"""Training: from an objective, weights and data to a stream of events.

    train.py        its arguments, checked: they become a plan, which the loop runs
    plan.py         what is minimised, and all that is fixed meanwhile
    loop.py         chunk after chunk: measures, saves, warns, ends, goes back
    chunks.py       steps, compiled; vectors.py: the numbers of a small network as one vector
    methods.py      optimisers and schedules
    events.py       what happens, as data, for whoever shows it
    checkpoints.py  where a training is, on disk

the examples
    columns.py      arrays, lists or buckets, asked alike
    examples.py     examples of any length, in buckets
    stream.py       batches that an iterable gives one after the other

the objective, made of functions of the language
    objective.py    its loss, gradient and metric
    rows.py         at packed rows of one bucket
    shares.py       at a batch in lists, shared out among devices

Import the files by name: those who only read events need no optimiser.
"""
