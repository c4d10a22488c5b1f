/** @jsxImportSource preact */
/** Addresses that can't log in, register or receive. */
import { useSignal } from "@preact/signals";
import { call } from "../api.ts";
import { day, number } from "../format.ts";
import { useLoad } from "../load.ts";
import { Act, Changes } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Confirm } from "../parts/dialog.tsx";
import { Field } from "../parts/field.tsx";
import { FormDialog } from "../parts/form-dialog.tsx";
import { attempt } from "../parts/notes.tsx";
import { Search } from "../parts/search.tsx";
import { Pager, Table } from "../parts/table.tsx";
import { place, setQuery } from "../router.ts";
import { texts } from "../texts.ts";

const LIMIT = 50;

export function Blocklist() {
  const t = texts.value.blocklist;
  const { common, accounts } = texts.value;
  const load = useLoad("blocklist", () => call("blocklist.list", {}));
  const open = useSignal<"add" | "clear" | undefined>(undefined);
  const search = place.value.query.get("search") ?? "";
  const offset = Number(place.value.query.get("offset") ?? 0) || 0;
  const close = () => {
    open.value = undefined;
  };
  return (
    <>
      <p class="quiet">{t.lead}</p>
      <div class="toolbar">
        <Search
          label={common.search}
          value={search}
          onChange={(text) => setQuery({ search: text, offset: undefined })}
        />
        <span class="end buttons">
          <Act kind="danger" onClick={() => (open.value = "clear")}>
            {t.clear}
          </Act>
          <Act kind="primary" onClick={() => (open.value = "add")}>
            {t.add}
          </Act>
        </span>
      </div>
      <Answered load={load}>
        {({ blocked, total }) => {
          const found = blocked.filter(({ user, reason }) =>
            `${user} ${reason}`.toLowerCase().includes(search.toLowerCase()),
          );
          return (
            <>
              <p class="quiet">{accounts.count(number(found.length), number(total))}</p>
              <Table
                label={texts.value.nav.blocklist}
                rows={found.slice(offset, offset + LIMIT)}
                keyOf={({ user }) => user}
                columns={[
                  { title: accounts.address, cell: ({ user }) => <span dir="ltr">{user}</span> },
                  { title: t.reason, cell: ({ reason }) => reason },
                  { title: t.since, cell: ({ blockedAtSec }) => day(blockedAtSec) },
                  {
                    title: common.actions,
                    cell: ({ user }) => (
                      <Act
                        label={`${t.unblock}: ${user}`}
                        onClick={() => attempt(() => call("blocklist.remove", { user })).then(load.reload)}
                      >
                        {t.unblock}
                      </Act>
                    ),
                  },
                ]}
              />
              <Pager
                offset={offset}
                limit={LIMIT}
                total={found.length}
                onChange={(next) => setQuery({ offset: next === 0 ? undefined : String(next) })}
              />
              {open.value === "clear" ? (
                <Confirm
                  title={t.clearTitle}
                  action={t.clear}
                  word={String(total)}
                  onConfirm={() => attempt(() => call("blocklist.clear", {})).then(load.reload)}
                  onClose={close}
                >
                  <p>{t.clearText(number(total))}</p>
                </Confirm>
              ) : null}
            </>
          );
        }}
      </Answered>
      <Changes>
        {open.value === "add" ? (
          <FormDialog
            title={t.add}
            action={t.add}
            onSubmit={(field) => {
              const reason = field("reason");
              return call("blocklist.add", {
                user: field("user"),
                ...(reason === "" ? {} : { reason }),
              }).then(load.reload);
            }}
            onClose={close}
          >
            <p>{accounts.bulkTexts.block}</p>
            <Field label={accounts.address} name="user" required isCode />
            <Field label={t.reason} name="reason" />
          </FormDialog>
        ) : null}
      </Changes>
    </>
  );
}
