/* The console: sessions, workers, queues, routing and retention, looked at anew every second while the page is seen. */

import { Problem, apiKey, ask, setApiKey } from "./api.js";
import { at, clock, complain, fill, lasting, make, row } from "./dom.js";
import { current, hide, keepsRecords, show } from "./session_view.js";

const EVERY_MS = 1000;

async function look() {
  try {
    if (!document.hidden) await Promise.all([sessions(), ...operators()]);
    complain(null);
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return askForKey(error);
    complain(error);
  }
  setTimeout(look, EVERY_MS);
}

const forbidden = new Set();
const operators = () => [onlyOperators(workers, "workers"), onlyOperators(queues, "queues"), onlyOperators(retention, "retention")];

/* What only operators may see is asked for until it is refused, and told so in its place. */
async function onlyOperators(what, place) {
  if (forbidden.has(place)) return;
  try {
    await what();
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 403) throw error;
    forbidden.add(place);
    if (at(place).tagName === "TBODY") fill(at(place), [], "for operators' keys");
    else at(place).textContent = "for operators' keys";
  }
}

function askForKey(error) {
  at("key-section").hidden = false;
  complain(apiKey() ? error : null);
  at("key").focus();
}

/* From what workers announce: /readyz says the same, but a browser's log calls its 503 an error of the page. */
function health(workers) {
  const taking = workers.filter((worker) => worker.admitting && !worker.draining);
  const total = taking.reduce((sum, worker) => sum + (worker.slots_total ?? Infinity), 0);
  const used = taking.reduce((sum, worker) => sum + worker.sessions, 0);
  const slots = total === Infinity ? "unlimited slots" : `${Math.max(0, total - used)} of ${total} slots free`;
  at("health").textContent = `${taking.length} of ${workers.length} workers take sessions, ${slots}`;
  at("health").className = taking.length ? (used >= 0.9 * total ? "warm" : "good") : "bad";
}

async function sessions() {
  const { sessions: found } = await ask("GET", "/v1/sessions?limit=50");
  const rows = found.map((session) => {
    const open = make("button", { type: "button", class: "link", "data-session": session.id }, make("code", {}, session.id.slice(0, 12)));
    open.addEventListener("click", () => show(session));
    const until = session.ended_at ?? Date.now() / 1000;
    const about = session.reason ? `${session.state}: ${session.reason}` : session.state;
    const line = row(open, about, session.user_id, session.provider, session.agent ?? "", session.transport, session.worker ?? "", `${clock(session.created_at)}, ${lasting(until - session.created_at)}`);
    line.setAttribute("aria-selected", String(session.id === current()));
    return line;
  });
  keepFocus(at("sessions"), "session", () => fill(at("sessions"), rows, "No sessions: start one in the playground."));
}

/* A list that is made anew under somebody's keyboard gives the focus back. */
function keepFocus(body, name, change) {
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset[name] : null;
  change();
  if (focused) body.querySelector(`[data-${name}="${CSS.escape(focused)}"]`)?.focus();
}

async function workers() {
  const { workers: found } = await ask("GET", "/v1/workers");
  health(found);
  const rows = found.map((worker) =>
    row(
      make("code", {}, worker.id),
      worker.draining ? ["draining", "warm"] : worker.admitting ? ["serving", "good"] : ["busy", "warm"],
      [String(worker.sessions), "number"],
      [worker.slots_total === null ? "any" : String(worker.slots_total), "number"],
      Object.keys(worker.lanes).join(" "),
      [`${worker.lag_ms} ms`, "number"],
      [`${Math.round(worker.cpu * 100)} %`, "number"],
      [`${worker.rss_mb} MB`, "number"],
      drain(worker),
    ),
  );
  keepFocus(at("workers"), "worker", () => fill(at("workers"), rows, "No workers: no session can start."));
}

function drain(worker) {
  const button = make("button", { type: "button", class: "small", "data-worker": worker.id, "aria-label": `Drain ${worker.id}`, disabled: worker.draining }, "Drain");
  button.addEventListener("click", () => {
    if (confirm(`Let ${worker.id} hand its sessions over and end? Its calls go on elsewhere.`)) {
      ask("POST", `/v1/workers/${encodeURIComponent(worker.id)}/drain`).catch(complain);
    }
  });
  return button;
}

async function queues() {
  const found = await ask("GET", "/v1/queues");
  const rows = found.queues.map(({ name, waiting }) => row(name, [String(waiting), waiting > 100 ? "number bad" : "number"]));
  rows.push(row("given up", [String(found.dead_letters), found.dead_letters ? "number warm" : "number"]));
  fill(at("queues"), rows, "");
}

async function retention() {
  const state = await ask("GET", "/v1/retention");
  keepsRecords(state.enabled);
  const late = state.late_s > 0 ? `Objects are ${lasting(state.late_s)} overdue.` : "Nothing is overdue.";
  const counts = `${state.due_objects} objects wait for their day, ${state.held_objects} are held, ${state.receipts} are gone with a receipt.`;
  at("retention").textContent = state.enabled ? `${late} ${counts}` : "No records are kept here: set VOICEBACKEND_RETENTION.";
  at("retention").className = state.late_s > 600 ? "bad" : "";
}

async function explain(event) {
  event.preventDefault();
  const asked = { call_id: "console" };
  for (const field of ["called", "caller", "trunk"]) if (at(field).value.trim()) asked[field] = at(field).value.trim();
  const shown = at("explained");
  shown.hidden = false;
  try {
    shown.textContent = JSON.stringify(await ask("POST", "/v1/telephony/explain", asked), null, 2);
  } catch (error) {
    shown.textContent = error.message;
  }
}

at("routing").addEventListener("submit", explain);
at("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setApiKey(at("key").value.trim());
  at("key-section").hidden = true;
  forbidden.clear();
  hide();
  look();
});
if (apiKey()) look();
else askForKey();
