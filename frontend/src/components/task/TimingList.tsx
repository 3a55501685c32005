import type { Timing } from "@/lib/api";
import { formatDuration, formatTime } from "@/lib/format";
import { useI18n } from "@/lib/i18n";
import styles from "./TimingList.module.css";

/** When it was queued, when work began and ended, and how long it took in all. */
export function TimingList({ timing }: { timing: Timing }) {
  const { t } = useI18n();
  const time = (iso: string | null) =>
    iso ? <time dateTime={iso}>{formatTime(iso, t.locale)}</time> : t.timing.none;
  const { duration_ms: duration } = timing;
  return (
    <dl className={styles.list} aria-label={t.timing.label}>
      <Entry name={t.timing.queued}>{time(timing.queued_at)}</Entry>
      <Entry name={t.timing.started}>{time(timing.started_at)}</Entry>
      <Entry name={t.timing.finished}>{time(timing.finished_at)}</Entry>
      <Entry name={t.timing.duration}>
        {duration === null ? t.timing.none : formatDuration(duration, t.locale)}
      </Entry>
    </dl>
  );
}

function Entry({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className={styles.entry}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
