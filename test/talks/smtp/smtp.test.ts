import { testTalks } from "../play.ts";
import { openSmtpTarget } from "./target.ts";

testTalks(import.meta.dir, openSmtpTarget);
