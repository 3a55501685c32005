import { render, screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import MathMarkdown from "@/components/page/MathMarkdown";
import PlainMarkdown from "@/components/page/PlainMarkdown";

describe("model output", () => {
  it.each([
    ["a script", "<script>document.title='x'</script>text"],
    ["an event handler", '<table onclick="alert(1)"><tr><td>text</td></tr></table>'],
    ["a frame", '<iframe src="https://example.com"></iframe>text'],
    ["a style", '<p style="position:fixed">text</p>'],
    ["a script's address", "[text](javascript:alert(1))"],
    ["a form", '<form action="https://example.com"><button>text</button></form>'],
  ])("loses %s", (_, markdown) => {
    const { container } = render(<PlainMarkdown text={markdown} />);
    expect(container).toHaveTextContent("text");
    expect(container.querySelector("script, iframe, form, style")).toBeNull();
    expect(container.innerHTML).not.toMatch(/onclick|javascript:|style=/);
  });

  it.each([
    "![seen](https://example.com/spy.png)",
    '<img src="https://example.com/spy.png" alt="seen">',
    '<svg><image href="https://example.com/spy.png"/></svg>',
    '<picture><source srcset="https://example.com/spy.png"></picture>',
  ])("loads no picture: %s", (markdown) => {
    const { container } = render(<PlainMarkdown text={markdown} />);
    expect(container.querySelector("img, image, source, svg")).toBeNull();
  });

  it("has its headings below those of the view", () => {
    render(<PlainMarkdown text={"# Title\n\n## Part\n\n###### Least"} />);
    const levels = screen.getAllByRole("heading").map(({ tagName }) => tagName);
    expect(levels).toEqual(["H3", "H4", "H6"]);
  });

  it("has signs in the place of boxes to tick", () => {
    const { container } = render(<PlainMarkdown text={"- [x] done\n- [ ] to do"} />);
    expect(container.querySelector("input")).toBeNull();
    expect(screen.getAllByRole("listitem").map(({ textContent }) => textContent)).toEqual([
      "☑ done",
      "☐ to do",
    ]);
  });

  it("keeps tables with their spans", () => {
    render(<PlainMarkdown text={'<table><tr><td colspan="2">wide</td></tr></table>'} />);
    expect(screen.getByRole("cell")).toHaveAttribute("colspan", "2");
  });

  it("has its formulas typeset, in tables too", () => {
    const markdown = "\\(x^2\\)\n\n<table><tr><td>\\(y\\)</td></tr></table>";
    const { container } = render(<MathMarkdown text={markdown} />);
    expect(container.querySelectorAll(".katex")).toHaveLength(2);
    expect(container.querySelector("td .katex")).not.toBeNull();
  });

  it("runs nothing that a formula asks for", () => {
    const hostile = "\\(\\href{javascript:alert(1)}{x} \\includegraphics{https://example.com/a}\\)";
    const { container } = render(<MathMarkdown text={hostile} />);
    expect(container.querySelector("a, img")).toBeNull();
  });
});
