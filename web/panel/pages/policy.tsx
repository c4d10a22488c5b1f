/** @jsxImportSource preact */
/** With which servers mail is exchanged: the rule, the exceptions from it, and where mail is thrown away. */
import { call } from "../api.ts";
import { number } from "../format.ts";
import { useLoad } from "../load.ts";
import { Changes, mayChange, Switch } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { attempt } from "../parts/notes.tsx";
import { texts } from "../texts.ts";
import { DomainList } from "./federation/domain-list.tsx";
import { Sizes } from "./federation/sizes.tsx";

export function Policy() {
  const t = texts.value.policy;
  const load = useLoad("federation", () => call("federation.get", {}));
  const setPolicy = (next: "ACCEPT" | "REJECT", expected: string) =>
    attempt(() => call("federation.setPolicy", { policy: next, expected })).then(load.reload);
  return (
    <>
      <Answered load={load}>
        {({ enabled, policy, rules }) => (
          <>
            <section class="card switches">
              <Switch
                label={t.enabled}
                hint={t.enabledHint}
                isOn={enabled}
                onChange={(is) =>
                  attempt(() => call("federation.setEnabled", { enabled: is })).then(load.reload)
                }
              />
              <fieldset disabled={!mayChange()}>
                <legend>{t.unknown}</legend>
                {(["ACCEPT", "REJECT"] as const).map((each) => (
                  <label key={each} class="check">
                    <input
                      type="radio"
                      name="policy"
                      checked={policy === each}
                      onChange={() => void setPolicy(each, policy)}
                    />
                    <span>
                      {t.policies[each]}
                      <small class="block quiet">{t.policyHints[each](number(rules))}</small>
                    </span>
                  </label>
                ))}
              </fieldset>
            </section>
            <DomainList
              key={policy}
              which="rules"
              title={t.lists[policy]}
              lead={t.listLeads[policy]}
              onChange={load.reload}
            />
          </>
        )}
      </Answered>
      <DomainList which="dismissed" title={t.dismissed} lead={t.dismissedLead} onChange={load.reload} />
      <Changes>
        <Sizes />
      </Changes>
    </>
  );
}
