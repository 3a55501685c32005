"""Text to print: pseudo-sentences in four languages, numbers, and what looks like markup."""

import random
import string
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from training.charset import is_printable
from training.novel_words import make_novel
from training.splits import is_held_out_word

WORD_LISTS = {"en": "american-english", "de": "ngerman", "fr": "french", "es": "spanish"}
MAX_WORD_LENGTH = 17

FREQUENT = {
    "en": "the of and to in is was for on that with as by at from it his be this had not are "
    "but which have or an they you were their one all we can her has there been if more "
    "when will would who so no said what up its about into than them only other new some "
    "could time these two may then do first any my now such like our over man me even "
    "most made after also did many before must through back years where much your way "
    "well down should because each just those people how too little state good very make "
    "world still own see men work long",
    "de": "der die das und in den von zu mit sich auf für ist im dem nicht ein eine als auch es "
    "an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über "
    "einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde sei wenn "
    "können schon während größer früher möglich müssen daß gegenüber",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se "
    "ce il sont avec son aux ou cette mais comme on tout nous sa été même leur ses être "
    "où très fait elle après ans deux entre sans première siècle déjà là voilà côté "
    "français étaient c'est d'une l'on qu'il",
    "es": "de la que el en y a los se del las un por con no una su para es al lo como más o "
    "pero sus le ha me si sin sobre este ya entre cuando todo esta ser son dos también "
    "fue había era muy años hasta desde está mi porque qué sólo han yo hay vez puede "
    "todos así nos ni parte tiene él uno donde bien tiempo mismo",
}
HOSTILE = (
    "<|ref|>",
    "<|/ref|>",
    "<|det|>",
    "<|/det|>",
    "<|grounding|>",
    "<|User|>",
    "<image>",
    "<td>",
    "</td>",
    "<tr>",
    "</tr>",
    "<table>",
    "[[12, 5]]",
    "[[0, 0, 999, 999]]",
    "<script>",
    "</script>",
    "alert(1)",
    "&lt;",
    "&gt;",
    "&amp;",
    "__import__('os')",
    "os.system('id')",
    "eval(x)",
    "#",
    "##",
    "**bold**",
    "`code`",
    "$HOME",
    "rm -rf /",
    "C:\\temp\\a.txt",
    "../../etc",
    "{{7*7}}",
    "${x}",
    "%s",
    "\\[x\\]",
    "\\n",
    "<b>",
    "</b>",
    "<br/>",
    "' OR 1=1",
    "--",
    "|",
    "---",
    "<eos>",
    "<lazy>",
    "a&b",
    "~/.ssh",
    '{"a": 1}',
    "import os",
    "if x:",
    "!=",
    "=>",
    "->",
)
SENTENCE_ENDS = (".",) * 15 + ("?", "?", "!", ":", "…")
# Beside novel words a letter like `!` may well be one.
NOVEL_SENTENCE_ENDS = (".",) * 9 + ("!",) * 4 + ("?",) * 3 + (":", "…")
# Of the share of novel words: a slip in a word that one knows by heart.
NOVEL_FREQUENT = 0.25
# Numbers in which two digits come again and again, as `4474`: how often must be counted.
FEW_DIGITS_SHARE = 0.12
PRINTABLE = string.ascii_letters + string.digits + string.punctuation
CURLY_QUOTES = {"en": "“”", "de": "„“", "fr": "«»", "es": "«»"}


def load_words(directory: Path, *, held_out: bool) -> dict[str, list[str]]:
    """The words of each language that training may print, or those that only evaluation prints."""
    words = {}
    for language, name in WORD_LISTS.items():
        lines = (directory / name).read_text(encoding="utf-8").split()
        words[language] = [
            word
            for word in lines
            if 1 < len(word) <= MAX_WORD_LENGTH
            and is_printable(word)
            and not word.endswith("'s")
            and is_held_out_word(word) == held_out
        ]
    return words


