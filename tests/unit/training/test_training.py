import json
from pathlib import Path

import pytest
import torch

from tests.unit.training.conftest import NANO, WORDS
from training import prefetch
from training.atlas import Atlas
from training.batches import MAX_SLOT_BYTES, BatchArrays, BatchPlan, PageFactory, draw_plan
from training.checkpoint import from_published, load_checkpoint, save_checkpoint, to_published
from training.loader import NEVER, Loader
from training.muon import Optimizer
from training.nano import Nano, initialise, load_config
from training.prefetch import upload
from training.trainee import Trainee
from training.vocabulary import PAD_ID, PageTokenizer


@pytest.fixture
def batch_arrays(box_atlas: Atlas, tokenizer: PageTokenizer) -> tuple[BatchPlan, BatchArrays]:
    plan = BatchPlan(index=0, mode="start", width=320, height=320)
    arrays = BatchArrays.in_buffer(memoryview(bytearray(MAX_SLOT_BYTES)), plan)
    PageFactory(box_atlas, WORDS, tokenizer).fill(plan, arrays, "0")
    two = BatchArrays(*(value[:2] for value in vars(arrays).values()))
    return plan, two


def test_a_few_steps_lower_the_loss(batch_arrays: tuple[BatchPlan, BatchArrays]) -> None:
    torch.manual_seed(0)
    trainee = Trainee()
    optimizer = Optimizer(trainee, fused=False)
    losses = []
    for _ in range(5):
        batch = upload(*batch_arrays, torch.device("cpu"), torch.float32)
        loss, figures = trainee(batch, 0.5)
        loss.backward()
        gradients = {name: value.grad for name, value in optimizer.live.items()}
        optimizer.step(gradients, muon_rate=3e-3, adam_rate=1.5e-3)
        trainee.zero_grad()
        losses.append(figures[0].item())
    assert losses[-1] < losses[0] - 0.5


def test_new_heads_learn_without_a_say_in_what_the_network_learns(
    batch_arrays: tuple[BatchPlan, BatchArrays],
) -> None:
    torch.manual_seed(0)
    trainee = Trainee()
    batch = upload(*batch_arrays, torch.device("cpu"), torch.float32)

    def gradients(map_weight: float) -> dict[str, torch.Tensor | None]:
        trainee.zero_grad()
        trainee(batch, map_weight, is_map_apart=True)[0].backward()
        return {name: value.grad for name, value in trainee.named_parameters()}

    alone, beside = gradients(0.0), gradients(0.5)
    for name, gradient in beside.items():
        if name.startswith("character_map"):
            assert gradient is not None
            assert gradient.any()
        elif gradient is not None:
            assert torch.allclose(gradient, alone[name], atol=1e-6)


def test_the_shipped_weights_have_the_published_names() -> None:
    index = json.loads((NANO / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == set(to_published(Nano(load_config()).state_dict()))


def test_the_shipped_config_is_the_one_that_was_trained() -> None:
    assert json.loads((NANO / "config.json").read_text()) == load_config()


def test_what_ships_is_at_most_32_megabytes() -> None:
    assert sum(path.stat().st_size for path in NANO.iterdir()) <= 32_000_000


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    nano = Nano(load_config())
    initialise(nano)
    state = nano.to(torch.bfloat16).state_dict()
    save_checkpoint(state, tmp_path)
    loaded = load_checkpoint(tmp_path, dtype=torch.bfloat16).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


def test_experts_are_split_and_joined() -> None:
    state = {"model.layers.1.mlp.experts.up_proj": torch.arange(24.0).view(2, 3, 4)}
    published = to_published(state)
    assert set(published) == {f"model.layers.1.mlp.experts.{i}.up_proj.weight" for i in (0, 1)}
    assert torch.equal(from_published(published)[next(iter(state))], next(iter(state.values())))


def test_stages_follow_each_other(box_atlas: Atlas, tokenizer: PageTokenizer) -> None:
    factory = PageFactory(box_atlas, WORDS, tokenizer)
    loader = Loader(factory, seed=0, rank=0, num_workers=1, first_index=0)
    assert loader.stage_starts == [0, NEVER, NEVER]
    loader.begin_stage("views", 10)
    loader.begin_stage("all", 20)
    assert [loader.stage_of(index) for index in (9, 10, 19, 20)] == [
        "start",
        "views",
        "views",
        "all",
    ]


@pytest.mark.parametrize("num_parts", [1, 2])
def test_parts_only_save_padding(
    batch_arrays: tuple[BatchPlan, BatchArrays],
    num_parts: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan, arrays = batch_arrays
    monkeypatch.setattr(prefetch, "NUM_PARTS", num_parts)
    batch = upload(plan, arrays, torch.device("cpu"), torch.float32)
    assert len(batch.parts) == num_parts
    written = {
        int(page): (part.inputs[row], part.targets[part.rows == row + 1])
        for part in batch.parts
        for row, page in enumerate(part.pages)
    }
    for page, (start, end) in enumerate(arrays.spans):
        inputs, targets = written[page]
        assert inputs[:end].tolist() == arrays.written[page, :end].tolist()
        answer = arrays.ids[page, start:end]
        assert targets.tolist() == answer[answer != PAD_ID].tolist()


def test_batches_have_few_different_sizes() -> None:
    plans = [draw_plan(0, index, "all") for index in range(600)]
    sizes = {(plan.mode, plan.resolution.crop_grid, plan.num_pages) for plan in plans}
    assert len(sizes) < 60
    assert all(plan.width % 8 == plan.height % 8 == 0 for plan in plans)
