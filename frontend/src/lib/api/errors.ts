/** What went wrong with a call: the service's problem document, or no answer at all. */
export class ApiError extends Error {
  constructor(
    /** The contract's stable code; `unreachable` where nobody answered. */
    readonly code: string,
    /** Says what to do, in the service's words. */
    readonly detail: string,
    readonly status: number,
    readonly retryAfterSeconds: number | null = null,
    /** What the detail names, by the answer's members. */
    readonly values: Readonly<Record<string, unknown>> = {},
  ) {
    super(detail);
    this.name = "ApiError";
  }

  get isUnreachable(): boolean {
    return this.code === UNREACHABLE;
  }

  /** Whether the same call can succeed later without a change. */
  get isTransient(): boolean {
    return this.isUnreachable || [429, 502, 503, 504].includes(this.status);
  }
}

export const UNREACHABLE = "unreachable";

export function unreachable(): ApiError {
  return new ApiError(UNREACHABLE, "", 0);
}

export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError("page_error", error instanceof Error ? error.message : String(error), 0);
}

/** Read an error answer. A proxy's own error page has no code: its status stands for it. */
export function parseProblem(status: number, body: string, retryAfter: string | null): ApiError {
  const seconds = retryAfter === null ? Number.NaN : Number(retryAfter);
  const wait = Number.isFinite(seconds) ? seconds : null;
  try {
    const problem = JSON.parse(body) as Record<string, unknown>;
    if (typeof problem["code"] === "string" && typeof problem["detail"] === "string") {
      return new ApiError(problem["code"], problem["detail"], status, wait, problem);
    }
  } catch {
    // Not JSON: told by the status below.
  }
  return new ApiError(PROXY_CODES[status] ?? `http_${String(status)}`, "", status, wait);
}

/** What a proxy's own error page stands for. */
const PROXY_CODES: Readonly<Record<number, string>> = {
  413: "upload_too_large",
  502: UNREACHABLE,
  503: UNREACHABLE,
  504: UNREACHABLE,
};
