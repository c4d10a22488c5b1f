/**
 * Two libwebrtc peers in one process that may talk through TURN only: opens a data channel, sends messages, gets them
 * echoed. Run by Node, for the addon is made for it: `node turn-webrtc.mjs URL USERNAME PASSWORD COUNT BYTES`.
 * Prints one line of JSON.
 */
import wrtc from "@roamhq/wrtc";

const [url = "", username, credential, count = "50", bytes = "1000"] = process.argv.slice(2);
const options = { iceServers: [{ urls: [url], username, credential }], iceTransportPolicy: "relay" };
const startedAt = performance.now();
const a = new wrtc.RTCPeerConnection(options);
const b = new wrtc.RTCPeerConnection(options);
const candidates = [];
for (const [from, to] of [
  [a, b],
  [b, a],
]) {
  from.addEventListener("icecandidate", ({ candidate }) => {
    if (!candidate) return;
    candidates.push(candidate.candidate);
    void to.addIceCandidate(candidate);
  });
}

b.addEventListener("datachannel", ({ channel }) => {
  channel.addEventListener("message", ({ data }) => channel.send(data));
});
const channel = a.createDataChannel("echo");
const open = new Promise((resolve) => channel.addEventListener("open", resolve));
let echoed = 0;
const done = new Promise((resolve) => {
  channel.addEventListener("message", ({ data }) => {
    if (data.byteLength === Number(bytes) && ++echoed === Number(count)) resolve();
  });
});

await a.setLocalDescription(await a.createOffer());
await b.setRemoteDescription(a.localDescription);
await b.setLocalDescription(await b.createAnswer());
await a.setRemoteDescription(b.localDescription);
const timer = setTimeout(() => report("timeout", 1), 20_000);
await open;
const openMs = performance.now() - startedAt;
for (let i = 0; i < Number(count); i++) channel.send(Buffer.alloc(Number(bytes), i));
await done;
clearTimeout(timer);
const stats = [...(await a.getStats()).values()];
const pair = stats.find(({ type, nominated }) => type === "candidate-pair" && nominated);
const local = stats.find(({ id }) => id === pair?.localCandidateId);
report("ok", 0, { openMs, localType: local?.candidateType, relayProtocol: local?.relayProtocol });

function report(outcome, code, more = {}) {
  const types = [...new Set(candidates.map((text) => / typ (\w+)/.exec(text)?.[1]))];
  process.stdout.write(`${JSON.stringify({ outcome, echoed, types, ...more })}\n`, () => process.exit(code));
}
