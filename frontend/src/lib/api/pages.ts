/** The finished pages of a task, in step with its progress. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { request } from "./http";
import type { Page, Task, TaskPages } from "./types";

const PAGES_AT_ONCE = 100;
const BEHIND_MS = 1_000;

/** By page number, ascending; what is not there yet is left out. */
export type PageList = readonly Page[];

export function useTaskPages(task: Task) {
  const client = useQueryClient();
  const queryKey = ["pages", task.task_id];
  const pagesDone = task.progress.pages_done;
  const query = useQuery({
    queryKey,
    queryFn: async ({ signal }) => {
      const known = client.getQueryData<PageList>(queryKey) ?? [];
      return fetchNewPages(task.task_id, known, signal, (pages) =>
        client.setQueryData(queryKey, pages),
      );
    },
    staleTime: Infinity,
    structuralSharing: false,
    refetchInterval: ({ state }) => ((state.data?.length ?? 0) < pagesDone ? BEHIND_MS : false),
  });
  const { refetch } = query;
  const isBehind = (query.data?.length ?? 0) < pagesDone;
  useEffect(() => {
    if (isBehind) void refetch({ cancelRefetch: false });
    // Once for each change of progress; where the pages still lag behind, the interval asks again.
  }, [isBehind, pagesDone, refetch]);
  return query;
}

/** All pages behind the first gap among those that are known, merged with them. */
async function fetchNewPages(
  taskId: string,
  known: PageList,
  signal: AbortSignal,
  onSome: (pages: PageList) => void,
): Promise<PageList> {
  let pages = known;
  let after: number | null = lastBeforeGap(known);
  while (after !== null) {
    const path = `/api/tasks/${taskId}/pages?after=${String(after)}&limit=${String(PAGES_AT_ONCE)}`;
    const answer: TaskPages = await request<TaskPages>(path, { signal });
    pages = mergePages(pages, answer.pages);
    after = answer.next_after;
    if (after !== null) onSome(pages);
  }
  return pages;
}

/** The last page of the run of neighbours that begins the list: 0 where page 1 is missing. */
export function lastBeforeGap(pages: PageList): number {
  let last = 0;
  for (const page of pages) {
    if (page.page_number !== last + 1) break;
    last = page.page_number;
  }
  return last;
}

export function mergePages(known: PageList, found: PageList): PageList {
  if (found.length === 0) return known;
  const byNumber = new Map(known.map((page) => [page.page_number, page]));
  for (const page of found) {
    // The one that is known keeps its identity, so that nothing is rendered twice.
    if (!byNumber.has(page.page_number)) byNumber.set(page.page_number, page);
  }
  return [...byNumber.values()].sort((one, other) => one.page_number - other.page_number);
}
