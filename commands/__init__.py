"""The commands of the command line; `cli.py` puts them together.

Knows settings and `bootstrap`, and imports heavy modules inside functions: `--help` loads no model.
"""
