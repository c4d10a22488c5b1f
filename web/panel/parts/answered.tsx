/** @jsxImportSource preact */
/** What a page shows while its data comes, when it does not come, and when it is there. */
import type { ComponentChildren } from "preact";
import type { Load } from "../load.ts";
import { texts } from "../texts.ts";

interface AnsweredProps<T> {
  load: Load<T>;
  children: (data: T) => ComponentChildren;
}

export function Answered<T>({ load, children }: AnsweredProps<T>) {
  const { data, error, isLoading } = load.state.value;
  const { common } = texts.value;
  return (
    <div aria-busy={isLoading}>
      {error === undefined ? null : (
        <p class="banner bad" role="alert">
          {error}{" "}
          <button type="button" onClick={() => void load.reload()}>
            {common.retry}
          </button>
        </p>
      )}
      {data === undefined ? isLoading ? <p class="loading">{common.loading}</p> : null : children(data)}
    </div>
  );
}
