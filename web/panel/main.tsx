/** @jsxImportSource preact */
/** The admin panel: log in, then everything that an operator can see and do. */
import { render } from "preact";
import { Login } from "./login.tsx";
import "./panel.css";
import { listen } from "./router.ts";
import { session } from "./session.ts";
import { Shell } from "./shell.tsx";
import { firstLanguage, speak } from "./texts.ts";
import { applyTheme, firstTheme } from "./theme.ts";

function Panel() {
  return session.value === undefined ? <Login /> : <Shell />;
}

const root = document.getElementById("panel");
applyTheme(firstTheme());
listen();
// The page appears in its language, not in English first.
void speak(firstLanguage())
  .catch(() => speak("en"))
  .then(() => {
    if (root !== null) render(<Panel />, root);
  });
