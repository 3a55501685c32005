import { ApiError, parseProblem, unreachable } from "./errors";

/** Call the service and give its JSON. Raises ApiError; an abort passes as it is. */
export async function request<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await send(path, init);
  if (!response.ok) {
    throw parseProblem(response.status, await response.text(), response.headers.get("retry-after"));
  }
  return (response.status === 204 ? undefined : await response.json()) as T;
}

async function send(path: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw unreachable();
  }
}

export interface Upload<T> {
  promise: Promise<T>;
  abort: () => void;
}

/** Post a form and tell how much of it has gone out, which fetch cannot. fraction: 0 to 1. */
export function upload<T>(
  path: string,
  form: FormData,
  onProgress: (fraction: number) => void,
): Upload<T> {
  const xhr = new XMLHttpRequest();
  const promise = new Promise<T>((resolve, reject) => {
    xhr.open("POST", path);
    xhr.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    xhr.onerror = () => reject(unreachable());
    xhr.onabort = () => reject(new ApiError("aborted", "", 0));
    xhr.onload = () => {
      if (xhr.status >= 200 && xhr.status < 300) resolve(JSON.parse(xhr.responseText) as T);
      else reject(parseProblem(xhr.status, xhr.responseText, xhr.getResponseHeader("retry-after")));
    };
    xhr.send(form);
  });
  return { promise, abort: () => xhr.abort() };
}
