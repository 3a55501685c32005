import { Progress } from "radix-ui";
import type { Speed, Task } from "@/lib/api";
import { formatDuration, formatSpeed } from "@/lib/format";
import { useI18n, type Dictionary } from "@/lib/i18n";
import styles from "./TaskProgressBar.module.css";

/** Pages done of all, how fast it goes, and how long it will take. */
export function TaskProgressBar({ task, speed }: { task: Task; speed?: Speed }) {
  const { t } = useI18n();
  const { percent, num_pages: numPages } = task.progress;
  return (
    <div className={styles.progress}>
      <Progress.Root
        value={numPages ? percent : null}
        aria-label={t.task.progress(task.filename)}
        className={styles.track}
      >
        <Progress.Indicator
          className={styles.bar}
          style={{ transform: `translateX(${String(percent - 100)}%)` }}
        />
      </Progress.Root>
      <p className={styles.words}>
        <span>{stage(task, t)}</span>
        {speed?.pagesPerSecond != null && (
          <span>{t.task.speed(formatSpeed(speed.pagesPerSecond))}</span>
        )}
        {speed?.etaSeconds != null && speed.etaSeconds > 0 && (
          <span>{t.task.eta(formatDuration(Math.ceil(speed.etaSeconds) * 1000, t.locale))}</span>
        )}
      </p>
    </div>
  );
}

function stage(task: Task, t: Dictionary): string {
  const { num_pages: all, pages_done: done } = task.progress;
  if (task.status === "queued") return t.task.waiting;
  if (all === null) return t.task.opening;
  return done >= all ? t.task.writing : t.task.pages(done, all);
}
