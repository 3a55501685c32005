import { EndTaskButton } from "@/components/task/EndTaskButton";
import { ResultLinks } from "@/components/task/ResultLinks";
import { StatusBadge } from "@/components/task/StatusBadge";
import { TaskId } from "@/components/task/TaskId";
import { TaskProgressBar } from "@/components/task/TaskProgressBar";
import { TimingList } from "@/components/task/TimingList";
import { isFinished, type Speed, type Task } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import styles from "./TaskHeader.module.css";

interface TaskHeaderProps {
  task: Task;
  speed: Speed;
  onDeleted: () => void;
}

/** A task's name and state, what to do with it, and its times. */
export function TaskHeader({ task, speed, onDeleted }: TaskHeaderProps) {
  const { t } = useI18n();
  const { num_pages: numPages, pages_failed: numFailed } = task.progress;
  return (
    <header className={styles.header}>
      <div className={styles.top}>
        <h1 className={styles.name}>{task.filename}</h1>
        <div className={styles.state} role="status">
          <StatusBadge status={task.status} />
          {numPages !== null && isFinished(task) && task.kind === "pdf" && (
            <span>{t.task.pages(task.progress.pages_done, numPages)}</span>
          )}
          {numFailed > 0 && task.kind === "pdf" && (
            <span className={styles.failed}>{t.task.numFailed(numFailed)}</span>
          )}
        </div>
        <div className={styles.actions}>
          <ResultLinks task={task} />
          <EndTaskButton task={task} onDeleted={onDeleted} />
        </div>
      </div>
      {!isFinished(task) && <TaskProgressBar task={task} speed={speed} />}
      <div className={styles.facts}>
        <TimingList timing={task.timing} />
        <TaskId id={task.task_id} />
      </div>
    </header>
  );
}
