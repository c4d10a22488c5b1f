/** @jsxImportSource preact */
/** One account: what it holds and may hold, who is connected, and everything that can be done to it. */
import { type Signal, useSignal } from "@preact/signals";
import type { OutputOf } from "../../../src/operations/operations.ts";
import { call } from "../api.ts";
import { ago, day, number, quota, size, sizeTyped } from "../format.ts";
import { useLoad } from "../load.ts";
import { Act } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Badge } from "../parts/badge.tsx";
import { Confirm, Dialog } from "../parts/dialog.tsx";
import { Field } from "../parts/field.tsx";
import { FormDialog } from "../parts/form-dialog.tsx";
import { Meter } from "../parts/meter.tsx";
import { attempt } from "../parts/notes.tsx";
import { hrefOf, navigate, place } from "../router.ts";
import { texts } from "../texts.ts";
import { QuotaDialog } from "./accounts/bulk.tsx";
import { type Made, NewAccount } from "./accounts/new-account.tsx";

type Info = OutputOf<"accounts.info">;
type Asked = "quota" | "password" | "purge" | "block" | "ban" | "delete";

const REFRESH_MS = 5000;
const NEVER = 1;

export function Account() {
  const t = texts.value;
  const user = place.value.query.get("user") ?? "";
  const load = useLoad(`account ${user}`, () => call("accounts.info", { user }), REFRESH_MS);
  const asked = useSignal<Asked | undefined>(undefined);
  return (
    <>
      <p>
        <a href={hrefOf("/accounts")}>{t.account.back}</a>
      </p>
      <Answered load={load}>
        {(info) => (
          <>
            <h2 class="address">
              <span dir="ltr">{info.user}</span>{" "}
              {info.blocked ? <Badge tone="bad">{t.accounts.blocked}</Badge> : null}
            </h2>
            {info.exists ? null : <p class="banner warn">{t.account.gone}</p>}
            {info.blocked ? (
              <p class="banner bad">
                {t.account.blockedBecause(info.blockedReason ?? "")}{" "}
                <Act
                  onClick={() =>
                    attempt(() => call("blocklist.remove", { user: info.user })).then(load.reload)
                  }
                >
                  {t.blocklist.unblock}
                </Act>
              </p>
            ) : null}
            <Figures info={info} />
            <Actions info={info} asked={asked} />
            <Asking info={info} asked={asked} reload={load.reload} />
          </>
        )}
      </Answered>
    </>
  );
}

