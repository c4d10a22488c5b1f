/** @jsxImportSource preact */
/** Pages of one section, side by side. Links, so that each has an address. */
import { hrefOf } from "../router.ts";

interface TabsProps {
  label: string;
  tabs: readonly { path: string; title: string }[];
  current: string;
}

export function Tabs({ label, tabs, current }: TabsProps) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map(({ path, title }) => (
        <a key={path} href={hrefOf(path)} aria-current={path === current ? "page" : undefined}>
          {title}
        </a>
      ))}
    </nav>
  );
}
