import { expect, test } from "bun:test";
import { array, assert, constantFrom, oneof, property, string } from "fast-check";
import { parseTemplate, renderTemplate, TemplateError, type Variables } from "./template.ts";

const variables: Variables = {
  MailDomain: "[192.0.2.1]",
  Language: "fa",
  RegistrationOpen: true,
  Closed: false,
  DefaultQuota: 1_073_741_824,
  Name: `</script><b>"O'Neil"&`,
  Empty: "",
  "Custom.Slug": "anna",
};
const known = new Set(Object.keys(variables));
const render = (source: string) => renderTemplate(parseTemplate(source, "index.html", known), variables);

const rows: readonly [name: string, source: string, want: string][] = [
  ["text alone", "<p>{ }</p>", "<p>{ }</p>"],
  ["a variable of Go", "{{.MailDomain}}", "[192.0.2.1]"],
  ["a variable of Jinja", "{{ MailDomain }}", "[192.0.2.1]"],
  ["trimming dashes", "{{- .Language -}}", "fa"],
  ["a field", "{{.Custom.Slug}}", "anna"],
  ["a filter", "{{.MailDomain | cleanDomain}}", "192.0.2.1"],
  ["filters in a row", "{{ Language | upper | lower }}", "fa"],
  ["Go's filter before its value", "{{formatBytes .DefaultQuota}}", "1.0 GB"],
  ["escaping", "{{.Name}}", "&lt;/script&gt;&lt;b&gt;&#34;O&#39;Neil&#34;&amp;"],
  ["markup on demand", "{{.Name | safeHTML}}", `</script><b>"O'Neil"&`],
  ["Go's condition", '{{if eq .Language "fa"}}rtl{{else}}ltr{{end}}', "rtl"],
  ["Jinja's condition", "{% if Language == 'ru' %}1{% elif Language == 'fa' %}2{% else %}3{% endif %}", "2"],
  ["Go's negation", "{{if not .RegistrationOpen}}closed{{end}}", ""],
  ["else if", "{{if .Closed}}a{{else if .RegistrationOpen}}b{{end}}", "b"],
  ["and, or in front", '{{if and .RegistrationOpen (or .Closed (ne .Language "en"))}}y{{end}}', "y"],
  ["and, or in between", "{% if Closed or RegistrationOpen %}y{% endif %}", "y"],
  ["nesting", "{{if .RegistrationOpen}}{{if .Closed}}a{{else}}b{{end}}c{{end}}", "bc"],
  ["empty text is false", "{{if .Empty}}a{{else}}b{{end}}", "b"],
  ["comments", "a{{/* no */}}{# no #}b", "ab"],
  [
    "a string in a script",
    `<script>var a = "{{.Name}}";</script>`,
    `<script>var a = "\\u003c/script\\u003e\\u003cb\\u003e\\u0022O\\u0027Neil\\u0022\\u0026";</script>`,
  ],
  [
    "a value in a script",
    "<script>var a = {{.Language}}, b = {{.DefaultQuota}};</script>",
    '<script>var a = "fa", b = 1073741824;</script>',
  ],
  ["after a script", `<script>1</script><p title="{{.Language}}">`, '<script>1</script><p title="fa">'],
];
for (const [name, source, want] of rows) {
  test(`a template renders ${name}`, () => {
    expect(render(source)).toBe(want);
  });
}

const faults: readonly [name: string, source: string, line: number, what: string][] = [
  ["an unknown variable", "a\n{{.Nope}}", 2, "there is no variable `Nope`"],
  ["an unknown filter", "{{.Name | rot13}}", 1, "there is no filter `rot13`"],
  ["an if without end", "\n\n{{if .Name}}", 3, "`if` without its `end`"],
  ["an end without if", "{{end}}", 1, "`end` without an `if` before it"],
  ["an else after an else", "{{if .Name}}{{else}}{{else}}{{end}}", 1, "`else` after an `else`"],
  ["a loop", "{% for a in b %}", 1, "`{% for a in b %}` is not supported: only if, elif, else and endif are"],
  ["Go's loop", "{{range .Name}}", 1, "there is no variable `range`"],
  ["nothing", "{{}}", 1, "an empty expression"],
  ["an open parenthesis", "{{if (eq .Name .Language}}", 1, "a `)` is missing in `(eq .Name .Language`"],
];
for (const [name, source, line, what] of faults) {
  test(`a template with ${name} is a fault with its line`, () => {
    try {
      parseTemplate(source, "a/b.html", known);
      throw new Error("no fault");
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      expect([error.message, error.line]).toEqual([`a/b.html:${line}: ${what}`, line]);
    }
  });
}

test("whatever is written, a template renders or says what is wrong with it", () => {
  const piece = oneof(
    constantFrom(
      "{{",
      "}}",
      "{%",
      "%}",
      "if ",
      "else",
      "end",
      ".Name",
      " | ",
      "eq",
      "(",
      ")",
      '"',
      "\n",
      "<script>",
    ),
    string({ maxLength: 5 }),
  );
  assert(
    property(array(piece, { maxLength: 30 }), (pieces) => {
      try {
        render(pieces.join(""));
      } catch (error) {
        expect(error).toBeInstanceOf(TemplateError);
      }
    }),
    { numRuns: 500 },
  );
});

test("no value can leave the string or the element it is printed in", () => {
  assert(
    property(string({ unit: "binary", maxLength: 20 }), (text) => {
      const template = parseTemplate('<script>"{{.X}}"</script><p a="{{.X}}">', "x.html", new Set(["X"]));
      const page = renderTemplate(template, { X: text });
      const inside = page.slice('<script>"'.length, page.indexOf('"</script>'));
      expect(inside).toMatch(/^[A-Za-z0-9 .,:;@/_%?=#+~\\-]*$/);
      expect(page.slice(page.lastIndexOf('a="') + 3, -2)).not.toMatch(/[<>"']/);
    }),
    { numRuns: 300 },
  );
});
