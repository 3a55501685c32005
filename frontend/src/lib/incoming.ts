/**
 * Files that are dropped anywhere in the window or pasted. They wait until a view takes them: so none
 * is lost while a view's code is still on its way, or on a view that has no use for it.
 */
import { useEffect, useRef, useSyncExternalStore } from "react";
import { readableFiles, takeDropped } from "./folders";

export type FileView = "image" | "documents";

type OnFiles = (files: File[]) => void;

interface Delivery {
  files: File[];
  /** Null: for whoever is there. */
  to: FileView | null;
}

interface Taker {
  /** Null: takes only what is for whoever is there. */
  view: FileView | null;
  onFiles: OnFiles;
}

export class IncomingFiles {
  private waiting: Delivery[] = [];
  private isOver = false;
  private emptyFolders: readonly string[] = [];
  private readonly takers = new Set<Taker>();
  private readonly listeners = new Set<() => void>();

  readonly subscribe = (notify: () => void): (() => void) => {
    this.listeners.add(notify);
    return () => this.listeners.delete(notify);
  };

  /** Whether files hang over the window. */
  readonly areOver = (): boolean => this.isOver;

  /** The names of folders that were dropped and had nothing to read in them. */
  readonly listEmptyFolders = (): readonly string[] => this.emptyFolders;

  forgetEmptyFolders(): void {
    this.setEmptyFolders([]);
  }

  give(files: File[], to: FileView | null = null): void {
    if (files.length === 0) return;
    this.waiting.push({ files, to });
    this.deliver();
  }

  /** Calls back with what waits and what comes, until the function that this gives is called. */
  take(view: FileView | null, onFiles: OnFiles): () => void {
    const taker = { view, onFiles };
    this.takers.add(taker);
    queueMicrotask(() => this.deliver());
    return () => this.takers.delete(taker);
  }

  /** From the first script on, and for as long as the page lives. */
  listen(target: Window): void {
    let depth = 0;
    const hang = (change: number) => {
      depth = Math.max(0, depth + change);
      this.setOver(depth > 0);
    };
    // Without this the browser leaves the page to show the file; and what is let go over an element
    // that has only just come under the pointer, as a view's first one, would fall on nothing.
    for (const type of ["dragenter", "dragover"] as const) {
      target.addEventListener(type, (event) => hasFiles(event) && event.preventDefault());
    }
    target.addEventListener("dragenter", (event) => hasFiles(event) && hang(1));
    target.addEventListener("dragleave", (event) => hasFiles(event) && hang(-1));
    target.addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      hang(-depth);
      if (event.dataTransfer) this.giveDropped(event.dataTransfer);
    });
    target.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0 || isTextForField(event)) return;
      event.preventDefault();
      this.give(files);
    });
  }

  private giveDropped(transfer: DataTransfer): void {
    const { files, folders } = takeDropped(transfer);
    this.forgetEmptyFolders();
    if (folders.length > 0) void this.giveFolders(folders, files);
    else this.give(files);
  }

  /** What is in the folders, and the files that were dropped with them. */
  private async giveFolders(folders: FileSystemDirectoryEntry[], files: File[]): Promise<void> {
    const contents = await Promise.all(
      folders.map((folder) => readableFiles(folder).catch(() => [])),
    );
    const empty = folders.filter((_, index) => contents[index]?.length === 0);
    this.setEmptyFolders(empty.map(({ name }) => name));
    this.give([...files, ...contents.flat()]);
  }

  private deliver(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const delivery of waiting) {
      const { files, to } = delivery;
      const taker = [...this.takers].find(({ view }) => to === null || to === view);
      if (taker) taker.onFiles(files);
      else this.waiting.push(delivery);
    }
  }

  private setOver(isOver: boolean): void {
    if (this.isOver === isOver) return;
    this.isOver = isOver;
    this.listeners.forEach((notify) => notify());
  }

  private setEmptyFolders(names: readonly string[]): void {
    if (this.emptyFolders.length === 0 && names.length === 0) return;
    this.emptyFolders = names;
    this.listeners.forEach((notify) => notify());
  }
}

export const incomingFiles = new IncomingFiles();

/** Calls `onFiles` with what comes to this view; true while files hang over the window. */
export function useIncomingFiles(view: FileView | null, onFiles: OnFiles): boolean {
  const latest = useRef(onFiles);
  useEffect(() => {
    latest.current = onFiles;
  }, [onFiles]);
  useEffect(() => incomingFiles.take(view, (files) => latest.current(files)), [view]);
  return useSyncExternalStore(incomingFiles.subscribe, incomingFiles.areOver);
}

export function useEmptyFolders(): readonly string[] {
  return useSyncExternalStore(incomingFiles.subscribe, incomingFiles.listEmptyFolders);
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/** Office programs put a picture of the copied words beside them; a text field wants the words. */
function isTextForField({ target, clipboardData }: ClipboardEvent): boolean {
  const isField = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
  return isField && (clipboardData?.types.includes("text/plain") ?? false);
}
