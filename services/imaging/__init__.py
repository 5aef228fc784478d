"""From the bytes of a photo to the bytes of its cut-out: one module for each step, and the list of steps.

Pure functions. No threads, no Redis, no HTTP and no models enter: only `containers`, the errors and the deadline are
imported.
"""
