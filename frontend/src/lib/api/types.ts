/** The wire shapes by the names that the page uses. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type ImageOcrResponse = Schemas["ImageOCRResponse"];
export type Task = Schemas["TaskStatusResponse"];
export type TaskList = Schemas["TaskListResponse"];
export type Page = Schemas["PageSchema"];
export type TaskPages = Schemas["TaskPagesResponse"];
export type Health = Schemas["HealthResponse"];
export type Timing = Schemas["TimingSchema"];
export type TaskStatus = Task["status"];
export type PageStatus = Page["status"];
export type Block = Schemas["BlockSchema"];
export type Box = NonNullable<Block["box"]>;

/** The data of a server-sent event, which OpenAPI has no word for. Null: not known (yet). */
export interface TaskProgressEvent extends Task {
  pages_per_second: number | null;
  eta_seconds: number | null;
}

export interface Size {
  width: number;
  height: number;
}

export const TASK_STATUSES = ["queued", "running", "succeeded", "failed", "canceled"] as const;

export function isFinished(task: Pick<Task, "status">): boolean {
  return task.status !== "queued" && task.status !== "running";
}
