/** @jsxImportSource preact */
/** A message of the operator to everybody or one: counted first, then confirmed. */
import { useSignal } from "@preact/signals";
import type { OutputOf } from "../../../src/operations/operations.ts";
import { call } from "../api.ts";
import { number } from "../format.ts";
import { useLoad } from "../load.ts";
import { mayChange } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Confirm } from "../parts/dialog.tsx";
import { attempt } from "../parts/notes.tsx";
import { texts } from "../texts.ts";

type Result = OutputOf<"notices.send">;

export function Notices() {
  const t = texts.value.notices;
  const load = useLoad("audience", () => call("notices.audience", {}));
  const to = useSignal<"all" | "one">("all");
  const fields = useSignal({ user: "", subject: "", body: "" });
  const isAsking = useSignal(false);
  const result = useSignal<Result | undefined>(undefined);
  const set = (changed: Partial<typeof fields.value>) => {
    fields.value = { ...fields.value, ...changed };
  };
  const send = () =>
    attempt(async () => {
      const { user, subject, body } = fields.value;
      result.value = await call("notices.send", { subject, body, ...(to.value === "one" ? { user } : {}) });
      set({ subject: "", body: "" });
    });
  if (!mayChange()) return <p class="quiet">{texts.value.shell.readOnly}</p>;
  return (
    <>
      <p class="quiet">{t.lead}</p>
      <Answered load={load}>
        {({ totalUsers }) => (
          <>
            <form
              class="card form"
              onSubmit={(event) => {
                event.preventDefault();
                isAsking.value = true;
              }}
            >
              <fieldset>
                <legend>{t.audience}</legend>
                {(["all", "one"] as const).map((each) => (
                  <label key={each} class="check">
                    <input
                      type="radio"
                      name="to"
                      checked={to.value === each}
                      onChange={() => (to.value = each)}
                    />
                    {each === "all" ? t.all(number(totalUsers)) : t.one}
                  </label>
                ))}
              </fieldset>
              {to.value === "one" ? (
                <label class="field">
                  {t.address}
                  <input
                    dir="ltr"
                    required
                    autocapitalize="none"
                    value={fields.value.user}
                    onInput={(event) => set({ user: event.currentTarget.value.trim() })}
                  />
                </label>
              ) : null}
              <label class="field">
                {t.subject}
                <input
                  required
                  maxLength={500}
                  dir="auto"
                  value={fields.value.subject}
                  onInput={(event) => set({ subject: event.currentTarget.value })}
                />
              </label>
              <label class="field">
                {t.body}
                <textarea
                  required
                  rows={8}
                  dir="auto"
                  value={fields.value.body}
                  onInput={(event) => set({ body: event.currentTarget.value })}
                />
              </label>
              <footer>
                <button type="submit" class="primary">
                  {t.send}
                </button>
              </footer>
            </form>
            {isAsking.value ? (
              <Confirm
                title={to.value === "all" ? t.confirmTitle(number(totalUsers)) : t.confirmTitleOne}
                action={t.send}
                {...(to.value === "all" ? { word: String(totalUsers) } : {})}
                onConfirm={send}
                onClose={() => (isAsking.value = false)}
              >
                <p>
                  <strong dir="auto">{fields.value.subject}</strong>
                </p>
                <p>{t.confirmText}</p>
              </Confirm>
            ) : null}
          </>
        )}
      </Answered>
      {result.value === undefined ? null : <Outcome result={result.value} />}
    </>
  );
}

function Outcome({ result: { sent, failed, errors } }: { result: Result }) {
  const t = texts.value.notices;
  return (
    <section class={failed === 0 ? "banner well" : "banner warn"} role="status">
      <p>{t.sent(number(sent), number(failed))}</p>
      {errors.length === 0 ? null : (
        <details>
          <summary>{t.errors}</summary>
          <ul dir="ltr">
            {errors.map((each) => (
              <li key={each}>{each}</li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
