/* The playground: talk to an agent, interrupt it, and see where each turn's time went. */

import { Problem, apiKey, ask, setApiKey } from "./api.js";
import { Call } from "./call.js";
import { at, complain } from "./dom.js";
import { Sound } from "./sound.js";
import { Transcript } from "./transcript.js";
import { Waterfall } from "./waterfall.js";

const READY_S = 10;
const transcript = new Transcript(at("transcript"));
const waterfall = new Waterfall(at("waterfall"));
let running = null;

/** A conversation that goes on: its session, its socket, microphone and loudspeaker. */
class Conversation {
  static async begin(request) {
    const conversation = new Conversation();
    conversation.sound = await Sound.open({
      heard: (pcm) => conversation.call.say(pcm),
      played: (report) => conversation.call.tell({ type: "played", ...report }),
    });
    try {
      const session = await ask("POST", "/v1/sessions", request);
      conversation.id = session.id;
      conversation.call.open(sameOrigin(session.connect_url), session.token, conversation.sound.sampleRate);
      return conversation;
    } catch (error) {
      await conversation.sound.close();
      throw error;
    }
  }

  constructor() {
    this.call = new Call({
      listener: (message) => hear(this, message),
      audio: (turn, pcm) => this.sound.play(turn, pcm),
      closed: (event) => over(this, event),
    });
  }
}

/* The page may have come by another name than the server knows itself by: a tunnel, a forwarded port. */
function sameOrigin(url) {
  const wanted = new URL(url);
  wanted.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  wanted.host = location.host;
  return wanted.href;
}

const HEARD = {
  ready: (conversation) => status("listening", `session ${conversation.id}`),
  state: (_, { state }) => status(state),
  transcript: (_, message) => transcript.add(message),
  turn: (_, message) => waterfall.add(message),
  pause: (conversation) => conversation.sound.obey("pause"),
  resume: (conversation) => conversation.sound.obey("resume"),
  clear: (conversation) => {
    conversation.sound.obey("clear");
    transcript.remark("interrupted");
  },
  error: (_, { code, message }) => transcript.remark(`${message} (${code})`),
  ended: (_, { reason }) => transcript.remark(`ended: ${reason}`),
};

function hear(conversation, message) {
  HEARD[message.type]?.(conversation, message);
}

function status(state, detail) {
  at("state").textContent = state;
  at("state").dataset.state = state;
  if (detail !== undefined) at("detail").textContent = detail;
}

async function start() {
  setApiKey(at("key").value.trim());
  complain(null);
  transcript.clear();
  waterfall.clear();
  status("connecting", "");
  buttons(true);
  try {
    running = await Conversation.begin(request());
  } catch (error) {
    buttons(false);
    status("idle", "");
    complain(error instanceof Problem ? error : new Error(said(error)));
  }
}

function request() {
  const wanted = { user_id: "playground", transport: "websocket" };
  for (const field of ["agent", "provider", "pipeline_type"]) if (at(field).value.trim()) wanted[field] = at(field).value.trim();
  return wanted;
}

function said(error) {
  if (error.name === "NotAllowedError") return "The microphone was refused: allow it for this page.";
  if (error.name === "NotFoundError") return "There is no microphone.";
  return `No connection: ${error.message}`;
}

async function over(conversation, { code, reason }) {
  if (running !== conversation) return;
  running = null;
  buttons(false);
  status("idle");
  if (code !== 1000) complain(new Error(`The socket was closed with ${code} ${reason}`.trim()));
  await conversation.sound.close();
}

function buttons(talking) {
  at("start").disabled = talking;
  at("stop").disabled = !talking;
  at("say").disabled = !talking;
  (talking ? at("stop") : at("start")).focus();
}

function meters() {
  const levels = running ? running.sound.levels() : { caller: -90, agent: -90 };
  for (const [side, level] of Object.entries(levels)) at(`${side}-level`).value = level + 90;
  requestAnimationFrame(meters);
}

at("talk").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!running) start();
});
at("stop").addEventListener("click", () => running?.call.end());
at("type").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (!running || !text) return;
  at("text").value = "";
  await ask("POST", `/v1/sessions/${running.id}/text`, { text }).catch(complain);
});
addEventListener("pagehide", () => running?.call.end());
at("key").value = apiKey();
buttons(false);
meters();
