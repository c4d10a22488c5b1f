/** @jsxImportSource preact */
/** Short addresses of the site that lead to an invitation of Delta Chat. */
import { useSignal } from "@preact/signals";
import type { OutputOf } from "../../../src/operations/operations.ts";
import { call } from "../api.ts";
import { day } from "../format.ts";
import { useLoad } from "../load.ts";
import { Act } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Badge } from "../parts/badge.tsx";
import { Copy } from "../parts/copy.tsx";
import { Confirm } from "../parts/dialog.tsx";
import { Field } from "../parts/field.tsx";
import { FormDialog } from "../parts/form-dialog.tsx";
import { attempt } from "../parts/notes.tsx";
import { Pager, Table } from "../parts/table.tsx";
import { place, setQuery } from "../router.ts";
import { texts } from "../texts.ts";

type Contact = OutputOf<"contacts.list">["contacts"][number];
type Open = { what: "create" | "reserve" } | { what: "edit" | "remove"; contact: Contact };

const LIMIT = 50;
/** `url` of one that is kept free. */
const RESERVED = "reserved";

export function Contacts() {
  const t = texts.value.contacts;
  const { common } = texts.value;
  const offset = Math.max(0, Number.parseInt(place.value.query.get("offset") ?? "0", 10) || 0);
  const load = useLoad(`contacts ${offset}`, () => call("contacts.list", { offset, limit: LIMIT }));
  const open = useSignal<Open | undefined>(undefined);
  return (
    <>
      <p class="quiet">{t.lead}</p>
      <div class="toolbar">
        <span class="end buttons">
          <Act onClick={() => (open.value = { what: "reserve" })}>{t.reserve}</Act>
          <Act kind="primary" onClick={() => (open.value = { what: "create" })}>
            {t.create}
          </Act>
        </span>
      </div>
      <Answered load={load}>
        {({ contacts, total, enabled }) => (
          <>
            {enabled ? null : <p class="banner">{t.off}</p>}
            <Table
              label={texts.value.nav.contacts}
              rows={contacts}
              keyOf={({ slug }) => slug}
              empty={t.none}
              columns={[
                {
                  title: t.slug,
                  cell: ({ slug }) => (
                    <>
                      <code dir="ltr">/{slug}</code> <Copy text={`${location.origin}/${slug}`} label={slug} />
                    </>
                  ),
                },
                { title: t.name, cell: ({ name }) => <bdi>{name}</bdi> },
                {
                  title: t.url,
                  cell: ({ url }) =>
                    url === RESERVED ? (
                      <Badge>{t.reserved}</Badge>
                    ) : (
                      <code class="clipped" dir="ltr">
                        {url}
                      </code>
                    ),
                },
                { title: t.since, cell: ({ createdAtSec }) => day(createdAtSec) },
                {
                  title: common.actions,
                  cell: (contact) => (
                    <span class="buttons">
                      {contact.url === RESERVED ? null : (
                        <Act
                          label={`${common.edit}: ${contact.slug}`}
                          onClick={() => (open.value = { what: "edit", contact })}
                        >
                          {common.edit}
                        </Act>
                      )}
                      <Act
                        kind="danger"
                        label={`${common.remove}: ${contact.slug}`}
                        onClick={() => (open.value = { what: "remove", contact })}
                      >
                        {common.remove}
                      </Act>
                    </span>
                  ),
                },
              ]}
            />
            <Pager
              offset={offset}
              limit={LIMIT}
              total={total}
              onChange={(next) => setQuery({ offset: next === 0 ? undefined : String(next) })}
            />
          </>
        )}
      </Answered>
      {open.value === undefined ? null : (
        <Opened open={open.value} reload={load.reload} onClose={() => (open.value = undefined)} />
      )}
    </>
  );
}

interface OpenedProps {
  open: Open;
  reload: () => Promise<void>;
  onClose: () => void;
}

function Opened({ open, reload, onClose }: OpenedProps) {
  const t = texts.value.contacts;
  const { common } = texts.value;
  if (open.what === "remove") {
    const { slug } = open.contact;
    return (
      <Confirm
        title={t.removeTitle}
        action={common.remove}
        onConfirm={() => attempt(() => call("contacts.remove", { slug })).then(reload)}
        onClose={onClose}
      >
        <p>{t.removeText(slug)}</p>
      </Confirm>
    );
  }
  if (open.what === "reserve") {
    return (
      <FormDialog
        title={t.reserve}
        action={common.save}
        onSubmit={(field) => call("contacts.reserve", { slug: field("slug") }).then(reload)}
        onClose={onClose}
      >
        <p>{t.reserveHint}</p>
        <Field label={t.slug} name="slug" hint={t.slugHint} required isCode />
      </FormDialog>
    );
  }
  const known = open.what === "edit" ? open.contact : undefined;
  const save = (field: (name: string) => string) => {
    const what = { url: field("url"), name: field("name") };
    return (
      known === undefined
        ? call("contacts.create", { slug: field("slug"), ...what })
        : call("contacts.update", { slug: known.slug, ...what })
    ).then(reload);
  };
  return (
    <FormDialog title={t.create} action={common.save} onSubmit={save} onClose={onClose}>
      {known === undefined ? (
        <Field label={t.slug} name="slug" hint={t.slugHint} required isCode />
      ) : (
        <p dir="ltr">/{known.slug}</p>
      )}
      <Field label={t.name} name="name" value={known?.name ?? ""} />
      <Field label={t.url} name="url" value={known?.url ?? ""} hint={t.urlHint} required isCode />
    </FormDialog>
  );
}
