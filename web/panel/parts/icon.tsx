/** @jsxImportSource preact */
/** A line drawing of 24 units that takes the colour of its text. What it means is always said in words beside it. */
export function Icon({ path }: { path: string }) {
  return (
    <svg class="drawing" viewBox="0 0 24 24" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}
