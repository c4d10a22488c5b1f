/** What `html-export` writes: a small site to begin one's own with. */
import index from "../../../../web/starter/index.tmpl" with { type: "text" };
import rules from "../../../../web/starter/rules.tmpl" with { type: "text" };
import css from "../../../../web/site.css" with { type: "text" };

/** Names and contents of the files. */
export const starterFiles: Readonly<Record<string, string>> = {
  "index.html": index,
  "rules.html": rules,
  "main.css": css,
};
