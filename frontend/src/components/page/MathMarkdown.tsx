/** Markdown with formulas. Apart from PlainMarkdown, so that KaTeX is fetched where it is needed. */
import "katex/dist/katex.min.css";
import rehypeKatex from "rehype-katex";
import PlainMarkdown from "./PlainMarkdown";

// KaTeX trusts nothing by default; these keep a hostile formula from taking all the time or space.
const KATEX = { strict: false, maxExpand: 300, maxSize: 30, errorColor: "currentColor" } as const;

export default function MathMarkdown({ text }: { text: string }) {
  return <PlainMarkdown text={text} lastPlugins={[[rehypeKatex, KATEX]]} />;
}
