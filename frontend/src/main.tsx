import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@fontsource-variable/ibm-plex-sans/wght.css";
import "@fontsource-variable/source-serif-4/wght.css";
import "@fontsource/ibm-plex-mono/latin-400.css";
import { App } from "./app/App";
import { incomingFiles } from "./lib/incoming";
import { applyTheme } from "./lib/theme";
import "./styles/tokens.css";
import "./styles/base.css";

applyTheme();
incomingFiles.listen(window);
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
