"""Checks whether models can run on CUDA here, before anything depends on it."""

import subprocess
import sys
from typing import Final

# An ONNX graph with one node, `Neg` of one float.
TINY_GRAPH: Final = (
    "08083a320a0b0a017812017922034e65671201675a0f0a0178120a0a0808"
    "0112040a020801620f0a0179120a0a08080112040a02080142040a00100d"
)
PROBE: Final = """
import sys
import onnxruntime
if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
    sys.exit("cuda is not in this build of onnxruntime")
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
session = onnxruntime.InferenceSession(bytes.fromhex(sys.argv[1]), options, ["CUDAExecutionProvider"])
if "CUDAExecutionProvider" not in session.get_providers():
    sys.exit("onnxruntime finds no device, driver or CUDA library that it can use")
"""
# The first use of a device may compile for it.
PROBE_SECONDS: Final = 120


def missing_cuda() -> str:
    """Return why no model can run on CUDA here; "" where one can.

    A separate process checks, because what CUDA sets up does not survive a fork.
    """
    command = [sys.executable, "-W", "ignore", "-c", PROBE, TINY_GRAPH]
    try:
        # S603: our own interpreter and words.
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, errors="replace", check=False, timeout=PROBE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"the device does not answer within {PROBE_SECONDS} s"
    lines = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else (lines[-1] if lines else f"the check ended with {done.returncode}")
