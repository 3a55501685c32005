import { ToggleGroup } from "radix-ui";
import { TASK_STATUSES, type TaskStatus } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import styles from "./StatusFilter.module.css";

const ALL = "all";

interface StatusFilterProps {
  status: TaskStatus | null;
  onChange: (status: TaskStatus | null) => void;
}

export function StatusFilter({ status, onChange }: StatusFilterProps) {
  const { t } = useI18n();
  return (
    <ToggleGroup.Root
      type="single"
      value={status ?? ALL}
      aria-label={t.tasks.filter}
      className={styles.group}
      onValueChange={(value) => onChange(TASK_STATUSES.find((each) => each === value) ?? null)}
    >
      <ToggleGroup.Item value={ALL} className={styles.item}>
        {t.tasks.all}
      </ToggleGroup.Item>
      {TASK_STATUSES.map((each) => (
        <ToggleGroup.Item key={each} value={each} className={styles.item}>
          {t.task.status[each]}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}
