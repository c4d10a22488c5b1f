/** @jsxImportSource preact */
/** Every setting: its value, who says so, and when a change counts. */
import { useSignal } from "@preact/signals";
import { call } from "../api.ts";
import { number } from "../format.ts";
import { useLoad } from "../load.ts";
import { Act } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Badge } from "../parts/badge.tsx";
import { Choice } from "../parts/choice.tsx";
import { attempt } from "../parts/notes.tsx";
import { Search } from "../parts/search.tsx";
import { Table } from "../parts/table.tsx";
import { changes } from "../pending-banner.tsx";
import { place, setQuery } from "../router.ts";
import { texts } from "../texts.ts";
import { believed, type Setting, Value } from "./settings/setting.tsx";
import { SettingDialog } from "./settings/setting-dialog.tsx";

export function Settings() {
  const t = texts.value.settings;
  const load = useLoad("settings", () => call("settings.list", {}));
  const editing = useSignal<Setting | undefined>(undefined);
  const search = place.value.query.get("search") ?? "";
  const show = place.value.query.get("show") === "changed" ? "changed" : "all";
  const reset = (setting: Setting) =>
    attempt(
      () => call("settings.reset", { name: setting.name, ...believed(setting) }),
      t.wasReset(setting.name),
    ).then(() => {
      changes.value++;
      return load.reload();
    });
  return (
    <>
      <p class="quiet">{t.lead}</p>
      <div class="toolbar">
        <Search
          label={texts.value.common.search}
          value={search}
          onChange={(text) => setQuery({ search: text })}
        />
        <Choice
          label={texts.value.accounts.show}
          options={t.shows}
          value={show}
          onChange={(next) => setQuery({ show: next === "all" ? undefined : next })}
        />
      </div>
      <Answered load={load}>
        {({ settings }) => {
          const found = settings.filter(
            ({ name, summary, source }) =>
              (show === "all" || source === "setting") &&
              `${name} ${summary}`.toLowerCase().includes(search.toLowerCase()),
          );
          return (
            <>
              <p class="quiet">{texts.value.accounts.count(number(found.length), number(settings.length))}</p>
              <Table
                label={texts.value.nav.settings}
                rows={found}
                keyOf={({ name }) => name}
                empty={texts.value.common.nothingFound}
                columns={[
                  {
                    title: t.name,
                    cell: ({ name, summary }) => (
                      <>
                        <code dir="ltr">{name}</code>
                        <small class="block quiet" lang="en" dir="ltr">
                          {summary}
                        </small>
                      </>
                    ),
                  },
                  { title: t.value, cell: (setting) => <Value setting={setting} /> },
                  {
                    title: t.source,
                    cell: ({ source, path }) => <span title={path}>{t.sources[source]}</span>,
                  },
                  {
                    title: t.effect,
                    cell: ({ effect, pending }) =>
                      pending ? <Badge tone="warn">{t.waits[effect]}</Badge> : t.effects[effect],
                  },
                  {
                    title: texts.value.common.actions,
                    cell: (setting) => (
                      <span class="buttons">
                        <Act label={`${t.change}: ${setting.name}`} onClick={() => (editing.value = setting)}>
                          {t.change}
                        </Act>
                        {setting.source === "setting" ? (
                          <Act label={`${t.reset}: ${setting.name}`} onClick={() => reset(setting)}>
                            {t.reset}
                          </Act>
                        ) : null}
                      </span>
                    ),
                  },
                ]}
              />
            </>
          );
        }}
      </Answered>
      {editing.value === undefined ? null : (
        <SettingDialog
          setting={editing.value}
          onClose={() => (editing.value = undefined)}
          onDone={() => {
            changes.value++;
            return load.reload();
          }}
        />
      )}
    </>
  );
}
