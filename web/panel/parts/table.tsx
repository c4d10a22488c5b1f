/** @jsxImportSource preact */
/** A list with columns: a table on wide screens, cards on phones, with the same mark-up. */
import type { ComponentChildren } from "preact";
import { texts } from "../texts.ts";

export interface Column<Row> {
  title: string;
  /** Numbers stand at the end of their column. */
  isNumber?: boolean;
  cell: (row: Row) => ComponentChildren;
}

interface TableProps<Row> {
  /** Read out before the table. */
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** Given: rows can be chosen. */
  selection?: { chosen: ReadonlySet<string>; onChange: (chosen: ReadonlySet<string>) => void };
  /** Said instead of an empty table. */
  empty?: string;
}

export function Table<Row>({ label, columns, rows, keyOf, selection, empty }: TableProps<Row>) {
  const { common } = texts.value;
  if (rows.length === 0) return <p class="empty">{empty ?? common.nothing}</p>;
  const keys = rows.map(keyOf);
  const areAllChosen = selection !== undefined && keys.every((key) => selection.chosen.has(key));
  const toggle = (names: readonly string[], on: boolean) => {
    if (selection === undefined) return;
    const next = new Set(selection.chosen);
    for (const name of names) {
      if (on) next.add(name);
      else next.delete(name);
    }
    selection.onChange(next);
  };
  return (
    <table class="list">
      <caption class="visually-hidden">{label}</caption>
      <thead>
        <tr>
          {selection === undefined ? null : (
            <th class="choice">
              <input
                type="checkbox"
                aria-label={common.selectAll}
                checked={areAllChosen}
                onChange={(event) => toggle(keys, event.currentTarget.checked)}
              />
            </th>
          )}
          {columns.map(({ title, isNumber }) => (
            <th key={title} scope="col" class={isNumber === true ? "number" : undefined}>
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => {
          const key = keyOf(row);
          return (
            <tr key={key}>
              {selection === undefined ? null : (
                <td class="choice">
                  <input
                    type="checkbox"
                    aria-label={common.select(key)}
                    checked={selection.chosen.has(key)}
                    onChange={(event) => toggle([key], event.currentTarget.checked)}
                  />
                </td>
              )}
              {columns.map(({ title, isNumber, cell }) => (
                <td key={title} data-title={title} class={isNumber === true ? "number" : undefined}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

interface PagerProps {
  offset: number;
  limit: number;
  total: number;
  onChange: (offset: number) => void;
}

export function Pager({ offset, limit, total, onChange }: PagerProps) {
  const { common } = texts.value;
  if (total === 0) return null;
  return (
    <nav class="pager" aria-label={common.rows(offset + 1, Math.min(offset + limit, total), total)}>
      <button type="button" disabled={offset === 0} onClick={() => onChange(Math.max(0, offset - limit))}>
        {common.previous}
      </button>
      <span aria-hidden="true">{common.rows(offset + 1, Math.min(offset + limit, total), total)}</span>
      <button type="button" disabled={offset + limit >= total} onClick={() => onChange(offset + limit)}>
        {common.next}
      </button>
    </nav>
  );
}
