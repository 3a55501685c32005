import { useSearchParams } from "react-router";
import { TaskLine } from "@/components/task/TaskRow";
import { TaskProgressBar } from "@/components/task/TaskProgressBar";
import { Button } from "@/components/ui/Button";
import { ErrorNotice } from "@/components/ui/ErrorNotice";
import { isFinished, TASK_STATUSES, useTasks, type TaskStatus } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import { useTitle } from "@/lib/useTitle";
import { StatusFilter } from "./StatusFilter";
import { TaskLookUp } from "./TaskLookUp";
import styles from "./TasksPage.module.css";

/** All tasks, the newest first. The filter is in the address. */
export function TasksPage() {
  const { t } = useI18n();
  const [search, setSearch] = useSearchParams();
  const status = TASK_STATUSES.find((each) => each === search.get("status")) ?? null;
  useTitle(t.title.tasks);
  const choose = (next: TaskStatus | null) => setSearch(next ? { status: next } : {});
  return (
    <div className={styles.page}>
      <div className={styles.head}>
        <h1>{t.tasks.heading}</h1>
        <TaskLookUp />
      </div>
      <StatusFilter status={status} onChange={choose} />
      <TaskList status={status} />
    </div>
  );
}

function TaskList({ status }: { status: TaskStatus | null }) {
  const { t } = useI18n();
  const query = useTasks(status);
  if (query.isPending) return <p role="status">{t.tasks.loading}…</p>;
  const tasks = query.data?.pages.flatMap((page) => page.tasks) ?? [];
  return (
    <>
      {query.error && <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />}
      {!query.error && tasks.length === 0 && (
        <p className={styles.none}>
          {status ? t.tasks.noneOf(t.task.status[status]) : t.tasks.none}
        </p>
      )}
      {tasks.length > 0 && (
        <ul role="list" className={styles.list} aria-label={t.tasks.list}>
          {tasks.map((task) => (
            <li key={task.task_id} className={styles.item}>
              <TaskLine task={task}>
                {!isFinished(task) && <TaskProgressBar task={task} />}
              </TaskLine>
            </li>
          ))}
        </ul>
      )}
      {query.hasNextPage && (
        <Button disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          {t.tasks.more}
        </Button>
      )}
    </>
  );
}
