/** @jsxImportSource preact */
/** Where each service listens, for whom, and what waits for a reload. */
import { useSignal } from "@preact/signals";
import type { OutputOf } from "../../../src/operations/operations.ts";
import { call } from "../api.ts";
import { useLoad } from "../load.ts";
import { Act } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Badge } from "../parts/badge.tsx";
import { Choice } from "../parts/choice.tsx";
import { Field } from "../parts/field.tsx";
import { FormDialog } from "../parts/form-dialog.tsx";
import { attempt } from "../parts/notes.tsx";
import { Table } from "../parts/table.tsx";
import { changes } from "../pending-banner.tsx";
import { texts } from "../texts.ts";

type Port = OutputOf<"ports.list">["ports"][number];

export function Ports() {
  const t = texts.value.ports;
  const load = useLoad("ports", () => call("ports.list", {}));
  const editing = useSignal<Port | undefined>(undefined);
  const afterwards = () => {
    changes.value++;
    return load.reload();
  };
  return (
    <>
      <p class="quiet">{t.lead}</p>
      <Answered load={load}>
        {({ ports }) => (
          <Table
            label={texts.value.nav.ports}
            rows={ports}
            keyOf={({ service }) => service}
            columns={[
              { title: t.service, cell: ({ service }) => t.names[service] },
              {
                title: t.port,
                isNumber: true,
                cell: ({ port, pending }) => (
                  <>
                    {port === null ? "–" : <code>{port}</code>}{" "}
                    {pending ? <Badge tone="warn">{texts.value.settings.waits.reload}</Badge> : null}
                  </>
                ),
              },
              { title: t.access, cell: ({ access }) => t.accesses[access] },
              {
                title: t.bound,
                cell: ({ bound }) =>
                  bound.length === 0 ? (
                    <span class="quiet">{t.notBound}</span>
                  ) : (
                    <code dir="ltr">{bound.join(", ")}</code>
                  ),
              },
              {
                title: texts.value.settings.source,
                cell: ({ source }) => texts.value.settings.sources[source],
              },
              {
                title: texts.value.common.actions,
                cell: (port) => (
                  <span class="buttons">
                    <Act
                      label={`${texts.value.settings.change}: ${t.names[port.service]}`}
                      onClick={() => (editing.value = port)}
                    >
                      {texts.value.settings.change}
                    </Act>
                    {port.source === "setting" ? (
                      <Act
                        label={`${texts.value.settings.reset}: ${t.names[port.service]}`}
                        onClick={() =>
                          attempt(() => call("ports.reset", { service: port.service })).then(afterwards)
                        }
                      >
                        {texts.value.settings.reset}
                      </Act>
                    ) : null}
                  </span>
                ),
              },
            ]}
          />
        )}
      </Answered>
      {editing.value === undefined ? null : (
        <PortForm port={editing.value} onDone={afterwards} onClose={() => (editing.value = undefined)} />
      )}
    </>
  );
}

interface PortFormProps {
  port: Port;
  onDone: () => Promise<unknown>;
  onClose: () => void;
}

function PortForm({ port, onDone, onClose }: PortFormProps) {
  const t = texts.value.ports;
  const { service } = port;
  const isWeb = service === "http" || service === "https";
  const options = {
    public: t.accesses.public,
    ...(service === "shadowsocks" ? {} : { local: t.accesses.local }),
    ...(isWeb ? { off: t.accesses.off } : {}),
  };
  const save = async (field: (name: string) => string) => {
    const access = field("access");
    if (isWeb && (access === "off") !== (port.access === "off")) {
      await call("ports.enable", { service, enabled: access !== "off" });
    }
    if (field("port") !== String(port.port ?? "")) {
      const expected = port.port === null ? {} : { expected: String(port.port) };
      await call("ports.set", { service, port: Number(field("port")), ...expected });
    }
    if ((access === "public" || access === "local") && access !== port.access && service !== "shadowsocks") {
      await call("ports.access", { service, access });
    }
    await onDone();
  };
  return (
    <FormDialog title={t.names[service]} action={texts.value.common.save} onSubmit={save} onClose={onClose}>
      <p class={isWeb ? "banner warn" : "quiet"}>{isWeb ? t.webWarning : t.warning}</p>
      <Field
        label={t.port}
        name="port"
        type="number"
        min={1}
        max={65_535}
        value={String(port.port ?? "")}
        isCode
      />
      <Choice label={t.access} name="access" options={options} value={port.access} />
    </FormDialog>
  );
}
