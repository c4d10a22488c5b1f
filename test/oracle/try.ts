import { Match } from "./match.ts";
import { handWritten } from "./sessions.ts";
const t=performance.now();
const m = await Match.start(1200, []);
try {
const d = await m.run(handWritten);
const n = Number(process.argv[2] ?? 1e9);
for (const x of d.slice(0,n)) console.log(`${x.session.name.slice(0,40)} | ${x.line.slice(0,70)} | ${x.field} | ours ${String(x.ours).slice(0,1500)} | theirs ${String(x.theirs).slice(0,1500)}`);
console.log(d.length, handWritten.length, Math.round(performance.now()-t));
} finally { await m.stop(); }
