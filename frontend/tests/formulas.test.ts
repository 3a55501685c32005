import { describe, expect, it } from "vitest";
import { hasFormulas, takeFormulas } from "@/components/page/formulas";

describe("formulas", () => {
  it("are taken out in a line and by themselves", () => {
    const { text, formulas } = takeFormulas("Let \\(a_1*b\\) be:\n\n\\[ x < y \\]");
    expect(text).not.toContain("a_1");
    expect(formulas.map(({ tex, isDisplay }) => [tex, isDisplay])).toEqual([
      ["a_1*b", false],
      [" x < y ", true],
    ]);
  });

  it("are no formulas where they are dollars, code, or never end", () => {
    for (const text of ["$5 and $6", "```\n\\(x\\)\n```", "\\(x", "a \\\\(b\\\\)"]) {
      expect(hasFormulas(text)).toBe(false);
    }
  });

  it("do not reach over a paragraph's end", () => {
    expect(hasFormulas("\\(one\n\ntwo\\)")).toBe(false);
  });

  it("have their entities from table cells back", () => {
    expect(takeFormulas("<td>\\(a &lt; b\\)</td>").formulas[0]?.tex).toBe("a < b");
  });
});
