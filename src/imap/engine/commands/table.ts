/** All commands by name. APPEND is not here: its message streams, so the engine drives it (append.ts). */
import type { Command } from "../command.ts";
import { authenticate } from "./authenticate.ts";
import { capability } from "./capability.ts";
import { close, unselect } from "./close.ts";
import { compress } from "./compress.ts";
import { copy, move, uidCopy, uidMove } from "./copy.ts";
import { create } from "./create.ts";
import { deleteMailbox } from "./delete.ts";
import { enable } from "./enable.ts";
import { expunge, uidExpunge } from "./expunge.ts";
import { fetch, uidFetch } from "./fetch.ts";
import { id } from "./id.ts";
import { idle } from "./idle.ts";
import { list } from "./list.ts";
import { login } from "./login.ts";
import { logout } from "./logout.ts";
import { lsub } from "./lsub.ts";
import { getMetadata, setMetadata } from "./metadata.ts";
import { namespace } from "./namespace.ts";
import { check, noop } from "./noop.ts";
import { getQuota, getQuotaRoot, setQuota } from "./quota.ts";
import { rename } from "./rename.ts";
import { search, uidSearch } from "./search.ts";
import { examine, select } from "./select.ts";
import { starttls } from "./starttls.ts";
import { status } from "./status.ts";
import { store, uidStore } from "./store.ts";
import { subscribe, unsubscribe } from "./subscribe.ts";

const all: readonly Command[] = [
  authenticate,
  capability,
  check,
  close,
  compress,
  copy,
  create,
  deleteMailbox,
  enable,
  examine,
  expunge,
  fetch,
  getMetadata,
  getQuota,
  getQuotaRoot,
  id,
  idle,
  list,
  login,
  logout,
  lsub,
  move,
  namespace,
  noop,
  rename,
  search,
  select,
  setMetadata,
  setQuota,
  starttls,
  status,
  store,
  subscribe,
  uidCopy,
  uidExpunge,
  uidFetch,
  uidMove,
  uidSearch,
  uidStore,
  unselect,
  unsubscribe,
];

export const commands: ReadonlyMap<string, Command> = new Map(all.map((command) => [command.name, command]));
