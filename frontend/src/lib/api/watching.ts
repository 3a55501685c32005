import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useVisible } from "@/lib/useVisible";
import { useTask, taskKey } from "./queries";
import { isFinished, type TaskProgressEvent } from "./types";

const REOPEN_MS = 3_000;
/** A proxy that holds events back, or a connection that is dead, tells nothing: it is silent. */
const SILENT_MS = 5_000;

export interface Speed {
  pagesPerSecond: number | null;
  etaSeconds: number | null;
}

const UNKNOWN: Speed = { pagesPerSecond: null, etaSeconds: null };

/** A task as it goes: by server-sent events, and by polling wherever those do not come. */
export function useWatchedTask(taskId: string, watch = true) {
  const client = useQueryClient();
  const [isLive, setLive] = useState(false);
  const [speed, setSpeed] = useState<Speed>(UNKNOWN);
  const query = useTask(taskId, isLive);
  const isOpen = query.data !== undefined && !isFinished(query.data);
  // A browser has six connections to a service in all: tabs behind others keep none of them.
  const isVisible = useVisible();

  useEffect(() => {
    if (!watch || !isOpen || !isVisible) return undefined;
    return watchEvents(taskId, {
      onTask: (task) => {
        setLive(true);
        setSpeed({ pagesPerSecond: task.pages_per_second, etaSeconds: task.eta_seconds });
        client.setQueryData(taskKey(taskId), task);
      },
      onEnd: () => {
        setLive(false);
        void client.invalidateQueries({ queryKey: taskKey(taskId) });
        void client.invalidateQueries({ queryKey: ["tasks"] });
      },
      onTrouble: () => setLive(false),
    });
  }, [client, taskId, watch, isOpen, isVisible]);

  return { ...query, speed: isOpen ? speed : UNKNOWN, isLive };
}

interface Listener {
  onTask: (task: TaskProgressEvent) => void;
  onEnd: () => void;
  /** Nothing comes, for now. */
  onTrouble: () => void;
}

/** Listen until the end; gives the function that stops it. */
export function watchEvents(taskId: string, listener: Listener): () => void {
  let source: EventSource | null = null;
  let reopening: number | undefined;
  let silence: number | undefined;
  const heard = () => {
    window.clearTimeout(silence);
    silence = window.setTimeout(listener.onTrouble, SILENT_MS);
  };
  const stop = () => {
    window.clearTimeout(reopening);
    window.clearTimeout(silence);
    source?.close();
  };

  const open = () => {
    heard();
    source = new EventSource(`/api/tasks/${encodeURIComponent(taskId)}/events`);
    source.addEventListener("progress", (event) => {
      heard();
      listener.onTask(JSON.parse(event.data as string) as TaskProgressEvent);
    });
    source.addEventListener("end", (event) => {
      stop();
      const last = JSON.parse(event.data as string) as Partial<TaskProgressEvent>;
      // A task that was deleted meanwhile ends with a problem document.
      if (last.task_id) listener.onTask(last as TaskProgressEvent);
      listener.onEnd();
    });
    source.onerror = () => {
      listener.onTrouble();
      // CONNECTING: the browser tries again by itself. CLOSED: it was refused, so we do.
      if (source?.readyState === EventSource.CLOSED) reopening = window.setTimeout(open, REOPEN_MS);
    };
  };

  open();
  return stop;
}
