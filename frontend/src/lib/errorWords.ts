import type { Dictionary } from "./i18n";

export interface Words {
  /** In the user's language. */
  own: string;
  /** As the service wrote them: in English. */
  original: string;
}

export interface ServiceError {
  code: string;
  detail: string;
  values?: Readonly<Record<string, unknown>>;
}

/**
 * What to do about an error. Its words are English, its code is everybody's: `original` stands where
 * the language has no words for the code, or where these do not say all.
 */
export function errorWords({ code, detail, values = {} }: ServiceError, t: Dictionary): Words {
  const help = t.errors.help[code]?.(values);
  if (help) return { own: help, original: "" };
  return { own: t.errors.hints[code] ?? "", original: detail };
}
