"""Models: the catalogue, the download of their files, loading, running, and preparation for bf16.

No Flask and no settings; images only as the model's input and its mask.
"""
