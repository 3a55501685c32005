import { useI18n } from "@/lib/i18n";
import { CopyButton } from "../ui/CopyButton";
import styles from "./TaskId.module.css";

export function TaskId({ id }: { id: string }) {
  const { t } = useI18n();
  return (
    <span className={styles.id}>
      <span className="visually-hidden">{t.task.id}: </span>
      <code>{id}</code>
      <CopyButton text={() => id} label={t.task.copyId} />
    </span>
  );
}
