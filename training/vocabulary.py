"""The tokenizer: a byte-level BPE whose special tokens are DeepSeek-OCR's.

    python -m training.vocabulary --assets .train/assets --out models/nano

Digits go in pairs from the left, so that a coordinate takes one or two tokens; a word carries its
leading space.
"""

import argparse
import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from training.charset import CHARACTERS
from training.corpus import Corpus, load_words

BOS, EOS, PAD, IMAGE = "<bos>", "<eos>", "<pad>", "<image>"
REF, REF_END, DET, DET_END = "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>"
GROUNDING = "<|grounding|>"
TD, TD_END, TR, TR_END = "<td>", "</td>", "<tr>", "</tr>"
SPECIAL_TOKENS = (
    BOS, EOS, PAD, IMAGE, REF, REF_END, DET, DET_END, GROUNDING,
    TD, TD_END, TR, TR_END, "<|User|>", "<|Assistant|>",
)  # fmt: skip
BOS_ID, EOS_ID, PAD_ID, IMAGE_ID = range(4)
VOCABULARY_SIZE = 1536

# As a byte-level BPE spells them.
BLANK, NEWLINE = "\u0120", "\u010a"
WORDS = r", (?=\p{N})| ?\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]+|\s"
STYLES = ("sentences",) * 14 + ("mixed", "code", "code", "strings")


def training_text(
    words: dict[str, list[str]], *, num_passages: int, seed: int = 0
) -> Iterator[str]:
    corpus = Corpus(words, random.Random(seed))
    for _ in range(num_passages):
        corpus.choose_language()
        style = corpus.rng.choice(STYLES)
        yield " ".join(islice(corpus.stream(style), 60))
        yield "[[1, 2, 3, 4]]\n\n# <table>\n## </table>\n- "
    yield from (character * 1 for character in CHARACTERS[95:] for _ in range(num_passages // 4))


def train_tokenizer(words: dict[str, list[str]], *, num_passages: int = 40_000) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[
            AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS
        ],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(training_text(words, num_passages=num_passages), trainer)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, directory: Path) -> None:
    """Writes what transformers' AutoTokenizer reads."""
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": PAD,
        "additional_special_tokens": list(SPECIAL_TOKENS[3:]),
        "clean_up_tokenization_spaces": False,
        "model_max_length": 8192,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")


class PageTokenizer:
    """Encodes what the network is to write. Text printed on the page never becomes a special
    token."""

    def __init__(self, path: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.encode_special_tokens = True
        self._ids = {token: index for index, token in enumerate(SPECIAL_TOKENS)}
        vocabulary = self._tokenizer.get_vocab()
        self.newline_id: int = vocabulary[NEWLINE]
        self.blank_ids = frozenset(
            index for token, index in vocabulary.items() if token.startswith(BLANK)
        )

    def encode(self, pieces: list[str | tuple[str]]) -> list[int]:
        """A piece is text of the page, or a special token wrapped in a tuple."""
        ids: list[int] = []
        text = ""
        for piece in pieces:
            if isinstance(piece, str):
                text += piece
                continue
            ids += self._encode_text(text)
            ids.append(self._ids[piece[0]])
            text = ""
        return ids + self._encode_text(text)

    def _encode_text(self, text: str) -> list[int]:
        return self._tokenizer.encode(text).ids if text else []

    def decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=False)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--assets", type=Path, default=Path(".train/assets"))
    parser.add_argument("--out", type=Path, default=Path("models/nano"))
    options = parser.parse_args()
    words = load_words(options.assets / "words", held_out=False)
    save_tokenizer(train_tokenizer(words), options.out)


if __name__ == "__main__":
    main()
