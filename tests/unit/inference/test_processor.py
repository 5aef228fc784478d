"""What a processor computes itself, from what the kernel says of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.inference import processor as module
from services.inference.processor import has_bf16, has_int8, processor, usual_precisions


@pytest.mark.parametrize(
    ("has", "installed", "flags", "expected"),
    [
        (has_int8, True, "fpu avx512_vnni", True),
        (has_int8, True, "fpu avx_vnni sse", True),
        (has_int8, True, "fpu avx512_bf16", False),
        (has_int8, False, "fpu avx512_vnni", False),
        (has_bf16, True, "fpu amx_bf16", True),
        (has_bf16, True, "fpu avx512_bf16 sse", True),
        (has_bf16, True, "fpu avx512f", False),
        (has_bf16, False, "fpu amx_bf16", False),
    ],
)
def test_precision_needs_a_processor_flag_and_openvino(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has: Callable[[Path], bool],
    installed: bool,
    flags: str,
    expected: bool,
) -> None:
    monkeypatch.setattr(module, "has_openvino", lambda: installed)
    (tmp_path / "cpuinfo").write_text(f"processor: 0\nflags\t\t: {flags}\nbugs\t\t: amx_bf16 avx_vnni\n")
    assert has(tmp_path / "cpuinfo") is expected
    assert has(tmp_path / "missing") is False


@pytest.mark.parametrize(
    ("maker", "flags", "expected"),
    [
        ("GenuineIntel", "avx512_vnni avx512_bf16 amx_bf16 amx_int8", ["int8+bf16", "int8+f32", "bf16"]),
        ("AuthenticAMD", "avx512_vnni avx512_bf16", ["int8+bf16", "int8+f32", "bf16"]),
        # A hypervisor hides AMX.
        ("GenuineIntel", "avx512_vnni avx512_bf16", ["int8+f32"]),
        ("GenuineIntel", "avx_vnni", ["int8+f32"]),
        ("AuthenticAMD", "avx2", []),
    ],
)
def test_bf16_counts_as_fast_with_amx_or_on_amd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, maker: str, flags: str, expected: list[str]
) -> None:
    monkeypatch.setattr(module, "has_openvino", lambda: True)
    (tmp_path / "cpuinfo").write_text(f"vendor_id\t: {maker}\nflags\t\t: fpu {flags}\n")
    assert usual_precisions(tmp_path / "cpuinfo") == expected


def test_processor_is_named_by_its_kind_and_the_instructions_that_it_shows(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    kind = "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 207\nmodel name\t: Xeon"
    one = f"processor\t: {{}}\n{kind}\nflags\t\t: {{}}\n\n"
    cpuinfo.write_text("".join(one.format(number, "fpu avx_vnni avx512_bf16 sse") for number in range(2)))
    assert processor(cpuinfo) == "GenuineIntel 6 207 avx512_bf16 avx_vnni"
    # A hypervisor that shows AMX makes another processor of it.
    cpuinfo.write_text(one.format(0, "fpu avx_vnni avx512_bf16 amx_bf16"))
    assert processor(cpuinfo) == "GenuineIntel 6 207 amx_bf16 avx512_bf16 avx_vnni"
    assert processor(tmp_path / "missing") == ""
