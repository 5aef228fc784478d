"""Models: the catalogue, the download of their files, loading, running, and preparation for bf16.

No Flask and no settings; images only as the model's input and its mask.
"""

import os

# ONNX Runtime would send usage data to its maker, from a thread that a forked worker lacks and crashes without at its
# end. It reads this once, at its import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
