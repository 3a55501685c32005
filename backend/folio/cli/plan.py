"""`folio plan`: how the engine uses this machine, or a card that is not here, and why."""

import json
from dataclasses import dataclass

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from folio.checkpoints import describe_at_hub
from folio.cli.serve import load_settings
from folio.config import EngineSettings
from folio.engine.machine import GIBIBYTE, Gpu, Machine, read_machine
from folio.engine.planning import SET, Choice, Plan, as_gb
from folio.engine.preparation import find_machine, find_model, look_at, make_hub, plan_for
from folio.engine.vllm_arguments import has_gpu
from folio.errors import ModelFilesError, SetUpError


@dataclass(frozen=True)
class Card:
    """One that the plan is asked for: as if there were so many of them, with nothing on them."""

    gigabytes: float
    capability: str
    count: int

    def as_gpus(self) -> tuple[Gpu, ...]:
        """Raises ValueError for a capability that is none."""
        major, minor = self.capability.split(".")
        total = int(self.gigabytes * GIBIBYTE)
        return tuple(
            Gpu(
                index=index,
                uuid=f"card-{index}",
                name=f"a card of {self.gigabytes:g} GB",
                driver_version="",
                compute_capability=(int(major), int(minor)),
                total_bytes=total,
                free_bytes=total,
            )
            for index in range(self.count)
        )


def plan(card: Card | None, *, is_json: bool) -> None:
    """Exit status 1, with the reason, where there is no plan."""
    settings = load_settings().engine
    try:
        machine = _this_machine() if card is None else _imagine(card)
        result = _make_plan(settings, machine)
    except SetUpError as error:
        print(json.dumps({"error": error.message}) if is_json else f"folio: {error.message}")
        raise typer.Exit(1) from error
    if is_json:
        print(json.dumps(as_fields(result), indent=2))
    else:
        print_plan(result, machine, settings.model_name, Console())


def _this_machine() -> Machine:
    try:
        return find_machine(has_gpu=has_gpu())
    except ImportError:
        print("folio: no engine is installed here. Plan for a card: folio plan --card-gb 24")
        raise typer.Exit(1) from None


def _imagine(card: Card) -> Machine:
    try:
        return read_machine(card.as_gpus())
    except ValueError:
        print(f"folio: --capability is like 8.9, not {card.capability}")
        raise typer.Exit(2) from None


def _make_plan(settings: EngineSettings, machine: Machine) -> Plan:
    """Also of a model that is not here yet: the hub shows what it is."""
    folder = find_model(settings)
    if folder is not None:
        return look_at(settings, folder, machine).plan
    if settings.hf_hub_offline:
        raise ModelFilesError(
            f"{settings.model} is not on this machine, and HF_HUB_OFFLINE is set."
        )
    return plan_for(settings, describe_at_hub(make_hub(settings), settings.model), machine)


def choices_of(plan: Plan) -> dict[str, Choice[object]]:
    """By the settings' names, in the order in which they are told."""
    choices: dict[str, Choice[object] | None] = {
        "DTYPE": plan.dtype,
        "QUANTIZATION": plan.quantization,
        "KV_CACHE_DTYPE": plan.kv_cache_dtype,
        "GPU_MEMORY_UTILIZATION": plan.gpu_memory_utilization,
        "TENSOR_PARALLEL_SIZE": plan.tensor_parallel_size if plan.gpus else None,
        "MAX_MODEL_LEN": plan.max_model_len,
        "MAX_NUM_SEQS": plan.max_num_seqs,
        "MAX_NUM_BATCHED_TOKENS": plan.max_num_batched_tokens,
    }
    return {
        name: choice
        for name, choice in choices.items()
        if choice is not None and choice.value is not None
    }


def as_fields(plan: Plan) -> dict[str, object]:
    """The plan for programs: sizes in bytes."""
    return {
        "gpus": [gpu.name for gpu in plan.gpus],
        "settings": {
            name: {"value": choice.value, "reason": choice.reason}
            for name, choice in choices_of(plan).items()
        },
        "memory": vars(plan.memory) | {"kv_tokens": plan.memory.kv_tokens},
        "warnings": list(plan.warnings),
    }


def print_plan(plan: Plan, machine: Machine, model_name: str, console: Console) -> None:
    """The model and the machine, where the memory goes, and every setting with its reason."""
    console.print()
    console.print(
        Padding(
            f"[bold]{model_name}[/bold] on {_name_machine(plan, machine)}", (0, 2), expand=False
        )
    )
    console.print()
    console.print(Padding(_memory_table(plan), (0, 2), expand=False))
    console.print()
    console.print(Padding(_settings_table(plan), (0, 2), expand=False))
    for warning in plan.warnings:
        console.print(Padding(f"[yellow]! {warning}[/yellow]", (1, 2, 0, 2), expand=False))
    console.print()


def _name_machine(plan: Plan, machine: Machine) -> str:
    memory = f"{as_gb(plan.memory.free)} of {as_gb(plan.memory.total)} GB free"
    if not plan.gpus:
        return f"the CPU ({machine.num_cores} cores), {memory}"
    count = f"{len(plan.gpus)} x " if len(plan.gpus) > 1 else ""
    return f"{count}{plan.gpus[0].name}, {memory}"


def _memory_table(plan: Plan) -> Table:
    memory = plan.memory
    table = Table.grid(padding=(0, 2), expand=False)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    rows = [
        ("weights", memory.weights, ""),
        ("to work in", memory.working, "the largest step, and what the programs take"),
        (
            "KV cache",
            memory.kv_cache,
            f"{memory.kv_tokens:,} tokens of {memory.kv_bytes_per_token:,} bytes",
        ),
    ]
    left = memory.total - memory.weights - memory.working - memory.kv_cache
    rows.append(("left alone", left, ""))
    for name, num_bytes, note in rows:
        table.add_row(name, f"{as_gb(num_bytes)} GB", f"[dim]{note}[/dim]")
    return table


def _settings_table(plan: Plan) -> Table:
    table = Table.grid(padding=(0, 2), expand=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, choice in choices_of(plan).items():
        colour = "cyan" if choice.reason == SET else "dim"
        table.add_row(name, f"[bold]{choice.value}[/bold]", f"[{colour}]{choice.reason}[/{colour}]")
    return table
