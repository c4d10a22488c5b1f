/** @jsxImportSource preact */
/** What a new account, or one with a new password, is used with: a code to scan, a link, the password. */
import type { OutputOf } from "../../../../src/operations/operations.ts";
import { Copied } from "../../parts/copy.tsx";
import { Qr } from "../../parts/qr.tsx";
import { texts } from "../../texts.ts";

export type Made = OutputOf<"accounts.create">;

export function NewAccount({ made }: { made: Made }) {
  const t = texts.value.accounts;
  return (
    <div class="made">
      <p>{t.scan}</p>
      <Qr text={made.link} label={t.qr(made.address)} />
      <dl class="facts">
        <div>
          <dt>{t.address}</dt>
          <dd>
            <Copied text={made.address} label={t.address} />
          </dd>
        </div>
        {made.password === undefined ? null : (
          <div>
            <dt>{t.password}</dt>
            <dd>
              <Copied text={made.password} label={t.password} />
            </dd>
          </div>
        )}
        <div>
          <dt>{t.link}</dt>
          <dd>
            <Copied text={made.link} label={t.link} />
          </dd>
        </div>
      </dl>
      <p class="quiet">{t.shownOnce}</p>
    </div>
  );
}
