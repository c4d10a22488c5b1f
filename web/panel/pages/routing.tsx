/** @jsxImportSource preact */
/** Routes of the operator's own instead of the DNS, and relays that hold mail for this one. */
import { useSignal } from "@preact/signals";
import type { OutputOf } from "../../../src/operations/operations.ts";
import { call } from "../api.ts";
import { ago, number } from "../format.ts";
import { useLoad } from "../load.ts";
import { Act } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Badge } from "../parts/badge.tsx";
import { Confirm } from "../parts/dialog.tsx";
import { Field } from "../parts/field.tsx";
import { FormDialog } from "../parts/form-dialog.tsx";
import { attempt } from "../parts/notes.tsx";
import { Table } from "../parts/table.tsx";
import { texts } from "../texts.ts";

type Endpoint = OutputOf<"endpoints.list">["endpoints"][number];
type Exchanger = OutputOf<"exchangers.list">["exchangers"][number];

export function Routing() {
  return (
    <>
      <Endpoints />
      <Exchangers />
    </>
  );
}

function Endpoints() {
  const t = texts.value.routing;
  const { common } = texts.value;
  const load = useLoad("endpoints", () => call("endpoints.list", {}));
  const editing = useSignal<Endpoint | "new" | undefined>(undefined);
  const removing = useSignal<string | undefined>(undefined);
  return (
    <section class="card">
      <div class="toolbar">
        <h2>{t.endpoints}</h2>
        <span class="end">
          <Act onClick={() => (editing.value = "new")}>{common.add}</Act>
        </span>
      </div>
      <p class="quiet">{t.endpointsLead}</p>
      <Answered load={load}>
        {({ endpoints }) => (
          <Table
            label={t.endpoints}
            rows={endpoints}
            keyOf={({ key }) => key}
            columns={[
              { title: t.domain, cell: ({ key }) => <span dir="ltr">{key}</span> },
              { title: t.target, cell: ({ target }) => <code dir="ltr">{target}</code> },
              { title: t.comment, cell: ({ comment }) => comment },
              {
                title: common.actions,
                cell: (endpoint) => (
                  <span class="buttons">
                    <Act label={`${common.edit}: ${endpoint.key}`} onClick={() => (editing.value = endpoint)}>
                      {common.edit}
                    </Act>
                    <Act
                      kind="danger"
                      label={`${common.remove}: ${endpoint.key}`}
                      onClick={() => (removing.value = endpoint.key)}
                    >
                      {common.remove}
                    </Act>
                  </span>
                ),
              },
            ]}
          />
        )}
      </Answered>
      {editing.value === undefined ? null : (
        <EndpointForm
          endpoint={editing.value === "new" ? undefined : editing.value}
          onDone={load.reload}
          onClose={() => (editing.value = undefined)}
        />
      )}
      {removing.value === undefined ? null : (
        <Confirm
          title={t.removeTitle(removing.value)}
          action={common.remove}
          onConfirm={() =>
            attempt(() => call("endpoints.remove", { key: removing.value ?? "" })).then(load.reload)
          }
          onClose={() => (removing.value = undefined)}
        >
          <p>{t.removeText}</p>
        </Confirm>
      )}
    </section>
  );
}

interface EndpointFormProps {
  endpoint: Endpoint | undefined;
  onDone: () => Promise<unknown>;
  onClose: () => void;
}

function EndpointForm({ endpoint, onDone, onClose }: EndpointFormProps) {
  const t = texts.value.routing;
  return (
    <FormDialog
      title={t.endpoints}
      action={texts.value.common.save}
      onClose={onClose}
      onSubmit={(field) =>
        call("endpoints.set", {
          key: endpoint?.key ?? field("key"),
          target: field("target"),
          comment: field("comment"),
        }).then(onDone)
      }
    >
      {endpoint === undefined ? (
        <Field label={t.domain} name="key" required isCode />
      ) : (
        <p dir="ltr">{endpoint.key}</p>
      )}
      <Field
        label={t.target}
        name="target"
        value={endpoint?.target ?? ""}
        hint={t.targetHint}
        required
        isCode
      />
      <Field label={t.comment} name="comment" value={endpoint?.comment ?? ""} />
    </FormDialog>
  );
}

