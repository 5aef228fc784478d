"""The composition root: the one place where settings become parts.

`app.py`, `worker.py`, `sweeper.py`, `cli.py` and the benchmarks call these functions, each in its own process. Most of
them open nothing. Imports that only some processes need are inside the functions: the sweeper and `--help` stay small.
"""
