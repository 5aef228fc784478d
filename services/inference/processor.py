"""What this processor computes itself, and in which precisions it is fast."""

import re
from itertools import takewhile
from pathlib import Path
from typing import Final

from services.inference.openvino import has_openvino

# Other than f32, fastest first on most processors.
PRECISIONS: Final = ("int8+bf16", "int8+f32", "bf16")
CPUINFO: Final = Path("/proc/cpuinfo")
BF16_FLAGS: Final = frozenset({"amx_bf16", "avx512_bf16"})
INT8_FLAGS: Final = frozenset({"amx_int8", "avx512_vnni", "avx_vnni"})


def has_instructions(precision: str, cpuinfo: Path = CPUINFO) -> bool:
    """Return whether this processor computes in `bf16`, `int8+bf16` or `int8+f32` itself, and an engine can use it."""
    return ("bf16" not in precision or has_bf16(cpuinfo)) and ("int8" not in precision or has_int8(cpuinfo))


def usual_precisions(cpuinfo: Path = CPUINFO) -> list[str]:
    """Return the precisions other than f32 that processors like this one are usually fast in, fastest first.

    Where a hypervisor hides AMX, Intel's AVX512-BF16 is left, which is slower than f32 (decision 005).
    """
    quick = "amx_bf16" in _flags(cpuinfo) or "AuthenticAMD" in _text(cpuinfo)
    return [one for one in PRECISIONS if has_instructions(one, cpuinfo) and (quick or "bf16" not in one)]


def has_bf16(cpuinfo: Path = CPUINFO) -> bool:
    """Return whether this processor multiplies bf16 itself (AMX or AVX512-BF16) and an engine here can use it."""
    return bool(_flags(cpuinfo) & BF16_FLAGS) and has_openvino()


def has_int8(cpuinfo: Path = CPUINFO) -> bool:
    """Return whether this processor sums products of int8 itself (VNNI, AMX) and an engine here can use it."""
    return bool(_flags(cpuinfo) & INT8_FLAGS) and has_openvino()


def processor(cpuinfo: Path = CPUINFO) -> str:
    """Return the processor's maker, family, model and instructions that count here; "" where that is unknown.

    Two processors of the same name need not take the same time: a hypervisor may hide instructions of one.
    """
    found = dict(re.findall(r"^(vendor_id|cpu family|model)\s*: (.+)$", _text(cpuinfo), re.MULTILINE))
    return " ".join([*found.values(), *sorted(_flags(cpuinfo) & (BF16_FLAGS | INT8_FLAGS))])


def _flags(cpuinfo: Path) -> set[str]:
    return set(_text(cpuinfo).partition("flags")[2].partition("\n")[0].split())


def _text(path: Path) -> str:
    """Return the lines of the first processor: there may be hundreds, all of one kind."""
    try:
        with path.open() as file:
            return "".join(takewhile(str.strip, file))
    except OSError:
        return ""
