"""What a program runs on: devices, memory, processes, the disk, and the person at the keys.

    devices.py      the devices that JAX finds, and arrays laid out over them
    memory.py       how much there is, how much is free, what is said when it is too little
    processes.py    several processes that train as one
    interrupts.py   SIGINT, of which none is lost and none breaks what it falls into
    files.py        files written whole or not at all
    persistent.py   what JAX has compiled, kept from one process to the next

Import the files by name: some are wanted before JAX is there.
"""
