/** Data of a page: asked for when shown, again when its question changes, kept while the relay is away for a moment. */
import { type Signal, signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ApiError, ask } from "./api.ts";
import { session } from "./session.ts";

export interface Loaded<T> {
  data: T | undefined;
  /** Why there is no newer data. */
  error: string | undefined;
  isLoading: boolean;
}

export interface Load<T> {
  state: Signal<Loaded<T>>;
  /** Asks again. */
  reload: () => Promise<void>;
}

const LOOK_AGAIN_MS = 2000;

/** Whether the last question to the relay got no answer at all. */
export const isAway = signal(false);
/** How often it came back: everything is asked again then. */
export const returns = signal(0);

/**
 * @param question what the answer depends on, as text; asked again when it changes
 * @param everyMs asked again after so long; never when absent
 */
export function useLoad<T>(question: string, fetchData: () => Promise<T>, everyMs?: number): Load<T> {
  const state = useSignal<Loaded<T>>({ data: undefined, error: undefined, isLoading: true });
  const turn = useRef(0);
  const reload = async (): Promise<void> => {
    const mine = ++turn.current;
    state.value = { ...state.peek(), isLoading: true };
    try {
      const data = await fetchData();
      // A later question may have been answered first.
      if (turn.current === mine) state.value = { data, error: undefined, isLoading: false };
      isAway.value = false;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      isAway.value = error.status === 0;
      // The banner says that the relay is away; what was shown stays.
      const text = error.status === 0 ? undefined : error.message;
      if (turn.current === mine) state.value = { ...state.peek(), error: text, isLoading: false };
    }
  };
  useEffect(() => {
    void reload();
    if (everyMs === undefined) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden && !isAway.peek()) void reload();
    }, everyMs);
    return () => clearInterval(timer);
  }, [question, returns.value]);
  return { state, reload };
}

/** Looks until there is an answer of any kind. @returns how to give up */
export function waitForRelay(): () => void {
  const look = async () => {
    try {
      await ask("/admin/session", "GET", undefined, session.peek()?.token);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 0) return;
    }
    isAway.value = false;
    returns.value++;
  };
  const timer = setInterval(() => void look(), LOOK_AGAIN_MS);
  return () => clearInterval(timer);
}
