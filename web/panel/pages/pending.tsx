/** @jsxImportSource preact */
/** What was changed and does not count yet: what is in force, what will be, and taking it back. */
import { call } from "../api.ts";
import { useLoad } from "../load.ts";
import { Act } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { attempt } from "../parts/notes.tsx";
import { Table } from "../parts/table.tsx";
import { changes, reloadRelay } from "../pending-banner.tsx";
import { texts } from "../texts.ts";
import { believed, type Setting, Value } from "./settings/setting.tsx";

export function Pending() {
  const t = texts.value.settings;
  const load = useLoad("settings pending", () => call("settings.list", {}));
  const afterwards = () => {
    changes.value++;
    return load.reload();
  };
  const undo = (setting: Setting) => attempt(() => undone(setting), t.undone(setting.name)).then(afterwards);
  return (
    <Answered load={load}>
      {({ settings, pending }) => {
        const rows = settings.filter(({ name }) => pending.includes(name));
        return (
          <>
            <p class="quiet">{t.pendingLead}</p>
            {rows.length === 0 ? null : (
              <div class="toolbar">
                {rows.some(({ effect }) => effect === "restart") ? (
                  <Act onClick={() => attempt(() => call("relay.restart", {}), t.restarting)}>
                    {t.restart}
                  </Act>
                ) : null}
                <Act kind="primary" onClick={() => reloadRelay().then(afterwards)}>
                  {texts.value.shell.reloadNow}
                </Act>
              </div>
            )}
            <Table
              label={texts.value.nav.pending}
              rows={rows}
              keyOf={({ name }) => name}
              empty={t.nothingPending}
              columns={[
                { title: t.name, cell: ({ name }) => <code dir="ltr">{name}</code> },
                {
                  title: t.inForce,
                  cell: (setting) => <Value setting={{ ...setting, value: setting.inForce }} />,
                },
                { title: t.willBe, cell: (setting) => <Value setting={setting} /> },
                { title: t.effect, cell: ({ effect }) => t.waits[effect] },
                {
                  title: texts.value.common.actions,
                  cell: (setting) => (
                    <Act label={`${t.undo}: ${setting.name}`} onClick={() => undo(setting)}>
                      {t.undo}
                    </Act>
                  ),
                },
              ]}
            />
          </>
        );
      }}
    </Answered>
  );
}

/** Back to what is in force; where that is what the file says, the setting goes. */
async function undone(setting: Setting): Promise<unknown> {
  const { name, inForce } = setting;
  const reset = await call("settings.reset", { name, ...believed(setting) });
  if (!reset.pending || inForce === null || inForce === "") return reset;
  return call("settings.set", {
    name,
    value: inForce,
    ...(reset.value === null ? {} : { expected: reset.value }),
  });
}
