import { expect, it } from "vitest";
import { parseProblem } from "@/lib/api/errors";
import { errorWords } from "@/lib/errorWords";
import { en } from "@/lib/i18n/en";
import { zh } from "@/lib/i18n/zh";

const DETAIL = "In English.";

const problem = (code: string, values: Record<string, unknown> = {}) =>
  parseProblem(400, JSON.stringify({ code, detail: DETAIL, ...values }), null);

const chinese = (code: string, values?: Record<string, unknown>) =>
  errorWords(problem(code, values), zh);

it("has Chinese words for every error that its code alone explains", () => {
  const wordless = Object.keys(zh.errors.titles).filter((code) => !chinese(code).own);
  expect(wordless).toEqual(["invalid_input", "validation_error", "page_error"]);
});

it("puts the values of the answer into the Chinese words", () => {
  const cases: [string, Record<string, unknown>, string][] = [
    ["invalid_input", { field: "pages" }, "页码写法有误。请写页码或范围，用逗号分隔，例如 1-3,7。"],
    [
      "invalid_input",
      { field: "dpi", min_dpi: 36, max_dpi: 600 },
      "分辨率有误。请填写 36 到 600 之间的整数。",
    ],
    ["invalid_input", { field: "pages", num_pages: 2 }, "所选页码超出范围：文档只有 2 页。"],
    [
      "too_many_pages",
      { num_pages: 2400, max_pages: 2000 },
      "共 2,400 页，一次最多识别 2,000 页。请在“页码”中选择一部分，分几次识别。",
    ],
    ["invalid_input", { field: "query" }, "请填写要查找的内容。"],
    [
      "invalid_input",
      { field: "prompt", max_characters: 4000 },
      "提示词不能超过 4,000 个字符，请缩短。",
    ],
    ["validation_error", { errors: [{ field: "dpi" }] }, "分辨率有误。请填写整数。"],
    ["upload_too_large", { max_bytes: 52_428_800 }, "文件不能超过 52 MB。请换一个较小的文件。"],
    [
      "image_too_large",
      { width: 30000, height: 100, max_side_pixels: 20000 },
      "图片为 30000 × 100 像素，单边不能超过 20,000 像素。请缩小图片，或裁成几页。",
    ],
    [
      "engine_timeout",
      { timeout_seconds: 300 },
      "在 300 秒内没有读完。请换一种更省的精度模式，或稍后再试。",
    ],
  ];
  for (const [code, values, own] of cases) {
    expect(chinese(code, values)).toEqual({ own, original: "" });
  }
});

it("falls back to the service's words where a code says nothing, or not all", () => {
  expect(chinese("invalid_input", { field: "max_tokens" })).toEqual({ own: "", original: DETAIL });
  expect(chinese("code_of_tomorrow")).toEqual({ own: "", original: DETAIL });
  // Of a task that was stored before its values were.
  expect(chinese("too_many_pages")).toEqual({
    own: "请在“页码”中选择一部分，分几次识别。",
    original: DETAIL,
  });
  expect(chinese("storage_unavailable")).toEqual({
    own: "请检查服务的磁盘空间、数据目录和数据库。",
    original: DETAIL,
  });
});

it("leaves the service's words alone in English", () => {
  for (const code of Object.keys(zh.errors.help).filter((code) => code !== "unreachable")) {
    expect(errorWords(problem(code, { field: "dpi" }), en)).toEqual({ own: "", original: DETAIL });
  }
});

it("says what to do where a proxy refuses the file with a page of its own", () => {
  const refused = parseProblem(413, "<html>Too large</html>", null);
  expect(errorWords(refused, en).own).toContain("Send a smaller one");
  expect(errorWords(refused, zh).own).toBe("请换一个较小的文件。");
});
