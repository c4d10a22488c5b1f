/** COMPRESS: RFC 4978. The tagged OK is the last thing in clear; what came pipelined behind the command is dropped. */
import { command } from "../command.ts";

export const compress = command({
  name: "COMPRESS",
  allowed: "authenticated",
  parse(args) {
    args.space();
    return args.word();
  },
  run(session, mechanism, tag) {
    if (mechanism !== "DEFLATE" || !session.settings.compress) return "NO [CANNOT] Unsupported mechanism";
    if (session.codec !== undefined) return "NO [COMPRESSIONACTIVE] DEFLATE is active already";
    session.news(true);
    session.send(`${tag} OK DEFLATE active`);
    session.flush();
    session.codec = session.services.newDeflate();
    return undefined;
  },
});
