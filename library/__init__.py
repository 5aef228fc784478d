"""The library `bgremove`: the pipeline of the service in the caller's own process.

Knows settings and `bootstrap`, and no web framework; heavy modules are imported with the first picture. `bgremove.py`
has its public names.
"""
