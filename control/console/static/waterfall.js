/* Where a turn's time to its first audio went: one bar a turn, a part a stage, each told in words too. */

import { make } from "./dom.js";

const STAGES = [
  ["end_of_turn", "end of turn"],
  ["stt_final", "transcript"],
  ["agent_ttft", "agent"],
  ["tts_ttfb", "voice"],
];
const SHOWN = 50;

/** Turns' latencies in a list; the longest turn is as wide as the list. */
export class Waterfall {
  constructor(list) {
    this.list = list;
    this.turns = new Map();
  }

  /** Show a `turn` event; one that comes again takes its own place. */
  add({ turn, latency_ms: latency }) {
    this.turns.set(turn, latency);
    if (this.turns.size > SHOWN) this.turns.delete(this.turns.keys().next().value);
    this.draw();
  }

  /** Forget all. */
  clear() {
    this.turns.clear();
    this.draw();
  }

  draw() {
    const longest = Math.max(1, ...[...this.turns.values()].map((latency) => latency.e2e));
    this.list.replaceChildren(...[...this.turns].map(([turn, latency]) => bar(turn, latency, longest)));
  }
}

function bar(turn, latency, longest) {
  const named = STAGES.map(([name, said]) => [name, said, latency[name]]);
  const rest = latency.e2e - named.reduce((sum, [, , ms]) => sum + ms, 0);
  const parts = [...named, ["rest", "on the way", Math.max(0, rest)]].filter(([, , ms]) => ms >= 0.5);
  const told = parts.map(([, said, ms]) => `${said} ${Math.round(ms)}`).join(", ");
  const track = make("span", { class: "track", "aria-hidden": "true" });
  for (const [name, , ms] of parts) {
    const part = make("span", { class: `part ${name}` });
    part.style.width = `${(100 * ms) / longest}%`;
    track.append(part);
  }
  return make(
    "li",
    {},
    make("span", { class: "turn" }, `Turn ${turn}`),
    track,
    make("span", { class: "total" }, `${Math.round(latency.e2e)} ms`),
    make("span", { class: "told" }, told),
  );
}
