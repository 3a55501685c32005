import { useEffect, useRef, useState } from "react";

/** Calls `onFiles` with what is dropped on the window or pasted; true while files hover over it. */
export function useFileDrop(onFiles: (files: File[]) => void): boolean {
  const [isOver, setOver] = useState(false);
  const latest = useRef(onFiles);
  useEffect(() => {
    latest.current = onFiles;
  }, [onFiles]);

  useEffect(() => {
    let depth = 0;
    const take = (data: DataTransfer | null, event: Event) => {
      const files = [...(data?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      latest.current(files);
    };
    const onEnter = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      depth += 1;
      setOver(true);
    };
    const onLeave = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      depth = Math.max(0, depth - 1);
      setOver(depth > 0);
    };
    // Without this the browser leaves the page to show the file.
    const onOver = (event: DragEvent) => event.preventDefault();
    const onDrop = (event: DragEvent) => {
      event.preventDefault();
      depth = 0;
      setOver(false);
      take(event.dataTransfer, event);
    };
    const onPaste = (event: ClipboardEvent) => take(event.clipboardData, event);

    const stop = new AbortController();
    const options = { signal: stop.signal };
    window.addEventListener("dragenter", onEnter, options);
    window.addEventListener("dragleave", onLeave, options);
    window.addEventListener("dragover", onOver, options);
    window.addEventListener("drop", onDrop, options);
    window.addEventListener("paste", onPaste, options);
    return () => stop.abort();
  }, []);
  return isOver;
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}
