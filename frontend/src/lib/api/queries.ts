/** Server state by name. Keys: ["health"], ["tasks", status], ["task", id], ["pages", id]. */
import {
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
  type QueryClient,
} from "@tanstack/react-query";
import { ApiError } from "./errors";
import { request } from "./http";
import { isFinished, type Health, type Task, type TaskList, type TaskStatus } from "./types";

const HEALTHY_MS = 10_000;
const TROUBLED_MS = 2_000;
const POLL_MS = 1_000;
const TASKS_AT_ONCE = 30;

/** The service's health. A 503 with a health document is an answer, not an error. */
export function useHealth() {
  return useQuery({
    queryKey: ["health"],
    queryFn: fetchHealth,
    retry: false,
    refetchInterval: (query) =>
      query.state.status === "success" && query.state.data?.status === "healthy"
        ? HEALTHY_MS
        : TROUBLED_MS,
  });
}

async function fetchHealth({ signal }: { signal: AbortSignal }): Promise<Health> {
  const response = await fetch("/health", { signal }).catch(() => null);
  const body = (await response?.json().catch(() => null)) as Partial<Health> | null | undefined;
  if (!body?.status) throw new ApiError("unreachable", "", response?.status ?? 0);
  return body as Health;
}

export function taskKey(taskId: string) {
  return ["task", taskId] as const;
}

/** One task, polled every second until it ends unless somebody else `isWatched` it. */
export function useTask(taskId: string, isWatched = false) {
  return useQuery({
    queryKey: taskKey(taskId),
    queryFn: ({ signal }) => request<Task>(`/api/tasks/${encodeURIComponent(taskId)}`, { signal }),
    refetchInterval: (query) => {
      const task = query.state.data;
      return task && !isFinished(task) && !isWatched ? POLL_MS : false;
    },
  });
}

export function useTasks(status: TaskStatus | null) {
  return useInfiniteQuery({
    queryKey: ["tasks", status],
    queryFn: ({ pageParam, signal }) => request<TaskList>(listPath(status, pageParam), { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
    refetchInterval: (query) => {
      const tasks = query.state.data?.pages.flatMap((page) => page.tasks) ?? [];
      return tasks.every(isFinished) ? HEALTHY_MS : TROUBLED_MS;
    },
  });
}

function listPath(status: TaskStatus | null, cursor: string | null): string {
  const query = new URLSearchParams({ limit: String(TASKS_AT_ONCE) });
  if (status) query.set("status", status);
  if (cursor) query.set("cursor", cursor);
  return `/api/tasks?${query.toString()}`;
}

/** DELETE cancels a task that runs (and gives it back), and deletes one that has ended. */
export function useEndTask(taskId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () =>
      request<Task | undefined>(`/api/tasks/${encodeURIComponent(taskId)}`, { method: "DELETE" }),
    onSuccess: (task) => {
      if (task) client.setQueryData(taskKey(taskId), task);
      else forgetTask(client, taskId);
      return client.invalidateQueries({ queryKey: ["tasks"] });
    },
  });
}

export function forgetTask(client: QueryClient, taskId: string): void {
  client.removeQueries({ queryKey: ["pages", taskId] });
}
