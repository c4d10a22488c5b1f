/** @jsxImportSource preact */
/** The way in: the operator's token, or the code of a link, for a session. Neither is kept. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, ask } from "./api.ts";
import { facts } from "./facts.ts";
import { credentialOf, readCode } from "./login-code.ts";
import { beginSession, hasEnded, type Session } from "./session.ts";
import { texts } from "./texts.ts";

export function Login() {
  const t = texts.value.login;
  const error = useSignal<string | undefined>(hasEnded.value ? t.ended : undefined);
  const isBusy = useSignal(false);
  const enter = async (body: object, token: string | undefined, refused: string) => {
    isBusy.value = true;
    try {
      beginSession((await ask("/admin/session", "POST", body, token)) as Session);
    } catch (fault) {
      if (!(fault instanceof ApiError)) throw fault;
      error.value = fault.status === 401 ? refused : fault.message;
    } finally {
      isBusy.value = false;
    }
  };
  const enterByPicture = async (picture: Blob) => {
    const found = credentialOf((await readCode(picture)) ?? "");
    if (found === undefined) error.value = t.noQr;
    else if ("code" in found) await enter(found, undefined, t.codeUsed);
    else await enter({}, found.token, t.wrong);
  };
  useEffect(() => {
    const code = takeCode();
    if (code !== undefined) void enter({ code }, undefined, t.codeUsed);
  }, []);
  document.title = `${t.title} · madmail`;
  return (
    <main id="main" class="login">
      <p class="brand">
        {texts.value.appName} <small>{facts.version}</small>
      </p>
      <h1>{t.title}</h1>
      <p>{t.lead}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const form = new FormData(event.currentTarget);
          const token = textOf(form.get("token"));
          void enter({ read_only: form.has("readOnly") }, token, t.wrong);
        }}
      >
        <label class="field">
          {t.token}
          <input name="token" type="password" autocomplete="current-password" required />
        </label>
        <label class="check">
          <input name="readOnly" type="checkbox" /> {t.readOnly}
        </label>
        {window.BarcodeDetector === undefined ? null : (
          <label class="field">
            {t.readQr}
            <input
              type="file"
              accept="image/*"
              onChange={(event) => {
                const picture = event.currentTarget.files?.[0];
                if (picture !== undefined) void enterByPicture(picture);
              }}
            />
          </label>
        )}
        {error.value === undefined ? null : (
          <p class="banner bad" role="alert">
            {error.value}
          </p>
        )}
        <button type="submit" class="primary" disabled={isBusy.value}>
          {t.submit}
        </button>
      </form>
    </main>
  );
}

function textOf(value: FormDataEntryValue | null): string {
  return typeof value === "string" ? value.trim() : "";
}

/** The code of a login link stands in the fragment, which no server sees; it is taken out of the address at once. */
function takeCode(): string | undefined {
  const code = /^#code=([\w-]{20,})$/.exec(location.hash)?.[1];
  if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);
  return code;
}
