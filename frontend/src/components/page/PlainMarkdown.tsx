/** Model output as Markdown, with HTML tables. It is untrusted: sanitised, and it loads nothing. */
import type { Schema } from "hast-util-sanitize";
import type { ReactNode } from "react";
import ReactMarkdown, { type Options } from "react-markdown";
import rehypeRaw from "rehype-raw";
import rehypeSanitize, { defaultSchema } from "rehype-sanitize";
import remarkGfm from "remark-gfm";
import { useI18n } from "@/lib/i18n";
import { rehypeFormulas, takeFormulas } from "./formulas";
import { WideTable } from "./WideTable";

/** No picture, form or style of the model's own; everything else as on GitHub. */
const schema: Schema = {
  ...defaultSchema,
  tagNames: defaultSchema.tagNames?.filter((name) => !["picture", "source"].includes(name)) ?? [],
};

/** A page's headings stand below the view's own: the name of the file, and "Page 1". */
const LOWERED = { h1: "h3", h2: "h4", h3: "h5", h4: "h6", h5: "h6" } as const;

interface MarkdownProps {
  text: string;
  /** What runs last, when nothing can be smuggled in any more: KaTeX. */
  lastPlugins?: NonNullable<Options["rehypePlugins"]>;
}

export default function PlainMarkdown({ text, lastPlugins = [] }: MarkdownProps) {
  const { text: withPlaces, formulas } = takeFormulas(text);
  return (
    <ReactMarkdown
      remarkPlugins={[[remarkGfm, { singleTilde: false }]]}
      rehypePlugins={[
        rehypeRaw,
        [rehypeSanitize, schema],
        [rehypeFormulas, formulas],
        ...lastPlugins,
      ]}
      components={{
        ...LOWERED,
        img: UnloadedImage,
        a: OutwardLink,
        input: TaskMark,
        table: WideTable,
      }}
    >
      {withPlaces}
    </ReactMarkdown>
  );
}

function UnloadedImage({ alt }: { alt?: string | undefined }) {
  const { t } = useI18n();
  return <em>[{alt ? alt : t.result.remoteImage}]</em>;
}

function OutwardLink({ href, children }: { href?: string | undefined; children?: ReactNode }) {
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

/** Of a list of things to do: a sign, since a box that nobody can tick says less. */
function TaskMark({ checked }: { checked?: boolean | undefined }) {
  return checked ? "☑" : "☐";
}
