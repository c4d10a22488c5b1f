/** @jsxImportSource preact */
/** How much of something is used: a bar that warns when it gets tight. */
interface MeterProps {
  label: string;
  /** What the bar says, in words. */
  text: string;
  /** 0 to 1; more counts as 1. */
  share: number;
}

const WARN_SHARE = 0.8;
const BAD_SHARE = 0.95;

export function Meter({ label, text, share }: MeterProps) {
  const shown = Math.min(1, Math.max(0, share));
  const kind = share >= BAD_SHARE ? "bad" : share >= WARN_SHARE ? "warn" : "good";
  return (
    <svg
      class={`meter ${kind}`}
      viewBox="0 0 100 4"
      preserveAspectRatio="none"
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(shown * 100)}
      aria-valuetext={text}
    >
      <rect class="ground" width="100" height="4" />
      <rect class="used" width={shown * 100} height="4" />
    </svg>
  );
}
