import { Download } from "lucide-react";
import type { Task } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import { buttonClass } from "../ui/Button";

/** The ZIP of a finished document; nothing where there is none. */
export function ZipLink({ task, isShort = false }: { task: Task; isShort?: boolean }) {
  const { t } = useI18n();
  if (!task.result || task.kind !== "pdf") return null;
  return (
    <a
      className={buttonClass(isShort ? "plain" : "primary")}
      href={task.result.zip_url}
      aria-label={t.task.zipNamed(task.filename)}
      download
    >
      <Download aria-hidden />
      <span>{isShort ? "ZIP" : t.task.zip}</span>
    </a>
  );
}

/** Everything that a finished task can be downloaded as: the ZIP first, which only a document has. */
export function ResultLinks({ task }: { task: Task }) {
  const { t } = useI18n();
  if (!task.result) return null;
  return (
    <>
      <ZipLink task={task} />
      <a className={buttonClass("plain")} href={task.result.markdown_url} download>
        {t.task.markdown}
      </a>
      <a className={buttonClass("plain")} href={task.result.json_url} download>
        {t.task.json}
      </a>
    </>
  );
}
