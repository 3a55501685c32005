import { FileText, RotateCw, X } from "lucide-react";
import { Button } from "@/components/ui/Button";
import { ErrorNotice } from "@/components/ui/ErrorNotice";
import type { DocumentOptions } from "@/lib/api";
import { formatBytes } from "@/lib/format";
import { useI18n } from "@/lib/i18n";
import { TaskRow } from "@/components/task/TaskRow";
import styles from "./UploadRow.module.css";
import { uploadQueue, type DocumentUpload } from "./uploads";

interface UploadRowProps {
  upload: DocumentUpload;
  options: DocumentOptions;
  /** Whether its events are listened to: a browser has six connections to a service in all. */
  isWatched: boolean;
}

export function UploadRow({ upload, options, isWatched }: UploadRowProps) {
  const { t } = useI18n();
  const { file, state, taskId, error, id } = upload;
  if (taskId !== null) {
    return (
      <li className={styles.row}>
        <TaskRow taskId={taskId} filename={file.name} isWatched={isWatched} />
      </li>
    );
  }
  const percent = Math.round(100 * upload.fraction);
  return (
    <li className={styles.row}>
      <div className={styles.line}>
        <FileText aria-hidden className={styles.kind} />
        <span className={styles.name}>{file.name}</span>
        <span className={styles.size}>{formatBytes(file.size)}</span>
        <span className={styles.state}>
          {state === "uploading" && t.documents.uploading(percent)}
          {state === "chosen" && t.documents.ready}
        </span>
        {state === "refused" && (
          <Button
            look="quiet"
            icon={<RotateCw aria-hidden />}
            aria-label={t.documents.retry(file.name)}
            onClick={() => uploadQueue.start(options, id)}
          />
        )}
        <Button
          look="quiet"
          icon={<X aria-hidden />}
          aria-label={t.documents.remove(file.name)}
          onClick={() => uploadQueue.remove(id)}
        />
      </div>
      {state === "uploading" && (
        <progress className={styles.bar} value={percent} max={100} aria-label={file.name} />
      )}
      {error && <ErrorNotice error={error} />}
    </li>
  );
}
