/**
 * Formulas in the model's Markdown: \( x \) in a line and \[ x \] by themselves. Single dollars are
 * dollars. They are taken out before the text is parsed, since Markdown would eat their signs, and
 * put back as elements in the tree, where KaTeX finds them, also inside of HTML tables.
 */
import type { Element, ElementContent, Root, Text } from "hast";
import { SKIP, visit } from "unist-util-visit";

export interface Formula {
  source: string;
  tex: string;
  isDisplay: boolean;
}

const FENCED = /^(`{3,}|~{3,})[^\n]*\n[\s\S]*?^\1[`~]*[ \t]*$/gm;
const FORMULA = /\\\\|\\\(([\s\S]+?)\\\)|\\\[([\s\S]+?)\\\]/g;
// Private use characters: no page has them, and neither Markdown nor HTML means anything by them.
const PLACE = /\uE000(\d+)\uE001/g;

export function hasFormulas(markdown: string): boolean {
  return takeFormulas(markdown).formulas.length > 0;
}

/** The text with a placeholder for each formula, and the formulas. */
export function takeFormulas(markdown: string): { text: string; formulas: Formula[] } {
  const formulas: Formula[] = [];
  const take = (prose: string) =>
    prose.replace(FORMULA, (source: string, inline?: string, display?: string) => {
      const tex = inline ?? display;
      if (tex === undefined || /\n\s*\n/.test(tex)) return source;
      formulas.push({ source, tex: unescape(tex), isDisplay: display !== undefined });
      return `\uE000${String(formulas.length - 1)}\uE001`;
    });

  let text = "";
  let end = 0;
  for (const fence of markdown.matchAll(FENCED)) {
    text += take(markdown.slice(end, fence.index)) + fence[0];
    end = fence.index + fence[0].length;
  }
  return { text: text + take(markdown.slice(end)), formulas };
}

/** A rehype plugin: placeholders become the elements that rehype-katex looks for. */
export function rehypeFormulas(formulas: Formula[]) {
  return (tree: Root) => {
    visit(tree, "text", (node, index, parent) => {
      if (!parent || index === undefined || !node.value.includes("\uE000")) return undefined;
      const isCode = parent.type === "element" && parent.tagName === "code";
      const pieces = isCode
        ? [text(node.value.replace(PLACE, (_, n: string) => formulas[Number(n)]?.source ?? ""))]
        : splitAtPlaces(node.value, formulas);
      parent.children.splice(index, 1, ...pieces);
      return [SKIP, index + pieces.length] as const;
    });
  };
}

function splitAtPlaces(value: string, formulas: Formula[]): ElementContent[] {
  const pieces: ElementContent[] = [];
  let end = 0;
  for (const place of value.matchAll(PLACE)) {
    const formula = formulas[Number(place[1])];
    if (place.index > end) pieces.push(text(value.slice(end, place.index)));
    if (formula) pieces.push(mathElement(formula));
    end = place.index + place[0].length;
  }
  if (end < value.length) pieces.push(text(value.slice(end)));
  return pieces;
}

function mathElement({ tex, isDisplay }: Formula): Element {
  return {
    type: "element",
    tagName: "span",
    properties: { className: [isDisplay ? "math-display" : "math-inline"] },
    children: [text(tex)],
  };
}

function text(value: string): Text {
  return { type: "text", value };
}

/** In a table's cells the service writes < and & as entities, in formulas too. */
function unescape(tex: string): string {
  return tex.replaceAll("&lt;", "<").replaceAll("&amp;", "&");
}
