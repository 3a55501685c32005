/** What the user chose, kept in this browser. Private windows may refuse: then it holds for now. */
export function readSetting(name: string): string | null {
  try {
    return localStorage.getItem(`folio.${name}`);
  } catch {
    return null;
  }
}

export function writeSetting(name: string, value: string): void {
  try {
    localStorage.setItem(`folio.${name}`, value);
  } catch {
    // Not kept, but in force until the page is left.
  }
}
