import { memo, useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import type { Block } from "@/lib/api";
import { blockKind, labelText } from "@/lib/blocks";
import { useI18n } from "@/lib/i18n";
import { Markdown } from "./Markdown";
import styles from "./PageText.module.css";
import type { Highlight } from "./useHighlight";

interface PageTextProps {
  label: string;
  blocks: readonly Block[];
  highlight: Highlight;
  /** The picture of a figure, where there is one. */
  figure?: (block: Block) => ReactNode;
}

/** A page's text, block by block. One stop for the Tab key: arrows go from block to block. */
export function PageText({ label, blocks, highlight, figure }: PageTextProps) {
  const container = useRef<HTMLDivElement>(null);
  const [stop, setStop] = useState(0);
  const { index: lit, from, light } = highlight;

  useEffect(() => {
    if (lit === null || from !== "picture") return;
    container.current?.children[lit]?.scrollIntoView({ block: "nearest" });
  }, [lit, from]);

  const onKeyDown = (event: KeyboardEvent) => {
    const next = nextIndex(event.key, stop, blocks.length);
    const element = next === null ? null : container.current?.children[next];
    if (element instanceof HTMLElement) {
      event.preventDefault();
      element.focus();
    }
  };

  return (
    <div ref={container} role="group" aria-label={label} className={styles.blocks}>
      {blocks.map((block, index) => (
        <PageBlock
          key={index}
          block={block}
          index={index}
          isLit={lit === index}
          isStop={stop === index}
          figure={figure}
          onKeyDown={onKeyDown}
          onFocus={() => {
            setStop(index);
            light(index, "text");
          }}
          light={light}
        />
      ))}
    </div>
  );
}

interface PageBlockProps extends Pick<PageTextProps, "figure"> {
  block: Block;
  index: number;
  isLit: boolean;
  isStop: boolean;
  light: Highlight["light"];
  onFocus: () => void;
  onKeyDown: (event: KeyboardEvent) => void;
}

function PageBlock({ block, index, isLit, isStop, figure, light, ...events }: PageBlockProps) {
  const { t } = useI18n();
  const kind = blockKind(block.label);
  const label = labelText(block.label, t.result.labels);
  return (
    <div
      role="group"
      aria-label={t.result.block(index + 1, label)}
      className={styles.block}
      data-kind={kind}
      data-lit={isLit || undefined}
      tabIndex={isStop ? 0 : -1}
      onPointerEnter={() => light(index, "text")}
      onPointerLeave={() => light(null, "text")}
      onBlur={() => light(null, "text")}
      {...events}
    >
      <span className={styles.label} aria-hidden>
        {label}
      </span>
      {kind === "figure" && figure?.(block)}
      <BlockMarkdown block={block} />
    </div>
  );
}

const BlockMarkdown = memo(function BlockMarkdown({ block }: { block: Block }) {
  return block.markdown ? <Markdown text={block.markdown} /> : null;
});

function nextIndex(key: string, index: number, count: number): number | null {
  if (key === "ArrowDown") return Math.min(index + 1, count - 1);
  if (key === "ArrowUp") return Math.max(index - 1, 0);
  if (key === "Home") return 0;
  return key === "End" ? count - 1 : null;
}