function Figures({ info }: { info: Info }) {
  const t = texts.value.account;
  const { common, accounts } = texts.value;
  const share = info.quotaBytes === 0 ? 0 : info.usedBytes / info.quotaBytes;
  const isUsed = info.firstLoginAtSec !== NEVER;
  const rows: [string, string][] = [
    [t.messages, number(info.messageCount)],
    [t.mailboxes, info.mailboxes.join(", ") || "–"],
    [t.sessions, number(info.sessions)],
    [t.devices, number(info.devices)],
    [accounts.created, info.createdAtSec === 0 ? "–" : day(info.createdAtSec)],
    [t.firstLogin, isUsed ? day(info.firstLoginAtSec) : common.never],
    [
      accounts.lastLogin,
      isUsed && info.lastLoginAtSec > 0
        ? `${day(info.lastLoginAtSec)} (${ago(info.lastLoginAtSec * 1000)})`
        : common.never,
    ],
  ];
  return (
    <section class="card">
      <p class="split">
        <span>{t.holds(size(info.usedBytes), quota(info.quotaBytes))}</span>
        <span class="quiet">{accounts.quotaSources[info.quotaSource]}</span>
      </p>
      <Meter
        label={accounts.used}
        text={t.holds(size(info.usedBytes), quota(info.quotaBytes))}
        share={share}
      />
      <dl class="facts">
        {rows.map(([title, text]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Actions({ info, asked }: { info: Info; asked: Signal<Asked | undefined> }) {
  const { accounts, account, common } = texts.value;
  const ask = (what: Asked) => () => (asked.value = what);
  return (
    <div class="toolbar">
      {info.exists ? (
        <>
          <Act onClick={ask("quota")}>{accounts.setQuota}</Act>
          <Act onClick={ask("password")}>{account.newPassword}</Act>
        </>
      ) : null}
      <Act kind="danger" onClick={ask("purge")}>
        {account.purge}
      </Act>
      {info.blocked ? null : (
        <Act kind="danger" onClick={ask("block")}>
          {accounts.block}
        </Act>
      )}
      <Act kind="danger" onClick={ask("ban")}>
        {accounts.ban}
      </Act>
      <Act kind="danger" onClick={ask("delete")}>
        {common.delete}
      </Act>
    </div>
  );
}

interface AskingProps {
  info: Info;
  asked: Signal<Asked | undefined>;
  reload: () => Promise<void>;
}

function Asking({ info, asked, reload }: AskingProps) {
  const t = texts.value.account;
  const { accounts } = texts.value;
  const { user } = info;
  const close = () => {
    asked.value = undefined;
  };
  const leave = (isDone: boolean) => (isDone ? navigate("/accounts") : reload());
  const facts = <p>{t.affected(number(info.messageCount), size(info.usedBytes), info.sessions)}</p>;
  switch (asked.value) {
    case "quota":
      return (
        <QuotaDialog
          title={accounts.setQuota}
          current={info.quotaSource === "user" ? sizeTyped(info.quotaBytes) : ""}
          onSet={(bytes) => call("quota.set", { user, bytes }).then(reload)}
          onReset={() => call("quota.reset", { user }).then(reload)}
          onClose={close}
        />
      );
    case "password":
      return <PasswordDialog user={user} onClose={close} />;
    case "purge":
      return (
        <Confirm
          title={t.purgeTitle}
          action={t.purge}
          word={localpart(user)}
          onConfirm={() => attempt(() => call("mail.purge", { what: "user", user })).then(reload)}
          onClose={close}
        >
          <p>{t.purgeText}</p>
          {facts}
        </Confirm>
      );
    case "block":
      return (
        <FormDialog
          title={accounts.bulkTitles.block(1)}
          action={accounts.block}
          onSubmit={(field) =>
            call("blocklist.add", {
              user,
              ...(field("reason") === "" ? {} : { reason: field("reason") }),
            }).then(reload)
          }
          onClose={close}
        >
          <p>{accounts.bulkTexts.block}</p>
          <Field label={texts.value.blocklist.reason} name="reason" />
        </FormDialog>
      );
    case "ban":
    case "delete": {
      const kind = asked.value;
      return (
        <Confirm
          title={accounts.bulkTitles[kind](1)}
          action={accounts.bulkActions[kind]}
          word={localpart(user)}
          onConfirm={() =>
            attempt(() =>
              kind === "ban"
                ? call("accounts.ban", { user })
                : call("accounts.delete", { user, block: false }),
            ).then((isDone) => (kind === "ban" ? reload() : leave(isDone)))
          }
          onClose={close}
        >
          <p>{accounts.bulkTexts[kind]}</p>
          {facts}
        </Confirm>
      );
    }
    default:
      return null;
  }
}

function PasswordDialog({ user, onClose }: { user: string; onClose: () => void }) {
  const t = texts.value;
  const made = useSignal<Made | undefined>(undefined);
  if (made.value !== undefined) {
    return (
      <Dialog title={t.account.newPassword} onClose={onClose}>
        <NewAccount made={made.value} />
      </Dialog>
    );
  }
  return (
    <FormDialog
      title={t.account.newPassword}
      action={t.account.newPassword}
      onSubmit={async (field) => {
        const password = field("password");
        made.value = await call("accounts.setPassword", { user, ...(password === "" ? {} : { password }) });
      }}
      onClose={() => (made.value === undefined ? onClose() : undefined)}
    >
      <p>{t.account.passwordText}</p>
      <Field label={t.accounts.password} name="password" type="password" hint={t.accounts.passwordHint} />
    </FormDialog>
  );
}

function localpart(user: string): string {
  return user.slice(0, user.lastIndexOf("@"));
}
