/** The documents of this visit: chosen, on their way up, or taken by the service. */
import { useSyncExternalStore } from "react";
import {
  documentForm,
  toApiError,
  upload,
  type ApiError,
  type DocumentOptions,
  type Upload,
} from "@/lib/api";

export interface DocumentUpload {
  id: number;
  file: File;
  /** 0 to 1. */
  fraction: number;
  state: "chosen" | "uploading" | "taken" | "refused";
  taskId: string | null;
  error: ApiError | null;
}

const MAX_PARALLEL = 2;

/** Outlives the view: uploads go on while the user looks at something else. */
export class UploadQueue {
  private uploads: readonly DocumentUpload[] = [];
  private readonly listeners = new Set<() => void>();
  private readonly running = new Map<number, Upload<unknown>>();
  private readonly options = new Map<number, DocumentOptions>();
  private nextId = 1;

  readonly subscribe = (notify: () => void): (() => void) => {
    this.listeners.add(notify);
    return () => this.listeners.delete(notify);
  };

  readonly list = (): readonly DocumentUpload[] => this.uploads;

  add(files: readonly File[]): void {
    const added = files.map((file) => ({
      id: this.nextId++,
      file,
      fraction: 0,
      state: "chosen" as const,
      taskId: null,
      error: null,
    }));
    this.set([...this.uploads, ...added]);
  }

  /** Upload all that are chosen, or one again that was refused. */
  start(options: DocumentOptions, id?: number): void {
    for (const each of this.uploads) {
      const isMeant = id === undefined ? each.state === "chosen" : each.id === id;
      if (!isMeant) continue;
      this.options.set(each.id, options);
      this.change(each.id, { state: "uploading", fraction: 0, error: null });
    }
    this.pump();
  }

  remove(id: number): void {
    this.running.get(id)?.abort();
    this.set(this.uploads.filter((each) => each.id !== id));
  }

  private pump(): void {
    for (const each of this.uploads) {
      if (this.running.size >= MAX_PARALLEL) return;
      if (each.state === "uploading" && !this.running.has(each.id)) void this.send(each);
    }
  }

  private async send({ id, file }: DocumentUpload): Promise<void> {
    const options = this.options.get(id);
    if (!options) return;
    const sending = upload<{ task_id: string }>(
      "/api/ocr/pdf",
      documentForm(file, options),
      (fraction) => this.change(id, { fraction }),
    );
    this.running.set(id, sending);
    try {
      const { task_id: taskId } = await sending.promise;
      this.change(id, { state: "taken", fraction: 1, taskId });
    } catch (error) {
      this.change(id, { state: "refused", error: toApiError(error) });
    } finally {
      this.running.delete(id);
      this.pump();
    }
  }

  private change(id: number, change: Partial<DocumentUpload>): void {
    this.set(this.uploads.map((each) => (each.id === id ? { ...each, ...change } : each)));
  }

  private set(uploads: readonly DocumentUpload[]): void {
    this.uploads = uploads;
    // Leaving the page would break off what is on its way up.
    const isSending = uploads.some(({ state }) => state === "uploading");
    if (isSending) window.addEventListener("beforeunload", askFirst);
    else window.removeEventListener("beforeunload", askFirst);
    this.listeners.forEach((notify) => notify());
  }
}

/** The browser's own question whether to leave. */
function askFirst(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

export const uploadQueue = new UploadQueue();

export function useUploads(): readonly DocumentUpload[] {
  return useSyncExternalStore(uploadQueue.subscribe, uploadQueue.list);
}