function Exchangers() {
  const t = texts.value.routing;
  const { common } = texts.value;
  const load = useLoad("exchangers", () => call("exchangers.list", {}));
  const editing = useSignal<Exchanger | "new" | undefined>(undefined);
  const removing = useSignal<string | undefined>(undefined);
  return (
    <section class="card">
      <div class="toolbar">
        <h2>{t.exchangers}</h2>
        <span class="end">
          <Act onClick={() => (editing.value = "new")}>{common.add}</Act>
        </span>
      </div>
      <p class="quiet">{t.exchangersLead}</p>
      <Answered load={load}>
        {({ exchangers }) => (
          <Table
            label={t.exchangers}
            rows={exchangers}
            keyOf={({ name }) => name}
            columns={[
              {
                title: t.name,
                cell: ({ name, enabled }) => (
                  <>
                    {name} <Badge tone={enabled ? "good" : "plain"}>{enabled ? common.on : common.off}</Badge>
                  </>
                ),
              },
              { title: t.url, cell: ({ url }) => <code dir="ltr">{url}</code> },
              { title: t.every, isNumber: true, cell: ({ pollIntervalSec }) => number(pollIntervalSec) },
              {
                title: t.lastAsked,
                cell: ({ lastPollAtSec }) => (lastPollAtSec === 0 ? common.never : ago(lastPollAtSec * 1000)),
              },
              {
                title: common.actions,
                cell: (exchanger) => (
                  <span class="buttons">
                    <Act
                      label={`${exchanger.enabled ? t.turnOff : t.turnOn}: ${exchanger.name}`}
                      onClick={() =>
                        attempt(() =>
                          call("exchangers.update", { name: exchanger.name, enabled: !exchanger.enabled }),
                        ).then(load.reload)
                      }
                    >
                      {exchanger.enabled ? t.turnOff : t.turnOn}
                    </Act>
                    <Act
                      label={`${common.edit}: ${exchanger.name}`}
                      onClick={() => (editing.value = exchanger)}
                    >
                      {common.edit}
                    </Act>
                    <Act
                      kind="danger"
                      label={`${common.remove}: ${exchanger.name}`}
                      onClick={() => (removing.value = exchanger.name)}
                    >
                      {common.remove}
                    </Act>
                  </span>
                ),
              },
            ]}
          />
        )}
      </Answered>
      {editing.value === undefined ? null : (
        <ExchangerForm
          exchanger={editing.value === "new" ? undefined : editing.value}
          onDone={load.reload}
          onClose={() => (editing.value = undefined)}
        />
      )}
      {removing.value === undefined ? null : (
        <Confirm
          title={t.removeTitle(removing.value)}
          action={common.remove}
          onConfirm={() =>
            attempt(() => call("exchangers.remove", { name: removing.value ?? "" })).then(load.reload)
          }
          onClose={() => (removing.value = undefined)}
        >
          <p>{t.removeExchangerText}</p>
        </Confirm>
      )}
    </section>
  );
}

interface ExchangerFormProps {
  exchanger: Exchanger | undefined;
  onDone: () => Promise<unknown>;
  onClose: () => void;
}

function ExchangerForm({ exchanger, onDone, onClose }: ExchangerFormProps) {
  const t = texts.value.routing;
  return (
    <FormDialog
      title={t.exchangers}
      action={texts.value.common.save}
      onClose={onClose}
      onSubmit={(field) => {
        const what = { url: field("url"), pollIntervalSec: Number(field("every")) };
        return (
          exchanger === undefined
            ? call("exchangers.add", { name: field("name"), ...what })
            : call("exchangers.update", { name: exchanger.name, ...what })
        ).then(onDone);
      }}
    >
      {exchanger === undefined ? <Field label={t.name} name="name" required /> : <p>{exchanger.name}</p>}
      <Field label={t.url} name="url" value={exchanger?.url ?? ""} required isCode />
      <Field
        label={t.every}
        name="every"
        type="number"
        min={1}
        value={String(exchanger?.pollIntervalSec ?? 60)}
        required
      />
    </FormDialog>
  );
}
