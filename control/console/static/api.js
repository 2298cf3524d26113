/* The HTTP API as the pages use it: with the key of this tab, errors as their problems say them. */

const KEY = "voicebackend.key";

/** The API key: once from the address's fragment (`#key=…`, which no server sees), then kept for this tab only. */
export function apiKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    setApiKey(given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(KEY) ?? "";
}

/** Keep a key for this tab. */
export function setApiKey(key) {
  sessionStorage.setItem(KEY, key);
}

/** What the API refused: `code` and `message` of its problem. */
export class Problem extends Error {
  constructor(status, problem) {
    super(problem.detail || `HTTP ${status}`);
    this.status = status;
    this.code = problem.code || "";
  }
}

/** Ask; returns the answer's JSON, or null where there is none. Raises Problem, or TypeError without a connection. */
export async function ask(method, path, body) {
  const answer = await send(method, path, body);
  return answer.status === 204 || answer.headers.get("Content-Length") === "0" ? null : readJson(answer);
}

async function send(method, path, body, signal) {
  const headers = { Authorization: `Bearer ${apiKey()}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal, cache: "no-store" });
  if (!answer.ok) throw new Problem(answer.status, await readJson(answer).catch(() => ({})));
  return answer;
}

async function readJson(answer) {
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

/** Follow server-sent events (EventSource cannot send a key): `heard(type, data)` for each, until the end or abort. */
export async function follow(path, heard, signal) {
  const answer = await send("GET", path, undefined, signal);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) tell(block, heard);
  }
}

function tell(block, heard) {
  const fields = new Map(block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
  if (fields.has("data")) heard(fields.get("event"), JSON.parse(fields.get("data")));
}
