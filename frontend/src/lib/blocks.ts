/** What kind of thing a block is: the models know more labels than the page needs colours. */
import type { Block, Box } from "./api/types";

export type BlockKind = "title" | "text" | "table" | "figure" | "formula" | "aside";

const TITLES = ["title", "sub_title", "doc_title", "paragraph_title"];
const FIGURES = ["image", "figure", "chart", "picture", "seal", "header_image"];
const FORMULAS = ["equation", "formula", "isolate_formula"];
const TEXTS = ["text", "list", "abstract", "content", "reference", "ref_text", "code", "algorithm"];

export function blockKind(label: string): BlockKind {
  if (TITLES.includes(label)) return "title";
  if (FIGURES.includes(label)) return "figure";
  if (FORMULAS.includes(label)) return "formula";
  if (TEXTS.includes(label)) return "text";
  return label === "table" ? "table" : "aside";
}

/** A block's label for people; one that the dictionary lacks stands as the model wrote it. */
export function labelText(label: string, words: Readonly<Record<string, string>>): string {
  return words[label] ?? label.replaceAll("_", " ");
}

/** Every figure's box, once, in reading order: how the service numbers the pictures it cuts. */
export function figureBoxes(blocks: readonly Block[]): Box[] {
  const seen = new Map<string, Box>();
  for (const block of blocks) {
    if (blockKind(block.label) !== "figure") continue;
    for (const box of block.boxes) if (!seen.has(String(box))) seen.set(String(box), box as Box);
  }
  return [...seen.values()];
}
