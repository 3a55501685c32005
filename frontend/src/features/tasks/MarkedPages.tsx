import { memo } from "react";
import type { PageList } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import styles from "./MarkedPages.module.css";
import { PageStatusBadge } from "./PageStatusBadge";

const MAX_SHOWN = 12;

interface MarkedPagesProps {
  pages: PageList;
  onGoTo: (index: number) => void;
}

/** The way to every page that did not simply go well. */
export const MarkedPages = memo(function MarkedPages({ pages, onGoTo }: MarkedPagesProps) {
  const { t } = useI18n();
  const marked = pages
    .map((page, index) => ({ page, index }))
    .filter(({ page }) => ["failed", "truncated", "retried"].includes(page.status));
  if (marked.length === 0) return null;
  return (
    <nav className={styles.marked} aria-label={t.task.marked}>
      <span>{t.task.marked}</span>
      {marked.slice(0, MAX_SHOWN).map(({ page, index }) => (
        <button key={index} type="button" className={styles.chip} onClick={() => onGoTo(index)}>
          {t.task.page(page.page_number)} <PageStatusBadge status={page.status} />
        </button>
      ))}
      {marked.length > MAX_SHOWN && <span>{t.task.more(marked.length - MAX_SHOWN)}</span>}
    </nav>
  );
});
