/* One session as it goes on: what is said, what its caller sounds like, where its time goes, what is kept of it. */

import { ask, follow } from "./api.js";
import { at, clock, complain, make } from "./dom.js";
import { Transcript } from "./transcript.js";
import { Waterfall } from "./waterfall.js";

const transcript = new Transcript(at("transcript"));
const waterfall = new Waterfall(at("waterfall"));
let shown = null;
let recorded = true;

/** Say whether this deployment keeps records: else they are not asked for. */
export function keepsRecords(kept) {
  recorded = kept;
}

const HEARD = {
  transcript: (event) => transcript.add(event),
  turn: (event) => waterfall.add(event),
  state: ({ state }) => status(state),
  session: (event) => status(event.state, event.reason || (event.queue_position ? `place ${event.queue_position}` : "")),
  swapped: ({ swapped, provider, error }) => transcript.remark(swapped ? `goes on with ${provider}` : `stays with ${provider}: ${error}`),
  error: ({ code, message }) => transcript.remark(`${message ?? ""} (${code})`),
  ended: ({ reason }) => {
    status("ended", reason);
    transcript.remark(`ended: ${reason}`);
    listRecords().catch(complain);
  },
};

/** Show a session, in the place of the one before. */
export function show(session) {
  hide();
  shown = { id: session.id, stop: new AbortController() };
  at("session-id").textContent = session.id;
  at("session").hidden = false;
  at("playout").textContent = "";
  transcript.clear();
  waterfall.clear();
  status(session.state, `${session.provider}, since ${clock(session.created_at)}`);
  watch("events", (type, event) => HEARD[type]?.(event));
  watch("levels", (_, level) => meter(level));
  listRecords().catch(complain);
  at("session").scrollIntoView({ block: "nearest" });
}

/** Show none. */
export function hide() {
  shown?.stop.abort();
  shown = null;
  at("session").hidden = true;
  at("caller-level").value = 0;
}

/** The id of the session that is shown, or null. */
export const current = () => shown?.id ?? null;

function watch(what, heard) {
  const { id, stop } = shown;
  follow(`/v1/sessions/${id}/${what}`, heard, stop.signal).catch((error) => {
    if (error.name !== "AbortError" && error.code !== "session_not_active") complain(error);
  });
}

function status(state, detail) {
  at("state").textContent = state;
  at("state").dataset.state = state;
  if (detail !== undefined) at("session-about").textContent = detail;
}

function meter({ caller_dbfs: level, turn, played_ms: played }) {
  at("caller-level").value = Math.max(0, 90 + level);
  at("playout").textContent = turn ? `Turn ${turn}: ${(played / 1000).toFixed(1)} s heard` : "";
}

async function listRecords() {
  const id = current();
  const { records } = recorded ? await ask("GET", `/v1/sessions/${id}/records`) : { records: [] };
  if (current() !== id) return;
  const lines = records.map((record) => make("li", {}, `${record.name}, ${record.size} bytes, until ${new Date(record.due * 1000).toLocaleString()}`));
  at("records").replaceChildren(...(lines.length ? lines : [make("li", { class: "quiet" }, "none yet")]));
}

at("close").addEventListener("click", hide);
at("end").addEventListener("click", () => shown && ask("DELETE", `/v1/sessions/${shown.id}`).catch(complain));
