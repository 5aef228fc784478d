"""Limits of what one process works on: admission, deadlines, shared work, CPUs and memory.

No HTTP, no images, no settings: numbers and callables go in.
"""
