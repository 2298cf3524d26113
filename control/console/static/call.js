/* A caller's websocket, sub-protocol voicebackend.v1: audio up and down, and what is told beside it. */

const PROTOCOL = "voicebackend.v1";

/** One conversation. `listener(message)` hears every message of the server, `audio(turn, pcm)` the agent's audio. */
export class Call {
  constructor({ listener, audio, closed }) {
    Object.assign(this, { listener, audio, closed });
    this.socket = null;
    this.turn = 0;
  }

  /** Connect to a session's `connect_url` with its token; audio goes both ways at this rate, in hertz. */
  open(url, token, sampleRate) {
    this.socket = new WebSocket(url, [PROTOCOL, `token.${token}`]);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.tell({ type: "start", sample_rate: sampleRate });
    this.socket.onmessage = (message) => this.hear(message.data);
    this.socket.onclose = (event) => this.closed(event);
  }

  hear(data) {
    if (typeof data !== "string") return this.audio(this.turn, new Int16Array(data));
    const message = JSON.parse(data);
    if (message.type === "audio_start") this.turn = message.turn;
    return this.listener(message);
  }

  /** Send what the microphone heard: 16-bit samples, at most 200 ms. */
  say(pcm) {
    if (this.isOpen) this.socket.send(pcm);
  }

  /** Send a message. */
  tell(message) {
    if (this.isOpen) this.socket.send(JSON.stringify(message));
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  /** Hang up. */
  end() {
    this.tell({ type: "stop" });
  }
}
