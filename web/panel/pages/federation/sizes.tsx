/** @jsxImportSource preact */
/** How large a message may be, from users and from other servers. */
import { call } from "../../api.ts";
import { useLoad } from "../../load.ts";
import { Act } from "../../parts/act.tsx";
import { Answered } from "../../parts/answered.tsx";
import { attempt } from "../../parts/notes.tsx";
import { texts } from "../../texts.ts";

const kinds = ["message", "federation"] as const;

export function Sizes() {
  const t = texts.value.policy;
  const load = useLoad("sizes", () => call("sizes.get", {}));
  return (
    <section class="card">
      <h2>{t.sizes}</h2>
      <Answered load={load}>
        {(sizes) => (
          <>
            {kinds.map((which) => {
              const { effective, config, set } = sizes[which];
              const isSet = Object.values(set).some((value) => value !== null);
              return (
                <form
                  key={`${which} ${effective}`}
                  class="inline"
                  onSubmit={(event) => {
                    event.preventDefault();
                    const size = new FormData(event.currentTarget).get("size");
                    if (typeof size !== "string") return;
                    void attempt(() => call("sizes.set", { which, size })).then(load.reload);
                  }}
                >
                  <label class="field">
                    {t.sizeKinds[which]}
                    <input name="size" dir="ltr" defaultValue={effective} required />
                  </label>
                  <button type="submit">{texts.value.common.save}</button>
                  {isSet ? (
                    <Act onClick={() => attempt(() => call("sizes.reset", { which })).then(load.reload)}>
                      {t.sizeReset(config)}
                    </Act>
                  ) : null}
                </form>
              );
            })}
            <p class="quiet">{t.sizeHint}</p>
          </>
        )}
      </Answered>
    </section>
  );
}
