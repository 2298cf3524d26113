/* A conversation as it is spoken: a line for each side of each turn, which changes until it is final. */

import { make } from "./dom.js";

const SHOWN = 200;

/** Lines in an element with `role="log"`. */
export class Transcript {
  constructor(log) {
    this.log = log;
    this.lines = new Map();
  }

  /** Show a `transcript` event. */
  add({ role, turn, text, final }) {
    const name = `${role} ${turn}`;
    const line = this.lines.get(name) ?? this.begin(name, role);
    line.lastChild.textContent = text;
    line.classList.toggle("open", !final);
    this.log.scrollTop = this.log.scrollHeight;
  }

  /** Show a remark: an interruption, an error. */
  remark(text) {
    this.log.append(make("p", { class: "remark" }, text));
    this.log.scrollTop = this.log.scrollHeight;
  }

  begin(name, role) {
    const line = make("p", { class: role }, make("b", {}, role === "user" ? "Caller" : "Agent"), make("span", {}));
    this.lines.set(name, line);
    this.log.append(line);
    if (this.log.childElementCount > SHOWN) this.log.firstElementChild.remove();
    return line;
  }

  /** Forget all. */
  clear() {
    this.lines.clear();
    this.log.replaceChildren();
  }
}
