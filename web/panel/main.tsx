/** @jsxImportSource preact */
/** The admin panel: log in, then everything that an operator can see and do. */
import { render } from "preact";
import { ask, call } from "./api.ts";
import "./panel.css";
import { beginSession, type Session, session } from "./session.ts";

async function logIn(token: string): Promise<void> {
  beginSession((await ask("/admin/session", "POST", {}, token)) as Session);
}

function App() {
  if (session.value === undefined) {
    return (
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const field = event.currentTarget.elements.namedItem("token");
          if (field instanceof HTMLInputElement) void logIn(field.value);
        }}
      >
        <label>
          Admin token <input name="token" type="password" autocomplete="current-password" required />
        </label>
        <button type="submit">Log in</button>
      </form>
    );
  }
  return <button onClick={() => void call("relay.status", {})}>Status</button>;
}

const place = document.getElementById("panel");
if (place !== null) render(<App />, place);
