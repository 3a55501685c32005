import { CircleAlert, CircleCheck, Circle, Scissors, Wrench } from "lucide-react";
import type { PageStatus } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import styles from "./PageStatusBadge.module.css";

const icons = {
  ok: CircleCheck,
  retried: Wrench,
  truncated: Scissors,
  blank: Circle,
  failed: CircleAlert,
};

export function PageStatusBadge({ status }: { status: PageStatus }) {
  const { t } = useI18n();
  const Icon = icons[status];
  return (
    <span className={styles.badge} data-status={status}>
      <Icon aria-hidden />
      {t.task.pageStatus[status]}
    </span>
  );
}
