import { expect, it } from "vitest";
import { reasonWords } from "@/features/tasks/PageReason";
import type { Page } from "@/lib/api";
import { en } from "@/lib/i18n/en";
import { zh } from "@/lib/i18n/zh";

const CODES = `repetition_stricter repetition_mode repetition_halves length_mode length_halves
  empty_mode empty_halves max_tokens repetition length half_empty empty workers_died`.split(/\s+/);

const page = (reason_code: string | null) =>
  ({ reason: "In English.", reason_code, mode: "base", status: "failed" }) as Page;

it("has Chinese words for every reason of the service", () => {
  for (const code of CODES) {
    const { own, original } = reasonWords(page(code), zh);
    expect(own, code).toMatch(/^[^A-Za-z]*(base|max_tokens)?[^A-Za-z]+。$/);
    expect(original).toBe("");
  }
});

it("puts the service's words behind, where a code does not say all", () => {
  expect(reasonWords(page("not_rendered"), zh)).toEqual({
    own: "无法绘制这一页，它可能已损坏。",
    original: "In English.",
  });
  expect(reasonWords(page("engine_timeout"), zh).own).toBe("识别超时");
});

it("leaves the service's words alone in English, and where there is no code", () => {
  expect(reasonWords(page("repetition"), en)).toEqual({ own: "", original: "In English." });
  expect(reasonWords(page(null), zh)).toEqual({ own: "", original: "In English." });
});
