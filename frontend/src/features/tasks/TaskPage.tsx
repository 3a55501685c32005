import { useEffect } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { preloadTypesetter } from "@/components/page/typesetter";
import { ErrorNotice } from "@/components/ui/ErrorNotice";
import { Notice } from "@/components/ui/Notice";
import { WordsOf } from "@/components/ui/WordsOf";
import { toApiError, useWatchedTask, type Task } from "@/lib/api";
import { errorWords } from "@/lib/errorWords";
import { useI18n } from "@/lib/i18n";
import { useTitle } from "@/lib/useTitle";
import { DocumentReader } from "./DocumentReader";
import { ImageTask } from "./ImageTask";
import { TaskHeader } from "./TaskHeader";
import styles from "./TaskPage.module.css";

/** One task by the id in the address: how it goes, and what was read so far. */
export function TaskPage() {
  const { taskId = "" } = useParams();
  return <TaskView key={taskId} taskId={taskId} />;
}

function TaskView({ taskId }: { taskId: string }) {
  const { t } = useI18n();
  const navigate = useNavigate();
  const { data: task, error, speed, refetch } = useWatchedTask(taskId);
  useTitle(task ? titleOf(task) : t.title.tasks);
  useEffect(preloadTypesetter, []);

  if (error && toApiError(error).code === "task_not_found") return <NoSuchTask />;
  if (!task) {
    return (
      <div className={styles.lonely}>
        {error ? (
          <ErrorNotice error={error} onRetry={() => void refetch()} />
        ) : (
          <p role="status">{t.tasks.loading}…</p>
        )}
      </div>
    );
  }
  return (
    <div className={styles.page}>
      <TaskHeader task={task} speed={speed} onDeleted={() => void navigate("/tasks")} />
      <TaskFailure task={task} />
      {task.kind === "pdf" ? <DocumentReader task={task} /> : <ImageTask task={task} />}
    </div>
  );
}

/** For the browser's tab: how far it is, while it runs. */
function titleOf(task: Task): string {
  if (task.status !== "running") return task.filename;
  return `${String(Math.floor(task.progress.percent))}% · ${task.filename}`;
}

function TaskFailure({ task }: { task: Task }) {
  const { t } = useI18n();
  if (!task.error) return null;
  const { code, message, page_number: pageNumber, values } = task.error;
  const title = t.errors.titles[code] ?? t.errors.fallback;
  const isOfAPage = pageNumber !== null && task.kind === "pdf";
  return (
    <div className={styles.failure}>
      <Notice tone="bad" title={isOfAPage ? t.task.ofPage(pageNumber, title) : title}>
        <WordsOf {...errorWords({ code, detail: message, values }, t)} />
      </Notice>
    </div>
  );
}

function NoSuchTask() {
  const { t } = useI18n();
  return (
    <div className={styles.lonely}>
      <h1>{t.task.notFoundTitle}</h1>
      <p>{t.task.notFoundHelp}</p>
      <Link to="/tasks">{t.task.allTasks}</Link>
    </div>
  );
}
