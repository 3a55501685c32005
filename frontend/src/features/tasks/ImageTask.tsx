import { PagePicture, ratioStyle } from "@/components/page/PagePicture";
import { PageText } from "@/components/page/PageText";
import { useHighlight } from "@/components/page/useHighlight";
import { ErrorNotice } from "@/components/ui/ErrorNotice";
import { Notice } from "@/components/ui/Notice";
import { CopyButton } from "@/components/ui/CopyButton";
import { useTaskPages, type Task } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import styles from "./ImageTask.module.css";
import { PageReason } from "./PageReason";

/** What was read from an image. The service keeps no picture of it, only what it says. */
export function ImageTask({ task }: { task: Task }) {
  const { t } = useI18n();
  const highlight = useHighlight();
  const { data: pages, error, refetch } = useTaskPages(task);
  const page = pages?.[0];
  if (error) {
    return (
      <div className={styles.alone}>
        <ErrorNotice error={error} onRetry={() => void refetch()} />
      </div>
    );
  }
  if (!page?.image) return null;
  return (
    <div className={styles.panes}>
      <section
        className={styles.picture}
        style={ratioStyle(page.image)}
        aria-label={t.image.picture}
      >
        <Notice tone="info">{t.image.notKept}</Notice>
        <PagePicture
          src={null}
          alt=""
          size={page.image}
          blocks={page.blocks}
          highlight={highlight}
        />
      </section>
      <section className={styles.text} aria-label={t.image.result}>
        <h2 className="visually-hidden">{t.image.result}</h2>
        <PageReason page={page} />
        <div className={styles.tools}>
          <CopyButton text={() => page.markdown ?? ""} />
        </div>
        <PageText label={t.result.blocks} blocks={page.blocks} highlight={highlight} />
      </section>
    </div>
  );
}
