/** @jsxImportSource preact */
/** What operators changed, and through which face: never whom it was about. */
import { call } from "../api.ts";
import { moment } from "../format.ts";
import { useLoad } from "../load.ts";
import { Answered } from "../parts/answered.tsx";
import { Table } from "../parts/table.tsx";
import { texts } from "../texts.ts";

const SHOWN = 200;

export function Audit() {
  const t = texts.value;
  const load = useLoad("audit", () => call("audit.list", { limit: SHOWN }));
  return (
    <Answered load={load}>
      {({ events }) => (
        <>
          <p class="quiet">{t.audit.lead}</p>
          <Table
            label={t.nav.audit}
            rows={events.map((event, index) => ({ ...event, key: `${event.atSec}.${index}` }))}
            keyOf={({ key }) => key}
            columns={[
              { title: t.audit.when, cell: ({ atSec }) => moment(atSec * 1000) },
              { title: t.audit.what, cell: ({ operation }) => <code>{operation}</code> },
              { title: t.audit.through, cell: ({ face }) => t.audit.faces[face] ?? face },
              { title: t.audit.result, cell: ({ done }) => (done ? t.common.done : t.audit.refused) },
            ]}
          />
        </>
      )}
    </Answered>
  );
}
