/** @jsxImportSource preact */
/** Maintenance jobs: when they run, how they ended, and running one now, counted before it deletes. */
import { useSignal } from "@preact/signals";
import type { OutputOf } from "../../../src/operations/operations.ts";
import { ApiError, call } from "../api.ts";
import { ago, number, size, span } from "../format.ts";
import { useLoad } from "../load.ts";
import { Act } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Badge, type Tone } from "../parts/badge.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Table } from "../parts/table.tsx";
import { texts } from "../texts.ts";

type Task = OutputOf<"tasks.list">["tasks"][number];
type Result = OutputOf<"tasks.run">;

const REFRESH_MS = 5000;
const tones: Record<Result["outcome"], Tone> = { done: "good", cancelled: "warn", failed: "bad" };

export function Tasks() {
  const t = texts.value.tasks;
  const load = useLoad("tasks", () => call("tasks.list", {}), REFRESH_MS);
  const running = useSignal<string | undefined>(undefined);
  return (
    <>
      <p class="quiet">{t.lead}</p>
      <Answered load={load}>
        {({ tasks }) => (
          <Table
            label={texts.value.nav.tasks}
            rows={tasks}
            keyOf={({ name }) => name}
            columns={[
              {
                title: t.task,
                cell: ({ name, summary }) => (
                  <>
                    {t.names[name] ?? <code dir="ltr">{name}</code>}
                    {name in t.names ? null : (
                      <small class="block quiet" lang="en" dir="ltr">
                        {summary}
                      </small>
                    )}
                  </>
                ),
              },
              { title: t.runs, cell: (task) => <When task={task} /> },
              {
                title: t.last,
                cell: ({ last }) => (last === null ? texts.value.common.never : <Last last={last} />),
              },
              {
                title: texts.value.common.actions,
                cell: ({ name }) => (
                  <Act label={`${t.try}: ${t.names[name] ?? name}`} onClick={() => (running.value = name)}>
                    {t.try}
                  </Act>
                ),
              },
            ]}
          />
        )}
      </Answered>
      {running.value === undefined ? null : (
        <RunDialog name={running.value} onDone={load.reload} onClose={() => (running.value = undefined)} />
      )}
    </>
  );
}

function When({ task: { intervalMs, state, nextRunMs, progress } }: { task: Task }) {
  const t = texts.value.tasks;
  if (state !== "idle") {
    const share = progress === null ? "" : ` ${number(progress.done)} / ${number(progress.total)}`;
    return (
      <Badge tone="warn">
        {t.states[state]}
        {share}
      </Badge>
    );
  }
  return (
    <>
      {intervalMs === 0 ? t.byHand : t.every(span(intervalMs))}
      {nextRunMs === null ? null : <small class="block quiet">{t.next(ago(nextRunMs))}</small>}
    </>
  );
}

function Last({ last }: { last: Result }) {
  const t = texts.value.tasks;
  return (
    <>
      <Badge tone={tones[last.outcome]}>{t.outcomes[last.outcome]}</Badge> {ago(last.startedAtMs)}
      <small class="block quiet">{removedText(last)}</small>
    </>
  );
}

function removedText({ removedAccounts, removedMessages, removedBytes, dryRun }: Result): string {
  const t = texts.value.tasks;
  const what = t.removed(number(removedAccounts), number(removedMessages), size(removedBytes));
  return dryRun ? t.dry(what) : what;
}

interface RunDialogProps {
  name: string;
  onDone: () => Promise<unknown>;
  onClose: () => void;
}

/** First what would go; the button that does it comes with the figures. */
function RunDialog({ name, onDone, onClose }: RunDialogProps) {
  const t = texts.value.tasks;
  const trial = useLoad(`trial ${name}`, () => call("tasks.run", { task: name, dryRun: true }));
  const done = useSignal<Result | undefined>(undefined);
  const error = useSignal<string | undefined>(undefined);
  const isBusy = useSignal(false);
  const run = async () => {
    isBusy.value = true;
    try {
      done.value = await call("tasks.run", { task: name });
      await onDone();
    } catch (fault) {
      if (!(fault instanceof ApiError)) throw fault;
      error.value = fault.message;
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <Dialog title={t.names[name] ?? name} onClose={onClose}>
      {done.value === undefined ? (
        <Answered load={trial}>
          {(result) => (
            <>
              <p>{t.wouldGo}</p>
              <Figures result={result} />
            </>
          )}
        </Answered>
      ) : (
        <>
          <p class="banner well">{t.finished}</p>
          <Figures result={done.value} />
        </>
      )}
      {error.value === undefined ? null : <p class="banner bad">{error.value}</p>}
      <footer>
        <button type="button" onClick={onClose}>
          {texts.value.common.close}
        </button>
        {done.value === undefined && trial.state.value.data !== undefined ? (
          <Act kind="danger" disabled={isBusy.value} onClick={run}>
            {t.run}
          </Act>
        ) : null}
      </footer>
    </Dialog>
  );
}

function Figures({ result }: { result: Result }) {
  const t = texts.value.tasks;
  return (
    <>
      <dl class="facts">
        {[
          [t.looked, t.counted(number(result.accounts), number(result.messages), size(result.bytes))],
          [
            t.gone,
            t.removed(
              number(result.removedAccounts),
              number(result.removedMessages),
              size(result.removedBytes),
            ),
          ],
          [t.took, span(result.tookMs)],
        ].map(([title, text]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      {result.findings.length === 0 ? null : (
        <ul lang="en" dir="ltr">
          {result.findings.map((each) => (
            <li key={each}>{each}</li>
          ))}
        </ul>
      )}
    </>
  );
}
