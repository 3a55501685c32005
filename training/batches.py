"""What the n-th batch of a run is: its mode, its page size and its pages, all from the seed."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from folio.preprocessing.resolution import LOCAL_VIEW_SIZE, Mode, Resolution, resolve
from training.answers import Pieces, draw_task
from training.atlas import SIZES, Atlas
from training.canvas import Canvas, load_blitter
from training.corpus import Corpus
from training.drift import drift_boxes
from training.layout import set_page
from training.noise import corrupt
from training.page import Page
from training.slips import Script, slip
from training.vocabulary import EOS_ID, PAD_ID, VOCABULARY_SIZE, PageTokenizer

START_SIZE = 320
SIDE_MULTIPLE = 8
STAGES = ("start", "views", "all")
KINDS = ("line", "paragraph", "table", "page", "columns", "blocks")


@dataclass(frozen=True)
class ModeRecipe:
    """max_tokens: of prompt and answer; what is longer is cut, and its end is never learnt. kinds:
    weights of KINDS; smallest: type size in pixels of the view."""

    views_per_batch: int
    max_chars: int
    max_tokens: int
    kinds: tuple[float, ...]
    smallest: float


RECIPES = {
    "start": ModeRecipe(256, 110, 96, (0.35, 0.5, 0.05, 0.1, 0.0, 0.0), 16.0),
    "tiny": ModeRecipe(264, 450, 448, (0.08, 0.27, 0.15, 0.4, 0.1, 0.0), 11.5),
    "small": ModeRecipe(208, 1000, 960, (0.05, 0.2, 0.33, 0.33, 0.07, 0.05), 10.5),
    "base": ModeRecipe(84, 2400, 1920, (0.03, 0.2, 0.23, 0.32, 0.17, 0.08), 10.0),
    "large": ModeRecipe(52, 3000, 2048, (0.03, 0.1, 0.15, 0.45, 0.21, 0.06), 10.0),
    "gundam": ModeRecipe(252, 3400, 3200, (0.04, 0.06, 0.1, 0.42, 0.33, 0.05), 11.0),
}
GLOBAL_VIEW_COST = 2.56
STAGE_MODES = {
    "start": {"start": 1.0},
    "views": {"small": 0.68, "tiny": 0.1, "base": 0.22},
    "all": {"small": 0.22, "tiny": 0.03, "base": 0.32, "large": 0.03, "gundam": 0.4},
}
MAX_SLOT_BYTES = 120_000_000
# Of the words on the pages, those that no list has (novel_words.py).
NOVEL_SHARE = 0.45

PageSize = Callable[[random.Random], tuple[int, int]]


@dataclass(frozen=True)
class BatchPlan:
    """One size of page for all pages of a batch, so that one resize makes all their views."""

    index: int
    mode: str
    width: int
    height: int

    @property
    def recipe(self) -> ModeRecipe:
        return RECIPES[self.mode]

    @property
    def resolution(self) -> Resolution:
        if self.mode == "start":
            return Resolution(START_SIZE, keep_aspect=False)
        return resolve(Mode(self.mode), self.width, self.height)

    @property
    def num_pages(self) -> int:
        grid = self.resolution.crop_grid
        if self.mode == "gundam":
            by_views = int(self.recipe.views_per_batch / (grid.num_views + GLOBAL_VIEW_COST))
        else:
            by_views = self.recipe.views_per_batch
        count = min(by_views, int(0.9 * MAX_SLOT_BYTES / (self.width * self.height)))
        # Of few different sizes: some kernels (cuDNN's attention) are planned anew for each.
        return max(1, count - count % (1 << max(0, count.bit_length() - 4)))

    @property
    def scale(self) -> float:
        """Pixels of the sharpest view for one pixel of the page."""
        resolution = self.resolution
        grid = resolution.crop_grid
        if grid.num_views:
            return min(
                grid.columns * LOCAL_VIEW_SIZE / self.width,
                grid.rows * LOCAL_VIEW_SIZE / self.height,
            )
        if resolution.keep_aspect:
            return resolution.base_size / max(self.width, self.height)
        return min(resolution.base_size / self.width, resolution.base_size / self.height)

    @property
    def type_sizes(self) -> tuple[int, int]:
        """Smallest and largest type in pixels of the page."""
        smallest = math.ceil(self.recipe.smallest / self.scale)
        largest = 36 if self.mode == "gundam" else 66
        return min(smallest, 40), max(largest, smallest + 4)


def draw_plan(seed: int, index: int, stage: str) -> BatchPlan:
    rng = random.Random(f"plan {seed} {index} {stage}")
    modes = STAGE_MODES[stage]
    mode = rng.choices(list(modes), list(modes.values()))[0]
    # The GPU multiplies matrices of such sides several times faster.
    width, height = (side // SIDE_MULTIPLE * SIDE_MULTIPLE for side in PAGE_SIZES[mode](rng))
    return BatchPlan(index, mode, width, height)


def start_page(_: random.Random) -> tuple[int, int]:
    return START_SIZE, START_SIZE


def stretched_page(side: int) -> PageSize:
    def draw(rng: random.Random) -> tuple[int, int]:
        if rng.random() < 0.5:
            return side, side
        scale, aspect = rng.uniform(0.8, 1.4), math.exp(rng.uniform(-0.55, 0.55))
        return int(side * scale * aspect**0.5), int(side * scale * aspect**-0.5)

    return draw


def padded_page(side: int) -> PageSize:
    def draw(rng: random.Random) -> tuple[int, int]:
        kind = rng.random()
        if kind < 0.3:
            return side, side
        longest = int(side * rng.uniform(0.65, 1.35))
        if kind < 0.65:
            return int(longest * rng.uniform(0.68, 0.8)), longest
        if kind < 0.93:
            return oriented(longest, int(longest * rng.uniform(0.4, 1.0)), rng)
        return longest, max(48, int(longest * rng.uniform(0.06, 0.3)))

    return draw


def cropped_page(rng: random.Random) -> tuple[int, int]:
    kind = rng.random()
    if kind < 0.62:
        height = rng.randint(1450, 1900) if kind < 0.5 else rng.randint(900, 1450)
        return int(height * rng.uniform(0.69, 0.79)), height
    if kind < 0.7:
        width = rng.randint(1300, 1800)
        return width, int(width * rng.uniform(0.6, 0.8))
    longest = rng.randint(700, 1600)
    return oriented(longest, int(longest * rng.uniform(0.35, 1.0)), rng)


def oriented(longer: int, shorter: int, rng: random.Random) -> tuple[int, int]:
    return (longer, shorter) if rng.random() < 0.4 else (shorter, longer)


PAGE_SIZES = {
    "start": start_page,
    "tiny": stretched_page(512),
    "small": stretched_page(640),
    "base": padded_page(1024),
    "large": padded_page(1280),
    "gundam": cropped_page,
}


@dataclass(frozen=True)
class BatchArrays:
    """ink: uint8 (pages, height, width). labels: uint8 (pages, height // 8, width // 4). written:
    int16 (pages, tokens), prompt and answer as the network may have written them. ids: as many,
    what should have been written at each place after what was written before, PAD_ID where that is
    open. spans: int16 (pages, 2), where the answer begins and ends in both. warp: float32 (pages,
    2, 3), as affine_grid's."""

    ink: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    written: np.ndarray
    spans: np.ndarray
    warp: np.ndarray

    @classmethod
    def in_buffer(cls, buffer: memoryview, plan: BatchPlan) -> "BatchArrays":
        pages, height, width = plan.num_pages, plan.height, plan.width
        shapes = (
            ((pages, height, width), np.uint8),
            ((pages, height // 8, width // 4), np.uint8),
            ((pages, plan.recipe.max_tokens), np.int16),
            ((pages, plan.recipe.max_tokens), np.int16),
            ((pages, 2), np.int16),
            ((pages, 2, 3), np.float32),
        )
        offset, arrays = 0, []
        for shape, dtype in shapes:
            count = math.prod(shape)
            arrays.append(np.frombuffer(buffer, dtype, count, offset).reshape(shape))
            offset += -(-arrays[-1].nbytes // 64) * 64
        return cls(*arrays)


class PageFactory:
    """Prints the pages of a batch into its arrays."""

    def __init__(self, atlas: Atlas, words: dict[str, list[str]], tokenizer: PageTokenizer) -> None:
        self.atlas, self.words, self.tokenizer = atlas, words, tokenizer
        self.begins_word = np.zeros(VOCABULARY_SIZE, bool)
        self.begins_word[list(tokenizer.blank_ids)] = True
        load_blitter()

    def fill(
        self, plan: BatchPlan, arrays: BatchArrays, seed: str, *, corruption: float = 1.0
    ) -> None:
        """corruption: how much of the usual shares of what was written is wrong (noise.py), and of
        pages slips (slips.py)."""
        rng = random.Random(f"{seed} {plan.index}")
        corpus = Corpus(self.words, rng, novel_share=NOVEL_SHARE)
        for index in range(plan.num_pages):
            page = self.print_page(plan, arrays.ink[index], arrays.labels[index], corpus)
            page, arrays.warp[index] = warp_page(page, rng)
            self.write_answer(page, index, arrays, rng, corruption)
        noise = np.random.default_rng(rng.getrandbits(64))
        arrays.written[:] = corrupt(
            arrays.written, arrays.spans, corruption, noise, self.begins_word
        )

    def print_page(
        self, plan: BatchPlan, ink: np.ndarray, labels: np.ndarray, corpus: Corpus
    ) -> Page:
        rng, recipe = corpus.rng, plan.recipe
        ink[:], labels[:] = 0, 0
        kind = rng.choices(KINDS, recipe.kinds)[0]
        smallest, largest = plan.type_sizes
        if plan.height < 3 * SIZES[0] + smallest * 2:
            kind = "line"
        fullness = rng.uniform(0.45 if kind in ("page", "columns") else 0.25, 1.0)
        budget = int(fullness * recipe.max_chars)
        canvas = Canvas(self.atlas, ink, labels)
        return set_page(
            canvas, self.atlas, corpus, kind=kind, sizes=(smallest, largest), budget=budget
        )

    def write_answer(
        self, page: Page, index: int, arrays: BatchArrays, rng: random.Random, corruption: float
    ) -> None:
        prompt, answer = draw_task(page, rng)
        prompt_ids, right = self.tokenizer.encode(prompt), self.encode_answer(answer)
        drifted = drift_boxes(answer, rng, self.is_as_long)
        written = right if drifted == answer else self.encode_answer(drifted)
        script = self.script(right, page)
        # Of its own, so that the pages that follow do not depend on how much is corrupted by now.
        slips = random.Random(rng.getrandbits(64))
        written, right = slip(written, right, script, slips, corruption=corruption)
        for row, ids in ((arrays.written[index], written), (arrays.ids[index], right)):
            ids = [*prompt_ids, *ids][: len(row)]
            row[:] = PAD_ID
            row[: len(ids)] = ids
            arrays.spans[index] = len(prompt_ids), len(ids)

    def encode_answer(self, answer: Pieces) -> list[int]:
        return [*self.tokenizer.encode(answer), EOS_ID]

    def script(self, ids: list[int], page: Page) -> Script:
        newline, num_lines = self.tokenizer.newline_id, len(page.lines)
        return Script(
            ids,
            blanks=self.tokenizer.blank_ids,
            newline=newline,
            # Markdown joins the lines of a paragraph and parts its blocks by two line ends.
            is_by_line=ids.count(newline) == num_lines - 1,
            line_length=len(ids) // max(1, num_lines),
        )

    def is_as_long(self, first: str, second: str) -> bool:
        return len(self.tokenizer.encode([first])) == len(self.tokenizer.encode([second]))


def warp_page(page: Page, rng: random.Random) -> tuple[Page, np.ndarray]:
    """Turns, shrinks and shifts a page a little: its new boxes, and the inverse in affine_grid's
    coordinates."""
    kind = rng.random()
    angle = math.radians(
        0.0 if kind < 0.35 else rng.uniform(-0.5, 0.5) if kind < 0.8 else rng.uniform(-1.6, 1.6)
    )
    scale = rng.uniform(0.94, 1.0) if rng.random() < 0.5 else 1.0
    scale_x, scale_y = scale * rng.uniform(0.985, 1.0), scale * rng.uniform(0.985, 1.0)
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.array([[scale_x * cos, -scale_y * sin], [scale_x * sin, scale_y * cos]])
    shift = np.array([rng.uniform(-1, 1), rng.uniform(-1, 1)]) * (4.0 if scale < 1 else 0.5)
    inverse = np.linalg.inv(matrix)
    to_unit = np.diag([2 / page.width, 2 / page.height])
    warp = np.empty((2, 3), np.float32)
    warp[:, :2] = to_unit @ inverse @ np.linalg.inv(to_unit)
    warp[:, 2] = -(to_unit @ inverse @ shift)
    return page.transformed(matrix, shift), warp
