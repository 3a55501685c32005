import { createBrowserRouter, type RouteObject } from "react-router";
import { ImagePage } from "@/features/image";
import { FileForwarding } from "./FileForwarding";
import { NotFound } from "./NotFound";
import { Shell } from "./Shell";
import { ViewError } from "./ViewError";

type LazyView = NonNullable<RouteObject["lazy"]>;

/** Every view but the first is fetched when it is opened. */
export function createRouter() {
  return createBrowserRouter([
    {
      element: <Shell />,
      errorElement: <ViewError />,
      children: [
        { index: true, element: <ImagePage /> },
        lazyView("documents", async () => ({
          Component: (await import("@/features/pdf")).DocumentsPage,
        })),
        {
          element: <FileForwarding />,
          children: [
            lazyView("tasks", async () => ({
              Component: (await import("@/features/tasks")).TasksPage,
            })),
            lazyView("tasks/:taskId", async () => ({
              Component: (await import("@/features/tasks")).TaskPage,
            })),
            { path: "*", element: <NotFound /> },
          ],
        },
      ],
    },
  ]);
}

/** While its code is on its way to a page that has just been opened, only the frame is there. */
function lazyView(path: string, lazy: LazyView): RouteObject {
  return { path, lazy, hydrateFallbackElement: <></> };
}
