"""vLLM's profile run and its own route for pictures, through our processor, without an engine."""

import warnings
from pathlib import Path

import pytest
from PIL import Image

from folio.preprocessing.resolution import max_image_tokens

NANO = Path(__file__).parents[3] / "models" / "nano"


def make_processor(**engine_args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from vllm.engine.arg_utils import EngineArgs
        from vllm.multimodal import MULTIMODAL_REGISTRY

        from folio.model.register import register

        register()
        arguments = EngineArgs(model=str(NANO), dtype="float32", **engine_args)
        return MULTIMODAL_REGISTRY.create_processor(arguments.create_model_config())


def process(processor, page, prompt, **mm_kwargs):
    from vllm.multimodal.processing import ProcessorInputs, TimingContext

    items = processor.info.parse_mm_data({"image": [page]})
    inputs = ProcessorInputs(prompt, items, hf_processor_mm_kwargs=mm_kwargs)
    return processor.apply(inputs, timing_ctx=TimingContext(enabled=False))


def num_image_tokens(engine_input):
    (placeholder,) = engine_input["mm_placeholders"]["image"]
    return placeholder.length


def profiled_page(processor):
    builder = processor.dummy_inputs
    data = builder.get_dummy_mm_data(seq_len=8192, mm_counts={"image": 1}, mm_options={})
    return data["image"][0]


@pytest.mark.parametrize("max_crops", [6, 9])
def test_the_profiled_page_is_the_largest_that_can_come(max_crops):
    processor = make_processor(mm_processor_kwargs={"max_crops": max_crops})
    prompt = processor.dummy_inputs.get_dummy_text({"image": 1})
    page = process(processor, profiled_page(processor), prompt)
    limits = processor.info.get_mm_max_tokens_per_item(8192, {"image": 1})
    assert num_image_tokens(page) == limits["image"] == max_image_tokens(max_crops)


@pytest.fixture(scope="module")
def processor():
    return make_processor()


def test_one_picture_at_a_time(processor):
    assert processor.info.allowed_mm_limits == {"image": 1}


@pytest.mark.parametrize(("mm_kwargs", "expected"), [({}, 903), ({"mode": "small"}, 111)])
def test_a_picture_is_read_in_gundam_unless_the_request_says_otherwise(
    processor, mm_kwargs, expected
):
    engine_input = process(processor, Image.new("RGB", (1191, 1684)), "<image>\nHi", **mm_kwargs)
    assert num_image_tokens(engine_input) == expected


def test_text_and_token_ids_are_the_same_prompt(processor):
    tokenizer = processor.info.get_tokenizer()
    prompt = "<image>\nFree OCR."
    token_ids = tokenizer.encode(prompt, add_special_tokens=False)
    page = Image.new("RGB", (640, 480))
    as_text = process(processor, page, prompt)
    for ids in (token_ids, [tokenizer.bos_token_id, *token_ids]):
        as_ids = process(processor, page, ids)
        assert as_ids["prompt_token_ids"] == as_text["prompt_token_ids"]
