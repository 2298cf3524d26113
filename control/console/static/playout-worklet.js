/* In the audio thread: plays what the agent says, stands still, drops, and tells how much of a turn was played. */

const REPORT_S = 0.2;

registerProcessor(
  "playout",
  class extends AudioWorkletProcessor {
    constructor() {
      super();
      this.queue = [];
      this.turn = 0;
      this.played = 0;
      this.reported = 0;
      this.isPaused = false;
      this.port.onmessage = ({ data }) => this[data.do](data);
    }

    push({ turn, pcm }) {
      this.queue.push({ turn, samples: new Int16Array(pcm), at: 0 });
    }

    pause() {
      this.isPaused = true;
      this.report(true);
    }

    resume() {
      this.isPaused = false;
    }

    clear() {
      this.queue = [];
      this.isPaused = false;
      this.report(true);
    }

    process(_, [[channel]]) {
      if (this.isPaused) return true;
      let filled = 0;
      while (filled < channel.length && this.queue.length) filled += this.fill(channel, filled);
      this.played += filled;
      if (this.played - this.reported >= REPORT_S * sampleRate || (filled && !this.queue.length)) this.report(false);
      return true;
    }

    fill(channel, from) {
      const first = this.queue[0];
      if (first.turn !== this.turn) this.begin(first.turn, from);
      const count = Math.min(channel.length - from, first.samples.length - first.at);
      for (let index = 0; index < count; index++) channel[from + index] = first.samples[first.at + index] / 32768;
      first.at += count;
      if (first.at === first.samples.length) this.queue.shift();
      return count;
    }

    begin(turn, from) {
      this.played += from;
      if (this.turn) this.report(false);
      this.turn = turn;
      this.played = -from;
      this.reported = 0;
    }

    report(stopped) {
      this.reported = this.played;
      if (this.turn) this.port.postMessage({ turn: this.turn, ms: (1000 * Math.max(0, this.played)) / sampleRate, stopped });
    }
  },
);
