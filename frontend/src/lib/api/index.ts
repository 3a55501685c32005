export { createQueryClient } from "./client";
export { ApiError, toApiError, unreachable } from "./errors";
export * from "./forms";
export { request, upload, type Upload } from "./http";
export { useTaskPages, type PageList } from "./pages";
export { forgetTask, taskKey, useEndTask, useHealth, useTask, useTasks } from "./queries";
export * from "./types";
export { useWatchedTask, type Speed } from "./watching";
