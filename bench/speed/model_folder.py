"""The published model's config with a tokenizer of its size: what random weights are made for.

The published tokenizer is not ours to ship. This one has as many tokens, and its special tokens
have the published ids; its ordinary tokens are made-up words, so that answers take as long to turn
into text as real ones.
"""

import json
import random
import string
from pathlib import Path
from typing import Any

from tests.integration.model.checkpoints import PUBLISHED_CONFIG, SPECIAL_TOKENS

FIRST_SPECIAL = 128_815


def write_full_size_model(folder: Path) -> None:
    """config.json and tokenizer files, for `load_format="dummy"`."""
    from transformers import PreTrainedTokenizerFast

    folder.mkdir(parents=True)
    config = json.loads(PUBLISHED_CONFIG.read_text())
    config.pop("auto_map", None)  # names code that is not here
    (folder / "config.json").write_text(json.dumps(config))
    bos, eos, pad = list(SPECIAL_TOKENS)[:3]
    fast = PreTrainedTokenizerFast(
        tokenizer_object=make_tokenizer(), bos_token=bos, eos_token=eos, pad_token=pad
    )
    fast.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps({"bos_token_id": 0}))


def make_tokenizer() -> Any:
    """A `tokenizers.Tokenizer`."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    words = iter(make_words(FIRST_SPECIAL))
    ids = {token: number for token, number in SPECIAL_TOKENS.items() if number < 3}
    letters = [byte for byte in pre_tokenizers.ByteLevel.alphabet() if byte not in ids]
    for number in range(3, FIRST_SPECIAL):
        ids[letters[number - 3] if number - 3 < len(letters) else next(words)] = number
    tokenizer = Tokenizer(models.BPE(vocab=ids | SPECIAL_TOKENS, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL_TOKENS])
    return tokenizer


def make_words(count: int) -> list[str]:
    """Different words of 2 to 8 letters, most with the space before them that ByteLevel writes."""
    rng = random.Random(0)
    words: dict[str, None] = {}
    while len(words) < count:
        word = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 8)))
        words[("\u0120" if rng.random() < 0.7 else "") + word] = None
    return list(words)