class Corpus:
    """Draws text from one random generator. Knows nothing of fonts or pages. novel_share: of the
    words drawn from the lists, those that become words of no list."""

    def __init__(
        self, words: dict[str, list[str]], rng: random.Random, *, novel_share: float = 0.0
    ) -> None:
        self.words = words
        self.rng = rng
        self.novel_share = novel_share
        self.language = "en"
        self.is_typographic = False

    def choose_language(self, *, english_share: float = 0.5) -> None:
        """Sets language and kind of quotes for what follows (once per page)."""
        rng = self.rng
        self.language = "en" if rng.random() < english_share else rng.choice(("de", "fr", "es"))
        self.is_typographic = rng.random() < 0.35

    def word(self) -> str:
        return self._draw_word(self.language)

    def _draw_word(self, language: str) -> str:
        word = self.rng.choice(self.words[language])
        return self._vary(word, language, self.novel_share)

    def _vary(self, word: str, language: str, share: float) -> str:
        """One word in so many becomes one of no list, and never one that is held out."""
        if not share or self.rng.random() >= share:
            return word
        other = self.rng.choice(self.words[language])
        novel = make_novel(word, other, self.rng, max_length=MAX_WORD_LENGTH)
        return word if is_held_out_word(novel) else novel

    def plain_word(self) -> str:
        """A lower-case ASCII word, for addresses and identifiers."""
        word = self._draw_word("en").lower().replace("'", "")
        return word if word.isascii() else "data"

    def name(self, *, max_words: int = 3) -> str:
        return " ".join(self.word().capitalize() for _ in range(self.rng.randint(1, max_words)))

    def number(self) -> str:
        number = self._usual_number()
        # Only beside novel words, so that the pages that measure stay as they are.
        if self.novel_share and self.rng.random() < FEW_DIGITS_SHARE:
            digits = self.rng.sample(string.digits, 2)
            return "".join(self.rng.choice(digits) if c.isdigit() else c for c in number)
        return number

    def _usual_number(self) -> str:
        rng = self.rng
        kind = rng.randrange(12)
        if kind == 0:
            return str(rng.randrange(10 ** rng.randint(1, 6)))
        if kind == 1:
            return f"{rng.uniform(0, 10 ** rng.randint(1, 4)):.{rng.randint(1, 3)}f}"
        if kind == 2:
            return f"{rng.randrange(10 ** rng.randint(4, 7)):,}"
        if kind == 3:
            return f"{rng.choice('$$€£')}{rng.uniform(0, 10 ** rng.randint(1, 4)):,.2f}"
        if kind == 4:
            return f"{rng.randint(1900, 2030)}-{rng.randint(1, 12):02d}-{rng.randint(1, 31):02d}"
        if kind == 5:
            return f"{rng.randint(1, 12)}/{rng.randint(1, 31)}/{rng.randrange(100):02d}"
        if kind == 6:
            return f"{rng.randrange(24):02d}:{rng.randrange(60):02d}"
        if kind == 7:
            return f"{rng.uniform(0, 100):.1f}%"
        if kind == 8:
            return f"{rng.randint(1, 31)}.{rng.randint(1, 12)}.{rng.randint(1900, 2030)}"
        if kind == 9:
            return f"{rng.uniform(0, 10 ** rng.randint(1, 4)):.2f}".replace(".", ",") + rng.choice(
                ("", " €", "")
            )
        if kind == 10:
            return f"+{rng.randint(1, 99)} {rng.randint(100, 9999)} {rng.randint(1000, 999999)}"
        return f"-{rng.randrange(1000)}"

    def identifier(self) -> str:
        rng, word = self.rng, self.plain_word
        kind = rng.randrange(9)
        if kind == 0:
            return f"{word()}@{word()}.com"
        if kind == 1:
            return f"https://{word()}.org/{word()}"
        if kind == 2:
            return f"{word()}_{word()}({word()[:3]})"
        if kind == 3:
            return f"{word()[:5]}[{rng.randrange(100)}]={word()};"
        if kind == 4:
            return f"#{rng.randrange(10000)}"
        if kind == 5:
            return f"<{word()}>{{{word()[:4]}}}"
        if kind == 6:
            return f"www.{word()}.net/?{word()[:3]}={rng.randrange(100)}&{word()[:2]}={word()}"
        if kind == 7:
            return f"/{word()[:4]}/{word()}.{rng.choice(('py', 'txt', 'html', 'json'))}"
        return f"{''.join(rng.choices(string.ascii_uppercase, k=2))}-{rng.randrange(100000)}"

    def markup(self) -> str:
        """Tags and what is between them, in one piece: `<b>word</b>`."""
        rng = self.rng
        pieces = (rng.choice(HOSTILE), self.plain_word()[: rng.randint(1, 6)], rng.choice(HOSTILE))
        return "".join(pieces[: rng.randint(2, 3)])

    def leader(self) -> str:
        """Dots, dashes or stars in a row, as in tables of contents and forms."""
        return self.rng.choice("..--__*=~") * self.rng.randint(3, 24)

    def form_entry(self) -> str:
        """A label and what is filled in, as on invoices: `Total due: $12.50`, `No. 4711`."""
        rng = self.rng
        value = self.number() if rng.random() < 0.7 else self.name(max_words=2)
        if rng.random() < 0.2:
            return f"{self.word()[: rng.randint(1, 4)].capitalize()}. {value}"
        label = " ".join(self.word() for _ in range(rng.randint(1, 3)))
        return f"{label[:1].upper()}{label[1:]}{rng.choice(':::.')} {value}"

    def random_string(self) -> str:
        rng = self.rng
        alphabet = PRINTABLE if rng.random() < 0.6 else string.ascii_letters + string.digits
        return "".join(rng.choice(alphabet) for _ in range(rng.randint(1, 10)))

    def stream(self, style: str) -> Iterator[str]:
        """Words for ever; a word may hold a space only where it is printed as one piece."""
        if style == "sentences":
            return self._sentences()
        if style == "echo":
            return self._echo()
        if style == "few":
            return self._few()
        if style == "variations":
            return self._variations()
        return self._pieces(style)

    def _echo(self) -> Iterator[str]:
        """The same few words again and again, as forms, lists and songs have them: what stands
        there is to be read, not what a language would say next."""
        while True:
            phrase = list(islice(self._pieces("mixed"), self.rng.randint(1, 4)))
            for _ in range(self.rng.randint(3, 40)):
                yield from phrase

    def _few(self) -> Iterator[str]:
        """Sentences of few words: each stands on the page many times, so that the last one written
        does not say where reading goes on."""
        words = [self._sentence_word() for _ in range(self.rng.randint(5, 30))]
        return self._sentences(lambda: self.rng.choice(words))

    def _variations(self) -> Iterator[str]:
        """A passage several times, each time with another word or two."""
        rng = self.rng
        sentences = self._sentences()
        while True:
            passage = list(islice(sentences, rng.randint(3, 14)))
            for _ in range(rng.randint(2, 6)):
                yield from passage
                for _ in range(rng.randint(1, 2)):
                    passage[rng.randrange(len(passage))] = self.word()

    def _pieces(self, style: str) -> Iterator[str]:
        rng = self.rng
        while True:
            if style == "numbers":
                yield from self.number().split()
            elif style == "strings":
                yield self.random_string()
            elif style == "code":
                yield from (
                    rng.choice(HOSTILE) if rng.random() < 0.5 else self.identifier()
                ).split()
            elif style == "forms":
                yield from self.form_entry().split()
            elif style == "markup":
                yield from self.markup().split()
            else:
                yield from self._mixed().split()

    def _mixed(self) -> str:
        draw = self.rng.random()
        if draw < 0.15:
            return self.random_string()
        if draw < 0.4:
            return self.number()
        if draw < 0.55:
            return self.identifier()
        if draw < 0.58:
            return self.leader()
        return self.rng.choice(HOSTILE) if draw < 0.63 else self.word()

    def _sentences(self, draw_word: Callable[[], str] | None = None) -> Iterator[str]:
        rng, draw_word = self.rng, draw_word or self._sentence_word
        is_capitals = rng.random() < 0.05
        while True:
            length = rng.randint(3, 15)
            for position in range(length):
                word = draw_word()
                if position == 0:
                    word = word[:1].upper() + word[1:]
                if is_capitals and is_printable(word.upper()):
                    word = word.upper()
                yield from self._punctuated(word, is_last=position == length - 1)

    def _sentence_word(self) -> str:
        rng = self.rng
        draw = rng.random()
        if draw < 0.35:
            word = rng.choice(FREQUENT_WORDS[self.language])
            return self._vary(word, self.language, NOVEL_FREQUENT * self.novel_share)
        if draw < 0.93:
            return self.word()
        if draw < 0.965:
            return self.number().replace(" ", "")
        if draw < 0.98:
            return self.identifier()
        return self.random_string() if draw < 0.99 else rng.choice(HOSTILE).replace(" ", "")

    def _punctuated(self, word: str, *, is_last: bool) -> tuple[str, ...]:
        rng = self.rng
        if self.is_typographic:
            word = word.replace("'", "’")  # noqa: RUF001
        if is_last:
            # The pages that measure have none, and stay as they are.
            return (word + rng.choice(NOVEL_SENTENCE_ENDS if self.novel_share else SENTENCE_ENDS),)
        draw = rng.random()
        if draw < 0.07:
            return (word + ",",)
        if draw < 0.09:
            return (word + rng.choice(";:"),)
        if draw < 0.115:
            return ("(" + word + ")",)
        if draw < 0.14:
            opening, closing = CURLY_QUOTES[self.language] if self.is_typographic else '""'
            return (opening + word + closing,)
        if draw < 0.155:
            return (word, rng.choice("\u2013\u2014") if self.is_typographic else "-")
        return (word,)


FREQUENT_WORDS = {language: words.split() for language, words in FREQUENT.items()}
