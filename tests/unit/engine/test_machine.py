"""What a machine has, as its own tools tell it."""

from pathlib import Path

import pytest

from folio.engine.machine import GIBIBYTE, Gpu, parse_gpus, read_machine, read_memory, visible_gpus

L4 = "0, GPU-aaaa-1, NVIDIA L4, 580.95.05, 8.9, 23034, 22563"
H200 = "1, GPU-bbbb-2, NVIDIA H200, 580.95.05, 9.0, 143771, 143000"
MEMINFO = "MemTotal:       32000000 kB\nMemFree: 1 kB\nMemAvailable:   20000000 kB\n"


def test_cards_are_read_from_nvidia_smi() -> None:
    card, large = parse_gpus(f"{L4}\n{H200}\n")
    assert card == Gpu(
        0, "GPU-aaaa-1", "NVIDIA L4", "580.95.05", (8, 9), 23034 * 1024**2, 22563 * 1024**2
    )
    assert round(large.total_bytes / GIBIBYTE, 1) == 140.4


def test_a_card_that_tells_nothing_of_its_memory_is_left_out() -> None:
    other = "2, GPU-cccc-3, NVIDIA GB10, 580.95.05, 12.1, [N/A], [N/A]"
    assert [gpu.index for gpu in parse_gpus(f"{other}\n{L4}\n\n")] == [0]


@pytest.mark.parametrize(
    ("names", "indices"),
    [
        (None, [0, 1]),
        ("", []),
        ("1", [1]),
        ("1,0", [1, 0]),
        ("GPU-bbbb", [1]),
        ("0,7,1", [0]),  # as CUDA has it: nothing behind a wrong name is seen
        ("-1", []),
    ],
)
def test_cuda_visible_devices_chooses_among_the_cards(
    monkeypatch: pytest.MonkeyPatch, names: str | None, indices: list[int]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if names is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", names)
    cards = parse_gpus(f"{L4}\n{H200}\n")
    assert [gpu.index for gpu in visible_gpus(cards)] == indices


def test_memory_is_the_machines_where_a_container_has_no_limit(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "memory.max").write_text("max\n")
    assert read_memory(tmp_path / "meminfo", tmp_path) == (32000000 * 1024, 20000000 * 1024)


def test_memory_is_the_containers_where_it_has_less(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "memory.max").write_text(f"{8 * GIBIBYTE}\n")
    (tmp_path / "memory.current").write_text(f"{5 * GIBIBYTE}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\nactive_file 0\ninactive_file {GIBIBYTE}\n")
    assert read_memory(tmp_path / "meminfo", tmp_path) == (8 * GIBIBYTE, 4 * GIBIBYTE)


def test_this_machine_is_read() -> None:
    machine = read_machine(())
    assert 0 < machine.available_bytes <= machine.memory_bytes
    assert machine.num_cores >= 1
