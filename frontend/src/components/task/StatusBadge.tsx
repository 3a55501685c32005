import type { TaskStatus } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import styles from "./StatusBadge.module.css";

export function StatusBadge({ status }: { status: TaskStatus }) {
  const { t } = useI18n();
  return (
    <span className={styles.badge} data-status={status}>
      <span className={styles.dot} aria-hidden />
      {t.task.status[status]}
    </span>
  );
}
