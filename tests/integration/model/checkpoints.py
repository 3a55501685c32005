"""Random checkpoints with the published names, layout and config, in any size."""

import copy
import json
import math
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors.torch import load_file, save_file

from folio.model.checkpoint import UNUSED_TENSOR, tensor_shapes
from folio.model.deepencoder import DeepEncoder, DeepEncoderConfig

PUBLISHED_CONFIG = Path(__file__).parent / "deepseek-ocr-config.json"
SPECIAL_TOKENS = {
    "<\uff5cbegin\u2581of\u2581sentence\uff5c>": 0,
    "<\uff5cend\u2581of\u2581sentence\uff5c>": 1,
    "<\uff5c\u2581pad\u2581\uff5c>": 2,
    "<image>": 128815,
    "<|ref|>": 128816,
    "<|/ref|>": 128817,
    "<|det|>": 128818,
    "<|/det|>": 128819,
    "<|grounding|>": 128820,
    "<td>": 128821,
    "</td>": 128822,
    "<tr>": 128823,
    "</tr>": 128824,
    "<|User|>": 128825,
    "<|Assistant|>": 128826,
}
SMALL_VOCABULARY = 512
SMALL_DECODER = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "moe_intermediate_size": 64,
    "n_routed_experts": 8,
    "num_attention_heads": 4,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 4,
    "vocab_size": SMALL_VOCABULARY,
}
TINY_TOWER = {
    "clip-l-14-224": {"heads": 1, "image_size": 224, "layers": 24, "patch_size": 14, "width": 32},
    "sam_vit_b": {
        "downsample_channels": [16, 32],
        "global_attn_indexes": [2, 5, 8, 11],
        "heads": 1,
        "layers": 12,
        "width": 32,
        "neck": 16,
    },
}


def published_config():
    return json.loads(PUBLISHED_CONFIG.read_text())


def config_with(decoder=None, tower=None):
    """The published config with another decoder or tower."""
    config = published_config()
    for fields in (config, config["language_config"]):
        fields.update(decoder or {})
    if tower:
        config["vision_config"]["width"] = copy.deepcopy(tower)
        config["projector_config"]["input_dim"] = 2 * tower["clip-l-14-224"]["width"]
    config["projector_config"]["n_embed"] = config["language_config"]["hidden_size"]
    return config


def shapes_of(config):
    """Every tensor of a checkpoint with this config, the unused one included."""
    encoder = DeepEncoderConfig.from_published(config["vision_config"], config["projector_config"])
    shapes = tensor_shapes(encoder, SimpleNamespace(**config["language_config"]))
    return {**shapes, UNUSED_TENSOR: (encoder.clip.width, 3, 14, 14)}


def random_tensor(name, shape, generator):
    """Of a size that keeps activations near one, so that every part of the model matters."""
    noise = torch.randn(shape, generator=generator)
    if "norm" in name or name.endswith(("neck.1.weight", "neck.3.weight")):
        return 0.1 * noise + (1 if name.endswith("weight") else 0)
    if len(shape) == 1:
        return 0.1 * noise
    if "pos" in name:
        return 0.5 * noise
    if "embed_tokens" in name:  # small beside the layers, so that the output depends on the page
        return 0.05 * noise
    return noise * math.prod(shape[1:]) ** -0.5


def write_checkpoint(folder, config, *, seed=0, leave_out=(), extra=None):
    """Weights in bfloat16 and two shards with an index, config and tokenizer."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        name: random_tensor(name, shape, generator).to(torch.bfloat16)
        for name, shape in shapes_of(config).items()
        if name not in leave_out
    }
    tensors.update(extra or {})
    names = sorted(tensors)
    shards = {"model-00001-of-00002.safetensors": names[::2]}
    shards["model-00002-of-00002.safetensors"] = names[1::2]
    for file_name, members in shards.items():
        save_file({name: tensors[name] for name in members}, folder / file_name)
    index = {name: file_name for file_name, members in shards.items() for name in members}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    write_config(folder, config)


def load_encoder(folder):
    """The vision tower of such a checkpoint by our plain modules, in float32."""
    config = json.loads((folder / "config.json").read_text())
    encoder = DeepEncoder(
        DeepEncoderConfig.from_published(config["vision_config"], config["projector_config"])
    )
    tensors = {}
    for shard in folder.glob("*.safetensors"):
        tensors.update(load_file(shard))
    encoder.load_state_dict({name: tensors[f"model.{name}"] for name in encoder.state_dict()})
    return encoder.requires_grad_(False).eval()


def write_config(folder, config):
    """Config and tokenizer only: enough for `load_format="dummy"`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    write_tokenizer(folder, config["language_config"]["vocab_size"])


def write_tokenizer(folder, vocab_size):
    """One token per printable character, and the published special tokens: under their published
    ids if the vocabulary is large enough, else from 3 on."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    published = vocab_size > max(SPECIAL_TOKENS.values())
    specials = SPECIAL_TOKENS if published else {t: i for i, t in enumerate(SPECIAL_TOKENS)}
    characters = ["\n", *map(chr, range(32, 127))]
    vocabulary = {c: 100 + i for i, c in enumerate(characters)} | specials
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=" "))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in specials])
    bos, eos, pad = list(specials)[:3]
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=bos, eos_token=eos, pad_token=pad
    )
    fast.save_pretrained(folder)
