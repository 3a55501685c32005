import { Trash2, X } from "lucide-react";
import { isFinished, useEndTask, type Task } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import { Button } from "../ui/Button";
import { ConfirmDialog } from "../ui/ConfirmDialog";
import { ErrorNotice } from "../ui/ErrorNotice";

interface EndTaskButtonProps {
  task: Task;
  isIcon?: boolean;
  onDeleted?: () => void;
}

/** Cancels a task that runs; deletes one that has ended, once the user has said so twice. */
export function EndTaskButton({ task, isIcon = false, onDeleted }: EndTaskButtonProps) {
  const { t } = useI18n();
  const { mutate, isPending, error } = useEndTask(task.task_id);
  if (error) return <ErrorNotice error={error} onRetry={() => mutate()} />;
  if (!isFinished(task)) {
    return (
      <Button
        look={isIcon ? "quiet" : "plain"}
        icon={<X aria-hidden />}
        aria-label={t.task.cancelNamed(task.filename)}
        disabled={isPending}
        onClick={() => mutate()}
      >
        {isIcon ? undefined : t.task.cancel}
      </Button>
    );
  }
  return (
    <ConfirmDialog
      trigger={
        <Button
          look={isIcon ? "quiet" : "plain"}
          icon={<Trash2 aria-hidden />}
          aria-label={t.task.deleteNamed(task.filename)}
          disabled={isPending}
        >
          {isIcon ? undefined : t.task.delete}
        </Button>
      }
      title={t.task.deleteTitle}
      text={t.task.deleteText(task.filename)}
      confirm={t.task.delete}
      cancel={t.task.keep}
      onConfirm={() => mutate(undefined, { onSuccess: () => onDeleted?.() })}
    />
  );
}
