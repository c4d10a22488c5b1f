/** @jsxImportSource preact */
/** Room on disk, what mail takes of it, and making room. */
import { useSignal } from "@preact/signals";
import type { InputOf } from "../../../src/operations/operations.ts";
import { call } from "../api.ts";
import { ago, number, percent, quota, size, sizeTyped } from "../format.ts";
import { useLoad } from "../load.ts";
import { Act, Changes } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Confirm } from "../parts/dialog.tsx";
import { Meter } from "../parts/meter.tsx";
import { attempt, note } from "../parts/notes.tsx";
import { Table } from "../parts/table.tsx";
import { texts } from "../texts.ts";
import { QuotaDialog } from "./accounts/bulk.tsx";

type Purge = InputOf<"mail.purge">;

const REFRESH_MS = 30_000;
const ages = ["12h", "1d", "7d", "30d", "90d"] as const;

export function Storage() {
  const t = texts.value.storage;
  const load = useLoad("storage", () => call("storage.figures", {}), REFRESH_MS);
  return (
    <>
      <Answered load={load}>
        {({ disk, databaseBytes, accounts, mail }) => (
          <>
            {disk === null ? null : (
              <section class="card">
                <h2>{t.disk}</h2>
                <p>
                  {t.diskText(
                    size(disk.totalBytes - disk.freeBytes),
                    size(disk.totalBytes),
                    percent(1 - disk.freeBytes / disk.totalBytes),
                  )}
                </p>
                <Meter
                  label={t.disk}
                  text={percent(1 - disk.freeBytes / disk.totalBytes)}
                  share={1 - disk.freeBytes / disk.totalBytes}
                />
              </section>
            )}
            <dl class="figures">
              {[
                [t.database, size(databaseBytes)],
                [texts.value.overview.accounts, number(accounts)],
                ...(mail === null
                  ? []
                  : [
                      [t.mail, size(mail.bytes)],
                      [t.messages, number(mail.messages)],
                      [t.unseen, number(mail.unseen)],
                    ]),
              ].map(([title, text]) => (
                <div key={title}>
                  <dt>{title}</dt>
                  <dd>{text}</dd>
                </div>
              ))}
            </dl>
            {mail === null ? (
              <p class="quiet">{t.notCounted}</p>
            ) : (
              <section class="card">
                <h2>{t.classes}</h2>
                <p class="quiet">{t.counted(ago(mail.countedAtMs))}</p>
                <Table
                  label={t.classes}
                  rows={mail.classes}
                  keyOf={({ minBytes }) => String(minBytes)}
                  columns={[
                    { title: t.from, isNumber: true, cell: ({ minBytes }) => size(minBytes) },
                    { title: t.messages, isNumber: true, cell: ({ messages }) => number(messages) },
                    { title: t.mail, isNumber: true, cell: ({ bytes }) => size(bytes) },
                  ]}
                />
              </section>
            )}
          </>
        )}
      </Answered>
      <DefaultQuota />
      <Changes>
        <PurgeCard onDone={load.reload} />
      </Changes>
    </>
  );
}

function DefaultQuota() {
  const t = texts.value.storage;
  const load = useLoad("quota", () => call("quota.summary", {}));
  const isOpen = useSignal(false);
  return (
    <Answered load={load}>
      {({ defaultBytes, totalBytes, domains }) => (
        <section class="card">
          <h2>{t.quota}</h2>
          <p>{t.quotaText(quota(defaultBytes), size(totalBytes))}</p>
          {domains.map(({ domain, quotaBytes }) => (
            <p key={domain}>{t.domainQuota(domain, quota(quotaBytes))}</p>
          ))}
          <Act onClick={() => (isOpen.value = true)}>{t.changeQuota}</Act>
          {isOpen.value ? (
            <QuotaDialog
              title={t.quota}
              current={sizeTyped(defaultBytes)}
              onSet={(bytes) => call("quota.setDefault", { bytes }).then(load.reload)}
              onReset={() => call("quota.resetDefault", {}).then(load.reload)}
              onClose={() => (isOpen.value = false)}
            />
          ) : null}
        </section>
      )}
    </Answered>
  );
}

function PurgeCard({ onDone }: { onDone: () => Promise<unknown> }) {
  const t = texts.value.storage;
  const asked = useSignal<Purge | undefined>(undefined);
  const age = useSignal<(typeof ages)[number]>("30d");
  const purge = async (input: Purge) => {
    await attempt(async () => {
      const { messages, bytes } = await call("mail.purge", input);
      note("good", t.purged(number(messages), size(bytes)));
    });
    await onDone();
  };
  return (
    <section class="card">
      <h2>{t.purge}</h2>
      <p class="quiet">{t.purgeLead}</p>
      <div class="toolbar">
        <label class="field">
          {t.olderThan}
          <select
            value={age.value}
            onChange={(event) => (age.value = event.currentTarget.value as typeof age.value)}
          >
            {ages.map((each) => (
              <option key={each} value={each}>
                {t.ages[each]}
              </option>
            ))}
          </select>
        </label>
        <Act kind="danger" onClick={() => (asked.value = { what: "older", olderThan: age.value })}>
          {t.purgeOlder}
        </Act>
        <Act kind="danger" onClick={() => (asked.value = { what: "read" })}>
          {t.purgeRead}
        </Act>
        <Act kind="danger" onClick={() => (asked.value = { what: "all" })}>
          {t.purgeAll}
        </Act>
      </div>
      {asked.value === undefined ? null : (
        <PurgeQuestion input={asked.value} onConfirm={purge} onClose={() => (asked.value = undefined)} />
      )}
    </section>
  );
}

interface PurgeQuestionProps {
  input: Purge;
  onConfirm: (input: Purge) => Promise<unknown>;
  onClose: () => void;
}

/** How many go, counted now. */
function PurgeQuestion({ input, onConfirm, onClose }: PurgeQuestionProps) {
  const t = texts.value.storage;
  const load = useLoad(`purge ${JSON.stringify(input)}`, () =>
    call("mail.purge", { ...input, dryRun: true }),
  );
  const count = load.state.value.data;
  const word = count === undefined ? "…" : String(count.messages);
  return (
    <Confirm
      title={t.purgeTitle}
      action={t.purge}
      word={word}
      onConfirm={() => onConfirm(input)}
      onClose={onClose}
    >
      <Answered load={load}>
        {({ messages, bytes }) => <p>{t.purgeText(number(messages), size(bytes))}</p>}
      </Answered>
    </Confirm>
  );
}
