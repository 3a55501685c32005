import { useMutation } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import {
  imageForm,
  request,
  toApiError,
  type ImageOcrResponse,
  type ReadingOptions,
} from "@/lib/api";

/** Errors that pass: a model that is loading, a queue that is full. */
const PASSING = ["engine_not_ready", "engine_overloaded"];
const AGAIN_SECONDS = 2;

export interface Picture {
  file: File;
  url: string;
}

/** One picture and its reading. A new one stops the reading of the one before. */
export function useReading() {
  const [picture, setPicture] = useState<Picture | null>(null);
  const [startedAt, setStartedAt] = useState(0);
  const [wasCanceled, setCanceled] = useState(false);
  const running = useRef<AbortController | null>(null);
  const mutation = useMutation({
    mutationFn: postImage,
    retry: (_, error) => PASSING.includes(toApiError(error).code),
    retryDelay: (_, error) => 1_000 * (toApiError(error).retryAfterSeconds ?? AGAIN_SECONDS),
  });
  const { mutate, reset } = mutation;

  const cancel = useCallback(() => {
    running.current?.abort();
    running.current = null;
    setCanceled(true);
    reset();
  }, [reset]);

  const read = useCallback(
    (file: File, options: ReadingOptions) => {
      running.current?.abort();
      const control = new AbortController();
      running.current = control;
      setCanceled(false);
      setStartedAt(Date.now());
      setPicture((old) => (old?.file === file ? old : { file, url: URL.createObjectURL(file) }));
      mutate({ file, options, signal: control.signal });
    },
    [mutate],
  );

  const clear = useCallback(() => {
    cancel();
    setPicture(null);
  }, [cancel]);

  const url = picture?.url;
  useEffect(() => () => (url ? URL.revokeObjectURL(url) : undefined), [url]);
  useEffect(() => () => running.current?.abort(), []);

  return useMemo(
    () => ({
      picture,
      startedAt,
      result: mutation.data,
      error: mutation.error,
      isReading: mutation.isPending,
      /** Why it has not begun, while it is tried again. */
      waitsFor: mutation.isPending ? mutation.failureReason : null,
      wasCanceled,
      read,
      cancel,
      clear,
    }),
    [
      picture,
      startedAt,
      mutation.data,
      mutation.error,
      mutation.isPending,
      mutation.failureReason,
      wasCanceled,
      read,
      cancel,
      clear,
    ],
  );
}

interface Call {
  file: File;
  options: ReadingOptions;
  signal: AbortSignal;
}

function postImage({ file, options, signal }: Call): Promise<ImageOcrResponse> {
  return request("/api/ocr/image", { method: "POST", body: imageForm(file, options), signal });
}
