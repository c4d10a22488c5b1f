/** Data of a page: asked for when shown, again when its question changes, kept while the relay is away for a moment. */
import { type Signal, signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError } from "./api.ts";

export interface Loaded<T> {
  data: T | undefined;
  /** Why there is no newer data. */
  error: string | undefined;
  isLoading: boolean;
}

export interface Load<T> {
  state: Signal<Loaded<T>>;
  /** Asks again. */
  reload(): Promise<void>;
}

/** Whether the last question to the relay got no answer at all. */
export const isAway = signal(false);

/**
 * @param question what the answer depends on, as text; asked again when it changes
 * @param everyMs asked again after so long; never when absent
 */
export function useLoad<T>(question: string, ask: () => Promise<T>, everyMs?: number): Load<T> {
  const state = useSignal<Loaded<T>>({ data: undefined, error: undefined, isLoading: true });
  const turn = useSignal(0);
  const reload = async (): Promise<void> => {
    const mine = ++turn.value;
    state.value = { ...state.peek(), isLoading: true };
    try {
      const data = await ask();
      // A later question may have been answered first.
      if (turn.peek() === mine) state.value = { data, error: undefined, isLoading: false };
      isAway.value = false;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      isAway.value = error.status === 0;
      if (turn.peek() === mine) state.value = { ...state.peek(), error: error.message, isLoading: false };
    }
  };
  useEffect(() => {
    void reload();
    if (everyMs === undefined) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden) void reload();
    }, everyMs);
    return () => clearInterval(timer);
  }, [question]);
  return { state, reload };
}
