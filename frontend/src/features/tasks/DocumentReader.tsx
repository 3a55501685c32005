import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useRef, useState } from "react";
import { Notice } from "@/components/ui/Notice";
import { ErrorNotice } from "@/components/ui/ErrorNotice";
import { isFinished, useTaskPages, type Page, type Task } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import styles from "./DocumentReader.module.css";
import { MarkedPages } from "./MarkedPages";
import { PageDialog } from "./PageDialog";
import { PageRow } from "./PageRow";
import { ThumbnailRail } from "./ThumbnailRail";

const ESTIMATED_ROW = 900;
const OVERSCAN = 1;

/** The finished pages, each picture beside its text, while others may still be read. */
export function DocumentReader({ task }: { task: Task }) {
  const { t } = useI18n();
  const { data: pages = [], error, refetch } = useTaskPages(task);
  const [enlarged, setEnlarged] = useState<Page | null>(null);
  const scroller = useRef<HTMLDivElement>(null);
  // The virtualizer's own way: its object changes without telling, which the compiler cannot know.
  // eslint-disable-next-line react-hooks/incompatible-library
  const rows = useVirtualizer({
    count: pages.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ESTIMATED_ROW,
    overscan: OVERSCAN,
    getItemKey: (index) => pages[index]?.page_number ?? index,
  });
  const items = rows.getVirtualItems();
  const current = currentIndex(items, rows.scrollOffset ?? 0);

  const { scrollToIndex } = rows;
  const goTo = useCallback(
    (index: number) => scrollToIndex(index, { align: "start" }),
    [scrollToIndex],
  );

  const numPending = isFinished(task)
    ? 0
    : Math.max(0, (task.progress.num_pages ?? 0) - pages.length);
  return (
    <div className={styles.reader}>
      {pages.length > 0 && <ThumbnailRail pages={pages} current={current} onGoTo={goTo} />}
      <div
        ref={scroller}
        className={styles.scroller}
        role="region"
        aria-label={t.task.reader}
        tabIndex={0}
      >
        <MarkedPages pages={pages} onGoTo={goTo} />
        {error && <ErrorNotice error={error} onRetry={() => void refetch()} />}
        {pages.length === 0 && !error && !task.error && (
          <Notice tone="info">{isFinished(task) ? t.task.noPages : t.task.noneYet}</Notice>
        )}
        <div className={styles.rows} style={{ height: rows.getTotalSize() }}>
          {items.map(({ index, key, start }) => {
            const page = pages[index];
            return (
              page && (
                <div
                  key={key}
                  ref={rows.measureElement}
                  data-index={index}
                  className={styles.row}
                  style={{ transform: `translateY(${String(start)}px)` }}
                >
                  <PageRow page={page} taskId={task.task_id} onEnlarge={setEnlarged} />
                </div>
              )
            );
          })}
        </div>
        {numPending > 0 && pages.length > 0 && (
          <p className={styles.pending}>{t.task.stillReading(numPending)}</p>
        )}
      </div>
      <PageDialog page={enlarged} onClose={() => setEnlarged(null)} />
    </div>
  );
}

/** The row that stands at the top of what is seen. */
function currentIndex(items: { index: number; end: number }[], offset: number): number {
  return items.find((item) => item.end > offset + 80)?.index ?? 0;
}
