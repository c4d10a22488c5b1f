/** @jsxImportSource preact */
/** Accounts: found, sorted and paged by the relay, because there may be a hundred thousand. */
import { useSignal } from "@preact/signals";
import { call } from "../api.ts";
import type { InputOf, OutputOf } from "../../../src/operations/operations.ts";
import { day, number, quota, size } from "../format.ts";
import { useLoad } from "../load.ts";
import { Act, mayChange } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Badge } from "../parts/badge.tsx";
import { Choice } from "../parts/choice.tsx";
import { Search } from "../parts/search.tsx";
import { type Column, Pager, Table } from "../parts/table.tsx";
import { hrefOf, place, setQuery } from "../router.ts";
import { texts } from "../texts.ts";
import { BulkDialog, type BulkKind } from "./accounts/bulk.tsx";
import { CreateDialog } from "./accounts/create.tsx";
import { TransferDialog } from "./accounts/transfer.tsx";

type Listed = OutputOf<"accounts.list">["accounts"][number];
type Query = InputOf<"accounts.list">;

const LIMITS = ["25", "50", "100", "200"] as const;
const NEVER = 1;
const sorts = ["name", "used", "quota", "created", "lastLogin", "firstLogin"] as const;
const filters = ["all", "unused", "blocked", "dormant"] as const;

export function Accounts() {
  const t = texts.value;
  const query = queryOf(place.value.query);
  const list = useLoad(`accounts ${JSON.stringify(query)}`, () => call("accounts.list", query));
  const chosen = useSignal<ReadonlySet<string>>(new Set());
  const open = useSignal<"create" | "transfer" | BulkKind | undefined>(undefined);
  const change = (values: Record<string, string>) => {
    chosen.value = new Set();
    setQuery({ offset: undefined, ...values });
  };
  const close = () => {
    open.value = undefined;
  };
  const reload = async () => {
    chosen.value = new Set();
    await list.reload();
  };
  return (
    <>
      <div class="toolbar">
        <Search
          label={t.common.search}
          value={query.search ?? ""}
          onChange={(search) => change({ search })}
        />
        <Choice
          label={t.accounts.show}
          options={t.accounts.filters}
          value={query.filter ?? "all"}
          onChange={(filter) => change({ filter })}
        />
        <Choice
          label={t.common.sort}
          options={t.accounts.sorts}
          value={query.sort ?? "name"}
          onChange={(sort) => change({ sort })}
        />
        <button
          type="button"
          aria-pressed={query.descending === true}
          onClick={() => change({ descending: query.descending === true ? "" : "1" })}
        >
          {query.descending === true ? t.common.descending : t.common.ascending}
        </button>
        <span class="end buttons">
          <Act onClick={() => (open.value = "transfer")}>{t.accounts.transfer}</Act>
          <Act kind="primary" onClick={() => (open.value = "create")}>
            {t.accounts.create}
          </Act>
        </span>
      </div>
      {chosen.value.size === 0 ? null : (
        <div class="toolbar chosen" role="group" aria-label={t.common.selected(chosen.value.size)}>
          <strong>{t.common.selected(chosen.value.size)}</strong>
          <Act onClick={() => (open.value = "quota")}>{t.accounts.setQuota}</Act>
          <Act kind="danger" onClick={() => (open.value = "block")}>
            {t.accounts.block}
          </Act>
          <Act kind="danger" onClick={() => (open.value = "ban")}>
            {t.accounts.ban}
          </Act>
          <Act kind="danger" onClick={() => (open.value = "delete")}>
            {t.common.delete}
          </Act>
        </div>
      )}
      <Answered load={list}>
        {({ accounts, matching, total }) => (
          <>
            <p class="quiet">{t.accounts.count(number(matching), number(total))}</p>
            <Table
              label={t.nav.accounts}
              rows={accounts}
              keyOf={({ user }) => user}
              columns={columns()}
              empty={total === 0 ? t.accounts.none : t.common.nothingFound}
              {...(mayChange()
                ? {
                    selection: {
                      chosen: chosen.value,
                      onChange: (next: ReadonlySet<string>) => (chosen.value = next),
                    },
                  }
                : {})}
            />
            <div class="below">
              <Pager
                offset={query.offset ?? 0}
                limit={query.limit ?? 50}
                total={matching}
                onChange={(offset) => {
                  chosen.value = new Set();
                  setQuery({ offset: offset === 0 ? undefined : String(offset) });
                }}
              />
              <Choice
                label={t.common.perPage}
                options={limitOptions}
                value={String(query.limit ?? 50) as (typeof LIMITS)[number]}
                onChange={(limit) => change({ limit })}
              />
            </div>
          </>
        )}
      </Answered>
      {open.value === "create" ? <CreateDialog onClose={close} onDone={reload} /> : null}
      {open.value === "transfer" ? (
        <TransferDialog total={list.state.value.data?.total ?? 0} onClose={close} onDone={reload} />
      ) : null}
      {isBulk(open.value) ? (
        <BulkDialog kind={open.value} users={[...chosen.value]} onClose={close} onDone={reload} />
      ) : null}
    </>
  );
}

const limitOptions = Object.fromEntries(LIMITS.map((limit) => [limit, limit])) as Record<
  (typeof LIMITS)[number],
  string
>;

function isBulk(open: string | undefined): open is BulkKind {
  return open !== undefined && open !== "create" && open !== "transfer";
}

function columns(): Column<Listed>[] {
  const t = texts.value.accounts;
  return [
    {
      title: t.address,
      cell: ({ user, blocked }) => (
        <>
          <a href={accountHref(user)} dir="ltr">
            {user}
          </a>{" "}
          {blocked ? <Badge tone="bad">{t.blocked}</Badge> : null}
        </>
      ),
    },
    { title: t.used, isNumber: true, cell: ({ usedBytes }) => size(usedBytes) },
    {
      title: t.quota,
      isNumber: true,
      cell: ({ quotaBytes, quotaSource }) => (
        <span title={t.quotaSources[quotaSource]}>
          {quota(quotaBytes)}
          {quotaSource === "user" ? ` · ${t.own}` : ""}
        </span>
      ),
    },
    { title: t.created, cell: ({ createdAtSec }) => (createdAtSec === 0 ? "–" : day(createdAtSec)) },
    {
      title: t.lastLogin,
      cell: ({ firstLoginAtSec, lastLoginAtSec }) =>
        firstLoginAtSec === NEVER || lastLoginAtSec === 0 ? texts.value.common.never : day(lastLoginAtSec),
    },
  ];
}

export function accountHref(user: string): string {
  return hrefOf(`/accounts/one?user=${encodeURIComponent(user)}`);
}

function queryOf(query: URLSearchParams): Query {
  const sort = query.get("sort");
  const filter = query.get("filter");
  const search = query.get("search") ?? "";
  return {
    ...(search === "" ? {} : { search }),
    sort: sorts.find((each) => each === sort) ?? "name",
    filter: filters.find((each) => each === filter) ?? "all",
    descending: query.get("descending") === "1",
    offset: Math.max(0, Number.parseInt(query.get("offset") ?? "0", 10) || 0),
    limit: Number(LIMITS.find((each) => each === query.get("limit")) ?? 50),
  };
}
