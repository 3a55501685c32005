import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { ErrorNotice } from "@/components/ui/ErrorNotice";
import { I18nProvider } from "@/lib/i18n";
import { unreachable } from "@/lib/api";
import { parseProblem } from "@/lib/api/errors";

it("says what the service says to do", () => {
  const detail = "The PDF is encrypted. Remove the password and upload it again.";
  const body = JSON.stringify({ code: "encrypted_document", detail });
  render(<ErrorNotice error={parseProblem(422, body, null)} />);
  expect(screen.getByRole("alert")).toHaveTextContent("The document is encrypted");
  expect(screen.getByRole("alert")).toHaveTextContent(detail);
});

it("speaks the user's language, and marks English words as such", () => {
  window.localStorage.setItem("folio.language", "zh");
  const body = JSON.stringify({ code: "storage_unavailable", detail: "The disk is full." });
  render(
    <I18nProvider>
      <ErrorNotice error={parseProblem(503, body, "10")} />
    </I18nProvider>,
  );
  expect(screen.getByRole("alert")).toHaveTextContent("请检查服务的磁盘空间");
  expect(screen.getByRole("alert")).toHaveTextContent("请在 10 秒后重试。");
  expect(screen.getByText("The disk is full.")).toHaveAttribute("lang", "en");
  window.localStorage.clear();
});

it("says how long the service asks to wait", () => {
  const body = JSON.stringify({ code: "engine_overloaded", detail: "Try again." });
  render(<ErrorNotice error={parseProblem(429, body, "7")} />);
  expect(screen.getByRole("alert")).toHaveTextContent("wait 7 s");
});

it("takes a proxy's error page for an unreachable service", () => {
  const error = parseProblem(502, "<html>Bad gateway</html>", null);
  expect(error.isUnreachable).toBe(true);
  expect(error.isTransient).toBe(true);
  expect(unreachable().isTransient).toBe(true);
});
