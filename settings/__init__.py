"""The parts of `config.py`: names, fields, values, and the defaults that depend on the machine."""
