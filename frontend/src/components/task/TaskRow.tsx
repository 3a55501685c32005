import { FileText, Image } from "lucide-react";
import { Link } from "react-router";
import { isFinished, useWatchedTask, type Task } from "@/lib/api";
import { formatDuration, formatTime } from "@/lib/format";
import { useI18n } from "@/lib/i18n";
import { ErrorNotice } from "../ui/ErrorNotice";
import { StatusBadge } from "./StatusBadge";
import { EndTaskButton } from "./EndTaskButton";
import { TaskProgressBar } from "./TaskProgressBar";
import styles from "./TaskRow.module.css";
import { ZipLink } from "./ResultLinks";

interface TaskRowProps {
  taskId: string;
  /** What it is called until the service has said so. */
  filename: string;
  isWatched: boolean;
}

/** A task in a line that keeps itself up to date. */
export function TaskRow({ taskId, filename, isWatched }: TaskRowProps) {
  const { data: task, error, speed } = useWatchedTask(taskId, isWatched);
  if (!task) return error ? <ErrorNotice error={error} /> : <p>{filename}</p>;
  return (
    <TaskLine task={task}>
      {!isFinished(task) && <TaskProgressBar task={task} speed={speed} />}
    </TaskLine>
  );
}

/** A task in a line: what, how far, when, and what can be done with it. */
export function TaskLine({ task, children }: { task: Task; children?: React.ReactNode }) {
  const { t } = useI18n();
  const Icon = task.kind === "pdf" ? FileText : Image;
  const { duration_ms: duration, queued_at: queuedAt } = task.timing;
  const { num_pages: numPages, pages_failed: numFailed } = task.progress;
  return (
    <article className={styles.line} aria-label={task.filename}>
      <Icon className={styles.kind} aria-label={t.task.kind[task.kind]} role="img" />
      <Link to={`/tasks/${task.task_id}`} className={styles.name}>
        {task.filename}
      </Link>
      <div className={styles.state}>
        <StatusBadge status={task.status} />
      </div>
      <p className={styles.facts}>
        {numPages !== null && task.kind === "pdf" && <span>{t.task.numPages(numPages)}</span>}
        {numFailed > 0 && task.kind === "pdf" && (
          <span className={styles.error}>{t.task.numFailed(numFailed)}</span>
        )}
        <span>{t.tasks.queuedAt(formatTime(queuedAt, t.locale))}</span>
        {duration !== null && <span>{t.tasks.took(formatDuration(duration, t.locale))}</span>}
        {task.error && (
          <span className={styles.error}>{errorWords(task.error, t.errors.titles)}</span>
        )}
      </p>
      <div className={styles.actions}>
        <ZipLink task={task} isShort />
        <EndTaskButton task={task} isIcon />
      </div>
      {children && <div className={styles.progress}>{children}</div>}
    </article>
  );
}

function errorWords(error: NonNullable<Task["error"]>, titles: Readonly<Record<string, string>>) {
  return titles[error.code] ?? error.message;
}
