import { expect, it } from "vitest";
import { DEFAULT_OPTIONS, documentForm } from "@/lib/api";

it("sends page ranges in ASCII, as a Chinese keyboard does not write them", () => {
  const form = documentForm(new File([""], "a.pdf"), {
    ...DEFAULT_OPTIONS,
    pages: " １－３，7、9–10 ",
    dpi: "",
  });
  expect(form.get("pages")).toBe("1-3,7,9-10");
});
