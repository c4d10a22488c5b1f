/** @jsxImportSource preact */
/** A list of servers: one more, one less, none. */
import { useSignal } from "@preact/signals";
import { call } from "../../api.ts";
import { day } from "../../format.ts";
import { useLoad } from "../../load.ts";
import { Act, Changes } from "../../parts/act.tsx";
import { Answered } from "../../parts/answered.tsx";
import { Confirm } from "../../parts/dialog.tsx";
import { attempt } from "../../parts/notes.tsx";
import { Search } from "../../parts/search.tsx";
import { Pager, Table } from "../../parts/table.tsx";
import { texts } from "../../texts.ts";

interface DomainListProps {
  which: "rules" | "dismissed";
  title: string;
  lead: string;
  onChange: () => Promise<unknown>;
}

const LIMIT = 20;

export function DomainList({ which, title, lead, onChange }: DomainListProps) {
  const t = texts.value.policy;
  const { common } = texts.value;
  const load = useLoad(which, () => call(`federation.${which}.list`, {}));
  const search = useSignal("");
  const offset = useSignal(0);
  const isClearing = useSignal(false);
  const afterwards = () => Promise.all([load.reload(), onChange()]);
  const add = async (form: HTMLFormElement) => {
    const domain = new FormData(form).get("domain");
    if (typeof domain !== "string") return;
    const isDone = await attempt(() => call(`federation.${which}.add`, { domain }));
    if (isDone) form.reset();
    await afterwards();
  };
  return (
    <section class="card">
      <h2>{title}</h2>
      <p class="quiet">{lead}</p>
      <Changes>
        <form
          class="inline"
          onSubmit={(event) => {
            event.preventDefault();
            void add(event.currentTarget);
          }}
        >
          <label class="field">
            {t.domain}
            <input name="domain" dir="ltr" autocapitalize="none" spellcheck={false} required />
          </label>
          <button type="submit">{common.add}</button>
        </form>
      </Changes>
      <Answered load={load}>
        {({ domains, total }) => {
          const found = domains.filter(({ domain }) => domain.includes(search.value.toLowerCase()));
          return (
            <>
              {total > LIMIT ? (
                <Search
                  label={common.search}
                  value={search.value}
                  onChange={(text) => {
                    search.value = text;
                    offset.value = 0;
                  }}
                />
              ) : null}
              <Table
                label={title}
                rows={found.slice(offset.value, offset.value + LIMIT)}
                keyOf={({ domain }) => domain}
                columns={[
                  { title: t.domain, cell: ({ domain }) => <span dir="ltr">{domain}</span> },
                  { title: t.since, cell: ({ createdAtSec }) => day(createdAtSec) },
                  {
                    title: common.actions,
                    cell: ({ domain }) => (
                      <Act
                        label={`${common.remove}: ${domain}`}
                        onClick={() =>
                          attempt(() => call(`federation.${which}.remove`, { domain })).then(afterwards)
                        }
                      >
                        {common.remove}
                      </Act>
                    ),
                  },
                ]}
              />
              {total > LIMIT ? (
                <Pager
                  offset={offset.value}
                  limit={LIMIT}
                  total={found.length}
                  onChange={(next) => (offset.value = next)}
                />
              ) : null}
              {total > 1 ? (
                <p>
                  <Act kind="danger" onClick={() => (isClearing.value = true)}>
                    {t.clear}
                  </Act>
                </p>
              ) : null}
              {isClearing.value ? (
                <Confirm
                  title={t.clearTitle(total)}
                  action={t.clear}
                  word={String(total)}
                  onConfirm={() => attempt(() => call(`federation.${which}.clear`, {})).then(afterwards)}
                  onClose={() => (isClearing.value = false)}
                >
                  <p>{title}</p>
                </Confirm>
              ) : null}
            </>
          );
        }}
      </Answered>
    </section>
  );
}
