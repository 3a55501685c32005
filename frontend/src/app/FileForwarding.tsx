import { useCallback } from "react";
import { Outlet, useNavigate } from "react-router";
import { DropOverlay } from "@/components/ui/DropOverlay";
import { isPicture } from "@/lib/files";
import { incomingFiles, useIncomingFiles } from "@/lib/incoming";

/** Around views that take no files: what falls on them goes to the view that reads it. */
export function FileForwarding() {
  const navigate = useNavigate();
  const onFiles = useCallback(
    (files: File[]) => {
      const arePictures = files.every(isPicture);
      incomingFiles.give(files, arePictures ? "image" : "documents");
      void navigate(arePictures ? "/" : "/documents");
    },
    [navigate],
  );
  const isOver = useIncomingFiles(null, onFiles);
  return (
    <>
      {isOver && <DropOverlay />}
      <Outlet />
    </>
  );
}
