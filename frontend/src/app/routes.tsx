import { createBrowserRouter } from "react-router";
import { ImagePage } from "@/features/image";
import { NotFound } from "./NotFound";
import { Shell } from "./Shell";
import { ViewError } from "./ViewError";

/** Every view but the first is fetched when it is opened. */
export function createRouter() {
  return createBrowserRouter([
    {
      element: <Shell />,
      errorElement: <ViewError />,
      // Nothing to show while a view's code is on its way to a page that has just been opened.
      hydrateFallbackElement: <></>,
      children: [
        { index: true, element: <ImagePage /> },
        {
          path: "documents",
          lazy: async () => ({ Component: (await import("@/features/pdf")).DocumentsPage }),
        },
        {
          path: "tasks",
          lazy: async () => ({ Component: (await import("@/features/tasks")).TasksPage }),
        },
        {
          path: "tasks/:taskId",
          lazy: async () => ({ Component: (await import("@/features/tasks")).TaskPage }),
        },
        { path: "*", element: <NotFound /> },
      ],
    },
  ]);
}
